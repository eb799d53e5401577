"""Background responses: lost connections, processes that died, and Stop."""

import json
import threading
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Literal, get_args

import pytest

from assistant import Assistant, Thread, Toolbox, tool
from assistant.backends.client import connect
from assistant.backends.responses import api
from assistant.backends.responses.backend import Responses
from assistant.events import RunCompleted, RunFailed, RunStopped, TextDelta
from assistant.messages import Message
from assistant.parts import Call, Reasoning, Text
from assistant.runs.registry import RunRegistry
from assistant.settings import Settings
from assistant.storage.serialization import message_as_json, message_from_json
from assistant.tools.results import lost_result
from tests.conftest import add
from tests.servers.responses import (
    ModelServer,
    Play,
    background_call,
    call,
    calls,
    cut,
    message,
    reasoning,
    text,
)
from tests.silence import SilenceTransport

How = Literal["close", "reset", "half", "silence"]


@pytest.fixture
def network() -> SilenceTransport:
    return SilenceTransport()


@pytest.fixture
def assistant(server: ModelServer, network: SilenceTransport) -> Iterator[Assistant]:
    with ExitStack() as clients:
        client = clients.enter_context(connect(Settings(api_key="sk-x", base_url=server.url), network))
        yield Assistant(Responses(client, model="test-model", background=True), Toolbox(add))


@pytest.mark.exhaustive
@pytest.mark.parametrize("how", get_args(How))
def test_an_answer_continues_where_the_connection_was_lost(
    server: ModelServer, network: SilenceTransport, assistant: Assistant, how: How
) -> None:
    for index in range(1, 11):
        network.play = cut(text("One two three four"), index, how)
        server.plays(calls(call("add", a=1, b=2), pieces=1), network.play)
        thread = Thread()
        assert list(assistant.run(thread, "Count"))[-1] == RunCompleted()
        assert thread.messages[-1].text == "One two three four"
        assert [call.result.output for call in thread.messages[-1].calls if call.result] == ["3"]
    assert server.refused == []


def test_an_answer_whose_id_was_never_received_is_adopted(server: ModelServer, assistant: Assistant) -> None:
    server.plays(cut(text("Hello"), 0, "close"))
    thread = Thread()
    assert list(assistant.run(thread, "Hi"))[-1] == RunCompleted()
    assert thread.messages[1:] == [Message("assistant", [Text("Hello")], RunCompleted())]


def test_another_process_continues_a_running_answer(server: ModelServer, assistant: Assistant) -> None:
    gate = threading.Event()
    server.plays(
        calls(call("add", a=1, b=2)),
        calls(message("One two three four"), call("add", a=3, b=4), gate=gate, gate_after=6),
        text("Seven."),
        text("Yes."),
    )
    backend, thread = assistant.backend, Thread()
    assert isinstance(backend, Responses)
    run = assistant.run(thread, "Count")
    while next(run) != TextDelta("One t"):
        pass
    # The first process died; the second one has only the thread's address.
    recalled = backend.load_thread(thread.id)
    assert recalled.is_unfinished
    assert [message.role for message in recalled.messages] == ["user", "assistant"]
    gate.set()
    assert list(assistant.resume(recalled))[-1] == RunCompleted()
    assert [message.role for message in recalled.messages] == ["user", "assistant"]
    assert recalled.messages[1].text == "One two three four\n\nSeven."
    assert [(call.round, call.result and call.result.output) for call in recalled.messages[1].calls] == [
        (1, "3"),
        (2, "7"),
    ]
    assert not backend.load_thread(thread.id).is_unfinished
    assert list(assistant.run(recalled, "Sure?"))[-1] == RunCompleted()
    assert server.refused == []
    run.close()


def test_another_process_continues_the_first_answer_of_a_thread(
    server: ModelServer, assistant: Assistant
) -> None:
    gate = threading.Event()
    server.plays(text("One two three four", gate=gate, gate_after=6))
    backend, thread = assistant.backend, Thread()
    assert isinstance(backend, Responses)
    run = assistant.run(thread, "Count")
    while next(run) != TextDelta("One t"):
        pass
    recalled = backend.load_thread(thread.id)
    gate.set()
    assert list(assistant.resume(recalled))[-1] == RunCompleted()
    assert recalled.messages == [
        Message.from_user("Count"),
        Message("assistant", [Text("One two three four")], RunCompleted()),
    ]
    run.close()


