"""The Assistants API on a real wire: every round of a run, every way to be cut off, and what comes after."""

import json
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

import httpx2
import pytest
from openai import OpenAI
from openai.types.beta import AssistantStreamEvent
from openai.types.beta.threads import Message as ServerMessage
from openai.types.beta.threads import Run as ServerRun
from pydantic import TypeAdapter

from assistant import Assistant, Thread, Tool, Toolbox, tool
from assistant.backends.assistants import backend as assistants
from assistant.backends.assistants.backend import Assistants
from assistant.backends.client import connect
from assistant.errors import UnknownThread
from assistant.events import (
    Event,
    Note,
    RefusalDelta,
    RoundEnded,
    RoundStarted,
    RunCompleted,
    RunFailed,
    RunStopped,
    TextBreak,
    TextDelta,
    ThreadOpened,
    ToolCall,
    ToolCallDelta,
    ToolResult,
    Usage,
)
from assistant.messages import Call, Message, Part, Text
from assistant.runs.loop import INTERRUPTED, STOPPED
from assistant.runs.registry import RunRegistry
from assistant.settings import Settings
from assistant.storage.store import Store
from tests.conftest import add
from tests.servers.assistants import ASSISTANT, AssistantsServer, Run, _kept, tools_of
from tests.servers.responses import Play, call, calls, cut, error, message, reasoning, refusal, text
from tests.variants import quick_first

ENDED = RoundEnded("test-model", Usage(10, 0, 5, 0))
ASKED = RoundEnded("test-model")


@pytest.fixture
def server() -> Iterator[AssistantsServer]:
    with AssistantsServer() as server:
        yield server


@pytest.fixture(autouse=True)
def _hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(assistants, "LOCK_DELAYS", (0.01, 0.01, 0.05, 0.5))
    monkeypatch.setattr(assistants, "CANCEL_DELAYS", (0.001, 0.01, 0.05, 0.5))
    monkeypatch.setattr(assistants, "ANSWER_DELAYS", (0.001, 0.01, 0.05, 0.5))


class Connect:
    """Makes assistants that are connected to an address."""

    def __init__(self, clients: ExitStack) -> None:
        self._clients = clients

    def __call__(self, url: str, *tools: Tool[..., Any], instructions: str = "", **options: Any) -> Assistant:
        client = self._clients.enter_context(connect(Settings(api_key="sk-test-key", base_url=url)))
        options = {"assistant_id": ASSISTANT, "instructions": instructions} | options
        return Assistant(Assistants(client, **options), Toolbox(*tools))


@pytest.fixture
def connect_to() -> Iterator[Connect]:
    with ExitStack() as clients:
        yield Connect(clients)


@pytest.fixture
def assistant(server: AssistantsServer, connect_to: Connect) -> Assistant:
    return connect_to(server.url, add)


def answer(assistant: Assistant, words: str, thread: Thread | None = None) -> list[Event]:
    """All that a run says, but for the pieces in which arguments were written."""
    return _said(assistant.run(thread or Thread(), words))


def _said(events: Iterator[Event]) -> list[Event]:
    return [event for event in events if not isinstance(event, ToolCallDelta)]


def _backend(assistant: Assistant) -> Assistants:
    assert isinstance(assistant.backend, Assistants)
    return assistant.backend


def _client(assistant: Assistant) -> OpenAI:
    return _backend(assistant)._client


# --- the main job -----------------------------------------------------------------------------------


