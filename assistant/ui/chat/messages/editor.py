"""Edit a message of the user in its place.

Nothing is lost: the old branch stays, and typed text stays when it cannot be sent now.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import streamlit as st

from assistant.errors import QuotaError, ThreadBusy
from assistant.session import ChatSession
from assistant.ui import keys
from assistant.ui.language import _
from assistant.ui.page.browser_script import focus_field
from assistant.ui.quotas import limit_text
from assistant.ui.state import page_state


def open_editor(session: ChatSession, position: int) -> None:
    """Show the editor instead of the user's message at this position, from the next run on."""
    page_state().editing = session.thread.id, position
    st.session_state[key := keys.edited_text(position)] = session.history[position].text
    focus_field(key)


def draw_editor(session: ChatSession, position: int) -> None:
    """Draw the editor in place of the user's message at this position."""
    key, before = keys.edited_text(position), session.history[position].text
    st.session_state.setdefault(key, before)
    st.text_area(
        _("Your message"), key=key, label_visibility="collapsed", height="content", persist_state="session"
    )

    def close_editor() -> None:
        page_state().editing = None
        st.session_state.pop(key, None)
        focus_field(keys.PROMPT)

    def send() -> None:
        text = st.session_state[key] or ""
        if not text.strip():
            return
        with note_refusal(session):
            if text != before:
                session.edit(position, text)
            close_editor()

    with st.container(horizontal=True):
        st.button(
            _("Send"), key=keys.send_edited(position), type="primary", shortcut="Ctrl+Enter", on_click=send
        )
        # Not a shortcut, because Escape elsewhere is that of Stop.
        label = f"{_('Cancel')} `Esc`"
        st.button(label, key=keys.cancel_edit(position), type="tertiary", on_click=close_editor)


def try_action(session: ChatSession, action: Callable[..., None], *arguments: int) -> None:
    """Call an action of the session; note for the page if it is not possible now."""
    with note_refusal(session):
        action(*arguments)


@contextmanager
def note_refusal(session: ChatSession) -> Iterator[None]:
    """Note why an action is not possible now, for the page to show, instead of the rest of the block."""
    try:
        yield
    except (QuotaError, ThreadBusy) as error:
        session.notices.append(limit_text(error) if isinstance(error, QuotaError) else error.text)
