"""The sidebar, from top to bottom."""

import streamlit as st

from assistant.errors import StoreError
from assistant.markdown.escape import escape_markdown
from assistant.session import ChatSession
from assistant.ui.language import _, draw_language, translate
from assistant.ui.page.login import draw_user
from assistant.ui.sidebar.connection import draw_connection
from assistant.ui.sidebar.thread_list import draw_threads


def draw_sidebar(session: ChatSession) -> None:
    """Draw who is signed in, the connection, the user's chats, and the language."""
    with st.sidebar:
        draw_user(session.user)
        draw_connection(session)
        session.outside = session.backend.protocol, _draw_chats(session)
        draw_language()


def _draw_chats(session: ChatSession) -> str:
    """Draw the list of chats, if this visitor may see one, and return the id of the newest.

    Without sign-in, the list is for users on this machine only: it shows every chat.
    """
    if session.store is None or session.app.autosaver.error:
        return session.thread.id
    if not session.user.id and not session.is_localhost:
        st.caption(
            _(
                "Only the address of this page leads back to this chat. Keep it, and share it only with "
                "people who may read the chat."
            )
        )
        return session.thread.id
    try:
        return draw_threads(session, session.store)
    except StoreError as error:
        st.caption(escape_markdown(translate(error.text)))
        return session.thread.id
