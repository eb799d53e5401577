"""One user's open chat, without Streamlit.

``ChatSession`` has the open thread and its actions, a ``connection`` (what answers), and a composer (the next
message).
"""

from assistant.session.chat import ChatSession
from assistant.session.composer import Draft

__all__ = ["ChatSession", "Draft"]
