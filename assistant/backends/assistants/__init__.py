"""The Assistants protocol, for gateways and self-hosted servers; OpenAI ended it in August 2026.

The rest of the package imports ``backend`` (the class ``Assistants``).
"""
