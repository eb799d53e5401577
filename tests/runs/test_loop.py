"""The run loop over a real socket: it streams, calls functions, and ends exactly once."""

import re
import threading
from typing import Any

import pytest

from assistant import Assistant, Thread, tool
from assistant.backends.responses import exchange
from assistant.backends.responses.backend import Responses
from assistant.errors import UnknownThread
from assistant.events import (
    Event,
    Note,
    ReasoningDelta,
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
from assistant.messages import Message
from assistant.parts import Call, Text
from assistant.runs.registry import RunRegistry
from assistant.runs.run import STOPPED
from assistant.tools.results import stopped_result
from tests.backends.kinds import state_of
from tests.conftest import Connect, add
from tests.servers.responses import (
    ModelServer,
    Play,
    call,
    calls,
    cut,
    error,
    message,
    reasoning,
    refusal,
    text,
)
from tests.waiting import until

ENDED = RoundEnded("test-model", Usage(10, 2, 5, 1))


def without_pieces(events: list[Event]) -> list[Event]:
    """Return the events without the pieces of arguments."""
    return [event for event in events if not isinstance(event, ToolCallDelta)]


def ask(assistant: Assistant, words: str, thread: Thread | None = None) -> list[Event]:
    return without_pieces(list(assistant.run(thread or Thread(), words)))


def test_text_streams_and_the_run_ends_once(server: ModelServer, assistant: Assistant) -> None:
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
    assert thread.messages == [
        Message.from_user("Hi"),
        Message("assistant", [Text("Hello, world")], RunCompleted()),
    ]


def test_text_is_yielded_before_the_response_is_over(server: ModelServer, assistant: Assistant) -> None:
    gate = threading.Event()
    server.plays(text("Hello, world", gate=gate, gate_after=6))
    run = assistant.run(Thread(), "Hi")
    seen: list[Event] = []
    while TextDelta("Hel") not in seen:
        seen.append(next(run))
    gate.set()
    assert without_pieces(seen + list(run))[-1] == RunCompleted()


def test_a_call_runs_and_the_next_round_gets_its_result(server: ModelServer, assistant: Assistant) -> None:
    item = call("add", a=2, b=3)
    server.plays(calls(item), text("Five.", pieces=1))
    thread = Thread()
    assert ask(assistant, "2 + 3?", thread) == [
        RoundStarted(1),
        ThreadOpened(thread.id),
        ToolCall(item["call_id"], "add", '{"a": 2, "b": 3}'),
        ENDED,
        ToolResult(item["call_id"], "5"),
        RoundStarted(2),
        TextDelta("Five."),
        ENDED,
        RunCompleted(),
    ]
    assert [request["input"] for request in server.requests] == [
        [{"type": "message", "role": "user", "content": "2 + 3?"}],
        [{"type": "function_call_output", "call_id": item["call_id"], "output": "5"}],
    ]


def test_every_request_carries_the_model_the_instructions_and_the_functions(
    server: ModelServer, assistant: Assistant
) -> None:
    server.plays(text("Hello."))
    thread = Thread()
    ask(assistant, "Hi", thread)
    assert server.requests == [
        {
            "model": "test-model",
            "instructions": "Be brief.",
            "conversation": thread.id,
            "input": [{"type": "message", "role": "user", "content": "Hi"}],
            "reasoning": {"summary": "auto"},
            "stream": True,
            "tools": [
                {
                    "type": "function",
                    "name": "add",
                    "description": "Add two whole numbers.",
                    "parameters": add.parameters,
                    "strict": True,
                }
            ],
        }
    ]


def test_calls_of_one_round_run_in_parallel_and_are_answered_in_order(
    server: ModelServer, connect_to: Connect
) -> None:
    second_landed = threading.Event()

    @tool
    def first() -> str:
        """Wait for the result of the second."""
        assert second_landed.wait(5)
        return "one"

    @tool
    def second() -> str:
        """Return at once."""
        return "two"

    one, two = call("first"), call("second")
    server.plays(calls(one, two), text("Both."))
    landed = []
    for event in connect_to(server.url, first, second).run(Thread(), "Go"):
        if isinstance(event, ToolResult):
            landed.append(event.call_id)
            second_landed.set()
    assert landed == [two["call_id"], one["call_id"]]
    assert [item["output"] for item in server.requests[1]["input"]] == ["one", "two"]


def test_rounds_repeat_until_the_model_is_done(server: ModelServer, assistant: Assistant) -> None:
    server.plays(
        calls(message("Let me see."), call("add", a=1, b=1), call("add", a=2, b=2)),
        calls(call("add", a=2, b=4)),
        text("Six."),
    )
    thread = Thread()
    ask(assistant, "Add it all up", thread)
    parts = thread.messages[-1].parts
    assert [
        (part.round, part.result.output) if isinstance(part, Call) and part.result else part for part in parts
    ] == [Text("Let me see."), (1, "2"), (1, "4"), (2, "6"), Text("Six.")]


def test_the_run_stops_after_ten_rounds_and_the_thread_continues(
    server: ModelServer, connect_to: Connect
) -> None:
    assistant = connect_to(server.url, add, max_rounds=2)
    last = call("add", a=3, b=4)
    server.plays(calls(call("add", a=1, b=2)), calls(last), text("Seven."))
    thread = Thread()
    assert ask(assistant, "Go", thread)[-1] == RunStopped(
        "max_rounds", "Stopped after 2 rounds of function calls."
    )
    assert ask(assistant, "And?", thread)[-1] == RunCompleted()
    assert server.requests[2]["input"] == [
        {"type": "function_call_output", "call_id": last["call_id"], "output": "7"},
        {"type": "message", "role": "user", "content": "And?"},
    ]


@pytest.mark.parametrize("arguments", ["", "{}", "null", " "])
def test_a_call_without_arguments_may_be_written_in_any_form(
    server: ModelServer, connect_to: Connect, arguments: str
) -> None:
    @tool
    def ping() -> str:
        """Answer."""
        return "pong"

    server.plays(calls(call("ping", arguments)), text("Pong."))
    events = ask(connect_to(server.url, ping), "Ping")
    assert [event.output for event in events if isinstance(event, ToolResult)] == ["pong"]


def test_unicode_survives_being_split_anywhere(server: ModelServer, connect_to: Connect) -> None:
    @tool
    def echo(words: str) -> str:
        """Say it again.

        Args:
            words: What to say.
        """
        return words

    words = "東京は👩‍👩‍👧晴れ ½ \u202eعربى"
    data = "".join(
        f"data: {line}\n\n"
        for line in (
            '{"type":"response.output_text.delta","delta":"日本語👋"}',
            '{"type":"response.completed","response":{"status":"completed"}}',
        )
    ).encode()
    pieces = tuple(data[at : at + 1] for at in range(len(data)))
    server.plays(calls(call("echo", words=words), pieces=23), Play(events=pieces))
    events = ask(connect_to(server.url, echo), words)
    assert server.requests[0]["input"][0]["content"] == words
    assert [event.output for event in events if isinstance(event, ToolResult)] == [words]
    assert TextDelta("日本語👋") in events


def test_several_messages_of_one_response_are_separate_blocks(
    server: ModelServer, assistant: Assistant
) -> None:
    server.plays(text("First.", "Second.", pieces=1))
    thread = Thread()
    events = ask(assistant, "Hi", thread)
    assert events[2:-2] == [TextDelta("First."), TextBreak(), TextDelta("Second.")]
    assert thread.messages[-1].text == "First.\n\nSecond."


def test_a_refusal_is_an_answer(server: ModelServer, assistant: Assistant) -> None:
    server.plays(refusal("I can't.", pieces=1))
    assert ask(assistant, "Do it")[2:] == [RefusalDelta("I can't."), ENDED, RunCompleted()]


def test_reasoning_becomes_reasoning_events(server: ModelServer, assistant: Assistant) -> None:
    server.plays(calls(reasoning("Hmm."), message("Yes."), pieces=1))
    assert ask(assistant, "Well?")[2:] == [ReasoningDelta("Hmm."), TextDelta("Yes."), ENDED, RunCompleted()]


@pytest.mark.parametrize(
    ("reason", "ending"),
    [
        (
            "max_output_tokens",
            RunStopped("max_output_tokens", "The answer was cut off: it reached the limit of output tokens."),
        ),
        (
            "content_filter",
            RunStopped("content_filter", "The answer was cut off by the server's content filter."),
        ),
        ("steered", RunStopped("unknown", "The server ended the answer early (steered).")),
    ],
)
def test_an_incomplete_response_keeps_its_text_and_runs_no_call(
    server: ModelServer, assistant: Assistant, reason: str, ending: RunStopped
) -> None:
    server.plays(
        calls(
            message("So far"),
            call("add", '{"a": 1, "b'),
            ending="incomplete",
            details={"incomplete_details": {"reason": reason}},
        ),
        text("Done."),
    )
    thread = Thread()
    events = ask(assistant, "Go", thread)
    assert events[-1] == ending
    assert not [event for event in events if isinstance(event, ToolCall | ToolResult)]
    assert thread.messages[-1].text == "So far"
    assert ask(assistant, "Go on", thread)[-1] == RunCompleted()


def test_unknown_events_and_items_change_nothing(server: ModelServer, assistant: Assistant) -> None:
    done = {"type": "response.completed", "response": {"output": [{"type": "hologram", "id": "h_1"}]}}
    server.plays(
        Play(
            events=(
                {"type": "response.created"},
                {"type": "response.hologram.delta", "delta": {"deep": [1, 2]}},
                {"type": "response.output_item.added", "item": {"type": "hologram", "id": "h_1"}},
                {"type": "response.output_text.delta", "item_id": "m", "delta": "Hi"},
                {"type": "response.output_item.done", "item": {"type": "hologram", "id": "h_1"}},
                done,
            )
        )
    )
    assert ask(assistant, "Hi")[2:] == [TextDelta("Hi"), RoundEnded(), RunCompleted()]


def test_a_call_of_an_unknown_function_gets_an_error_result(
    server: ModelServer, assistant: Assistant
) -> None:
    item = call("divide", a=1)
    server.plays(calls(item), text("Sorry."))
    events = ask(assistant, "Divide")
    assert events[4] == ToolResult(
        item["call_id"], '{"error": "There is no function \'divide\'. Available functions: add."}', "unknown"
    )


def test_a_thread_is_loaded_from_the_server_with_its_calls(server: ModelServer, assistant: Assistant) -> None:
    server.plays(
        calls(reasoning("Hm."), message("Wait."), call("add", a=1, b=1), call("add", "{")),
        calls(call("add", a=2, b=2)),
        text("Four.", "Really."),
        refusal("No."),
    )
    thread = Thread()
    ask(assistant, "Add", thread)
    ask(assistant, "More", thread)
    backend = assistant.backend
    assert isinstance(backend, Responses)
    recalled = backend.load_thread(thread.id)
    failed = thread.messages[1].calls[1].result
    assert failed is not None
    assert failed.outcome == "invalid"
    # The server does not know how a call failed or how long it took.
    known = [_as_recalled(message) for message in thread.messages]
    assert [recalled.id, recalled.messages] == [thread.id, known]


def _as_recalled(message: Message) -> Message:
    parts: list[Any] = []
    for part in message.parts:
        if isinstance(part, Call) and part.result is not None and part.result.outcome != "done":
            part = Call(
                part.call_id,
                part.name,
                part.arguments,
                part.round,
                result=ToolResult(part.call_id, part.result.output, "failed"),
            )
        parts.append(part)
    return Message(message.role, parts, message.ending)


def test_a_loaded_thread_continues(server: ModelServer, assistant: Assistant) -> None:
    server.plays(text("One."), text("Two."))
    thread = Thread()
    ask(assistant, "First", thread)
    backend = assistant.backend
    assert isinstance(backend, Responses)
    recalled = backend.load_thread(thread.id)
    ask(assistant, "Second", recalled)
    assert server.requests[1]["input"] == [{"type": "message", "role": "user", "content": "Second"}]
    assert server.requests[1]["conversation"] == thread.id


def test_a_server_without_conversations_gets_the_full_history_each_time(connect_to: Connect) -> None:
    with ModelServer(conversations=False) as server:
        assistant = connect_to(server.url, add)
        item, thought = call("add", a=1, b=1), reasoning("Hm.")
        server.plays(calls(thought, item), text("Two."), text("Again: two."))
        thread = Thread()
        ask(assistant, "1 + 1?", thread)
        ask(assistant, "Again", thread)
        first = {"type": "message", "role": "user", "content": "1 + 1?"}
        output = {"type": "function_call_output", "call_id": item["call_id"], "output": "2"}
        assert server.requests[1]["input"] == [first, thought, item, output]
        assert server.requests[2]["input"][:4] == [first, thought, item, output]
        assert server.requests[2]["input"][4]["content"][0]["text"] == "Two."
        assert server.requests[2]["input"][5:] == [{"type": "message", "role": "user", "content": "Again"}]
        assert all("conversation" not in request for request in server.requests)


def test_closing_a_run_keeps_its_text_and_marks_it_stopped(server: ModelServer, assistant: Assistant) -> None:
    gate = threading.Event()
    server.plays(text("Hello, world", gate=gate, gate_after=6), text("Again."))
    thread = Thread()
    run = assistant.run(thread, "Hi")
    while next(run) != TextDelta("lo,"):
        pass
    run.close()
    gate.set()
    assert thread.messages[-1] == Message("assistant", [Text("Hello,")], RunStopped("user", "Stopped."))
    assert ask(assistant, "Go on", thread)[-1] == RunCompleted()
    assert server.requests[1]["input"] == [
        {"type": "message", "role": "user", "content": "Hi"},
        {"type": "message", "role": "assistant", "content": "Hello,"},
        {"type": "message", "role": "user", "content": "Go on"},
    ]


def test_calls_left_open_are_answered_before_anything_else_is_sent(
    server: ModelServer, assistant: Assistant
) -> None:
    item = call("add", a=1, b=1)
    server.plays(calls(item), text("Fine."))
    thread = Thread()
    run = assistant.run(thread, "Add")
    while next(run) != ENDED:
        pass
    next(run)  # the result arrives, but is not sent to the server
    run.close()
    assert ask(assistant, "Never mind", thread)[-1] == RunCompleted()
    assert [item.get("output", item.get("content")) for item in server.requests[1]["input"]] == [
        "2",
        "Never mind",
    ]


def test_stop_ends_a_run_at_once_while_its_function_never_returns(
    server: ModelServer, connect_to: Connect
) -> None:
    started, released = threading.Event(), threading.Event()

    @tool
    def hang() -> str:
        """Never return."""
        started.set()
        released.wait(20)
        return "too late"

    item = call("hang")
    server.plays(calls(item), text("Never mind."))
    assistant, thread, live = connect_to(server.url, hang), Thread(), RunRegistry()
    run = live.start(thread, lambda: assistant.run(thread, "Go"))
    assert started.wait(5)
    run.stop()
    assert [event for batch in run.follow() for event in batch][-1] == STOPPED
    assert live.get(thread) is None
    assert ask(assistant, "And now?", thread)[-1] == RunCompleted()
    assert server.requests[1]["input"] == [
        {"type": "function_call_output", "call_id": item["call_id"], "output": stopped_result("").output},
        {"type": "message", "role": "user", "content": "And now?"},
    ]
    released.set()


def test_a_run_that_repeats_one_call_is_ended_and_the_thread_continues(
    server: ModelServer, assistant: Assistant
) -> None:
    again = [call("add", a=1, b=1) for _ in range(4)]
    server.plays(
        *(calls(each, call("add", a=number, b=2)) for number, each in enumerate(again)), text("Two.")
    )
    thread = Thread()
    events = ask(assistant, "Add", thread)
    assert events[-1] == RunStopped(
        "repeated_call", "Stopped: add was called again and again with the same arguments."
    )
    results = [event for event in events if isinstance(event, ToolResult)]
    assert sorted(result.output for result in results) == ["2", "2", "2", "2", "3", "4"]
    assert ask(assistant, "So?", thread)[-1] == RunCompleted()


@pytest.mark.parametrize("words", ["Conversation with id '{}' not found.", "no such thing", ""])
def test_a_lost_conversation_is_recreated_from_the_transcript(
    server: ModelServer, assistant: Assistant, words: str
) -> None:
    server.not_found = words
    item = call("add", a=1, b=1)
    server.plays(calls(message("Let me see."), item), text("Two."), text("Yes."))
    thread = Thread()
    ask(assistant, "1 + 1?", thread)
    old = thread.id
    del server.conversations[old]
    events = ask(assistant, "Sure?", thread)
    assert events[1] == Note(
        "The server could not continue its copy of this conversation. A new one was created."
    )
    assert events[-1] == RunCompleted()
    assert thread.id == old, "a thread keeps its address"
    items = server.conversations[state_of(thread, "responses")["conversation"]].items
    assert [item.get("content", item.get("output", item.get("name"))) for item in items] == [
        [{"type": "input_text", "text": "1 + 1?"}],
        [{"type": "output_text", "text": "Let me see.", "annotations": [], "logprobs": []}],
        "add",
        "2",
        [{"type": "output_text", "text": "Two.", "annotations": [], "logprobs": []}],
        [{"type": "input_text", "text": "Sure?"}],
        [{"type": "output_text", "text": "Yes.", "annotations": [], "logprobs": []}],
    ]


def test_a_conversation_lost_during_an_answer_loses_no_call(
    server: ModelServer, assistant: Assistant
) -> None:
    item = call("add", a=1, b=1)
    server.plays(calls(item), text("Two."))
    thread = Thread()
    run = assistant.run(thread, "1 + 1?")
    while next(run) != ENDED:
        pass
    server.conversations.clear()
    assert list(run)[-1] == RunCompleted()
    assert [item.get("output", item.get("call_id")) for item in server.requests[-1]["input"]] == [
        None,
        item["call_id"],
        "2",
    ]
    assert thread.messages[-1].text == "Two."


def test_a_long_conversation_is_recreated_in_batches(server: ModelServer, assistant: Assistant) -> None:
    thread = Thread()
    for number in range(25):
        server.plays(text(f"Answer {number}"))
        ask(assistant, f"Question {number}", thread)
    server.conversations.clear()
    server.plays(text("Yes."))
    assert ask(assistant, "All there?", thread)[-1] == RunCompleted()
    assert [len(conversation.items) for conversation in server.conversations.values()] == [52]


def test_a_run_stopped_while_it_waits_for_a_locked_conversation_sends_no_more_requests(
    server: ModelServer, assistant: Assistant, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(exchange, "LOCK_DELAYS", (0.2,))
    server.plays(text("One."))
    thread, live = Thread(), RunRegistry()
    ask(assistant, "First", thread)
    server.conversations[thread.id].locked = True
    run = live.start(thread, lambda: assistant.run(thread, "Second"), assistant.cancel)
    until(lambda: len(server.requests) == 2)
    run.stop()
    server.conversations[thread.id].locked = False
    assert run.join(5), "the worker is still running"
    assert len(server.requests) == 2


def test_the_id_of_a_thread_cannot_be_guessed(connect_to: Connect) -> None:
    with ModelServer(conversations=False) as server:
        assistant, thread = connect_to(server.url, add), Thread()
        server.plays(text("Hello."))
        ask(assistant, "Hi", thread)
        assert re.fullmatch("thread_[0-9a-f]{32}", thread.id)
        assert isinstance(assistant.backend, Responses)
        with pytest.raises(UnknownThread):
            assistant.backend.load_thread(thread.id)


def test_a_conversation_lost_after_an_interruption_is_recreated(
    server: ModelServer, assistant: Assistant
) -> None:
    server.not_found = "no such thing"
    thread = Thread()
    server.plays(cut(text("One two three"), 6, "close"), text("Fine."))
    assert isinstance(ask(assistant, "Count", thread)[-1], RunFailed)
    server.conversations.clear()
    assert ask(assistant, "And now?", thread)[-1] == RunCompleted()
    assert [item["content"] for item in server.requests[-1]["input"]] == ["And now?"]
    assert [
        conversation.items[1]["content"][0]["text"] for conversation in server.conversations.values()
    ] == ["One two "]


def test_an_unknown_model_is_not_mistaken_for_a_lost_conversation(
    server: ModelServer, assistant: Assistant
) -> None:
    server.plays(text("One."), error(404, None, "no such thing"))
    thread = Thread()
    ask(assistant, "First", thread)
    ending = ask(assistant, "Second", thread)[-1]
    assert isinstance(ending, RunFailed)
    assert ending.code == "not_found"
    assert len(server.conversations) == 1


def test_calls_with_the_same_id_get_different_ids_when_they_are_sent_again(
    server: ModelServer, assistant: Assistant
) -> None:
    def answered_call(round_number: int, output: str) -> Call:
        return Call("call_0", "add", "{}", round_number, result=ToolResult("call_0", output))

    answer = Message(
        "assistant", [answered_call(1, "one"), answered_call(2, "two"), Text("So.")], RunCompleted()
    )
    thread = Thread("", [Message.from_user("Add"), answer])
    server.plays(text("Yes."), text("Still."))
    assert ask(assistant, "Sure?", thread)[-1] == RunCompleted()
    assert [
        (item["call_id"], item.get("output")) for item in server.requests[0]["input"] if "call_id" in item
    ] == [("call_0", None), ("call_0", "one"), ("call_0_2", None), ("call_0_2", "two")]
    server.conversations.clear()
    assert ask(assistant, "Really?", thread)[-1] == RunCompleted()
    assert len(server.refused) == 1, "only the lost conversation"
