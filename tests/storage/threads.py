"""Threads for the tests of both exports."""

from typing import Any

from assistant import Thread
from assistant.events import Ending, RunCompleted, RunFailed, RunPaused, RunStopped, ToolResult
from assistant.messages import Message
from assistant.parts import Call, Part, Reasoning, Refusal, Remark, Text

HOSTILE = (
    "```\n````json\n~~~\n</code></pre><script>alert(1)</script>\n<!-- "
    "'''\"\"\"{} {0} \\ \x00 \x1b[2J \ud800\r\n\u202e"
)


def answer(*parts: Part, ending: Ending | None = None) -> Message:
    return Message("assistant", list(parts), ending or RunCompleted())


def add_call(call_id: str, output: str, **more: Any) -> Call:
    return Call(call_id, "add", '{"a": 1, "b": 2}', 1, result=ToolResult(call_id, output, **more))


THREAD = Thread(
    "conv_1",
    [
        Message.from_user("京都 *2*?"),
        answer(
            Reasoning("Hm.\nSo."),
            Text("Let me see."),
            add_call("c1", "3", seconds=1.5),
            add_call("c2", '{"error": "No."}', outcome="failed", detail="ValueError: no", seconds=0.25),
            Call("c3", "add", "", 1),
            Call("c4", "add", '{"a"', 2, complete=False),
            Remark("Written anew."),
            Refusal("I will not."),
            Text("Three."),
        ),
        answer(ending=RunStopped("user", "Stopped.")),
        answer(ending=RunPaused()),
        answer(ending=RunFailed("rate_limit", "Wait.", True, 3.5)),
        Message("assistant", [Text("going on")]),
    ],
    {"responses": {"items": [{"id": "\ud800"}]}},
)
