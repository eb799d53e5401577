"""The events of a run."""

import json
import threading
from typing import Any

import pytest
from openai.types.beta import AssistantStreamEvent
from openai.types.beta.threads import Message as ServerMessage
from openai.types.beta.threads import Run as ServerRun
from pydantic import TypeAdapter

from assistant import Assistant, Thread, tool
from assistant.events import (
    Citation,
    Event,
    HostedCall,
    HostedDelta,
    RefusalDelta,
    RoundEnded,
    RoundStarted,
    RunCompleted,
    RunFailed,
    TextBreak,
    TextDelta,
    ThreadOpened,
    Usage,
)
from assistant.messages import Message
from assistant.parts import Text
from tests.backends.assistants.conftest import ENDED, Connect, ask, without_deltas
from tests.servers.assistants import ASSISTANT, AssistantsServer, Run, tools_of
from tests.servers.responses import Play, call, calls, error, message, reasoning, refusal, text


@pytest.mark.parametrize("nameless", [False, True])
def test_text_streams_and_the_run_ends_once(
    server: AssistantsServer, assistant: Assistant, nameless: bool
) -> None:
    server.nameless = nameless
    server.plays(text("Hello, world"))
    thread = Thread()
    assert ask(assistant, "Hi", thread) == [
        RoundStarted(1),
        ThreadOpened(thread.id),
        TextDelta("Hel"),
        TextDelta("lo,"),
        TextDelta(" wo"),
        TextDelta("rld"),
        ENDED,
        RunCompleted(),
    ]
    assert thread.messages[-1] == Message("assistant", [Text("Hello, world")], RunCompleted())
    assert server.transcript(thread.id) == [("user", "Hi"), ("assistant", "Hello, world")]
    assert server.requests == [{"assistant_id": ASSISTANT, "stream": True}]


def test_text_is_yielded_before_the_run_is_over(server: AssistantsServer, assistant: Assistant) -> None:
    gate = threading.Event()
    server.plays(text("Hello, world", gate=gate, gate_after=8))
    run = assistant.run(Thread(), "Hi")
    seen: list[Event] = []
    while TextDelta("Hel") not in seen:
        seen.append(next(run))
    gate.set()
    assert without_deltas(iter([*seen, *run]))[-1] == RunCompleted()


def test_several_messages_and_parts_are_blocks_of_their_own(
    server: AssistantsServer, assistant: Assistant
) -> None:
    part = {"type": "text", "text": "Third."}
    second = message("Second.")
    server.plays(
        Play(
            (message("First."), {**second, "content": [{"type": "text", "text": "Second."}, part]}), pieces=1
        )
    )
    assert ask(assistant, "Hi")[2:-2] == [
        TextDelta("First."),
        TextBreak(),
        TextDelta("Second."),
        TextBreak(),
        TextDelta("Third."),
    ]


def test_a_refusal_is_an_answer(server: AssistantsServer, assistant: Assistant) -> None:
    server.plays(refusal("I can't.", pieces=1))
    assert ask(assistant, "Do it")[2:] == [RefusalDelta("I can't."), ENDED, RunCompleted()]


def test_a_text_without_deltas_is_yielded_once(server: AssistantsServer, assistant: Assistant) -> None:
    run = {"id": "run_1", "object": "thread.run", "status": "completed"}
    whole = {
        "id": "msg_9",
        "content": [{"type": "text", "text": {"value": "All at once.", "annotations": []}}],
    }
    server.plays(
        Play(events=(_raw("thread.message.completed", whole), _raw("thread.run.completed", run), b""))
    )
    assert ask(assistant, "Hi")[2:] == [TextDelta("All at once."), RoundEnded(), RunCompleted()]


def test_malformed_events_are_ignored(server: AssistantsServer, assistant: Assistant) -> None:
    odd: list[Any] = [1, None, [], {}, {"id": []}, {"delta": {"content": [1, {"index": {}, "text": 3}]}}]
    odd += [{"delta": {"step_details": {"tool_calls": [{"index": [], "id": {}, "function": []}]}}}]
    names = ("thread.message.delta", "thread.run.step.delta", "thread.run.created", "thread.new", "")
    junk = tuple(_raw(name, data) for name in names for data in odd)
    run = _raw("thread.run.completed", {"id": 7, "usage": {"prompt_tokens": "many"}})
    server.plays(Play(events=(*junk, run, b"")))
    assert ask(assistant, "Hi")[2:] == [RoundEnded("", Usage()), RunCompleted()]


