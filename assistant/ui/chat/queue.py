"""The messages that wait while an answer is being written, above the input."""

import streamlit as st

from assistant.session import ChatSession
from assistant.texts import shorten
from assistant.ui import keys
from assistant.ui.language import _

MAX_SHOWN_CHARS = 200


def draw_queue(session: ChatSession) -> None:
    """Draw each waiting message with a button that returns it to the input."""
    for number, text in enumerate(session.waiting):
        with st.container(horizontal=True, vertical_alignment="center", key=keys.waiting(number)):
            st.caption(f":material/schedule: {_('Queued')}", width="content")
            st.text(shorten(text, MAX_SHOWN_CHARS), width="stretch")
            st.button(
                "",
                key=keys.unqueue(number),
                icon=":material/undo:",
                type="tertiary",
                help=_("Return to the input"),
                on_click=session.unqueue,
                args=[text],
            )
