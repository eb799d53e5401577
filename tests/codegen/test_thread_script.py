"""The script of a thread sends the user's messages again and answers calls with the recorded outputs."""

import ast
import re
from pathlib import Path

import pytest

from assistant import Thread
from assistant.codegen.script import thread_script
from assistant.events import RunCompleted, ToolResult
from assistant.messages import Message
from assistant.parts import Call, Part, Text
from tests.codegen.conftest import HOSTILE, run_script
from tests.servers.responses import ModelServer, call, calls, text


def answer(*parts: Part) -> Message:
    return Message("assistant", list(parts), RunCompleted())


def add_call(call_id: str, output: str) -> Call:
    return Call(call_id, "add", '{"a": 1, "b": 2}', 1, result=ToolResult(call_id, output))


@pytest.mark.exhaustive
def test_the_script_sends_all_messages_and_answers_calls_with_recorded_outputs(
    server: ModelServer, tmp_path: Path
) -> None:
    thread = Thread(
        messages=[
            Message.from_user("京都?\n'''\"\"\"{x}\\"),
            answer(add_call("c1", "3"), add_call("c2", "日本")),
            Message.from_user("More"),
            answer(Text("Here."), add_call("c3", "five")),
        ]
    )
    server.plays(
        calls(call("add", a=1, b=2), call("add", a=3, b=4)),
        text("Three.", "日本."),
        calls(call("add", a=5, b=6)),
        calls(call("add", a=7, b=8), call("other")),
        text("So."),
    )
    script = thread_script(thread, "test-model")
    printed, errors = run_script(script, server, tmp_path)
    assert errors == ""
    assert printed == (
        "> 京都?\n'''\"\"\"{x}\\\n"
        '[add({"a": 1, "b": 2}) -> 3]\n'
        '[add({"a": 3, "b": 4}) -> 日本]\n'
        "Three.\n日本.\n"
        "> More\n"
        '[add({"a": 5, "b": 6}) -> five]\n'
        '[add({"a": 7, "b": 8}) -> {"error": "No further output was recorded."}]\n'
        '[other({}) -> {"error": "No further output was recorded."}]\n'
        "So.\n"
    )
    assert [request["model"] for request in server.requests] == ["test-model"] * 5
    assert server.requests[0]["tools"] == [
        {
            "type": "function",
            "name": "add",
            "description": 'Arguments such as {"a": 1, "b": 2}',
            "parameters": {"type": "object", "properties": {}, "additionalProperties": True},
            "strict": False,
        }
    ]
    assert server.conversations == {}, "it works on servers that have no conversations"
    assert server.refused == []
    kinds = [item.get("type", item.get("role")) for item in server.requests[-1]["input"]]
    call_and_output = ["function_call", "function_call_output"]
    two = ["function_call"] * 2 + ["function_call_output"] * 2
    assert kinds == ["user", *two, "message", "message", "user", *call_and_output, *two]


@pytest.mark.exhaustive
def test_the_script_works_on_a_server_without_conversations(server: ModelServer, tmp_path: Path) -> None:
    server.has_conversations = False
    server.plays(calls(call("add", a=1, b=2)), text("Three."), text("Yes."))
    thread = Thread(
        messages=[Message.from_user("1 + 2?"), answer(add_call("c1", "3")), Message.from_user("Sure?")]
    )
    printed, errors = run_script(thread_script(thread, "test-model"), server, tmp_path)
    assert errors == ""
    assert printed == '> 1 + 2?\n[add({"a": 1, "b": 2}) -> 3]\nThree.\n> Sure?\nYes.\n'


@pytest.mark.exhaustive
def test_the_script_reports_an_answer_that_ended_early(server: ModelServer, tmp_path: Path) -> None:
    server.plays(
        text("So", ending="incomplete", details={"incomplete_details": {"reason": "content_filter"}})
    )
    script = thread_script(Thread(messages=[Message.from_user("Hi")]), "m")
    assert run_script(script, server, tmp_path) == (
        "> Hi\nSo\n",
        "The answer ended early: IncompleteDetails(reason='content_filter')\n",
    )


def test_everything_in_the_thread_is_only_a_literal_in_the_script() -> None:
    thread = Thread(
        messages=[
            Message.from_user(HOSTILE),
            answer(
                Call("c1", HOSTILE, HOSTILE, 1, result=ToolResult("c1", HOSTILE)), add_call("c2", HOSTILE)
            ),
        ],
        backend_state={"responses": {"items": ["sk-secret"]}},
    )
    script = thread_script(thread, HOSTILE)
    empty = thread_script(Thread(), "")

    def without_literals(source: str) -> str:
        tree = ast.parse(source)
        for node in tree.body:
            if isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant | ast.List | ast.Dict):
                ast.literal_eval(node.value)
                node.value = ast.Constant(None)
        return ast.dump(tree)

    assert without_literals(script) == without_literals(empty)
    assert script.encode().decode() == script
    assert "sk-secret" not in script
    assert not re.search("[\x00\x1b\u202e]", script)


def test_the_constants_of_a_small_thread_look_like_this() -> None:
    thread = Thread(messages=[Message.from_user("Hi"), answer(add_call("c1", "3"), add_call("c2", "4"))])
    script = thread_script(thread, "gpt-6-luna")
    assert (
        script[script.index("MODEL") : script.index("MAX_ROUNDS")]
        == """\
MODEL = 'gpt-6-luna'


# The user's messages.
PROMPTS = ['Hi']


# The recorded outputs of each function, in order.
RECORDED = {'add': ['3', '4']}


# A thread does not contain the parameters of its functions.
TOOLS = [
    {
        'type': 'function',
        'name': 'add',
        'description': 'Arguments such as {"a": 1, "b": 2}',
        'parameters': {'type': 'object', 'properties': {}, 'additionalProperties': True},
        'strict': False,
    },
]


"""
    )
