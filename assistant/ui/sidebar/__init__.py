"""The sidebar: who is signed in, the connection, the user's chats, and the language.

The page imports ``panel``, which draws all of it. The other modules hold one part each: the connection with
the choice of a model and its test, and the list of threads with the menu of the open one.
"""