def test_a_background_call_of_a_running_answer_is_not_run_again(
    server: ModelServer, assistant: Assistant
) -> None:
    gate, ran = threading.Event(), list[str]()

    @tool(background=True)
    def search(city: str) -> None:
        """Search.

        Args:
            city: Where.
        """
        ran.append(city)
        gate.wait(5)

    item = background_call("search", "a", city="Oslo")
    server.plays(calls(item, message("One two three four"), gate=gate, gate_after=13), text("Fine."))
    thread, assistant = Thread(), Assistant(assistant.backend, Toolbox(search))
    run = assistant.run(thread, "Count")
    while not thread.messages[-1].text.startswith("One"):
        next(run)
    stored = copied(thread)  # and the process is killed
    gate.set()
    assert list(assistant.resume(stored))[-1] == RunCompleted()
    assert stored.messages[1].text == "One two three four"
    assert [call.result for call in stored.messages[1].calls] == [lost_result(item["call_id"])]
    assert list(assistant.run(stored, "And now?"))[-1] == RunCompleted()
    assert server.requests[-1]["input"][0]["output"] == lost_result(item["call_id"]).output
    assert ran == ["Oslo"]
    assert server.refused == []
    run.close()


@pytest.mark.parametrize("before", [[], [calls(call("add", a=1, b=2))]])
def test_the_stored_part_of_a_running_answer_is_not_repeated(
    server: ModelServer, assistant: Assistant, before: list[Play]
) -> None:
    gate = threading.Event()
    server.plays(*before, calls(reasoning("Hm."), message("One two three four"), gate=gate, gate_after=14))
    thread = Thread()
    run = assistant.run(thread, "Count")
    while not thread.messages[-1].text.startswith("One"):
        next(run)
    stored = copied(thread)  # and the process is killed
    assert assistant.backend.can_resume(stored)  # type: ignore[attr-defined]
    gate.set()
    assert list(assistant.resume(stored))[-1] == RunCompleted()
    shown = [part for part in stored.messages[1].parts if not isinstance(part, Call)]
    assert shown == [Reasoning("Hm."), Text("One two three four")]
    assert len(stored.messages[1].calls) == len(before)
    run.close()


def test_the_stored_part_of_an_answer_is_kept_when_it_cannot_be_continued(
    server: ModelServer, assistant: Assistant, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(api, "RESUME_DELAYS", ())
    server.plays(text("One two three four", gate=threading.Event(), gate_after=6))
    thread = Thread()
    run = assistant.run(thread, "Count")
    while not thread.messages[-1].text:
        next(run)
    stored = copied(thread)
    server.running.clear()  # the server has lost it meanwhile
    assert isinstance(list(assistant.resume(stored))[-1], RunFailed)
    assert stored.messages[1].text == thread.messages[1].text
    run.close()


def copied(thread: Thread) -> Thread:
    """Return the thread as another process loads it."""
    messages = [message_from_json(message_as_json(each)) for each in thread.messages]
    return Thread(thread.id, messages, json.loads(json.dumps(thread.backend_state)))


def test_stop_cancels_the_response_at_the_server(server: ModelServer, assistant: Assistant) -> None:
    server.plays(text("One two three four", gate=threading.Event(), gate_after=6), text("Fine."))
    thread = Thread()
    run = RunRegistry().start(thread, lambda: assistant.run(thread, "Count"), assistant.cancel)
    for _ in run.follow():
        if thread.messages[-1].text == "One two th":
            break
    run.stop()
    assert thread.messages[-1].ending == RunStopped("user", "Stopped.")
    assert list(assistant.run(thread, "And now?"))[-1] == RunCompleted()
    assert [running.status for running in server.running.values()] == ["cancelled", "completed"]


def test_a_new_message_cancels_a_response_that_was_lost(
    server: ModelServer, assistant: Assistant, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(api, "RESUME_DELAYS", ())
    server.plays(cut(text("One two", gate=threading.Event(), gate_after=7), 6, "close"), text("Fine."))
    thread = Thread()
    failed = list(assistant.run(thread, "Count"))[-1]
    assert isinstance(failed, RunFailed)
    assert (failed.code, failed.retry) == ("interrupted", True)
    assert list(assistant.run(thread, "And now?"))[-1] == RunCompleted()
    assert [running.status for running in server.running.values()] == ["cancelled", "completed"]
