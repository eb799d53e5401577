"""The functions the assistant may call.

Every function with ``@tool`` at the top level of a module in this folder is found by itself: to add
one, add a function to a file here, or a file. To remove one, delete it.

The one rule: what a function returns is data (numbers, names, rows), never a sentence about it.
"""
