"""The input: ``message_input``, ``tool_toggles``, and ``attachments``, which are also of sent messages."""
