"""An assistant that streams its answers and runs function calls, with every step visible.

``@tool`` makes a Python function one that a model can call, and a ``Toolbox`` holds them. ``Assistant.run`` sends a
message of a ``Thread`` and yields events until the answer is complete. Functions can return a ``Chart``, ``Diagram``,
``File`` or ``Map`` to the page, report ``progress``, and raise ``ToolError`` for the model to read.
"""

from assistant.errors import AssistantError, SettingsError, ToolError
from assistant.runs.assistant import Assistant
from assistant.threads import Thread
from assistant.tools.progress import progress
from assistant.tools.toolbox import Tool, Toolbox, tool
from assistant.tools.views import Chart, Diagram, File, Map

__all__ = [
    "Assistant",
    "AssistantError",
    "Chart",
    "Diagram",
    "File",
    "Map",
    "SettingsError",
    "Thread",
    "Tool",
    "ToolError",
    "Toolbox",
    "progress",
    "tool",
]
