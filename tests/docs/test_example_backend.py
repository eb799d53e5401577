"""The example backend keeps the part of the contract that needs no server."""

from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from assistant import Assistant, Thread, Tool, Toolbox, ToolError, tool
from assistant.backends import Backend, RemoteBackend, open_backend
from assistant.errors import AssistantError
from assistant.events import (
    CallAnswered,
    CallApproved,
    CallDenied,
    Decision,
    RoundEnded,
    RoundStarted,
    RunCompleted,
    RunPaused,
    TextDelta,
    ThreadOpened,
    ToolCall,
    ToolResult,
)
from assistant.messages import Message
from assistant.parts import Text
from assistant.settings import Settings
from assistant.storage.store import Store
from tests.conftest import add
from tests.docs.pages import Snippet, codes, rows, snippet
from tests.servers.responses import text
from tests.stored import load_stored


@pytest.fixture
def echo(run_snippet: Callable[[Snippet], Any]) -> Callable[..., Assistant]:
    """Return a function that creates an assistant with the example backend, as a new process would."""
    example = run_snippet(snippet("add-a-backend.md", "A whole one: Echo"))

    def make(*tools: Tool[..., Any]) -> Assistant:
        backend: RemoteBackend = example.Echo()
        return Assistant(backend, Toolbox(*tools))

    return make


@tool
def fail(why: str) -> str:
    """Fail.

    Args:
        why: The reason.
    """
    raise ToolError(why)


@tool(approval=True)
def double(number: int) -> int:
    """Double a number.

    Args:
        number: The number.
    """
    return number * 2


def test_the_page_lists_every_method_of_a_backend() -> None:
    methods = [codes(method)[0].partition("(")[0] for method, _ in rows("add-a-backend.md", "Add a backend")]
    expected = {*vars(Backend), *vars(RemoteBackend)}
    assert sorted(methods) == sorted(name for name in expected if not name.startswith("_"))


def test_a_run_starts_a_round_opens_its_thread_once_and_ends_once(echo: Callable[..., Assistant]) -> None:
    assistant, thread = echo(), Thread()
    first, second = (list(assistant.run(thread, prompt)) for prompt in ("One two", "Three"))
    assert first == [
        RoundStarted(1),
        ThreadOpened(thread.id),
        TextDelta("One "),
        TextDelta("two"),
        RoundEnded(),
        RunCompleted(),
    ]
    assert second == [RoundStarted(1), TextDelta("Three"), RoundEnded(), RunCompleted()]


@pytest.mark.parametrize(
    "prompt", ["Grüße, 世界! 👩‍👩‍👧 \u2028 $5 <b>&amp;</b> \\n", "\n", " a ", "x" * 100_000]
)
def test_any_text_passes_unchanged(prompt: str, echo: Callable[..., Assistant]) -> None:
    thread = Thread()
    list(echo().run(thread, prompt))
    assert thread.messages[-1] == Message("assistant", [Text(prompt)], RunCompleted())


def test_every_call_runs_once_and_gets_a_result(echo: Callable[..., Assistant]) -> None:
    thread = Thread()
    prompt = 'add {"a": 1, "b": 2}\nfail {"why": "so"}\nadd {"a": 1\nadd {"a": "x", "b": 1}'
    events = list(echo(add, fail).run(thread, prompt))
    outcomes = sorted(event.outcome for event in events if isinstance(event, ToolResult))
    assert (outcomes, events[-1]) == (["done", "failed", "invalid", "invalid"], RunCompleted())
    assert (thread.open_calls(), thread.messages[-1].text.splitlines()[0]) == ([], "3")


def test_a_run_closed_between_a_call_and_its_result_can_be_continued(echo: Callable[..., Assistant]) -> None:
    assistant, thread = echo(add), Thread()
    run = assistant.run(thread, 'add {"a": 1, "b": 2}')
    assert any(isinstance(event, ToolCall) for event in run)
    run.close()
    assert len(thread.open_calls()) == 1
    assert list(assistant.run(thread, "Go on."))[-1] == RunCompleted()
    assert (thread.open_calls(), thread.messages[-1].text) == ([], "Go on.")


def test_a_paused_thread_continues_in_another_process(echo: Callable[..., Assistant], tmp_path: Path) -> None:
    thread = Thread()
    prompt = "\n".join(f'double {{"number": {number}}}' for number in (1, 2, 3))
    assert list(echo(double).run(thread, prompt))[-1] == RunPaused()
    store = Store(f"sqlite:///{tmp_path}/threads.sqlite")
    store.save(thread)
    loaded = load_stored(store, thread.id)
    store.close()
    first, second, third = (call.call_id for call in loaded.open_calls())
    decisions: list[Decision] = [CallApproved(first), CallDenied(second, "No."), CallAnswered(third, "six")]
    assert list(echo(double).decide(loaded, decisions))[-1] == RunCompleted()
    lines = loaded.messages[-1].text.splitlines()
    assert (lines[0], "Reason: No." in lines[1], lines[2]) == ("2", True, "six")


def test_two_threads_do_not_mix(echo: Callable[..., Assistant]) -> None:
    assistant, first, second = echo(), Thread(), Thread()
    run = assistant.run(first, "One two three")
    assert any(isinstance(event, TextDelta) for event in run)
    list(assistant.run(second, "Other"))
    assert list(run)[-1] == RunCompleted()
    assert (first.messages[-1].text, second.messages[-1].text) == ("One two three", "Other")
    assert first.id != second.id


def test_a_thread_moves_to_another_backend_and_back(
    echo: Callable[..., Assistant], start_server: Callable[[str], Any]
) -> None:
    server = start_server("Responses")
    server.plays(text("Hello."), text("Yes."))
    thread = Thread()
    with closing(open_backend(Settings(base_url=server.url, api_key="sk-test-key"))) as backend:
        other = Assistant(backend, Toolbox())
        list(other.run(thread, "Hi"))
        name = thread.id
        list(echo().run(thread, "Say this"))
        assert list(other.run(thread, "Have you heard?"))[-1] == RunCompleted()
    assert [message.text for message in thread.messages[1::2]] == ["Hello.", "Say this", "Yes."]
    assert (thread.id, server.refused) == (name, [])


def test_the_example_stores_no_threads(echo: Callable[..., Assistant]) -> None:
    backend: Any = echo().backend
    with pytest.raises(AssistantError, match="keeps no threads"):
        backend.load_thread("thread_1")
    assert (backend.can_resume(Thread()), backend.delete_thread(Thread()), backend.cancel(Thread())) == (
        False,
        None,
        None,
    )
