"""Calls of tools that this application does not offer, calls that wrap several, and items without a form here."""

import json
from typing import Any

import pytest
from openai.types.responses import ResponseInputItemParam, ResponseOutputItem
from pydantic import TypeAdapter

from assistant import Assistant, Thread
from assistant.backends.responses.backend import Responses
from assistant.events import Note, RunCompleted, ToolCall, ToolResult
from assistant.parts import Remark
from tests.servers.responses import Json, ModelServer, call, calls, message, new_id, text
from tests.variants import quick_first

CALLS: dict[str, Json] = {
    "custom_tool_call": {"name": "grep", "input": "TODO"},
    "apply_patch_call": {
        "operation": {"type": "create_file", "path": "a.txt", "diff": "+a"},
        "status": "completed",
    },
    "shell_call": {"action": {"commands": ["ls"]}, "status": "completed"},
    "local_shell_call": {"action": {"type": "exec", "command": ["ls"], "env": {}}, "status": "completed"},
    "computer_call": {
        "actions": [{"type": "screenshot"}],
        "pending_safety_checks": [],
        "status": "completed",
    },
    "tool_search_call": {"arguments": {"query": "maps"}, "execution": "client", "status": "completed"},
}


def item_of(kind: str, **fields: Any) -> Json:
    return {"id": new_id("item"), "type": kind, "call_id": new_id("call"), **fields}


def notes(events: list[Any]) -> list[str]:
    return [str(event.text) for event in events if isinstance(event, Note)]


@pytest.mark.parametrize("conversations", quick_first([True, False]))
@pytest.mark.parametrize("kind", quick_first(CALLS, 3))
def test_a_call_of_a_tool_that_is_not_here_is_noted_and_answered(
    server: ModelServer, assistant: Assistant, kind: str, conversations: bool
) -> None:
    server.has_conversations = conversations
    item = item_of(kind, **CALLS[kind])
    TypeAdapter(ResponseOutputItem).validate_python(item)
    server.plays(calls(item), text("Then I do without."), text("Yes."))
    thread = Thread()
    events = list(assistant.run(thread, "Look"))
    assert events[-1] == RunCompleted()
    assert any((CALLS[kind].get("name") or kind) in note for note in notes(events))
    [result] = [event for event in events if isinstance(event, ToolResult)]
    assert (result.call_id, result.outcome) == (item["call_id"], "unknown")
    output = server.requests[1]["input"][-1]
    assert output["type"] == ("tool_search_output" if kind == "tool_search_call" else f"{kind}_output")
    assert item["call_id"] in (output.get("call_id"), output.get("id"))
    TypeAdapter(ResponseInputItemParam).validate_python(output)
    assert thread.messages[-1].text == "Then I do without."
    assert list(assistant.run(thread, "Sure?"))[-1] == RunCompleted()
    if conversations:
        assert isinstance(assistant.backend, Responses)
        loaded = assistant.backend.load_thread(thread.id)
        assert not loaded.open_calls()
        assert loaded.messages[1].text == "Then I do without."


def test_a_branch_is_sent_such_a_call_as_a_function_call(server: ModelServer, assistant: Assistant) -> None:
    server.plays(
        calls(item_of("custom_tool_call", name="grep", input="x")), text("No."), text("Yes."), text("So.")
    )
    thread = Thread()
    list(assistant.run(thread, "Look"))
    list(assistant.run(thread, "Sure?"))
    assert list(assistant.edit(thread, 2, "Really?"))[-1] == RunCompleted()
    [sent] = [item for item in server.requests[-1]["input"] if item["type"] == "function_call"]
    assert sent["name"] == "custom_tool_call_grep"


def test_a_shell_that_ran_at_the_server_needs_no_result(server: ModelServer, assistant: Assistant) -> None:
    ran = item_of("shell_call", **CALLS["shell_call"])
    output = {"stdout": "a.txt", "stderr": "", "outcome": {"type": "exit", "exit_code": 0}}
    done = item_of("shell_call_output", output=[output]) | {"call_id": ran["call_id"]}
    server.plays(calls(ran, done, message("One file.")))
    events = list(assistant.run(Thread(), "Look"))
    assert events[-1] == RunCompleted()
    assert not [event for event in events if isinstance(event, ToolCall)]
    assert notes(events) == ["The model ran commands on the server."]


@pytest.mark.parametrize(
    "item",
    [
        item_of("additional_tools", role="developer", tools=[]),
        item_of("compaction", encrypted_content="x"),
        item_of("configuration_update"),
    ],
    ids=lambda item: str(item["type"]),
)
def test_an_item_that_is_not_shown_is_noted_once(
    server: ModelServer, assistant: Assistant, item: Json
) -> None:
    twin = {**item, "id": new_id("item"), "call_id": new_id("call")}
    server.plays(calls(item, twin, message("Done.")), text("Yes."))
    thread = Thread()
    events = list(assistant.run(thread, "Go"))
    assert (len(notes(events)), events[-1]) == (1, RunCompleted())
    assert isinstance(thread.messages[-1].parts[0], Remark)
    assert list(assistant.run(thread, "Sure?"))[-1] == RunCompleted()
    assert isinstance(assistant.backend, Responses)
    assert thread.messages[1].parts[0] in assistant.backend.load_thread(thread.id).messages[1].parts


@pytest.mark.parametrize("conversations", [True, False])
def test_a_call_that_wraps_several_is_run_as_those_and_answered_as_one(
    server: ModelServer, assistant: Assistant, conversations: bool
) -> None:
    server.has_conversations = conversations
    uses = [{"recipient_name": "functions.add", "parameters": {"a": number, "b": 1}} for number in (1, 2)]
    wrapper, plain = call("multi_tool_use.parallel", tool_uses=uses), call("functions.add", a=5, b=1)
    server.plays(calls(wrapper, plain), text("Two, three and six."), text("Yes."))
    thread = Thread()
    events = list(assistant.run(thread, "Add"))
    assert events[-1] == RunCompleted()
    called = [(event.name, json.loads(event.arguments)) for event in events if isinstance(event, ToolCall)]
    assert called == [("add", {"a": 1, "b": 1}), ("add", {"a": 2, "b": 1}), ("add", {"a": 5, "b": 1})]
    joint, single = server.requests[1]["input"][-2:]
    assert (joint["call_id"], single["call_id"]) == (wrapper["call_id"], plain["call_id"])
    assert [each["output"] for each in json.loads(joint["output"])] == ["2", "3"]
    assert single["output"] == "6"
    if not conversations:
        names = [item["name"] for item in server.requests[1]["input"] if item["type"] == "function_call"]
        assert names == ["multi_tool_use_parallel", "functions_add"]
    assert list(assistant.run(thread, "Sure?"))[-1] == RunCompleted()
    assert server.refused == []
