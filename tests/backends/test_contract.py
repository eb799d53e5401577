"""The contract of every backend, whatever its protocol.

A server of each protocol plays the same scripts. Only ``KINDS`` knows the protocols.
"""

import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from openai.types.responses import ResponseStreamEvent
from pydantic import TypeAdapter

from assistant import Assistant, Thread, Toolbox, ToolError, tool
from assistant.backends.client import connect
from assistant.events import (
    CallAnswered,
    CallApproved,
    CallDenied,
    Decision,
    Ending,
    Event,
    RoundEnded,
    RoundStarted,
    RunCompleted,
    RunFailed,
    RunPaused,
    RunStopped,
    TextDelta,
    ThreadOpened,
    ToolCall,
    ToolResult,
)
from assistant.messages import Message
from assistant.parts import Text
from assistant.runs.registry import RunRegistry
from assistant.settings import Settings
from assistant.storage.store import Store
from tests.backends.kinds import KINDS, Kind
from tests.conftest import add
from tests.servers import hosted
from tests.servers.responses import Play, call, calls, cut, error, message, reasoning, refusal, text
from tests.stored import load_stored
from tests.variants import quick_first

DOUBLED: list[int] = []


@tool(approval=True)
def double(number: int) -> int:
    """Double a number.

    Args:
        number: The number.
    """
    DOUBLED.append(number)
    return number * 2


WORDS = "Grüße, 世界! 👩‍👩‍👧 \u2028 $5 <b>&amp;</b> \\n"


@tool
def fail(why: str) -> str:
    """Fail.

    Args:
        why: The reason.
    """
    raise ToolError(f"It fails: {why}")


@pytest.fixture
def server(kind: Kind) -> Iterator[Any]:
    with kind.server() as server:
        yield server


@pytest.fixture
def assistant(create_assistant: Callable[..., Assistant]) -> Assistant:
    return create_assistant(add, fail)


def text_of(events: list[Event]) -> str:
    return "".join(event.text for event in events if isinstance(event, TextDelta))


def results(events: list[Event]) -> list[tuple[str, str]]:
    found = [event for event in events if isinstance(event, ToolResult)]
    return sorted((each.output, each.outcome) for each in found)


def test_a_run_starts_a_round_opens_its_thread_once_and_ends_once(server: Any, assistant: Assistant) -> None:
    server.plays(text("One."), text("Two."))
    thread = Thread()
    first, second = (list(assistant.run(thread, words)) for words in ("1?", "2?"))
    assert first[0] == second[0] == RoundStarted(1)
    opened = [event for event in first + second if isinstance(event, ThreadOpened)]
    assert opened == [ThreadOpened(thread.id)]
    assert [sum(isinstance(event, Ending) for event in each) for each in (first, second)] == [1, 1]
    assert (first[-1], second[-1]) == (RunCompleted(), RunCompleted())
    assert [sum(isinstance(event, RoundEnded) for event in each) for each in (first, second)] == [1, 1]


def test_text_streams_while_the_server_writes_it(server: Any, assistant: Assistant) -> None:
    gate = threading.Event()
    play = text("One two three four", pieces=18, gate=gate, gate_after=14)
    server.plays(play)
    seen: list[Event] = []
    for event in assistant.run(Thread(), "Count"):
        seen.append(event)
        if isinstance(event, TextDelta) and not gate.is_set():
            assert "four" not in text_of(seen)
            gate.set()
    assert text_of(seen) == "One two three four"


@pytest.mark.parametrize("words", quick_first([WORDS, "a", "\n", "`" * 3, "x" * 100_000]))
def test_any_text_passes_in_both_directions(server: Any, assistant: Assistant, words: str) -> None:
    server.plays(text(words))
    thread = Thread()
    assert text_of(list(assistant.run(thread, words + "?"))) == words
    assert thread.messages == [
        Message.from_user(words + "?"),
        Message("assistant", [Text(words)], RunCompleted()),
    ]


def test_the_calls_of_a_round_run_once_and_all_get_results_before_the_next_round(
    server: Any, assistant: Assistant
) -> None:
    server.plays(
        calls(reasoning("Hm."), call("add", a=1, b=2), call("add", a=3, b=4)),
        calls(call("add", a=5, b=6)),
        text("3, 7 and 11."),
    )
    thread = Thread()
    events = list(assistant.run(thread, "Add"))
    assert results(events) == [("11", "done"), ("3", "done"), ("7", "done")]
    assert [event.number for event in events if isinstance(event, RoundStarted)] == [1, 2, 3]
    assert (text_of(events), events[-1], server.refused) == ("3, 7 and 11.", RunCompleted(), [])
    assert thread.open_calls() == []


