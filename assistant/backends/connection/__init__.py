"""Choosing a connection: the override itself, local servers, a server's models, and a test of what works.

The interface imports ``override``, ``hosted_tools``, ``local_servers``, ``models`` and ``results``, which do not load
the SDK, and ``model_list`` and ``checks``, which do.
"""
