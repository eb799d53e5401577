"""Choosing a connection: the override itself, local servers, a server's models, its protocol, and a test of what works.

The interface imports ``override``, ``hosted_tools``, ``local_servers``, ``models`` and ``results``, which do not load
the SDK, and ``model_list`` and ``checks``, which do. The factory of the backends imports ``detection``.
"""
