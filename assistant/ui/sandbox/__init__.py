"""The inspector beside the chat: events, timing, functions, generated code and faults."""
