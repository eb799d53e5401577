"""The calls of an answer: a step for each, from the first character of its arguments to its result.

``tool_call`` draws a call of a function, ``hosted`` one of a tool that the server runs; ``shown_calls`` tells which
of very many are drawn. ``output`` draws results, JSON and long texts, ``views`` draws the tables, charts, files …
for the user.
"""
