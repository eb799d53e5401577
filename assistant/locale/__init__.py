"""The interface in the language of the visitor."""
