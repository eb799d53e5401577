"""Find out by a token, in a link that the terminal shows, whether a visitor is on the page's machine."""

from dataclasses import dataclass
from functools import cache

import streamlit as st

from assistant.access import local
from assistant.access.auth import hash_secret
from assistant.locale import N_
from assistant.session import ChatSession
from assistant.settings import Settings
from assistant.ui.language import _
from assistant.ui.page.browser_script import call_script, read_element
from assistant.ui.state import state_of

PARAMETER = "token"

MAX_PRINTED_LINKS = 10


@dataclass(slots=True)
class _Shown:
    """The token of the link that opened this session, and a hash of the one that has proven it to be local."""

    token: str = ""
    proven: str = ""
    is_wrong: bool = False


def is_localhost(settings: Settings) -> bool:
    """Return whether the visitor is on the machine that serves the page, and has proven it if necessary.

    Only there may a visitor use the owner's key without a limit, see all threads, choose a server by its
    address, and inject faults.
    """
    shown = state_of(_Shown)
    shown.token = st.query_params.pop(PARAMETER, "") or shown.token  # it does not stay in the address
    if not _is_direct() or settings.local_token == local.OFF:
        return False
    if not _needs_proof(settings):
        return True
    if local.is_proven(_token(settings), (shown.token, _cookie())):
        return True
    _print_link(_link(settings))
    return False


def configure_local_access(session: ChatSession) -> None:
    """Give a local visitor access; forget what the page keeps of one who is local no longer, such as a key."""
    settings, shown = session.app.settings, state_of(_Shown)
    is_local = is_localhost(settings)
    if shown.proven and not is_local:
        session.app.audit.write("session_ended", session.visit.visitor, reason="settings_changed")
        st.session_state.clear()
        st.rerun()
    if is_local and not shown.proven and _needs_proof(settings):
        shown.proven = hash_secret(_token(settings))
        session.app.audit.write("login_succeeded", session.visit.visitor, method="local_token")
    if shown.token and not is_local and not shown.is_wrong:
        shown.is_wrong = True
        reason = "not_local" if local.is_proven(_token(settings), (shown.token,)) else "wrong_token"
        session.app.audit.write("login_failed", session.visit.visitor, method="local_token", reason=reason)
    session.connection.configure(is_localhost=is_local)


def draw_local_access(settings: Settings, is_localhost: bool) -> None:
    """Let the browser keep the token; tell a visitor who may be local, but has not shown one, where it is."""
    token = state_of(_Shown).token
    if is_localhost and token and token != _cookie():
        script = read_element("local_access.js") + call_script("keepToken", _cookie_name(), token)
        st.html(script, unsafe_allow_javascript=True)
    if may_be_localhost(settings, is_localhost):
        text = _("Is this your machine? Open the link in the terminal to use your key and see all chats.")
        st.info(text, icon=":material/key:")


def may_be_localhost(settings: Settings, is_localhost: bool) -> bool:
    """Return whether the visitor of an open page may be on its machine, and has not proven it."""
    is_open = not _has_visitors(settings)
    return not is_localhost and is_open and settings.local_token != local.OFF and _is_direct()


def _is_direct() -> bool:
    return local.is_direct(st.context.headers, st.context.ip_address)


def _needs_proof(settings: Settings) -> bool:
    """Return whether the page may have other visitors: it has a key or a login, or runs without a desktop."""
    is_public = settings.has_key or _has_visitors(settings)
    return bool(is_public or settings.local_token or st.get_option("server.headless"))


def _has_visitors(settings: Settings) -> bool:
    """Return whether the settings say which visitors may use the page, or how much."""
    return bool(settings.password or settings.allowed or settings.limit_all)


def _token(settings: Settings) -> str:
    return settings.local_token or _random_token()


@st.cache_resource(show_spinner=False)
def _random_token() -> str:
    """Return the token of this process, which stays when Streamlit reloads the package after an edit."""
    return local.random_token()


def _cookie_name() -> str:
    """Return the name of the cookie; browsers send those of one port to all ports."""
    return f"assistant_token_{st.context.headers.get('Host', '').rpartition(':')[2]}"


def _cookie() -> str:
    return st.context.cookies.get(_cookie_name(), "")


def _link(settings: Settings) -> str:
    scheme = "https" if st.get_option("server.sslCertFile") else "http"
    path = str(st.get_option("server.baseUrlPath") or "").strip("/")
    host = st.context.headers["Host"]  # a local one, with the port
    return f"{scheme}://{host}/{path}{'/' if path else ''}?{PARAMETER}={_token(settings)}"


def _print_link(link: str) -> None:
    """Print each link once, and only a few: a stranger behind a proxy may choose the port in it."""
    printed = _printed_links()
    if link not in printed and len(printed) < MAX_PRINTED_LINKS:
        printed.add(link)
        print(N_("On this machine, open the page with your key and all chats: {link}", link=link), flush=True)


@cache
def _printed_links() -> set[str]:
    return set()
