"""Run one function call for the user, outside of a conversation."""

from typing import Any

import streamlit as st

from assistant.events import ToolCall, ToolResult
from assistant.tools.execution import execute
from assistant.tools.toolbox import Tool, Toolbox
from assistant.ui.background import in_background
from assistant.ui.language import _


def run_call(tool: Tool[..., Any], arguments: str, time_limit: float) -> ToolResult:
    """Run a function as a model's call is run, with its checks and time limit in seconds; return the result.

    The user has pressed a button for it, so no further approval is needed. Streamlit can end the script
    meanwhile.
    """
    calls = [ToolCall("call", tool.name, arguments)]
    with st.spinner(_("Running…"), show_time=True):
        events = in_background(execute(calls, Toolbox(tool), time_limit))
        return next(event for event in events if isinstance(event, ToolResult))  # the others are progress
