"""One user's open chat, without Streamlit: ``ChatSession`` and its ``Draft``.

It consists of three classes, each with one file: the connection, the open thread, and the chat with its
actions.
"""

from assistant.session.chat import ChatSession, Draft

__all__ = ["ChatSession", "Draft"]