@pytest.mark.parametrize("nameless", [False, True])
def test_text_streams_as_it_comes_and_the_run_ends_once(
    server: AssistantsServer, assistant: Assistant, nameless: bool
) -> None:
    server.nameless = nameless
    server.plays(text("Hello, world"))
    thread = Thread()
    assert answer(assistant, "Hi", thread) == [
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
    assert server.said(thread.id) == [("user", "Hi"), ("assistant", "Hello, world")]
    assert server.asked == [{"assistant_id": ASSISTANT, "stream": True}]


def test_text_is_said_before_the_run_is_over(server: AssistantsServer, assistant: Assistant) -> None:
    gate = threading.Event()
    server.plays(text("Hello, world", gate=gate, gate_after=8))
    run = assistant.run(Thread(), "Hi")
    seen: list[Event] = []
    while TextDelta("Hel") not in seen:
        seen.append(next(run))
    gate.set()
    assert _said(iter([*seen, *run]))[-1] == RunCompleted()


def test_instructions_replace_the_assistants_own(server: AssistantsServer, connect_to: Connect) -> None:
    server.plays(text("Hi."))
    answer(connect_to(server.url, instructions="Be brief."), "Hi")
    assert server.asked == [{"assistant_id": ASSISTANT, "stream": True, "instructions": "Be brief."}]


def test_a_call_is_run_and_its_result_continues_the_run(
    server: AssistantsServer, assistant: Assistant
) -> None:
    asked = call("add", a=2, b=3)
    server.plays(calls(asked, pieces=2), text("Five.", pieces=1))
    thread = Thread()
    assert list(assistant.run(thread, "2 + 3?")) == [
        RoundStarted(1),
        ThreadOpened(thread.id),
        ToolCallDelta(asked["call_id"], "add", ""),
        ToolCallDelta(asked["call_id"], "add", '{"a": 2,'),
        ToolCallDelta(asked["call_id"], "add", ' "b": 3}'),
        ToolCall(asked["call_id"], "add", '{"a": 2, "b": 3}'),
        ASKED,
        ToolResult(asked["call_id"], "5"),
        RoundStarted(2),
        TextDelta("Five."),
        ENDED,
        RunCompleted(),
    ]
    assert server.asked[1:] == [
        {"tool_outputs": [{"tool_call_id": asked["call_id"], "output": "5"}], "stream": True}
    ]


def test_parallel_calls_are_answered_in_one_request_and_rounds_follow_each_other(
    server: AssistantsServer, assistant: Assistant
) -> None:
    one, two, three = call("add", a=1, b=1), call("add", a=2, b=2), call("add", a=2, b=4)
    server.plays(calls(message("Let me see."), one, two), calls(three), text("Six."))
    thread = Thread()
    assert answer(assistant, "Add it all up", thread)[-1] == RunCompleted()
    assert server.asked[1:] == [
        {
            "tool_outputs": [
                {"tool_call_id": one["call_id"], "output": "2"},
                {"tool_call_id": two["call_id"], "output": "4"},
            ],
            "stream": True,
        },
        {"tool_outputs": [{"tool_call_id": three["call_id"], "output": "6"}], "stream": True},
    ]
    assert [
        (part.round, part.result.output) if isinstance(part, Call) and part.result else part
        for part in thread.messages[-1].parts
    ] == [Text("Let me see."), (1, "2"), (1, "4"), (2, "6"), Text("Six.")]
    assert len(server.runs[thread.id]) == 1
    assert server.posted == [{"role": "user", "content": "Add it all up"}]


def test_the_next_message_goes_into_the_same_thread(server: AssistantsServer, assistant: Assistant) -> None:
    server.plays(calls(call("add", a=1, b=1)), text("Two."), text("Four."))
    thread = Thread()
    answer(assistant, "1 + 1?", thread)
    assert answer(assistant, "And 2 + 2?", thread)[-1] == RunCompleted()
    assert server.said(thread.id) == [
        ("user", "1 + 1?"),
        ("assistant", "Two."),
        ("user", "And 2 + 2?"),
        ("assistant", "Four."),
    ]
    assert (server.refused, server.cancelled) == ([], [])


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
    assert answer(assistant, "Hi")[2:-2] == [
        TextDelta("First."),
        TextBreak(),
        TextDelta("Second."),
        TextBreak(),
        TextDelta("Third."),
    ]


def test_a_refusal_is_an_answer(server: AssistantsServer, assistant: Assistant) -> None:
    server.plays(refusal("I can't.", pieces=1))
    assert answer(assistant, "Do it")[2:] == [RefusalDelta("I can't."), ENDED, RunCompleted()]


def test_a_text_that_came_without_deltas_is_said_once(server: AssistantsServer, assistant: Assistant) -> None:
    run = {"id": "run_1", "object": "thread.run", "status": "completed"}
    whole = {
        "id": "msg_9",
        "content": [{"type": "text", "text": {"value": "All at once.", "annotations": []}}],
    }
    server.plays(
        Play(events=(_raw("thread.message.completed", whole), _raw("thread.run.completed", run), b""))
    )
    assert answer(assistant, "Hi")[2:] == [TextDelta("All at once."), RoundEnded(), RunCompleted()]


def test_irregular_events_are_passed_over(server: AssistantsServer, assistant: Assistant) -> None:
    odd: list[Any] = [1, None, [], {}, {"id": []}, {"delta": {"content": [1, {"index": {}, "text": 3}]}}]
    odd += [{"delta": {"step_details": {"tool_calls": [{"index": [], "id": {}, "function": []}]}}}]
    names = ("thread.message.delta", "thread.run.step.delta", "thread.run.created", "thread.new", "")
    junk = tuple(_raw(name, data) for name in names for data in odd)
    run = _raw("thread.run.completed", {"id": 7, "usage": {"prompt_tokens": "many"}})
    server.plays(Play(events=(*junk, run, b"")))
    assert answer(assistant, "Hi")[2:] == [RoundEnded("", Usage()), RunCompleted()]


def _raw(name: str, data: Any) -> bytes:
    return (f"event: {name}\n" if name else "").encode() + f"data: {json.dumps(data)}\n\n".encode()


def test_text_in_any_script_survives_being_split_anywhere(
    server: AssistantsServer, connect_to: Connect
) -> None:
    @tool
    def echo(words: str) -> str:
        """Say it again.

        Args:
            words: What to say.
        """
        return words

    words = "東京は👩‍👩‍👧晴れ ½ \u2028عربى"
    asked = call("echo", words=words)
    halves = [{"content": [{"index": 0, "type": "text", "text": {"value": half}}]} for half in "\ud83d\udc4b"]
    data = b"".join(
        [
            *(_raw("thread.message.delta", {"id": "msg_x", "delta": half}) for half in halves),
            _raw("thread.run.completed", {"id": "run_x"}),
        ]
    )
    server.plays(
        calls(message(words), asked, pieces=23),
        Play(events=tuple(data[at : at + 1] for at in range(len(data)))),
    )
    thread = Thread()
    events = answer(connect_to(server.url, echo), "NUL \0 and half \ud83d of " + words, thread)
    assert server.posted[0]["content"] == "NUL \ufffd and half \ufffd of " + words
    assert server.asked[1]["tool_outputs"] == [{"tool_call_id": asked["call_id"], "output": words}]
    assert TextDelta("👋") in events
    assert thread.messages[-1].text == words + "\n\n👋"


def test_what_is_missing_is_said_once_per_function(server: AssistantsServer, assistant: Assistant) -> None:
    server.tools = [{"type": "file_search"}, *tools_of("add", "get-Rain/../x", "class")]
    asked = call("other", "{}")
    server.plays(calls(asked), text("No."), text("No."))
    thread = Thread()
    events = answer(assistant, "Hi", thread) + answer(assistant, "And?", thread)
    where = "which is not here. Write it in assistant/functions"
    assert [event.text for event in events if isinstance(event, Note)] == [
        f"The assistant may call `get-Rain_.._x`, {where}/get_rain_x.py.",
        f"The assistant may call `class`, {where}/call_class.py.",
        f"The assistant may call `other`, {where}/other.py.",
    ]
    assert [event.outcome for event in events if isinstance(event, ToolResult)] == ["unknown"]


def test_two_threads_stream_side_by_side_on_one_backend(
    server: AssistantsServer, assistant: Assistant
) -> None:
    first, second = Thread(), Thread()
    runs = [assistant.run(first, "One"), assistant.run(second, "Two")]
    server.plays(calls(call("add", a=1, b=1)), calls(call("add", a=2, b=2)), text("Uno"), text("Dos"))
    seen: list[list[Event]] = [[], []]
    for _ in range(100):
        for run, events in zip(runs, seen, strict=True):
            events += [event for event in [next(run, None)] if event is not None]
    assert [events[-1] for events in seen] == [RunCompleted(), RunCompleted()]
    assert [thread.messages[-1].text for thread in (first, second)] == ["Uno", "Dos"]
    assert first.id != second.id


def test_what_the_server_plays_is_what_the_sdk_knows() -> None:
    server = AssistantsServer()
    server._http.server_close()
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
        for kept in server.threads["thread_1"]:
            ServerMessage.model_validate(kept)
        ServerRun.model_validate(server.run_object(run))


# --- endings ----------------------------------------------------------------------------------------


def test_a_limit_ends_the_run_with_what_was_said(server: AssistantsServer, assistant: Assistant) -> None:
    limits = {
        "max_completion_tokens": RunStopped(
            "max_output_tokens", "The answer was cut off: it reached the limit of output tokens."
        ),
        "max_prompt_tokens": RunStopped(
            "unknown",
            "The answer was cut off: the conversation reached the limit of tokens that a run may read.",
        ),
    }
    thread = Thread()
    for reason, ending in limits.items():
        server.plays(text("Half", ending="incomplete", details={"incomplete_details": {"reason": reason}}))
        assert answer(assistant, "Go", thread)[-1] == ending
    server.plays(text("Whole."))
    assert answer(assistant, "And?", thread)[-1] == RunCompleted()
    assert server.refused == []


@pytest.mark.parametrize(
    ("code", "shown", "retry"),
    [
        ("server_error", "is overloaded or has an internal error", True),
        ("rate_limit_exceeded", "Too many requests just now", True),
        ("invalid_prompt", "under its usage policy", False),
    ],
)
def test_a_failed_run_is_told_in_words_and_can_be_tried_again(
    server: AssistantsServer, assistant: Assistant, code: str, shown: str, retry: bool
) -> None:
    details = {"last_error": {"code": code, "message": "Oh no."}}
    server.plays(Play(ending="failed", details=details), text("Fine."))
    thread = Thread()
    ending = answer(assistant, "Hi", thread)[-1]
    assert isinstance(ending, RunFailed)
    assert (ending.code, ending.retry) == (code, retry)
    assert shown in ending.text
    assert _said(assistant.resume(thread))[-1] == RunCompleted()
    assert server.said(thread.id) == [("user", "Hi"), ("assistant", "Fine.")]


@pytest.mark.parametrize("status", ["expired", "cancelled"])
def test_a_run_that_was_ended_there_can_be_tried_again(
    server: AssistantsServer, assistant: Assistant, status: str
) -> None:
    server.plays(Play(details={"status": status}), text("Fine."))
    thread = Thread()
    ending = answer(assistant, "Hi", thread)[-1]
    assert isinstance(ending, RunFailed)
    assert (ending.code, ending.retry) == (status, True)
    assert _said(assistant.resume(thread))[-1] == RunCompleted()
    assert server.posted == [{"role": "user", "content": "Hi"}]


def test_an_error_in_the_stream_is_told_in_words(server: AssistantsServer, assistant: Assistant) -> None:
    for body in ({"code": "server_error", "message": "Oh"}, {"error": {"code": "server_error"}}):
        server.plays(Play(events=(_raw("error", body), b"", b"")))
        ending = answer(assistant, "Hi")[-1]
        assert isinstance(ending, RunFailed)
        assert ending.code == "server_error"


def test_what_is_not_json_is_told_in_words(server: AssistantsServer, assistant: Assistant) -> None:
    server.plays(Play(events=(b"event: thread.run.created\ndata: {oops\n\n", b"", b"")))
    ending = answer(assistant, "Hi")[-1]
    assert isinstance(ending, RunFailed)
    assert ending.code == "not_json"


def test_a_web_page_is_recognised(server: AssistantsServer, assistant: Assistant) -> None:
    server.pages = True
    ending = answer(assistant, "Hi")[-1]
    assert isinstance(ending, RunFailed)
    assert ending.code == "not_the_api"


def test_an_unknown_assistant_is_named(server: AssistantsServer, connect_to: Connect) -> None:
    other = connect_to(server.url, assistant_id="asst_gone")
    ending = answer(other, "Hi")[-1]
    assert isinstance(ending, RunFailed)
    assert (ending.code, ending.text.split(": ")[-1]) == (
        "unknown_assistant",
        f"{server.url.split('/')[2]} has no assistant asst_gone. "
        "Set OPENAI_ASSISTANT_ID to the id of one it has.",
    )


def test_a_server_without_this_api_is_named(connect_to: Connect) -> None:
    with AssistantsServer(speaks=False) as server:
        ending = answer(connect_to(server.url), "Hi")[-1]
    assert ending == RunFailed(
        "no_assistants",
        f"{server.url.split('/')[2]} does not speak the Assistants API: leave OPENAI_ASSISTANT_ID out, "
        "or set OPENAI_BASE_URL to a server that does.",
    )


def test_openai_itself_says_that_the_api_ended() -> None:
    with AssistantsServer(speaks=False) as server:

        class Detour(httpx2.HTTPTransport):
            """The way to OpenAI leads to this machine."""

            def handle_request(self, request: httpx2.Request) -> httpx2.Response:
                request.url = httpx2.URL(server.url).join(request.url.path)
                return super().handle_request(request)

        http = httpx2.Client(transport=Detour())
        with OpenAI(api_key="sk-test", base_url="https://api.openai.com/v1", http_client=http) as client:
            old = Thread(
                backend_state={"assistants": {"https://api.openai.com/v1/": {"thread": "thread_old"}}}
            )
            for thread in (Thread(), old):
                backend = Assistants(client, assistant_id=ASSISTANT)
                assert answer(Assistant(backend, Toolbox()), "Hi", thread)[-1] == RunFailed(
                    "assistants_ended",
                    "OpenAI's Assistants API ended on 2026-08-26: set OPENAI_AGENT_ID (an agent is its "
                    "successor), or leave OPENAI_ASSISTANT_ID out to use the Responses API.",
                )


# --- interruptions ----------------------------------------------------------------------------------


def test_closing_the_generator_cancels_the_run(server: AssistantsServer, assistant: Assistant) -> None:
    server.plays(text("Hello, world", gate=threading.Event(), gate_after=8), text("Fine."))
    thread = Thread()
    run = assistant.run(thread, "Hi")
    while not isinstance(next(run), TextDelta):
        pass
    run.close()
    assert server.cancelled == [server.runs[thread.id][0].id]
    assert thread.messages[-1] == Message("assistant", [Text("Hel")], STOPPED)
    assert answer(assistant, "And?", thread)[-1] == RunCompleted()
    assert server.said(thread.id) == [
        ("user", "Hi"),
        ("assistant", "Hel"),
        ("user", "And?"),
        ("assistant", "Fine."),
    ]
    assert server.refused == []


def test_stop_while_the_server_is_silent_cancels_the_run_there(
    server: AssistantsServer, assistant: Assistant
) -> None:
    silent = text("Hello, world", gate=threading.Event(), gate_after=8)
    server.plays(silent, text("Fine."))
    thread = Thread()
    run = RunRegistry().start(thread, lambda: assistant.run(thread, "Hi"), assistant.cancel)
    assert silent.reached.wait(5)
    run.stop()
    assert run.join(5)
    assert server.cancelled == [server.runs[thread.id][0].id]
    assert answer(assistant, "And?", thread)[-1] == RunCompleted()
    assert server.refused == []


def test_calls_that_were_stopped_do_not_block_the_thread(
    server: AssistantsServer, assistant: Assistant
) -> None:
    asked = call("add", a=1, b=2)
    server.plays(calls(asked), text("Fine."))
    thread = Thread()
    run = assistant.run(thread, "Hi")
    while next(run) != ASKED:
        pass
    next(run, None)  # the result is there; it never gets to the server
    run.close()
    assert answer(assistant, "And?", thread)[-1] == RunCompleted()
    assert server.said(thread.id) == [
        ("user", "Hi"),
        ("assistant", '(Function add was called with {"a": 1, "b": 2} and gave: 3)'),
        ("user", "And?"),
        ("assistant", "Fine."),
    ]
    assert (server.refused, server.cancelled) == ([], [server.runs[thread.id][0].id])


def test_retry_after_a_stop_among_calls_continues_the_same_run(
    server: AssistantsServer, assistant: Assistant
) -> None:
    asked = call("add", a=1, b=2)
    server.plays(calls(asked), text("Three."))
    thread = Thread()
    run = assistant.run(thread, "Hi")
    while next(run) != ASKED:
        pass
    next(run, None)
    run.close()
    assert _said(assistant.resume(thread))[-2:] == [ENDED, RunCompleted()]
    assert server.asked[1] == {
        "tool_outputs": [{"tool_call_id": asked["call_id"], "output": "3"}],
        "stream": True,
    }
    assert (thread.messages[-1].text, len(server.runs[thread.id])) == ("Three.", 1)


def test_an_answer_that_was_finished_unheard_is_taken_up(
    server: AssistantsServer, assistant: Assistant
) -> None:
    whole = text("Hello, world", pieces=2)
    server.plays(cut(whole, 8, "close", keeps="late"))
    thread = Thread()
    ending = answer(assistant, "Hi", thread)[-1]
    assert isinstance(ending, RunFailed)
    assert thread.messages[-1].text == "Hello,"
    assert _said(assistant.resume(thread)) == [
        RoundStarted(1),
        TextDelta("Hello, world"),
        ENDED,
        RunCompleted(),
    ]
    assert len(server.asked) == 1
    server.plays(text("Fine."))
    assert answer(assistant, "And?", thread)[-1] == RunCompleted()
    assert [words for _, words in server.said(thread.id)] == ["Hi", "Hello, world", "And?", "Fine."]


def test_calls_that_were_asked_unheard_are_taken_up(server: AssistantsServer, assistant: Assistant) -> None:
    asked = call("add", a=1, b=2)
    server.plays(cut(calls(message("Well."), asked), 1, "close", keeps="late"), text("Three.", pieces=1))
    thread = Thread()
    assert answer(assistant, "1 + 2?", thread)[2:] == [
        TextDelta("Well."),
        ToolCall(asked["call_id"], "add", '{"a": 1, "b": 2}'),
        ASKED,
        ToolResult(asked["call_id"], "3"),
        RoundStarted(2),
        TextDelta("Three."),
        ENDED,
        RunCompleted(),
    ]
    assert (len(server.asked), server.refused, server.cancelled) == (2, [], [])


def test_a_run_of_somebody_else_is_cancelled_before_anything_is_said(
    server: AssistantsServer, assistant: Assistant
) -> None:
    server.plays(text("One."), text("Two."))
    thread = Thread()
    answer(assistant, "Hi", thread)
    server.runs[thread.id].append(Run("run_other", thread.id, "in_progress"))
    assert answer(assistant, "And?", thread)[-1] == RunCompleted()
    assert (server.cancelled, server.refused) == (["run_other"], [])


def test_a_run_that_turns_up_at_the_last_moment_is_cancelled_after_the_refusal(
    server: AssistantsServer, assistant: Assistant, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.plays(text("One."), text("Two."))
    thread = Thread()
    answer(assistant, "Hi", thread)
    backend = _backend(assistant)
    settle = backend._settle

    def and_then_it_starts(*given: Any) -> Any:
        monkeypatch.undo()
        settled = settle(*given)
        server.runs[thread.id].append(Run("run_other", thread.id, "in_progress"))
        return settled

    monkeypatch.setattr(backend, "_settle", and_then_it_starts)
    assert answer(assistant, "And?", thread)[-1] == RunCompleted()
    assert server.refused == [f"Can't add messages to {thread.id} while a run run_other is active."]
    assert [words for _, words in server.said(thread.id)] == ["Hi", "One.", "And?", "Two."]


def test_outputs_that_come_too_late_are_told_to_a_new_run(
    server: AssistantsServer, connect_to: Connect
) -> None:
    @tool
    def slow() -> str:
        """Take too long."""
        server.runs[thread.id][0].status = "expired"
        return "at last"

    server.plays(calls(call("slow")), text("Fine."))
    thread = Thread()
    assert answer(connect_to(server.url, slow), "Go", thread)[-1] == RunCompleted()
    assert server.refused == ['Runs in status "expired" do not accept tool outputs.']
    assert server.said(thread.id) == [
        ("user", "Go"),
        ("assistant", "(Function slow was called with {} and gave: at last)"),
        ("assistant", "Fine."),
    ]


def test_half_an_answer_that_the_server_kept_is_not_told_again(
    server: AssistantsServer, assistant: Assistant
) -> None:
    server.plays(cut(text("Hello, world", pieces=2), 8, "close"), text("Fine."))
    thread = Thread()
    answer(assistant, "Hi", thread)
    (run,) = server.runs[thread.id]
    part = {"type": "text", "text": {"value": "Hello, wo", "annotations": []}}
    half = {"id": "msg_half", "role": "assistant", "run_id": run.id, "content": [part]}
    server.threads[thread.id].append({**half, "status": "incomplete"})
    assert answer(assistant, "And?", thread)[-1] == RunCompleted()
    assert [words for _, words in server.said(thread.id)] == ["Hi", "Hello, wo", "And?", "Fine."]


def test_a_message_whose_receipt_was_lost_is_not_posted_twice(
    server: AssistantsServer, assistant: Assistant
) -> None:
    server.plays(text("One."), text("Two."))
    thread = Thread()
    for words in ("Hi", "Hi"):
        server.lost_receipts = 1
        assert answer(assistant, words, thread)[-1] == RunCompleted()
    assert [words for _, words in server.said(thread.id)] == ["Hi", "One.", "Hi", "Two."]


def test_who_was_killed_after_posting_a_message_posts_it_no_more(
    server: AssistantsServer, assistant: Assistant
) -> None:
    server.plays(text("One."), text("Two."))
    thread = Thread()
    answer(assistant, "Hi", thread)
    server.threads[thread.id].append(_kept(thread.id, {"role": "user", "content": "And?"}))
    thread.messages += [Message.from_user("And?"), Message("assistant", [], INTERRUPTED)]
    assert _said(assistant.resume(thread))[-1] == RunCompleted()
    assert [words for _, words in server.said(thread.id)] == ["Hi", "One.", "And?", "Two."]


def test_a_new_process_says_the_rest_of_an_answer_that_went_on(
    server: AssistantsServer, assistant: Assistant, connect_to: Connect
) -> None:
    server.plays(cut(text("First.", "Hello, world", pieces=2), 17, "close", keeps="late"))
    thread = Thread()
    run = assistant.run(thread, "Hi")
    while not thread.messages[-1].text.endswith("Hello,"):
        next(run)
    store = Thread(thread.id, [*thread.messages], json.loads(json.dumps(thread.backend_state)))
    store.messages[-1] = Message("assistant", [*thread.messages[-1].parts])
    assert list(run)[-1] == thread.messages[-1].ending
    other = connect_to(server.url)
    server.runs[thread.id][0].looks = 3
    assert _backend(other).can_resume(store)
    assert _said(other.resume(store)) == [
        RoundStarted(1, resumed=True),
        TextDelta(" world"),
        ENDED,
        RunCompleted(),
    ]
    assert not _backend(other).can_resume(store)


def test_a_run_that_never_ends_is_told_in_words(
    server: AssistantsServer, assistant: Assistant, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(assistants, "CANCEL_DELAYS", (0.0, 0.0))
    server.plays(text("One."))
    thread = Thread()
    answer(assistant, "Hi", thread)
    server.runs[thread.id].append(Run("run_other", thread.id, "in_progress"))
    server.slow_cancel = 100
    assert answer(assistant, "And?", thread)[-1] == RunFailed(
        "conversation_locked",
        "Another answer is still being written in this conversation.",
        retry=True,
    )


SCENARIOS = {
    "text": lambda: [text("Hello, world.", pieces=2)],
    "calls": lambda: [
        calls(message("Well."), _count("a"), _count("b"), pieces=1),
        calls(_count("c"), pieces=1),
        text("Done.", pieces=1),
    ],
}


def _count(name: str) -> Any:
    return call("count", json.dumps({"name": name}))


QUICK = ("close", "late")
CASES = [
    pytest.param(way, keeps, marks=[] if (way, keeps) == QUICK else [pytest.mark.exhaustive])
    for way in ("close", "reset", "half", "stop", "kill")
    for keeps in ("nothing", "all", "late")
]


@pytest.mark.parametrize(("way", "keeps"), CASES)
@pytest.mark.parametrize("scenario", quick_first(SCENARIOS))
def test_a_thread_survives_a_cut_before_every_event(
    server: AssistantsServer,
    connect_to: Connect,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    scenario: str,
    way: str,
    keeps: Any,
) -> None:
    ran: Counter[str] = Counter()

    @tool
    def count(name: str) -> str:
        """Count.

        Args:
            name: What.
        """
        ran[name] += 1
        return f"{name} is counted"

    assistant, impatient = connect_to(server.url, count), connect_to(server.url, count)
    _client(impatient).max_retries = 0
    with closing(Store(f"sqlite:///{tmp_path}/threads.sqlite")) as store:
        for position, play in enumerate(SCENARIOS[scenario]()):
            for index in range(server.length(play, begins=position == 0)):
                plays = SCENARIOS[scenario]()
                how: Any = "silence" if way in ("stop", "kill") else way
                broken = cut(plays[position], index, how, keeps=keeps)
                server.plays(*plays[:position], broken, *plays[position + 1 :], text("Again."))
                _interrupt_and_go_on(server, impatient, assistant, store, way, broken, monkeypatch)
                assert all(times == 1 for times in ran.values()), "a function ran twice"
                ran.clear()


def _interrupt_and_go_on(
    server: AssistantsServer,
    impatient: Assistant,
    assistant: Assistant,
    store: Store,
    way: str,
    broken: Play,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    thread = Thread()
    patience = _client(impatient).timeout
    if way == "half":
        _client(impatient).timeout = 0.05
    run = RunRegistry().start(thread, lambda: impatient.run(thread, "Go"), impatient.cancel)
    if way == "kill":  # who is killed tells nobody
        monkeypatch.setattr(_backend(impatient), "_cancel_run", lambda *_: None)
    if way in ("stop", "kill"):
        assert broken.reached.wait(5)
        if way == "kill":
            store.save(thread)
        run.stop()
    assert run.join(5)
    _client(impatient).timeout = patience
    server.wait_until_idle()
    server.drop_script()
    if way == "kill":
        loaded = store.load(thread.id)
        assert loaded is not None
        thread = loaded
        if thread.is_unfinished:
            thread.messages[-1].add(INTERRUPTED)
    seen = thread.messages[-1].text
    server.plays(text("Fine."))
    assert answer(assistant, "And now?", thread)[-1] == RunCompleted()
    server.plays(text("Still fine."))
    store.save(thread)
    again = store.load(thread.id)
    assert again is not None
    assert answer(assistant, "Still there?", again)[-1] == RunCompleted()
    assert again.messages[1].text == seen
    words = server.said(again.id)
    assert [said for role, said in words if role == "user"] == ["Go", "And now?", "Still there?"]
    assert words[-4:] == [
        ("user", "And now?"),
        ("assistant", "Fine."),
        ("user", "Still there?"),
        ("assistant", "Still fine."),
    ]
    assert server.refused == []
    server.end_script()


# --- what the server keeps --------------------------------------------------------------------------


def test_a_thread_is_recalled_and_goes_on(server: AssistantsServer, assistant: Assistant) -> None:
    server.plays(text("One.", "Two.", pieces=1), text("Three."))
    thread = Thread()
    answer(assistant, "Hi", thread)
    recalled = _backend(assistant).load_thread(thread.id)
    assert (recalled.id, recalled.messages) == (
        thread.id,
        [
            Message.from_user("Hi"),
            Message("assistant", [Text("One."), Text("Two.")], RunCompleted()),
        ],
    )
    assert answer(assistant, "And?", recalled)[-1] == RunCompleted()
    assert [words for _, words in server.said(thread.id)] == ["Hi", "One.", "Two.", "And?", "Three."]
    assert (server.refused, server.cancelled) == ([], [])


def test_a_long_thread_is_recalled_whole(server: AssistantsServer, assistant: Assistant) -> None:
    server.plays(text("Last."))
    thread = Thread(messages=[each for n in range(120) for each in _turn(f"Question {n}", f"Answer {n}")])
    answer(assistant, "And?", thread)
    assert len(_backend(assistant).load_thread(thread.id).messages) == 242


def _turn(question: str, words: str) -> list[Message]:
    return [Message.from_user(question), Message("assistant", [Text(words)], RunCompleted())]


def test_a_running_answer_is_recalled_as_one_and_picked_up(
    server: AssistantsServer, assistant: Assistant
) -> None:
    server.plays(cut(text("Hello, world", pieces=2), 9, "close", keeps="late"))
    thread = Thread()
    answer(assistant, "Hi", thread)
    run = server.runs[thread.id][0]
    run.looks = 3
    recalled = _backend(assistant).load_thread(thread.id)
    assert recalled.messages == [Message.from_user("Hi"), Message("assistant")]
    assert _backend(assistant).can_resume(recalled)
    assert _said(assistant.resume(recalled)) == [
        RoundStarted(1, resumed=True),
        TextDelta("Hello, world"),
        ENDED,
        RunCompleted(),
    ]
    assert not _backend(assistant).can_resume(recalled)


@pytest.mark.parametrize("thread_id", ["thread_none", "", "..", "a/b", "\n", "x" * 600])
def test_what_is_no_thread_is_unknown(server: AssistantsServer, assistant: Assistant, thread_id: str) -> None:
    with pytest.raises(UnknownThread):
        _backend(assistant).load_thread(thread_id)


def test_a_forgotten_thread_is_gone_there_with_its_run(
    server: AssistantsServer, assistant: Assistant
) -> None:
    backend = _backend(assistant)
    server.plays(text("One."))
    thread = Thread()
    answer(assistant, "Hi", thread)
    server.runs[thread.id].append(Run("run_other", thread.id, "in_progress"))
    backend.delete_thread(thread)
    assert (server.threads, server.cancelled) == ({}, ["run_other"])
    backend.delete_thread(thread)
    backend.delete_thread(Thread())
    assert not backend.can_resume(thread)
    assert not backend.can_resume(Thread())


def test_a_lost_thread_is_written_anew(server: AssistantsServer, assistant: Assistant) -> None:
    server.plays(text("One."), text("Two."))
    thread = Thread()
    answer(assistant, "Hi", thread)
    del server.threads[thread.id]
    events = answer(assistant, "And?", thread)
    assert [event for event in events if isinstance(event, Note)] == [
        Note("The server no longer has its copy of this conversation; it was written anew.")
    ]
    assert events[-1] == RunCompleted()
    assert [server.said(name) for name in server.threads] == [
        [("user", "Hi"), ("assistant", "One."), ("user", "And?"), ("assistant", "Two.")]
    ]


def test_a_thread_of_another_backend_goes_on_here(server: AssistantsServer, assistant: Assistant) -> None:
    done = ToolResult("call_1", "5")
    first: list[Part] = [Call("call_1", "add", '{"a": 2, "b": 3}', 1, True, done), Text("Five.")]
    thread = Thread(
        "conv_1", backend_state={"responses": {"http://other.invalid/v1/": {"conversation": "conv_1"}}}
    )
    thread.messages = [Message.from_user("2 + 3?"), Message("assistant", first, RunCompleted())]
    thread.messages += [each for n in range(20) for each in _turn(f"Question {n}", f"Answer {n}")]
    server.plays(text("Fine."))
    assert answer(assistant, "And?", thread)[-1] == RunCompleted()
    (own,) = server.threads
    assert thread.id == "conv_1"
    assert server.said(own)[:2] == [
        ("user", "2 + 3?"),
        ("assistant", '(Function add was called with {"a": 2, "b": 3} and gave: 5)\n\nFive.'),
    ]
    assert server.said(own)[-2:] == [("user", "And?"), ("assistant", "Fine.")]
    assert len(server.said(own)) == 44
    thread.messages += _turn("Elsewhere?", "Elsewhere.")  # and it comes back from yet another one
    server.plays(text("Here."))
    assert answer(assistant, "Back?", thread)[-1] == RunCompleted()
    assert [words for _, words in server.said(own)[-4:]] == ["Elsewhere?", "Elsewhere.", "Back?", "Here."]


def test_a_thread_that_moves_to_another_server_takes_its_history_along(
    server: AssistantsServer, assistant: Assistant, connect_to: Connect
) -> None:
    server.plays(text("One."))
    thread = Thread()
    answer(assistant, "Hi", thread)
    with AssistantsServer() as other:
        other.plays(text("Two."))
        assert answer(connect_to(other.url), "And?", thread)[-1] == RunCompleted()
        (own,) = other.threads
        assert [words for _, words in other.said(own)] == ["Hi", "One.", "And?", "Two."]


def test_a_stored_thread_goes_on_in_a_new_process(
    server: AssistantsServer, assistant: Assistant, connect_to: Connect, tmp_path: Path
) -> None:
    asked = call("add", a=1, b=2)
    server.plays(calls(asked), text("Three."), text("Four."))
    thread = Thread()
    answer(assistant, "1 + 2?", thread)
    with closing(Store(f"sqlite:///{tmp_path}/threads.sqlite")) as store:
        store.save(thread)
        again = store.load(thread.id)
    assert again is not None
    assert answer(connect_to(server.url, add), "And?", again)[-1] == RunCompleted()
    assert [words for _, words in server.said(thread.id)] == ["1 + 2?", "Three.", "And?", "Four."]


def test_reasoning_has_no_place_here_and_a_plain_refusal_is_told(
    server: AssistantsServer, assistant: Assistant
) -> None:
    server.plays(calls(reasoning("Hm."), message("Yes."), pieces=1))
    assert answer(assistant, "Hi")[2:] == [TextDelta("Yes."), ENDED, RunCompleted()]
    server.plays(error(429, "insufficient_quota"))
    ending = answer(assistant, "Hi")[-1]
    assert isinstance(ending, RunFailed)
    assert ending.code == "insufficient_quota"
