"""The door: what a person sees who is not in yet, and who is in.

Not here: the rules (``access.py``), or signing in itself (Streamlit's ``st.login``).

The one rule: a person comes out of ``require_user`` only if they may; for everybody else the script ends there.
"""

from collections.abc import Mapping
from importlib.util import find_spec
from typing import Any

import streamlit as st

from assistant.access.auth import LoginThrottle, User, authorize, config_error, list_providers, password_hash
from assistant.locale import N_, Sentence
from assistant.markdown.escape import plain
from assistant.settings import Settings
from assistant.ui.language import _, translate


def require_user(settings: Settings, auth: object) -> User:
    """Who is at the page, once they may be; ``auth`` is the section of this name in Streamlit's secrets."""
    section = auth if isinstance(auth, Mapping) else None if auth is None else {}
    installed = not settings.allowed or find_spec("authlib") is not None
    if wrong := config_error(settings.password, settings.allowed, section, authlib=installed):
        _draw_title(settings)
        _tell(wrong)
        st.stop()
    who: User | None = User()
    if settings.password and st.session_state.get("entered") != password_hash(settings.password):
        _draw_title(settings)
        _ask(settings.password)
        who = None
    elif settings.allowed and section is not None:
        who = _signed_in(settings, section)
    if who is None:
        st.stop()
    return who


def draw_user(who: User) -> None:
    """Draw who is signed in, and how to leave; nothing where nobody signs in."""
    if who.id:
        with st.container(horizontal=True, vertical_alignment="center"):
            st.caption(f":material/person: {plain(who.name)}", width="stretch")
            _draw_leave()


def _draw_leave() -> None:
    st.button(_("Sign out"), key="sign_out", type="tertiary", on_click=st.logout)


@st.cache_resource(show_spinner=False)
def _throttle() -> LoginThrottle:
    """One for the whole process, that it may count everybody's tries."""
    return LoginThrottle()


def _ask(password: str) -> None:
    """Draw the input of the password; the page begins anew once it was right."""
    with st.form("door", border=False):
        typed = st.text_input(_("Password"), key="password", type="password", autocomplete="current-password")
        if st.form_submit_button(_("Come in"), key="come_in", type="primary"):
            match _throttle().verify(typed.strip(), password):
                case "accepted":
                    st.session_state.entered = password_hash(password)
                    st.rerun()
                case "rejected":
                    _tell(N_("This is not the password."))
                case "throttled":
                    _tell(N_("There were too many wrong tries. Wait a few seconds and try again."))


def _signed_in(settings: Settings, auth: Mapping[str, Any]) -> User | None:
    """Who is signed in and may come in; for anybody else, what there is to do is drawn."""
    claims = st.user.to_dict()
    found: User | Sentence | None = (
        authorize(claims, settings.allowed) if claims.get("is_logged_in") is True else None
    )
    if isinstance(found, User):
        return found
    _draw_title(settings)
    if found is not None:
        _tell(found)
        _draw_leave()
        return None
    for provider in list_providers(auth):
        words = _("Sign in with {provider}", provider=provider) if provider else _("Sign in")
        if st.button(words, key=f"sign_in_{provider}", type="primary"):
            st.login(provider or None)
    return None


def _draw_title(settings: Settings) -> None:
    st.title(settings.name, anchor=False)


def _tell(words: Sentence) -> None:
    st.error(plain(translate(words)), icon=":material/lock:")
