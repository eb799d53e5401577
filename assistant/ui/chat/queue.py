"""The messages that wait while an answer is being written, above the input."""

import streamlit as st

from assistant.session import ChatSession
from assistant.texts import shorten
from assistant.ui import keys
from assistant.ui.language import _

MAX_SHOWN_CHARS = 200


def draw_queue(session: ChatSession) -> None:
    """Draw each waiting message with buttons that send it now, or return it to the input."""
    steering, sent = len(session.steering), session.sent
    for number, text in enumerate(session.waiting):
        with st.container(
            horizontal=True, vertical_alignment="center", gap="small", key=keys.waiting(number)
        ):
            st.text(shorten(text, MAX_SHOWN_CHARS), width="stretch")
            with st.container(horizontal=True, vertical_alignment="center", gap="small", width="content"):
                is_queued, is_sent = number >= steering, number < steering and text in sent
                st.caption(_state(is_queued, is_sent), width="content")
                # Places, because a button that is no longer drawn would stay until the answer has ended.
                send_now, unqueue = st.empty(), st.empty()
                if is_queued and session.live_run:
                    send_now.button(
                        _("Send now"),
                        key=keys.send_now(number),
                        icon=":material/bolt:",
                        type="tertiary",
                        help=_("Send with the next function results, before the answer has ended"),
                        on_click=session.send_now,
                        args=[text],
                    )
                if not is_sent:
                    unqueue.button(
                        _("Return to the input"),
                        key=keys.unqueue(number),
                        icon=":material/undo:",
                        type="tertiary",
                        help=_("Return to the input"),
                        on_click=session.unqueue,
                        args=[text],
                    )


def _state(is_queued: bool, is_sent: bool) -> str:
    if is_queued:
        return f":material/schedule: {_('Queued')}"
    if is_sent:
        return f":material/done_all: {_('Sent to the model')}"
    return f":material/bolt: {_('Goes with the next function results')}"
