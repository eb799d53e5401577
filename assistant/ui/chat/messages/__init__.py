"""A stored message: ``message`` draws it, with a row of actions that copy, edit, regenerate and rate it.

``stats`` puts an answer's model, time and tokens into words.
"""
