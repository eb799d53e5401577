"""The input for the next message: ``message_input``, ``tool_toggles``, and ``attachments``, also of sent messages."""
