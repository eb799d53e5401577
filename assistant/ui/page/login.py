"""The login page: a password, or sign-in with a provider (``st.login``)."""

from collections.abc import Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any, NoReturn

import streamlit as st

from assistant.access.auth import (
    LoginThrottle,
    User,
    authorize,
    client_of,
    config_error,
    list_providers,
    password_hash,
)
from assistant.locale import N_, Sentence
from assistant.markdown.escape import escape_markdown
from assistant.settings import Settings
from assistant.ui import keys
from assistant.ui.language import _, translate
from assistant.ui.state import state_of
from assistant.ui.streamlit_private import accept_uploads


@dataclass(slots=True)
class Login:
    """The password that was entered in this session, as a hash."""

    password_hash: str = ""


def require_user(settings: Settings, auth: object) -> User:
    """Return the user; for visitors who are not logged in, draw the login page and end the script.

    ``auth`` is the ``[auth]`` section of Streamlit's secrets, or None.
    """
    section = auth if isinstance(auth, Mapping) else None if auth is None else {}
    installed = not settings.allowed or find_spec("authlib") is not None
    if error := config_error(settings.password, settings.allowed, section, authlib=installed):
        _draw_title(settings)
        _draw_error(error)
        _stop()
    if settings.password and state_of(Login).password_hash != password_hash(settings.password):
        _draw_title(settings)
        _draw_password_form(settings.password)
        _stop()
    if not settings.allowed or section is None:
        accept_uploads(True)
        return User()
    signed_in = _signed_in_user(settings, section)
    if signed_in is None:
        _stop()
    accept_uploads(True)
    return signed_in


def _stop() -> NoReturn:
    """End the script for a visitor who is not logged in, and keep none of their files."""
    accept_uploads(False)
    st.stop()


def draw_user(user: User) -> None:
    """Draw who is signed in and the button to sign out; nothing where users do not sign in."""
    if user.id:
        with st.container(horizontal=True, vertical_alignment="center"):
            st.caption(f":material/person: {escape_markdown(user.name)}", width="stretch")
            _draw_sign_out()


def _draw_sign_out() -> None:
    st.button(_("Sign out"), key=keys.SIGN_OUT, type="tertiary", on_click=st.logout)


@st.cache_resource(show_spinner=False)
def _throttle() -> LoginThrottle:
    """One for the whole process, so that it counts every visitor's attempts."""
    return LoginThrottle()


def _draw_password_form(password: str) -> None:
    """Draw the form, and run the script again once the password is correct."""
    with st.form(keys.LOGIN, border=False):
        entered = st.text_input(
            _("Password"), key=keys.PASSWORD, type="password", autocomplete="current-password"
        )
        if st.form_submit_button(_("Log in"), key=keys.LOG_IN, type="primary"):
            client = client_of(st.context.ip_address, st.context.headers.get_all("X-Forwarded-For"))
            match _throttle().verify(entered.strip(), password, client):
                case "accepted":
                    state_of(Login).password_hash = password_hash(password)
                    st.rerun()
                case "rejected":
                    _draw_error(N_("Wrong password."))
                case "throttled":
                    _draw_error(N_("Too many wrong attempts. Wait a few seconds and try again."))


def _signed_in_user(settings: Settings, auth: Mapping[str, Any]) -> User | None:
    """Return the signed-in user; else draw the sign-in buttons, or why this user has no access."""
    claims = st.user.to_dict()
    result = authorize(claims, settings.allowed) if claims.get("is_logged_in") is True else None
    if isinstance(result, User):
        return result
    _draw_title(settings)
    if result is not None:
        _draw_error(result)
        _draw_sign_out()
        return None
    for provider in list_providers(auth):
        label = _("Sign in with {provider}", provider=provider) if provider else _("Sign in")
        if st.button(label, key=keys.sign_in(provider), type="primary"):
            st.login(provider or None)
    return None


def _draw_title(settings: Settings) -> None:
    st.title(translate(settings.name), anchor=False)


def _draw_error(text: Sentence) -> None:
    st.error(escape_markdown(translate(text)), icon=":material/lock:")