def test_every_call_gets_a_result_whatever_the_function_does(server: Any, assistant: Assistant) -> None:
    server.plays(
        calls(
            call("fail", why="so"), call("nope"), call("add", arguments='{"a": 1'), call("add", a="x", b=1)
        ),
        text("I see."),
    )
    events = list(assistant.run(Thread(), "Go"))
    assert [outcome for _, outcome in results(events)].count("failed") == 1
    assert {outcome for _, outcome in results(events)} == {"failed", "unknown", "invalid"}
    assert (events[-1], server.refused) == (RunCompleted(), [])


@pytest.mark.parametrize("step", quick_first([7, 1]))
def test_only_the_calls_of_a_completed_round_run(
    server: Any, assistant: Assistant, impatient: None, step: int
) -> None:
    endings: set[type] = set()
    for after in range(1, 40, step):
        server.plays(cut(calls(message("Hm."), call("add", a=1, b=2)), after, "close"), text("Fine."))
        events = list(assistant.run(Thread(), "Go"))
        ended_well = any(isinstance(event, RoundEnded) for event in events)
        assert ended_well or not any(isinstance(event, ToolCall | ToolResult) for event in events)
        endings.add(type(events[-1]))
        server.drop_script()
        server.wait_until_idle()
        server.refused.clear()
    assert endings == {RunFailed, RunCompleted}


def test_a_refusal_of_the_model_is_shown_and_completes_the_run(server: Any, assistant: Assistant) -> None:
    server.plays(refusal("I must not."))
    thread = Thread()
    assert list(assistant.run(thread, "Go"))[-1] == RunCompleted()
    assert "I must not." in "".join(getattr(part, "text", "") for part in thread.messages[-1].parts)


def test_an_error_response_gives_one_sentence_and_the_next_message_works(
    server: Any, assistant: Assistant
) -> None:
    server.plays(error(401, "invalid_api_key", x_should_retry="false"))
    thread = Thread()
    ending = list(assistant.run(thread, "Go"))[-1]
    assert isinstance(ending, RunFailed)
    assert (ending.code, ending.retry) == ("invalid_api_key", False)
    server.plays(text("Fine."))
    events = list(assistant.run(thread, "And now?"))
    assert (text_of(events), events[-1]) == ("Fine.", RunCompleted())


def test_an_answer_that_the_server_ends_early_is_kept_and_marked(server: Any, assistant: Assistant) -> None:
    server.plays(
        text("One two", ending="incomplete", details={"incomplete_details": {"reason": "max_output_tokens"}}),
        text("Three."),
    )
    thread = Thread()
    ending = list(assistant.run(thread, "Count"))[-1]
    assert isinstance(ending, RunStopped)
    assert (ending.reason, thread.messages[-1].text) == ("max_output_tokens", "One two")
    assert list(assistant.run(thread, "Go on"))[-1] == RunCompleted()


@pytest.mark.parametrize("how", quick_first(["reset", "close", "half"]))
def test_after_a_lost_connection_the_text_is_kept_and_the_next_message_works(
    server: Any, assistant: Assistant, how: Any, impatient: None
) -> None:
    first = text("One two three four", pieces=18)
    server.plays(cut(first, 14, how))
    thread = Thread()
    run = RunRegistry().start(thread, lambda: assistant.run(thread, "Count"), assistant.cancel)
    seen: list[Event] = []
    for batch in run.follow():
        seen += batch
        if how == "half" and text_of(seen):
            run.stop()
    assert run.join(5)
    assert isinstance(seen[-1], RunFailed | RunStopped)
    assert "One two three four".startswith(thread.messages[-1].text)
    assert thread.messages[-1].text
    server.drop_script()
    server.wait_until_idle()
    server.refused.clear()
    server.plays(text("Fine."))
    events = list(assistant.run(thread, "And now?"))
    assert (text_of(events), events[-1]) == ("Fine.", RunCompleted())
    assert thread.messages[-1].text == "Fine."


