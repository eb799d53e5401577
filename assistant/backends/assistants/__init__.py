"""The Assistants API, for servers that still speak it."""
