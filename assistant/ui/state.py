"""What the page remembers of one browser session besides the values of its widgets.

Everything hangs on one object in ``st.session_state``. A module keeps its own values in a class of its own, and
gets this session's instance with ``state_of(TheClass)``; what it needs of another module it takes as an argument.
"""

from typing import Any, TypeVar

import streamlit as st

from assistant.ui import keys

T = TypeVar("T")


class PageState:
    """The states of this session by their class."""

    def __init__(self) -> None:
        self.states: dict[type[Any], Any] = {}


def state_of(kind: type[T]) -> T:
    """Return this session's instance of a class, created without arguments on first use.

    After an edit has reloaded the package, its classes are others, and so the states are new.
    """
    page = st.session_state.get(keys.PAGE)
    if not isinstance(page, PageState):
        st.session_state[keys.PAGE] = page = PageState()
    if kind not in page.states:
        page.states[kind] = kind()
    state: T = page.states[kind]
    return state
