"""The Chat Completions protocol, for servers without the Responses API.

The rest of the package imports ``backend`` (the class ``ChatCompletions``); a connection test also reads
``stream``.
"""
