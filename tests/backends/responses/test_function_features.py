"""Custom tools, programs and searches for functions over a real socket, and what a thread keeps of them."""

import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from assistant import Assistant, Thread, Tool, Toolbox, tool
from assistant.backends.client import connect
from assistant.backends.responses.backend import Responses
from assistant.events import (
    Event,
    HostedCall,
    Note,
    RunCompleted,
    RunPaused,
    RunStopped,
    ToolCall,
    ToolCallDelta,
    ToolResult,
)
from assistant.messages import Message
from assistant.parts import Call
from assistant.settings import Settings
from assistant.storage.json_export import export_json, import_json
from tests.conftest import add
from tests.servers.responses import Json, ModelServer, Play, call, calls, message, new_id, text

Ask = Callable[..., Assistant]


@tool(grammar="start: /[a-z ]+/")
def shout(text: str) -> str:
    """Shout a text."""
    return text.upper()


@tool(programs=True)
def double(number: int) -> int:
    """Double a number."""
    return 2 * number


@tool(load_when_needed=True, namespace="sums")
def halve(number: float) -> float:
    """Halve a number."""
    return number / 2


@pytest.fixture
def ask(server: ModelServer) -> Iterator[Ask]:
    """Create assistants for a server that has every feature."""
    with ExitStack() as clients:

        def create(*tools: Tool[..., Any], **options: Any) -> Assistant:
            client = clients.enter_context(connect(Settings(api_key="sk-test", base_url=server.url)))
            return Assistant(Responses(client, model="test-model", lacks=()), Toolbox(*tools), **options)

        yield create


def item_of(kind: str, **fields: Any) -> Json:
    return {"id": new_id("item"), "type": kind, **fields}


def custom_call(name: str, words: str) -> Json:
    return item_of("custom_tool_call", call_id=new_id("call"), name=name, input=words)


def typed(item: Json, pieces: list[str]) -> Play:
    """Return a response of one custom call whose input comes in pieces."""
    place = {"item_id": item["id"], "output_index": 0}
    events: list[Json] = [
        {"type": "response.output_item.added", "output_index": 0, "item": item | {"input": ""}}
    ]
    events += [{"type": "response.custom_tool_call_input.delta", **place, "delta": piece} for piece in pieces]
    events += [
        {"type": "response.custom_tool_call_input.done", **place, "input": item["input"]},
        {"type": "response.output_item.done", "output_index": 0, "item": item},
        {"type": "response.completed", "response": {"output": [item], "model": "test-model"}},
    ]
    return Play(events=tuple(events))


def only(events: list[Event], kind: type[Any]) -> list[Any]:
    return [event for event in events if isinstance(event, kind)]


def folded(answer: Message) -> Message:
    again = Message("assistant")
    for event in answer.events():
        again.add(event)
    return again


# --- custom tools -----------------------------------------------------------------------------------


@pytest.mark.parametrize("conversations", [True, False])
def test_free_text_reaches_the_function_and_its_result_the_model(
    server: ModelServer, ask: Ask, conversations: bool
) -> None:
    server.has_conversations = conversations
    item = custom_call("shout", "say hi")
    server.plays(typed(item, ["say", " hi"]), text("Done."), text("Yes."))
    thread, assistant = Thread(), ask(shout)
    events = list(assistant.run(thread, "Shout"))
    assert events[-1] == RunCompleted()
    assert [(delta.name, delta.text) for delta in only(events, ToolCallDelta)] == [
        ("shout", ""),
        ("shout", "say"),
        ("shout", " hi"),
    ]
    assert only(events, ToolCall) == [ToolCall(item["call_id"], "shout", '{"text": "say hi"}')]
    output = {"type": "custom_tool_call_output", "call_id": item["call_id"], "output": "SAY HI"}
    assert server.requests[1]["input"][-1] == output
    if not conversations:
        assert server.requests[1]["input"][-2] == item  # as it came
    assert list(assistant.run(thread, "Sure?"))[-1] == RunCompleted()
    assert (folded(thread.messages[1]), not only(events, Note)) == (thread.messages[1], True)


def test_a_loaded_conversation_can_run_a_custom_call(server: ModelServer, ask: Ask) -> None:
    server.plays(calls(custom_call("shout", "hi")))
    assistant = ask(shout, approve_all=True)
    thread = Thread()
    assert list(assistant.run(thread, "Shout"))[-1] == RunPaused()
    assert isinstance(assistant.backend, Responses)
    [call] = assistant.backend.load_thread(thread.id).open_calls()
    assert (call.name, shout.text_of(call.arguments)) == ("shout", "hi")


