"""The messages that wait while an answer is being written, above the input."""

from collections.abc import Callable

import streamlit as st

from assistant.runs.queue import MessageQueue
from assistant.threads import Thread
from assistant.ui.language import _


def draw_queue(queue: MessageQueue, thread: Thread, take_back: Callable[[str], None]) -> None:
    """Draw what waits; ``take_back`` is called with a message that the user returns to the input."""
    for number, text in enumerate(queue.waiting(thread)):
        with st.container(horizontal=True, vertical_alignment="center", key=f"waiting-{number}"):
            st.caption(f":material/schedule: {_('Next')}", width="content")
            st.text(text if len(text) <= 200 else text[:199] + "…", width="stretch")
            st.button(
                "",
                key=f"take_back_{number}",
                icon=":material/undo:",
                type="tertiary",
                help=_("Take it back into the input"),
                on_click=take_back,
                args=[text],
            )
