"""The login page: a password, or sign-in with a provider (``st.login``)."""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any, NoReturn

import streamlit as st

from assistant.access.auth import (
    LoginThrottle,
    User,
    authorize,
    config_error,
    hash_secret,
    list_providers,
)
from assistant.access.sessions import Login, sign_in
from assistant.application import Application
from assistant.locale import N_, Sentence
from assistant.markdown.escape import escape_markdown
from assistant.observability.audit import AuditEvent, Visitor
from assistant.session import ChatSession
from assistant.settings import Settings
from assistant.ui import keys
from assistant.ui.language import _, translate
from assistant.ui.page import local_access
from assistant.ui.resources import refresh
from assistant.ui.state import state_of, visitor_network
from assistant.ui.streamlit_private import accept_uploads


@dataclass(slots=True)
class LoginState:
    """The login of this browser session.

    Attributes:
        login: How it was opened; None on the login page.
        has_ended: Whether an earlier login has ended, so that the user has to log in again.
        cookie_hash: A hash of the secret with which the provider's cookie was signed when the session began.
        refused: The last refusal in the audit log, which has each of them once.
    """

    login: Login | None = None
    has_ended: bool = False
    cookie_hash: str = ""
    refused: str = ""


def require_login(app: Application) -> Login:
    """Return how this session was opened; for visitors without a login, draw its page and end the script."""
    settings, auth = app.settings, app.secrets.get("auth")
    section = auth if isinstance(auth, Mapping) else None if auth is None else {}
    installed = not settings.allowed or find_spec("authlib") is not None
    if error := config_error(settings.password, settings.allowed, section, authlib=installed):
        _draw_title(settings)
        _draw_error(error)
        _stop()
    _leave_ended(app)
    login = state_of(LoginState).login or _log_in(app, section or {})
    if login is None:
        _stop()
    accept_uploads(True)
    return login


def require_open(session: ChatSession) -> None:
    """Run the page again if this session has ended; for each fragment, which runs without the page."""
    app = session.app
    refresh(app)
    if session.connection.is_localhost and not local_access.is_localhost(app.settings):
        session.visit.leave()
    session.visit.require_open()


def _leave_ended(app: Application) -> None:
    """Forget the login of this session, and everything else that the page keeps of it, if it has ended."""
    state = state_of(LoginState)
    if state.login and (reason := app.end_reason(state.login)):
        _audit(app, "session_ended", state.login, reason=reason)
        st.session_state.clear()  # drafts, files, a key, recordings
        state_of(LoginState).has_ended = state.login.method != "none"
        state_of(LoginState).cookie_hash, state_of(LoginState).refused = state.cookie_hash, reason
    elif state.login and state.login.method == "sign_in" and state.login.claims != st.user.to_dict():
        state.login = None  # another user, or signed in again


def _log_in(app: Application, auth: Mapping[str, Any]) -> Login | None:
    """Return the login of this visitor; else draw the login page."""
    state = state_of(LoginState)
    match app.rules.method:
        case "password":
            _draw_title(app.settings)
            _draw_password_form(app)
            return None
        case "sign_in":
            state.login = _sign_in(app, auth)
        case _:
            state.login = Login()
    return state.login


def _stop() -> NoReturn:
    """End the script for a visitor who is not logged in, and keep none of their files."""
    accept_uploads(False)
    st.stop()


def _audit(app: Application, event: AuditEvent, login: Login, **facts: str) -> None:
    app.audit.write(event, Visitor(login.address, login.user.id, visitor_network()), **facts)


def draw_user(session: ChatSession) -> None:
    """Draw who is signed in and the button to sign out; nothing where users do not sign in."""
    if session.visit.user.id:
        with st.container(horizontal=True, vertical_alignment="center"):
            st.caption(f":material/person: {escape_markdown(session.visit.user.name)}", width="stretch")
            _draw_sign_out(session.app, session.visit.login or Login(session.visit.user))


def _draw_sign_out(app: Application, login: Login) -> None:
    def sign_out() -> None:
        _audit(app, "logged_out", login)
        st.logout()

    st.button(_("Sign out"), key=keys.SIGN_OUT, type="tertiary", on_click=sign_out)


@st.cache_resource(show_spinner=False)
def _throttle() -> LoginThrottle:
    """One for the whole process, so that it counts every visitor's attempts."""
    return LoginThrottle()


def _draw_password_form(app: Application) -> None:
    """Draw the form, and run the script again once the password is correct."""
    _draw_ended()
    with st.form(keys.LOGIN, border=False):
        entered = st.text_input(
            _("Password"), key=keys.PASSWORD, type="password", autocomplete="current-password"
        )
        if st.form_submit_button(_("Log in"), key=keys.LOG_IN, type="primary"):
            password = app.settings.password
            match _throttle().verify(entered.strip(), password, visitor_network()):
                case "accepted":
                    login = Login(User(), "password", app.now(), hash_secret(password))
                    state_of(LoginState).login = login
                    _audit(app, "login_succeeded", login, method="password")
                    st.rerun()
                case "rejected":
                    _audit(app, "login_failed", Login(), method="password", reason="wrong_password")
                    _draw_error(N_("Wrong password."))
                case "throttled":
                    _audit(app, "login_failed", Login(), method="password", reason="too_many_attempts")
                    _draw_error(N_("Too many wrong attempts. Wait a few seconds and try again."))


def _sign_in(app: Application, auth: Mapping[str, Any]) -> Login | None:
    """Return the login of the signed-in user; else draw the sign-in buttons, or why this user has no access."""
    state = state_of(LoginState)
    state.cookie_hash = state.cookie_hash or hash_secret(app.rules.cookie_secret)
    claims = st.user.to_dict()
    user = authorize(claims, app.settings.allowed) if claims.get("is_logged_in") is True else None
    login = sign_in(claims, user, state.cookie_hash) if isinstance(user, User) else None
    reason = app.end_reason(login)
    if login and not reason:
        _audit(app, "login_succeeded", login, method="sign_in", signed_in=_time(login.since))
        return login
    _draw_title(app.settings)
    if isinstance(user, Sentence):
        login, reason = sign_in(claims, User(), ""), "not_allowed"
        _draw_error(user)
        _draw_sign_out(app, login)
    else:
        state.has_ended = state.has_ended or login is not None
        _draw_ended()
        _draw_sign_in(auth)
    if login and reason and state.refused != reason:
        state.refused = reason
        _audit(app, "login_refused", login, reason=reason)
    return None


def _time(moment: float) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(moment))


def _draw_sign_in(auth: Mapping[str, Any]) -> None:
    for provider in list_providers(auth):
        label = _("Sign in with {provider}", provider=provider) if provider else _("Sign in")
        if st.button(label, key=keys.sign_in(provider), type="primary"):
            st.login(provider or None)


def _draw_ended() -> None:
    if state_of(LoginState).has_ended:
        st.info(_("Your session has ended. Log in again."), icon=":material/lock_clock:")


def _draw_title(settings: Settings) -> None:
    st.title(translate(settings.name), anchor=False)


def _draw_error(text: Sentence) -> None:
    st.error(escape_markdown(translate(text)), icon=":material/lock:")
