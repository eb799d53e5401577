"""Markdown as text: sanitizing what a model wrote, splitting it into blocks, escaping."""
