"""The sidebar: who is signed in, the connection, the user's chats, and the language.

The page imports ``panel``, which draws all of it, and ``connection``, whose dialog other buttons open as well.
The other modules hold one part each: the choice of a model and the connection's test, and the list of threads
with the menu of the open one.
"""
