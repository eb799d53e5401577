"""The messages that wait while an answer is being written, above the input."""

import streamlit as st

from assistant.session import ChatSession
from assistant.texts import shorten
from assistant.ui import keys
from assistant.ui.language import _

MAX_SHOWN_CHARS = 200


def draw_queue(session: ChatSession) -> None:
    """Draw each waiting message with buttons that send it now, or return it to the input."""
    steering = len(session.steering)
    for number, text in enumerate(session.waiting):
        with st.container(
            horizontal=True, vertical_alignment="center", gap="small", key=keys.waiting(number)
        ):
            st.text(shorten(text, MAX_SHOWN_CHARS), width="stretch")
            with st.container(horizontal=True, vertical_alignment="center", gap="small", width="content"):
                if text in session.sent:
                    st.caption(f":material/done_all: {_('Sent to the model')}", width="content")
                    continue
                _draw_state(session, number, text, is_queued=number >= steering)
                st.button(
                    "",
                    key=keys.unqueue(number),
                    icon=":material/undo:",
                    type="tertiary",
                    help=_("Return to the input"),
                    on_click=session.unqueue,
                    args=[text],
                )


def _draw_state(session: ChatSession, number: int, text: str, *, is_queued: bool) -> None:
    if not is_queued:
        st.caption(f":material/bolt: {_('Goes with the next function results')}", width="content")
        return
    st.caption(f":material/schedule: {_('Queued')}", width="content")
    if session.live_run:
        st.button(
            _("Send now"),
            key=keys.send_now(number),
            icon=":material/bolt:",
            type="tertiary",
            help=_("Send with the next function results, before the answer has ended"),
            on_click=session.send_now,
            args=[text],
        )