def test_a_server_that_refuses_free_text_is_sent_an_ordinary_function(server: ModelServer, ask: Ask) -> None:
    words = "Invalid value: 'custom'. Supported values are: 'function', 'tool_search' and 'web_search'."
    server.plays(
        refusing("tools[0].type", words), calls(call("shout", text="hi")), text("Done."), text("Yes.")
    )
    thread, assistant = Thread(), ask(shout, halve)
    events = list(assistant.run(thread, "Shout"))
    [note] = only(events, Note)
    assert str(note.text).startswith("The model does not take free text for functions")
    assert events[-1] == RunCompleted()
    assert only(events, ToolResult)[0].output == "HI"
    kinds = [[tool["type"] for tool in request["tools"]] for request in server.requests]
    assert kinds[:2] == [["custom", "namespace", "tool_search"], ["function", "namespace", "tool_search"]]
    events = list(assistant.run(thread, "Again"))  # is not tried again
    assert (only(events, Note), kinds[1]) == ([], [tool["type"] for tool in server.requests[-1]["tools"]])


def refusing(param: str, words: str) -> Play:
    body = {
        "error": {"message": words, "type": "invalid_request_error", "param": param, "code": "invalid_value"}
    }
    return Play(status=400, body=body)


@pytest.mark.parametrize(
    ("param", "words", "note"),
    [
        ("tools[0].format", "Invalid grammar: expected ':' in line 1.", "does not take free text"),
        ("tools[1].allowed_callers", "Unknown parameter: 'tools[1].allowed_callers'.", "from programs"),
        ("tools[3]", "Tool 'programmatic_tool_calling' is not supported with test-model.", "from programs"),
        ("tools[4]", "Tool 'tool_search' is not supported with test-model.", "does not search"),
        ("tools", "Input tag 'namespace' does not match any of the expected tags", "does not search"),
    ],
)
def test_each_feature_is_left_out_where_it_is_refused(
    server: ModelServer, ask: Ask, param: str, words: str, note: str
) -> None:
    server.plays(refusing(param, words), text("Done."))
    events = list(ask(shout, double, halve).run(Thread(), "Go"))
    assert events[-1] == RunCompleted()
    [shown] = [str(each.text) for each in only(events, Note)]
    assert note in shown
    assert words in shown


def test_a_server_that_is_not_known_gets_ordinary_functions(
    server: ModelServer, connect_to: Callable[..., Assistant]
) -> None:
    server.plays(text("Hi."))
    list(connect_to(server.url, shout, double, halve).run(Thread(), "Hi"))
    assert [tool["type"] for tool in server.requests[0]["tools"]] == ["function"] * 3
    assert not {"defer_loading", "allowed_callers"} & {
        key for tool in server.requests[0]["tools"] for key in tool
    }


# --- programs ---------------------------------------------------------------------------------------


def program(code: str = "text(await tools.double({number: 4}))") -> Json:
    return item_of("program", call_id=new_id("call"), code=code, fingerprint="f1")


def called_by(program: Json, item: Json) -> Json:
    return {**item, "caller": {"type": "program", "caller_id": program["call_id"]}}


def output_of(program: Json, result: str, status: str = "completed") -> Json:
    return item_of("program_output", call_id=program["call_id"], result=result, status=status)


@pytest.mark.parametrize("conversations", [True, False])
def test_the_calls_of_a_program_are_answered_to_it(
    server: ModelServer, ask: Ask, conversations: bool
) -> None:
    server.has_conversations = conversations
    code = program()
    first, second = (called_by(code, call("double", number=number)) for number in (4, 8))
    server.plays(
        calls(code, first), calls(second), calls(output_of(code, "16"), message("It is 16.")), text("Yes.")
    )
    thread, assistant = Thread(), ask(double)
    events = list(assistant.run(thread, "Double it twice"))
    assert events[-1] == RunCompleted()
    running = HostedCall(code["call_id"], "program", input=code["code"])
    assert only(events, HostedCall) == [
        running,
        HostedCall(code["call_id"], "program", output="16", state="done"),
    ]
    assert [event.program for event in only(events, ToolCall)] == [code["call_id"]] * 2
    assert only(events, ToolCallDelta) == []  # no model writes them
    for request, item in zip(server.requests[1:], (first, second), strict=False):
        output = {"type": "function_call_output", "call_id": item["call_id"], "caller": item["caller"]}
        assert request["input"][-1] == output | {"output": str(2 * json.loads(item["arguments"])["number"])}
    answer = thread.messages[-1]
    assert answer.parts[0] == HostedCall(code["call_id"], "program", "", code["code"], "16", "done")
    assert [part.program for part in answer.parts if isinstance(part, Call)] == [code["call_id"]] * 2
    assert folded(answer) == answer
    assert import_json(export_json(thread, "T"))[0].messages[-1] == answer
    assert list(assistant.run(thread, "Sure?"))[-1] == RunCompleted()
    if not conversations:
        assert code in server.requests[-1]["input"]  # with its id and fingerprint
    elif isinstance(assistant.backend, Responses):
        assert assistant.backend.load_thread(thread.id).messages[1].parts == answer.parts


