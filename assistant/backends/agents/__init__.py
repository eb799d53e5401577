"""The Agents protocol: an agent that is defined at OpenAI, with functions that run here and a session per thread.

The rest of the package imports ``backend`` (the class ``Agents``).
"""