def test_stop_ends_a_waiting_run_and_the_next_message_works(server: Any, assistant: Assistant) -> None:
    gate = threading.Event()
    play = text("One two three four", pieces=18, gate=gate, gate_after=14)
    server.plays(play)
    thread = Thread()
    run = RunRegistry().start(thread, lambda: assistant.run(thread, "Count"), assistant.cancel)
    assert play.reached.wait(5)
    run.stop()
    assert run.join(5), "its worker was woken"
    gate.set()
    server.wait_until_idle()
    server.plays(text("Fine."))
    events = list(assistant.run(thread, "And now?"))
    assert (text_of(events), events[-1]) == ("Fine.", RunCompleted())


def test_a_run_closed_between_calls_and_results_can_be_continued(server: Any, assistant: Assistant) -> None:
    server.plays(calls(call("add", a=1, b=2)))
    thread = Thread()
    run = assistant.run(thread, "Add")
    for event in run:
        if isinstance(event, ToolCall):
            break
    run.close()
    assert len(thread.open_calls()) == 1
    server.plays(text("Fine."))
    events = list(assistant.run(thread, "And now?"))
    assert (text_of(events), events[-1], server.refused) == ("Fine.", RunCompleted(), [])


def test_a_stored_thread_continues_in_another_process(
    server: Any, assistant: Assistant, create_assistant: Callable[..., Assistant], database: str
) -> None:
    server.plays(calls(call("add", a=1, b=2)), text("3."))
    thread = Thread()
    assert list(assistant.run(thread, "Add"))[-1] == RunCompleted()
    store = Store(database)
    store.save(thread)
    again = load_stored(store, thread.id)
    store.close()
    server.plays(calls(call("add", a=3, b=4)), text("7."))
    events = list(create_assistant(add).run(again, "More"))
    assert (text_of(events), events[-1], server.refused) == ("7.", RunCompleted(), [])


def pause(server: Any, assistant: Assistant) -> Thread:
    """Return a thread that waits for decisions on three of four calls."""
    DOUBLED.clear()
    server.plays(calls(call("add", a=1, b=2), *(call("double", number=each) for each in (1, 2, 3))))
    thread = Thread()
    assert list(assistant.run(thread, "Double"))[-1] == RunPaused()
    return thread


def test_a_paused_run_continues_in_another_process_after_the_users_decision(
    server: Any, create_assistant: Callable[..., Assistant], database: str
) -> None:
    thread = pause(server, create_assistant(add, double))
    store = Store(database)
    store.save(thread)
    again = load_stored(store, thread.id)
    store.close()
    first, second, third = (each.call_id for each in again.open_calls())
    decisions: list[Decision] = [
        CallApproved(first, '{"number": 7}'),
        CallDenied(second, "No."),
        CallAnswered(third, "six"),
    ]
    server.plays(calls(call("double", number=5)))
    events = list(create_assistant(add, double).decide(again, decisions))
    assert events[:3] == decisions
    assert sorted(outcome for _, outcome in results(events)) == ["denied", "done", "done"]
    assert (DOUBLED, events[-1], server.refused) == ([7], RunPaused(), [])
    for words in ("changed the arguments to", "Reason: No.", "six"):
        assert words in str(server.requests), "the model was told"
    server.plays(text("Fine."))
    [last] = again.open_calls()
    events = list(create_assistant(add, double).decide(again, [CallApproved(last.call_id)]))
    assert (text_of(events), events[-1], server.refused) == ("Fine.", RunCompleted(), [])
    assert [event.number for event in events if isinstance(event, RoundStarted)] == [3]
    assert ([each.role for each in again.messages], DOUBLED) == (["user", "assistant"], [7, 5])
    server.plays(text("Still fine."))
    events = list(create_assistant(add, double).run(again, "And now?"))
    assert (text_of(events), events[-1], server.refused) == ("Still fine.", RunCompleted(), [])


@pytest.mark.parametrize("before", quick_first(KINDS))
def test_a_paused_run_continues_with_another_backend(
    server: Any, create_assistant: Callable[..., Assistant], before: str
) -> None:
    with KINDS[before].server() as other, connect(Settings(base_url=other.url)) as client:
        thread = pause(other, Assistant(KINDS[before].backend(client), Toolbox(add, double)))
    server.plays(text("Fine."))
    decisions = [CallAnswered(each.call_id, "forty-two") for each in thread.open_calls()]
    events = list(create_assistant(add, double).decide(thread, decisions))
    assert (text_of(events), events[-1], server.refused) == ("Fine.", RunCompleted(), [])
    assert "forty-two" in str(server.requests) + str(getattr(server, "threads", ""))


