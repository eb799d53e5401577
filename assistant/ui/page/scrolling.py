"""Where the page stands while the conversation grows, and which element has the focus.

Streamlit keeps a page at its end only for an input at the top level of the page, and then ignores a reader
who scrolls up at the moment in which the text grows. So the input is in a container, and only
``browser/scrolling.js`` scrolls.
"""

from dataclasses import dataclass

import streamlit as st

from assistant.session import ChatSession
from assistant.threads import Thread
from assistant.ui import keys
from assistant.ui.language import _
from assistant.ui.page.browser_script import call_script
from assistant.ui.state import state_of


@dataclass(slots=True)
class Turns:
    """Counts how often the page has to move by itself."""

    thread: Thread | None = None
    user_turns: int = 0
    number: int = 0


def draw_scrolling(session: ChatSession) -> None:
    """Draw the end of the conversation. The page stays there for as long as the reader does not scroll up.

    An empty chat stands at its top. When the user asks for an answer, the page scrolls to it in any case.
    This needs ``draw_conversation_scripts`` above it.
    """
    turns, thread = state_of(Turns), session.thread
    is_same = thread is turns.thread or bool(turns.thread and thread.id and thread.id == turns.thread.id)
    if not is_same or session.user_turns != turns.user_turns:
        turns.number += 1
    turns.thread, turns.user_turns = thread, session.user_turns
    script = call_script("conversation.begin", turns.number, not session.history, _("Scroll to bottom"))
    with st.container(key=keys.SCROLLING, height=1, border=False):
        st.html(script, unsafe_allow_javascript=True)
