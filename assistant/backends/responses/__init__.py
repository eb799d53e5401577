"""The Responses API, with a conversation at the server where it has them, and its hosted tools.

``backend`` holds ``Responses``; ``items`` and ``stream`` are shared with the Agents API, which uses the same
items.
"""