def test_a_new_message_instead_of_a_decision_is_answered(
    server: Any, create_assistant: Callable[..., Assistant]
) -> None:
    thread = pause(server, assistant := create_assistant(add, double))
    server.plays(text("Fine."))
    events = list(assistant.run(thread, "And now?"))
    assert (text_of(events), events[-1], server.refused) == ("Fine.", RunCompleted(), [])
    assert (DOUBLED, thread.open_calls()) == ([], [])


def test_two_threads_on_one_backend_do_not_mix(server: Any, assistant: Assistant) -> None:
    gate = threading.Event()
    server.plays(text("One two three four", pieces=18, gate=gate, gate_after=14), text("Other."))
    first, second = Thread(), Thread()
    run = assistant.run(first, "Count")
    while not isinstance(next(run), TextDelta):
        pass
    assert text_of(list(assistant.run(second, "Else?"))) == "Other."
    gate.set()
    assert list(run)[-1] == RunCompleted()
    assert (first.messages[-1].text, second.messages[-1].text) == ("One two three four", "Other.")
    assert first.id != second.id


@pytest.mark.parametrize("before", quick_first(KINDS))
def test_a_thread_of_another_backend_continues(server: Any, assistant: Assistant, before: str) -> None:
    thread = Thread()
    with KINDS[before].server() as other, connect(Settings(base_url=other.url)) as client:
        other.plays(calls(call("add", a=1, b=2)), text("It is three, dear."))
        first = Assistant(KINDS[before].backend(client), Toolbox(add))
        assert list(first.run(thread, "What is one and two?"))[-1] == RunCompleted()
    name = thread.id
    server.plays(text("Fine."))
    events = list(assistant.run(thread, "And now?"))
    assert (text_of(events), events[-1], server.refused) == ("Fine.", RunCompleted(), [])
    sent = str(server.requests) + str(getattr(server, "threads", ""))  # where a request does not hold it
    for words in ("What is one and two?", "It is three, dear.", "And now?"):
        assert sent.count(words) >= 1, "it was told what was said before"
    assert thread.id == name, "a thread keeps its first name"
    server.plays(calls(call("add", a=3, b=4)), text("Seven."))
    assert list(assistant.run(thread, "Add"))[-1] == RunCompleted()
    assert server.refused == []


@pytest.fixture
def impatient(no_retries: None) -> None:
    """Do not retry a lost connection."""


def test_plays_are_not_shared() -> None:
    assert text("x") is not text("x")
    assert isinstance(text("x"), Play)


PLAYS = {
    "hosted": lambda: calls(
        hosted.web_search("Kyoto"),
        hosted.file_search("prices", **{"a.pdf": "Cheap."}),
        hosted.code("1+1", {"type": "logs", "logs": "2"}),
        hosted.picture("A cat"),
        hosted.mcp_tools("wiki", "ask"),
        hosted.mcp("wiki", "ask", '{"q": 1}', "42"),
        hosted.mcp_approval("wiki", "ask", "{}"),
        hosted.cited(message("See."), hosted.url("Page", "https://example.com", 4)),
    ),
    "text": lambda: text("One two", "Three"),
    "calls": lambda: calls(reasoning("Hm."), message("So."), call("add", a=1, b=2), call("add")),
    "refusal": lambda: refusal("No."),
    "incomplete": lambda: text(
        "One", ending="incomplete", details={"incomplete_details": {"reason": "max_output_tokens"}}
    ),
    "failed": lambda: text(
        "One", ending="failed", details={"error": {"code": "server_error", "message": "x"}}
    ),
}


@pytest.mark.parametrize("play", PLAYS)
def test_the_scripted_events_are_valid_for_the_sdk(play: str) -> None:
    known: TypeAdapter[Any] = TypeAdapter(ResponseStreamEvent)
    for event in PLAYS[play]().stream("resp_1", {"model": "m", "tools": []}):
        assert isinstance(event, dict)
        if event.get("item", {}).get("action", "") is None:
            continue  # the real API, too, tells the action of a search only at its end
        read = known.validate_python(event, strict=True)
        assert read.type == event["type"]
