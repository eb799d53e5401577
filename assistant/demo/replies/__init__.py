"""What the demo answers, decided by rules from the last message, the calls since and the functions of the request.

The next reply is decided in ``answers``: ``calls`` and ``questions.py`` turn a message into a plan of calls,
``summaries`` puts their results into words, ``hosted`` simulates the server's own tools, ``programs`` the programs that
call functions and the searches for functions, ``thoughts`` reasons and refuses, and ``samples`` makes up what a request
demands. The words of the demo are in ``phrases``, and those that it understands in ``vocabulary``.
"""
