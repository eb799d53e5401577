"""A real process is killed during an answer, and another one continues the thread."""

import subprocess
import sys
import threading

import pytest

from assistant import Assistant
from assistant.backends.responses.backend import Responses
from assistant.events import RunCompleted
from tests.conftest import Connect, add
from tests.paths import ROOT
from tests.servers.responses import ModelServer, call, calls, text

pytestmark = pytest.mark.exhaustive

PROGRAM = """
import sys, time
from assistant import Assistant, Thread, Toolbox, tool
from assistant.backends import open_backend
from assistant.settings import Settings

@tool
def add(a: int, b: int) -> int:
    "Add, for ever."
    print("running", flush=True)
    time.sleep(60)

assistant = Assistant(open_backend(Settings(base_url=sys.argv[1])), Toolbox(add))
thread = Thread()
for event in assistant.run(thread, "Go"):
    print(thread.id, flush=True)
"""


def kill_when(server: ModelServer, reached: threading.Event | None) -> str:
    """Run an answer in a process of its own and kill it there; gives the thread's id."""
    command = [sys.executable, "-c", PROGRAM, server.url]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        if reached is None:
            lines = iter(process.stdout.readline, "running\n")
            output = [line.strip() for line in lines]
        else:
            assert reached.wait(30)
            process.kill()
            output = process.stdout.read().split()
        process.kill()
    return next(line for line in reversed(output) if line.startswith("conv_"))


@pytest.fixture
def assistant(server: ModelServer, connect_to: Connect) -> Assistant:
    return connect_to(server.url, add)


@pytest.mark.parametrize("position", [0, 3, 6])
@pytest.mark.parametrize("keeps", ["nothing", "all", "late"])
def test_a_thread_continues_after_its_process_was_killed_while_streaming(
    server: ModelServer, assistant: Assistant, position: int, keeps: str
) -> None:
    cut = text("One two three", gate=threading.Event(), gate_after=position, keeps=keeps)
    server.plays(cut, text("Fine."))
    thread_id = kill_when(server, cut.reached)
    assert isinstance(assistant.backend, Responses)
    thread = assistant.backend.load_thread(thread_id)
    assert list(assistant.run(thread, "And now?"))[-1] == RunCompleted()
    assert thread.messages[-1].text == "Fine."


def test_a_thread_continues_after_its_process_was_killed_inside_a_function(
    server: ModelServer, assistant: Assistant
) -> None:
    item = call("add", a=1, b=2)
    server.plays(calls(item), text("Fine."))
    thread_id = kill_when(server, None)
    assert isinstance(assistant.backend, Responses)
    thread = assistant.backend.load_thread(thread_id)
    assert [each.call_id for each in thread.open_calls()] == [item["call_id"]]
    assert list(assistant.run(thread, "And now?"))[-1] == RunCompleted()
    assert [item.get("call_id", item.get("content")) for item in server.requests[-1]["input"]] == [
        item["call_id"],
        "And now?",
    ]
    assert server.refused == []
