"""What the page keeps of a browser session besides widget values: one object in ``st.session_state``.

It holds the user's open chat: the id of the thread, and its messages as the history. A module of the page
that has to remember something keeps it in a class of its own and gets this session's instance with
``state_of(TheClass)``.
"""

from typing import Any, TypeVar

import streamlit as st

from assistant.access.auth import User, client_of
from assistant.access.sessions import Login
from assistant.application import Application
from assistant.observability.audit import Visitor
from assistant.recordings.recording import Recording
from assistant.session import ChatSession
from assistant.storage.search import Hit
from assistant.ui import keys

T = TypeVar("T")


class PageState:
    """What the page keeps of a browser session.

    Attributes:
        session: The user's open chat.
        boundary: The position of the first message that the conversation fragment draws.
        outdated: Whether something outside the fragment has changed, so that the page has to run.
        drawn_protocol: The protocol that is drawn outside the fragment.
        found: What a search found in the open thread, to show next.
        editing: The thread id and position of the message that is being edited.
        inspector_open: Whether the inspector is shown beside the chat.
        background_calls: The ids of calls that were drawn as going on after their answer.
        inspected_call: The id of a call whose events the inspector shows next.
        opened_recordings: Recordings from files.
        states: What the page's modules remember by themselves, by class.
    """

    def __init__(self) -> None:
        self.session: ChatSession | None = None
        self.boundary = 0
        self.outdated = False
        self.drawn_protocol = ""
        self.found: Hit | None = None
        self.editing: tuple[str, int] | None = None
        self.inspector_open = False
        self.background_calls: set[str] = set()
        self.inspected_call = ""
        self.opened_recordings: list[Recording] = []
        self.states: dict[type[Any], Any] = {}


def page_state() -> PageState:
    """Return this session's state, created on first use, and again after an edit has reloaded the package."""
    page = st.session_state.get(keys.PAGE)
    if not isinstance(page, PageState):
        st.session_state[keys.PAGE] = page = PageState()
    return page


def state_of(kind: type[T]) -> T:
    """Return this session's instance of a class, created without arguments on first use."""
    states = page_state().states
    if kind not in states:
        states[kind] = kind()
    state: T = states[kind]
    return state


def chat_session(app: Application, user: User, login: Login | None = None) -> ChatSession:
    """Return the user's open chat; nothing stays of another user's page.

    With a ``login``, nothing can be done in it once that has ended.
    """
    session = page_state().session
    if session is not None and session.visit.user.id != user.id:
        st.session_state.clear()  # drafts, files, a key, recordings
        session = None
    if session is None or session.app is not app:
        address = login.address if login else ""
        session = ChatSession(app, user, Visitor(address, user.id, visitor_network()))
        session.visit.leave = st.rerun  # the page, which then draws the login
        page_state().session = session
    session.visit.login = login
    return session


def visitor_network() -> str:
    """Return what tells the visitor's network from others."""
    return client_of(st.context.ip_address, st.context.headers.get_all("X-Forwarded-For"))
