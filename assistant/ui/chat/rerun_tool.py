"""Run failed calls of the newest answer again, to see what they return now.

The new result is not sent to the model: the conversation contains the first one, here and on the server. To
use a new result, the user regenerates the answer.
"""

import streamlit as st

from assistant.events import ToolResult
from assistant.parts import Call
from assistant.threads import Thread
from assistant.tools.toolbox import Toolbox
from assistant.ui.call_runner import run_call
from assistant.ui.chat.tool_call import call_label, draw_output
from assistant.ui.language import _


def draw_rerun_tool(thread: Thread, toolbox: Toolbox, time_limit: float) -> None:
    """Draw a button for each call of the newest answer that raised an exception or timed out.

    Calls with invalid arguments or an unknown function would fail again. The click is the user's approval of
    a function that needs one. ``time_limit`` is in seconds.
    """
    message = thread.messages[-1]
    for call in message.calls:
        if call.result and call.result.outcome in ("failed", "timeout") and call.name in toolbox:
            # A call id is not enough: some servers repeat ids in each round and in each thread.
            key = f"rerun-{thread.id}-{len(thread.messages)}-{call.round}-{call.call_id}"
            _draw_button(call, key, toolbox, time_limit)


@st.fragment
def _draw_button(call: Call, key: str, toolbox: Toolbox, time_limit: float) -> None:
    """Draw the button and the new result. As a fragment of its own, it reruns alone."""
    label = _("Run {function} again", function=call_label(call.name, call.arguments))
    if st.button(label, key=key, type="tertiary", icon=":material/replay:"):
        st.session_state[f"{key}-result"] = run_call(toolbox[call.name], call.arguments, time_limit)
    result = st.session_state.get(f"{key}-result")
    if isinstance(result, ToolResult):  # of an old class, after a reload of the package
        with st.container(border=True):
            st.caption(_("Result of the new run, not sent to the model."))
            draw_output(result, f"{call.name} output", f"{key}-output")
