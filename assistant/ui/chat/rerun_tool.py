"""Calls of the newest answer that failed, run again by a person, who sees what comes of them now.

Not here: how a call is run (``execute.py``), or the call as the answer has it (``steps.py``).

The one rule: the model is not told. What a call gave then is part of what was said, and the server has it so;
a person who wants another answer has it regenerated.
"""

import streamlit as st

from assistant.events import ToolResult
from assistant.messages import Call
from assistant.threads import Thread
from assistant.tools.toolbox import Toolbox
from assistant.ui.call_runner import run_call
from assistant.ui.chat.tool_call import draw_output, label_of
from assistant.ui.language import _


def draw_rerun_tool(thread: Thread, toolbox: Toolbox, time_limit: float) -> None:
    """Draw a button for each call of the newest answer that raised or took too long.

    What else failed would fail again: its arguments were wrong, or there is no such function. That a person
    presses the button is their approval, where a function needs one. ``time_limit`` is in seconds.
    """
    message = thread.messages[-1]
    for call in message.calls:
        if call.result and call.result.outcome in ("failed", "timeout") and call.name in toolbox:
            # All of this, for some servers give the same id in each round and in each thread.
            key = f"again-{thread.id}-{len(thread.messages)}-{call.round}-{call.call_id}"
            _draw_call(call, key, toolbox, time_limit)


@st.fragment
def _draw_call(call: Call, key: str, toolbox: Toolbox, time_limit: float) -> None:
    """One button, and what came of the call. A fragment: the rest of the page need not wait for it."""
    words = _("Run {function} again", function=label_of(call.name, call.arguments))
    if st.button(words, key=key, type="tertiary", icon=":material/replay:"):
        st.session_state[f"{key}-result"] = run_call(toolbox[call.name], call.arguments, time_limit)
    result = st.session_state.get(f"{key}-result")
    if isinstance(result, ToolResult):  # not, after an edit reloaded the package
        with st.container(border=True):
            st.caption(_("Result of the new run, not sent to the model."))
            draw_output(result, f"{call.name} output", f"{key}-output")
