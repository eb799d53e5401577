"""A stored message: ``message`` draws it, ``actions`` the row below it, which copies, edits, regenerates and rates it."""