def test_a_program_that_never_ends_is_stopped_at_the_limit_of_rounds(server: ModelServer, ask: Ask) -> None:
    code = program("while (true) await tools.double({number: 1})")
    rounds = [calls(called_by(code, call("double", number=number))) for number in range(2)]
    server.plays(calls(code, called_by(code, call("double", number=7))), *rounds)
    thread = Thread()
    events = list(ask(double, max_rounds=3).run(thread, "Go"))
    assert isinstance(events[-1], RunStopped)
    assert events[-1].reason == "max_rounds"
    assert isinstance(thread.messages[-1].parts[0], HostedCall)
    assert thread.messages[-1].parts[0].state == "running"


def test_an_incomplete_program_has_failed(server: ModelServer, ask: Ask) -> None:
    code = program()
    server.plays(calls(code, output_of(code, "TypeError: x is not a function", "incomplete"), message("No.")))
    thread = Thread()
    assert list(ask(double).run(thread, "Go"))[-1] == RunCompleted()
    part = thread.messages[-1].parts[0]
    assert isinstance(part, HostedCall)
    assert (part.state, part.output, part.input) == ("failed", "TypeError: x is not a function", code["code"])


def test_a_call_of_an_unknown_program_runs_and_says_so(server: ModelServer, ask: Ask) -> None:
    stray = {**call("double", number=2), "caller": {"type": "program", "caller_id": "call_gone"}}
    server.plays(calls(stray), text("Four."))
    events = list(ask(double).run(Thread(), "Go"))
    assert (only(events, ToolCall)[0].program, only(events, ToolResult)[0].output) == ("call_gone", "4")
    assert server.requests[1]["input"][-1]["caller"] == stray["caller"]


# --- searches for functions ---------------------------------------------------------------------------


def searched(found: list[Json], **arguments: Any) -> list[Json]:
    common = {"execution": "server", "call_id": None, "status": "completed"}
    return [
        item_of("tool_search_call", **common, arguments=arguments),
        item_of("tool_search_output", **common, tools=found),
    ]


@pytest.mark.parametrize("conversations", [True, False])
def test_a_search_shows_what_it_loaded(server: ModelServer, ask: Ask, conversations: bool) -> None:
    server.has_conversations = conversations
    loaded = {"type": "namespace", "name": "sums", "description": "Sums", "tools": [halve.as_param()]}
    search, found = searched([loaded], paths=["sums"])
    server.plays(
        calls(search, found, {**call("halve", number=3), "namespace": "sums"}), text("1.5"), text("Yes.")
    )
    thread, assistant = Thread(), ask(add, halve)
    events = list(assistant.run(thread, "Half of 3?"))
    assert events[-1] == RunCompleted()
    done = HostedCall(search["id"], "tool_search", "", "sums", "sums.halve: Halve a number.", "done")
    answer = thread.messages[-1]
    assert (answer.parts[0], only(events, ToolResult)[0].output) == (done, "1.5")
    assert (folded(answer), only(events, Note)) == (answer, [])
    assert list(assistant.run(thread, "Sure?"))[-1] == RunCompleted()
    if not conversations:
        sent = [item["type"] for item in server.requests[-1]["input"]]
        assert sent.count("tool_search_call") == sent.count("tool_search_output") == 1
    elif isinstance(assistant.backend, Responses):
        assert assistant.backend.load_thread(thread.id).messages[1].parts == answer.parts


def test_a_search_that_finds_nothing_is_done_without_output(server: ModelServer, ask: Ask) -> None:
    server.plays(calls(*searched([], query="maps"), message("There is none.")))
    thread = Thread()
    assert list(ask(halve).run(thread, "Maps?"))[-1] == RunCompleted()
    part = thread.messages[-1].parts[0]
    assert isinstance(part, HostedCall)
    assert (part.input, part.output, part.state) == ("maps", "", "done")
