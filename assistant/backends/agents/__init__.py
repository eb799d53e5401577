"""The Agents protocol: an agent defined at OpenAI, functions that run here, and a session per thread.

The rest of the package imports ``backend`` (the class ``Agents``) and ``missing_functions``.
"""
