"""One user's open chat, without Streamlit.

``ChatSession`` has the open thread and its actions, a ``connection`` (what answers), and a composer (the next
message). ``next_request`` tells how many tokens that will have.

``ChatSession`` keeps what the page draws and leaves the work to objects that are given a thread: ``UserThreads``
finds, updates and deletes, ``RunStarter`` starts a run within the user's limits, ``WaitingMessages`` queues and
steers, ``ThreadChanges`` changes without a run, and ``Replays`` replays recordings. A ``Visit`` tells all of them
who the user is, and whether the session has ended.
"""

from assistant.session.chat import ChatSession
from assistant.session.composer import Draft

__all__ = ["ChatSession", "Draft"]
