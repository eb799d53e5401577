"""An assistant that streams its answer and runs its function calls, in the open."""

from .errors import AssistantError, SettingsError, ToolError
from .progress import progress
from .run import Assistant
from .threads import Thread
from .tools import Tool, Toolbox, tool
from .views import Chart, Diagram, File, Map

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
