"""The sidebar, from top to bottom."""

import streamlit as st

from assistant.session import ChatSession
from assistant.ui import keys
from assistant.ui.language import _, draw_language
from assistant.ui.page.login import draw_user
from assistant.ui.sidebar.connection import draw_connection
from assistant.ui.sidebar.thread_list import can_list_threads, draw_threads
from assistant.ui.sidebar.thread_menu import draw_import
from assistant.ui.state import page_state


def draw_sidebar(session: ChatSession) -> None:
    """Draw New chat, the connection, the user's chats, the language, and who is signed in."""
    page_state().drawn_protocol = session.connection.backend.protocol
    with st.sidebar:
        st.button(
            _("New chat"),
            key=keys.NEW_CHAT,
            icon=":material/edit_square:",
            width="stretch",
            on_click=session.new,
        )
        draw_connection(session)
        _draw_chats(session)
        draw_language()
        draw_user(session)


def _draw_chats(session: ChatSession) -> None:
    """Draw the list of chats, if this visitor may see one."""
    if session.store is None or session.app.autosaver.error:
        return
    if can_list_threads(session):
        draw_threads(session, session.store)
        draw_import(session)
    else:
        st.caption(
            _(
                "Only the address of this page leads back to this chat. Keep it, and share it only with "
                "people who may read the chat."
            )
        )
