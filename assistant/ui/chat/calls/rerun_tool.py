"""Run a failed call of the newest answer again, to see what it returns now.

The new result is not sent to the model: the conversation contains the first one, here and on the server. To
use a new result, the user regenerates the answer.
"""

from typing import Any

import streamlit as st

from assistant.events import ToolResult
from assistant.markdown.escape import escape_markdown
from assistant.session import ChatSession
from assistant.tools.toolbox import Tool
from assistant.ui.call_runner import run_call
from assistant.ui.chat.calls.output import draw_output
from assistant.ui.chat.calls.views import draw_views
from assistant.ui.language import _
from assistant.ui.page.login import require_open


@st.fragment
def draw_rerun(session: ChatSession, tool: Tool[..., Any], arguments: str, key: str) -> None:
    """Draw a button that runs the call again, and the new result. As a fragment of its own, it reruns alone.

    The click is the user's approval of a function that needs one.
    """
    require_open(session)
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        label = _("Run {function} again", function=escape_markdown(tool.name))
        clicked = st.button(label, key=key, icon=":material/replay:")
        st.caption(_("The result is shown here and not sent to the model."), width="content")
    if clicked:
        st.session_state[f"{key}-result"] = run_call(
            tool, arguments, session.connection.settings.tool_timeout
        )
    result = st.session_state.get(f"{key}-result")
    if isinstance(result, ToolResult):  # of an old class, after a reload of the package
        draw_output(result, f"{tool.name} output", f"{key}-output")
        draw_views(result.views, f"{key}-output")
