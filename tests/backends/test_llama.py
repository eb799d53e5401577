"""The application with a real server and a small real model: llama.cpp.

The answers of the model are often wrong. The tests check streaming, calls, Stop, continuing and the limit
of the context.
"""

import json
import re
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from itertools import groupby
from pathlib import Path

import pytest

from assistant import Assistant, Thread, Toolbox
from assistant.backends import RemoteBackend
from assistant.backends.chat_completions.backend import ChatCompletions
from assistant.backends.client import connect
from assistant.backends.context import SHORTENED
from assistant.backends.responses.backend import Responses
from assistant.events import (
    Event,
    RoundEnded,
    RoundStarted,
    RunCompleted,
    RunFailed,
    RunStopped,
    TextDelta,
    ThreadOpened,
    ToolCall,
    ToolCallDelta,
    ToolResult,
)
from assistant.messages import Message
from assistant.settings import Settings
from tests.conftest import add, need
from tests.servers import llama as llama_server
from tests.waiting import until

pytestmark = pytest.mark.exhaustive

Connect = Callable[[str], Assistant]

LONG = "Count from 1 to 300."
"""It is at that until the limit."""

SUMS = [(30, 12), (7, 8), (100, 250), (21, 4)]
"""So many examples make a small model do likewise."""


@pytest.fixture(scope="module")
def weights() -> Path:
    weights = llama_server.weights()
    need(weights, "xllamacpp and its weights (.ci/requirements.txt)")
    assert weights is not None
    return weights


@pytest.fixture(scope="module")
def roomy(weights: Path) -> Iterator[str]:
    with llama_server.running(weights, n_ctx=2048, n_predict=256) as url:
        yield url


@pytest.fixture(scope="module")
def narrow(weights: Path) -> Iterator[str]:
    """A server whose answers end early: in the middle of a call's arguments, if there is one."""
    with llama_server.running(weights, n_ctx=1024, n_predict=20) as url:
        yield url


@pytest.fixture(scope="module")
def forgetful(weights: Path) -> Iterator[str]:
    with llama_server.running(weights, n_ctx=256, n_predict=32) as url:
        yield url


@pytest.fixture(params=["responses", "chat"])
def connect_to(request: pytest.FixtureRequest) -> Iterator[Connect]:
    """Create assistants for a server with each of the protocols it speaks."""
    with ExitStack() as clients:

        def connected(url: str) -> Assistant:
            client = clients.enter_context(connect(Settings(base_url=f"{url}/v1")))
            instructions = "For every sum, call the function add. Then tell the sum."
            backend: RemoteBackend = Responses(client, model="smollm2", instructions=instructions)
            if request.param == "chat":
                backend = ChatCompletions(client, model="smollm2", instructions=instructions)
            return Assistant(backend, Toolbox(add))

        yield connected


def with_sums(first: str = '{"a": 30, "b": 12}') -> Thread:
    """Return a conversation with another server, in which the function did the sums; ``first`` is its first
    call's arguments.
    """
    thread = Thread("thread_kept")
    for number, (a, b) in enumerate(SUMS):
        arguments = json.dumps({"a": a, "b": b}) if number else first
        thread.messages += [Message.from_user(f"What is {a} plus {b}?"), Message("assistant")]
        for event in (
            RoundStarted(1),
            ToolCall(f"call_{a}", "add", arguments),
            RoundEnded(),
            ToolResult(f"call_{a}", str(a + b)),
            RoundStarted(2),
            TextDelta(f"{a} plus {b} is {a + b}."),
            RoundEnded(),
            RunCompleted(),
        ):
            thread.messages[-1].add(event)
    return thread


def kinds(events: list[Event]) -> list[str]:
    """Return the kinds of events without repetitions."""
    return [kind for kind, _ in groupby(type(event).__name__ for event in events)]


def texts(events: list[Event]) -> list[str]:
    return [event.text for event in events if isinstance(event, TextDelta)]


def results(events: list[Event]) -> list[ToolResult]:
    return [event for event in events if isinstance(event, ToolResult)]


def sums(events: list[Event]) -> list[int]:
    """Return the number of prompt tokens in each round, as counted by the server."""
    return [event.usage.input for event in events if isinstance(event, RoundEnded) and event.usage]


def is_done_or_at_its_limit(event: Event) -> bool:
    """Return whether the answer ended in an expected way; only Chat Completions reports the limit."""
    return event == RunCompleted() or (isinstance(event, RunStopped) and event.reason == "max_output_tokens")


def test_an_answer_streams_and_is_complete(roomy: str, connect_to: Connect) -> None:
    thread = Thread()
    events = list(connect_to(roomy).run(thread, "What is the capital of France?"))
    assert kinds(events) == ["RoundStarted", "ThreadOpened", "TextDelta", "RoundEnded", "RunCompleted"]
    assert len(texts(events)) > 3
    assert thread.messages[-1].text == "".join(texts(events))
    assert re.fullmatch("thread_[0-9a-f]{32}", thread.id), "the server has no name for it"
    ended = events[-2]
    assert isinstance(ended, RoundEnded)
    assert ended.model.endswith(".gguf")
    assert ended.usage is not None
    assert ended.usage.output >= len(texts(events))


def test_an_answer_cut_off_at_the_servers_limit_is_kept_and_can_be_continued(
    narrow: str, connect_to: Connect
) -> None:
    assistant, thread = connect_to(narrow), Thread()
    for question in (LONG, "Go on."):
        events = list(assistant.run(thread, question))
        assert 1 < len(texts(events)) <= 20
        assert is_done_or_at_its_limit(events[-1])
        assert thread.messages[-1].text == "".join(texts(events))


