"""The sidebar: New chat, the connection, the user's chats, the language, and who is signed in.

The page imports ``panel``, which draws all of it. The dialog of ``connection`` is opened by other buttons as
well, and ``thread_list`` tells the conversation when the list is out of date. The other modules hold one part
each: the choice of a model and the connection's test, and the menu of a thread.
"""