def test_the_servers_tools_and_sources_are_shown(server: AssistantsServer, assistant: Assistant) -> None:
    def step(name: str, kind: str, **fields: Any) -> dict[str, Any]:
        call = {"type": kind, kind: fields}
        return {"id": name, "step_details": {"type": "tool_calls", "tool_calls": [call]}}

    def piece(code: str, **names: str) -> bytes:
        call = {"index": 0, "type": "code_interpreter", "code_interpreter": {"input": code}, **names}
        details = {"type": "tool_calls", "tool_calls": [call]}
        return _raw("thread.run.step.delta", {"id": "step_1", "delta": {"step_details": details}})

    output = {"type": "logs", "logs": "3"}
    found = {"file_name": "a.txt", "content": [{"type": "text", "text": "A."}]}
    source = {"type": "file_citation", "end_index": 4, "file_citation": {"file_id": "file_1"}}
    text_part = {"index": 0, "type": "text", "text": {"value": "Two [1].", "annotations": [source]}}
    events = (
        piece("1 +", id="call_1"),
        piece(" 2"),
        _raw(
            "thread.run.step.completed", step("step_1", "code_interpreter", input="1 + 2", outputs=[output])
        ),
        _raw("thread.run.step.failed", step("step_2", "file_search", results=[found])),
        _raw("thread.message.delta", {"id": "msg_1", "delta": {"content": [text_part]}}),
        _raw("thread.run.completed", {"id": "run_1", "status": "completed"}),
    )
    server.plays(Play(events=events))
    assert ask(assistant, "Hi")[2:-2] == [
        HostedCall("call_1", "code_interpreter"),
        HostedDelta("call_1", "1 +"),
        HostedDelta("call_1", " 2"),
        HostedCall("call_1", "code_interpreter", "", "1 + 2", "3", "done"),
        HostedCall("hosted_2", "file_search", "", "", "a.txt\nA.", "failed"),
        TextDelta("Two [1]."),
        Citation(4, "", file_id="file_1"),
    ]


def _raw(name: str, data: Any) -> bytes:
    return (f"event: {name}\n" if name else "").encode() + f"data: {json.dumps(data)}\n\n".encode()


def test_text_in_any_script_survives_being_split_anywhere(
    server: AssistantsServer, connect_to: Connect
) -> None:
    @tool
    def echo(content: str) -> str:
        """Say it again.

        Args:
            content: What to say.
        """
        return content

    content = "東京は👩‍👩‍👧晴れ ½ \u2028عربى"
    add_call = call("echo", content=content)
    halves = [{"content": [{"index": 0, "type": "text", "text": {"value": half}}]} for half in "\ud83d\udc4b"]
    data = b"".join(
        [
            *(_raw("thread.message.delta", {"id": "msg_x", "delta": half}) for half in halves),
            _raw("thread.run.completed", {"id": "run_x"}),
        ]
    )
    server.plays(
        calls(message(content), add_call, pieces=23),
        Play(events=tuple(data[at : at + 1] for at in range(len(data)))),
    )
    thread = Thread()
    events = ask(connect_to(server.url, echo), "NUL \0 and half \ud83d of " + content, thread)
    assert server.posted[0]["content"] == "NUL \ufffd and half \ufffd of " + content
    assert server.requests[1]["tool_outputs"] == [{"tool_call_id": add_call["call_id"], "output": content}]
    assert TextDelta("👋") in events
    assert thread.messages[-1].text == content + "\n\n👋"


def test_the_test_servers_events_match_the_sdks_types() -> None:
    with AssistantsServer() as server:
        pass
    server.tools = tools_of("add")
    known: TypeAdapter[Any] = TypeAdapter(AssistantStreamEvent)
    one, two = call("add", a=1, b=2), call("add", a=3, b=4)
    plays = [
        Play((message("One"), *refusal("No").items)),
        calls(one, two),
        text("Half", ending="incomplete", details={"incomplete_details": {"reason": "max_prompt_tokens"}}),
        text("Half", ending="failed"),
        text("Late", details={"status": "expired"}),
    ]
    for play in plays:
        run = Run("run_1", "thread_1")
        *events, last = server.events(play, run, True)
        for name, data in events:
            assert known.validate_python({"event": name, "data": data}).event == name
        assert last == ("done", "[DONE]")
        server.threads["thread_1"] = []
        server.end(play, run, whole=True)
        for stored in server.threads["thread_1"]:
            ServerMessage.model_validate(stored)
        ServerRun.model_validate(server.run_object(run))


def test_reasoning_is_ignored_and_a_refused_request_fails_the_run(
    server: AssistantsServer, assistant: Assistant
) -> None:
    server.plays(calls(reasoning("Hm."), message("Yes."), pieces=1))
    assert ask(assistant, "Hi")[2:] == [TextDelta("Yes."), ENDED, RunCompleted()]
    server.plays(error(429, "insufficient_quota"))
    ending = ask(assistant, "Hi")[-1]
    assert isinstance(ending, RunFailed)
    assert ending.code == "insufficient_quota"


def test_an_error_event_fails_the_run(server: AssistantsServer, assistant: Assistant) -> None:
    for body in ({"code": "server_error", "message": "Oh"}, {"error": {"code": "server_error"}}):
        server.plays(Play(events=(_raw("error", body), b"", b"")))
        ending = ask(assistant, "Hi")[-1]
        assert isinstance(ending, RunFailed)
        assert ending.code == "server_error"


def test_invalid_json_fails_the_run(server: AssistantsServer, assistant: Assistant) -> None:
    server.plays(Play(events=(b"event: thread.run.created\ndata: {oops\n\n", b"", b"")))
    ending = ask(assistant, "Hi")[-1]
    assert isinstance(ending, RunFailed)
    assert ending.code == "not_json"
