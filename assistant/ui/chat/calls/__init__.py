"""The calls of an answer: a step for each, from the first character of its arguments to its result.

``call_steps`` draws the calls of functions, ``hosted`` those of tools that the server runs; ``shown_calls``
tells which of very many are drawn. ``output`` draws results, JSON and long texts, ``views`` draws the tables,
charts, files … for the user.
"""
