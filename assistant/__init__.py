"""An assistant that streams its answers and runs function calls, with every step visible."""

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
