"""Streamlit and drawing, nothing else: the parts of the page, and what they share.

``streamlit_app.py`` imports ``resources`` (the application), ``state`` (what one browser session keeps) and
the parts: ``page``, ``sidebar``, ``chat`` and ``inspector``. The keys of all widgets are in
``keys.py``, and everything undocumented of Streamlit is in ``streamlit_private.py``. A page of your own gets
the same chat from the names below:

    session = chat_session(application(), User())
    session.open(st.query_params.get("thread", ""))
    draw_history(session)
    conversation(session)
"""

from assistant.ui.chat.conversation import conversation, draw_history
from assistant.ui.resources import application
from assistant.ui.state import chat_session

__all__ = ["application", "chat_session", "conversation", "draw_history"]
