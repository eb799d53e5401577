"""The Responses API, with a conversation at the server where it has them, and its hosted tools.

``backend`` holds ``Responses``. The Agents API shares ``items``, Chat Completions
``hosted`` (sources) and ``written_calls``; a connection test uses ``api`` and ``stream``.
"""
