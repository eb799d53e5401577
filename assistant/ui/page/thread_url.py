"""The open thread in the page's address."""

import streamlit as st

from assistant.session import ChatSession


def set_thread_url(session: ChatSession) -> None:
    """Put the open thread's id, if it has one, into the address; other parameters stay."""
    session.url_thread_id = session.thread.id
    if not session.thread.id:
        st.query_params.pop("thread", None)
    elif st.query_params.get("thread") != session.thread.id:  # each change is sent to the browser
        st.query_params["thread"] = session.thread.id