def test_a_conversation_of_three_turns_continues_in_another_process(roomy: str, connect_to: Connect) -> None:
    thread, opened, token_counts = Thread(), [], []
    for question in ("What is the capital of France?", "And of Italy?", "And of Spain?"):
        thread = Thread(thread.id, thread.messages, json.loads(json.dumps(thread.backend_state)))
        events = list(connect_to(roomy).run(thread, question))
        assert is_done_or_at_its_limit(events[-1])
        opened += [event.thread_id for event in events if isinstance(event, ThreadOpened)]
        token_counts.append(llama_server.token_count(roomy))
    assert opened == [thread.id], "it is opened once"
    assert [message.role for message in thread.messages] == ["user", "assistant"] * 3
    assert token_counts[0] < token_counts[1] < token_counts[2], "the server is told everything each time"


def test_a_function_runs_and_the_server_continues_from_its_result(roomy: str, connect_to: Connect) -> None:
    assistant, thread = connect_to(roomy), with_sums()
    for question in ("What is 17 plus 25?", "What is 40 plus 5?"):  # the second after a call of its own
        events = list(assistant.run(thread, question))
        assert kinds(events) == [
            *("RoundStarted", "ToolCallDelta", "ToolCall", "RoundEnded", "ToolResult"),
            *("RoundStarted", "TextDelta", "RoundEnded", "RunCompleted"),
        ]
        (call,) = [event for event in events if isinstance(event, ToolCall)]
        arguments = json.loads(call.arguments)
        assert results(events) == [ToolResult(call.call_id, str(arguments["a"] + arguments["b"]))]
        drafts = [event for event in events if isinstance(event, ToolCallDelta)]
        assert "".join(draft.text for draft in drafts) == call.arguments
        assert {(draft.call_id, draft.name) for draft in drafts} == {(call.call_id, "add")}
        first, second = sums(events)
        assert first < second
    assert thread.id == "thread_kept"


def test_a_call_cut_off_at_the_limit_does_not_run_and_the_thread_can_be_continued(
    narrow: str, roomy: str, connect_to: Connect
) -> None:
    thread = with_sums()
    events = list(connect_to(narrow).run(thread, "What is 17 plus 25?"))
    assert any(isinstance(event, ToolCallDelta) for event in events)
    assert [result for result in results(events) if result.outcome == "done"] == []
    assert isinstance(events[-1], RunCompleted | RunStopped)
    events = list(connect_to(roomy).run(thread, "What is the capital of France?"))
    assert is_done_or_at_its_limit(events[-1])


def test_a_transcript_with_invalid_arguments_can_be_continued(roomy: str, connect_to: Connect) -> None:
    thread = with_sums('{"a": 1')
    events = list(connect_to(roomy).run(thread, "What is the capital of France?"))
    assert is_done_or_at_its_limit(events[-1])


def test_stop_ends_the_answer_at_the_server_and_the_next_message_works(
    roomy: str, connect_to: Connect
) -> None:
    assistant, thread = connect_to(roomy), Thread()
    run = assistant.run(thread, LONG)
    first_deltas = [next(event.text for event in run if isinstance(event, TextDelta)) for _ in range(3)]
    assert llama_server.is_busy(roomy)
    run.close()
    until(lambda: not llama_server.is_busy(roomy), seconds=1.5)  # by itself it would go on for longer
    assert thread.messages[-1].ending == RunStopped("user", "Stopped.")
    assert thread.messages[-1].text == "".join(first_deltas)
    events = list(assistant.run(thread, "Thank you. What is the capital of France?"))
    assert is_done_or_at_its_limit(events[-1])
    assert thread.messages[-1].text == "".join(texts(events)) != ""


def test_stop_works_while_the_server_is_silent(roomy: str, connect_to: Connect) -> None:
    assistant, thread = connect_to(roomy), Thread()
    with ThreadPoolExecutor(1) as pool:
        going_on = pool.submit(list[Event], assistant.run(thread, f"{'tell me ' * 150} a joke."))
        until(lambda: llama_server.is_busy(roomy))
        assistant.cancel(thread)
        events = going_on.result(10.0)
    assert texts(events) == []
    assert isinstance(events[-1], RunFailed)
    assert (events[-1].code, events[-1].retry) == ("cancelled", False)
    events = list(assistant.run(Thread(), "What is the capital of France?"))
    assert is_done_or_at_its_limit(events[-1])


def test_the_oldest_turns_are_left_out_with_a_note_when_the_context_is_full(
    forgetful: str, connect_to: Connect
) -> None:
    assistant, thread = connect_to(forgetful), Thread()
    assistant.toolbox = Toolbox()
    count, shortened = 0, []
    for number in range(8):
        events = list(assistant.run(thread, f"Tell me a short story about {number} friends by the sea."))
        assert is_done_or_at_its_limit(events[-1])
        count, before = llama_server.token_count(forgetful), count
        assert (count < before) == (SHORTENED in events), "it grows by a turn, or shrinks and that is said"
        shortened.append(SHORTENED in events)
    assert 1 <= sum(shortened[:-1]) <= 5, "not at each turn"
    assert len(thread.messages) == 16, "nothing is lost here"


def test_a_transcript_that_is_too_long_from_the_start_is_sent_in_part(
    forgetful: str, connect_to: Connect
) -> None:
    thread = with_sums()
    events = list(connect_to(forgetful).run(thread, "What is the capital of France?"))
    assert events[1] == SHORTENED
    assert is_done_or_at_its_limit(events[-1])
