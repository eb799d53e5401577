"""Choosing a connection: known local servers, the models of a server, and a test of what works."""
