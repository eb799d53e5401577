"""One user's open chat, without Streamlit.

``ChatSession`` has the open thread and its actions, a ``connection`` (what answers), and a composer (the next
message). ``next_request`` tells how many tokens that will have.
"""

from assistant.session.chat import ChatSession
from assistant.session.composer import Draft

__all__ = ["ChatSession", "Draft"]
