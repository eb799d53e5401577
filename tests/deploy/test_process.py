"""Real processes: the page is served and answers, and no hanging function keeps a process from ending."""

import json
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import pytest

from tests.environment import without_settings
from tests.paths import ROOT
from tests.servers.responses import ModelServer, call, calls, text

pytestmark = pytest.mark.exhaustive

PATIENCE = 30.0
"""Seconds in which a process starts or answers, unless it is broken."""
PROMPTLY = 5.0
"""Seconds in which a stopped process must end."""

Json = dict[str, Any]
Start = Callable[..., subprocess.Popen[bytes]]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Start Python in an empty home, with its output in ``log``; kill it at the end if it still runs."""
    surroundings = without_settings()
    with ExitStack() as processes:

        def started(*arguments: str, path: Path = ROOT, **settings: str) -> subprocess.Popen[bytes]:
            log = processes.enter_context((tmp_path / "log").open("wb"))
            process = processes.enter_context(
                subprocess.Popen(
                    [sys.executable, *arguments],
                    cwd=tmp_path,
                    env=surroundings
                    | {"ASSISTANT_DATABASE_URL": f"sqlite:///{tmp_path}/threads.sqlite"}
                    | settings
                    | {"HOME": str(tmp_path), "PYTHONPATH": str(path)},
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                )
            )
            processes.callback(process.kill)
            return process

        yield started


def until(true: Callable[[], Any], process: subprocess.Popen[bytes], log: Path) -> None:
    """Wait for what a process does; its output is in the error if it does not."""
    deadline = time.monotonic() + PATIENCE
    while not true():
        assert process.poll() is None, f"the process has ended: {log.read_text()}"
        assert time.monotonic() < deadline, f"nothing happens: {log.read_text()}"
        time.sleep(0.01)


def interrupt(process: subprocess.Popen[bytes], log: Path) -> int:
    """Press Ctrl+C, and see that the process ends promptly; its exit code."""
    process.send_signal(signal.SIGINT)
    try:
        return process.wait(PROMPTLY)
    except subprocess.TimeoutExpired:
        pytest.fail(f"the process goes on after Ctrl+C: {log.read_text()}")


# --- a run that hangs ---------------------------------------------------------------------------------

SCRIPT = '''
import asyncio, signal, sys, threading
from functools import partial

from assistant import Assistant, Thread, Toolbox, tool
from assistant.backends import open_backend
from assistant.runs.registry import RunRegistry
from assistant.settings import Settings

signal.signal(signal.SIGINT, signal.default_int_handler)  # a process in the background may ignore it


@tool
def wait() -> str:
    """Wait for nothing."""
    print("under way", flush=True)
    threading.Event().wait()


@tool
def loop() -> str:
    """Never come to an end."""
    print("under way", flush=True)
    while True:
        pass


@tool
async def sleep() -> str:
    """Sleep for a day."""
    print("under way", flush=True)
    await asyncio.sleep(86_400)


settings = Settings(api_key="sk-test", base_url=sys.argv[1])
assistant = Assistant(open_backend(settings), Toolbox(wait, loop, sleep))
thread = Thread()
run = RunRegistry().start(thread, partial(assistant.run, thread, "Go"), assistant.cancel)
for batch in run.follow():
    if thread.messages[-1].text:
        print("under way", flush=True)
'''


@pytest.mark.parametrize("function", ["wait", "loop", "sleep"])
def test_a_function_that_never_returns_does_not_keep_a_process_from_ending(
    server: ModelServer, start: Start, tmp_path: Path, function: str
) -> None:
    server.plays(calls(call(function)))
    process, log = start("-c", SCRIPT, server.url), tmp_path / "log"
    until(lambda: "under way" in log.read_text(), process, log)
    assert interrupt(process, log) == -signal.SIGINT
    assert log.read_text().rstrip().endswith("KeyboardInterrupt")


def test_a_server_that_falls_silent_does_not_keep_a_process_from_ending(
    server: ModelServer, start: Start, tmp_path: Path
) -> None:
    server.plays(text("So far", cut=6, how="silence"))
    process, log = start("-c", SCRIPT, server.url), tmp_path / "log"
    until(lambda: "under way" in log.read_text(), process, log)
    assert interrupt(process, log) == -signal.SIGINT
    assert log.read_text().rstrip().endswith("KeyboardInterrupt")


# --- the page, served ---------------------------------------------------------------------------------


class Page:
    """The page as Streamlit serves it, used through Streamlit's API for agents."""

    def __init__(self, port: int) -> None:
        self._port = port

    def healthy(self) -> bool:
        try:
            with self.asking("GET", "/_stcore/health") as connection:
                return connection.getresponse().status == 200
        except OSError:
            return False

    def open(self, **address: str) -> Json:
        return self.do(query_params={name: [value] for name, value in address.items()})

    def say(self, session: Json, words: str) -> Json:
        return self.do(session_id=session["session_id"], trigger={"key": "prompt", "value": words})

    def do(self, **request: Any) -> Json:
        """Run one interaction to the end of the script, without an exception."""
        with self.asking("POST", "/_stcore/agent/interact", request) as connection:
            reply = connection.getresponse()
            page: Json = json.load(reply)
        assert (reply.status, page.get("status")) == (200, "ready"), page
        assert found(page, "exception") == []
        return page

    @contextmanager
    def asking(self, method: str, path: str, body: Json | None = None) -> Iterator[HTTPConnection]:
        connection = HTTPConnection("127.0.0.1", self._port, timeout=PATIENCE)
        try:
            connection.request(method, path, json.dumps(body or {}), {"content-type": "application/json"})
            yield connection
        finally:
            connection.close()


def serve(start: Start, tmp_path: Path, **settings: Any) -> tuple[subprocess.Popen[bytes], Page]:
    """Serve a copy of the real page, so that no ``.env`` is found."""
    shutil.copy(ROOT / "streamlit_app.py", tmp_path)
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    process = start(
        "-m",
        "streamlit",
        "run",
        "streamlit_app.py",
        "--server.headless=true",
        "--server.address=127.0.0.1",
        f"--server.port={port}",
        "--server.enableAgentApi=true",
        "--browser.gatherUsageStats=false",
        **settings,
    )
    page = Page(port)
    until(page.healthy, process, tmp_path / "log")
    return process, page


def found(node: Any, kind: str) -> list[Json]:
    """Return the elements of a kind, in the order of the page."""
    if isinstance(node, list):
        return [each for child in node for each in found(child, kind)]
    if not isinstance(node, dict):
        return []
    if node.get("type") == kind:
        return [node]
    return found(node.get("tree") or node.get("children") or [], kind)


def bodies(node: Any, kind: str) -> list[str]:
    return [each["props"]["body"] for each in found(node, kind)]


def test_the_page_answers_and_reopens_a_thread_by_its_address(start: Start, tmp_path: Path) -> None:
    process, page = serve(start, tmp_path)
    first = page.open()
    assert bodies(first, "title") == ["Trip planner"]
    assert found(first, "chat_message") == []

    first = page.say(first, 'calculate(expression="(19.5 + 3) * 4")')
    question, reply = found(first, "chat_message")
    assert bodies(question, "text") == ['calculate(expression="(19.5 + 3) * 4")']
    [step] = found(reply, "status")
    assert step["props"]["label"].startswith("**calculate**\\(expression=")
    assert step["props"]["state"] == "complete"
    assert [json.loads(bodies(step, "code")[0]), bodies(step, "code")[1]] == [
        {"expression": "(19.5 + 3) * 4"},
        "90.0",
    ]
    assert "90.0" in bodies(reply, "markdown")[-1]

    first = page.say(first, "What time is it in Oslo?")
    messages = found(first, "chat_message")
    assert messages[0] == question
    assert found(messages[1], "status") == found(reply, "status")  # below it less is offered now
    assert bodies(messages[1], "markdown") == bodies(reply, "markdown")
    assert len(found(messages[3], "status")) == 1
    assert "Oslo" in bodies(messages[3], "markdown")[-1]

    [thread] = first["query_params"]["thread"]
    again = page.open(thread=thread)
    assert again["session_id"] != first["session_id"]
    assert again["query_params"] == {"thread": [thread]}
    assert _lasting(found(again, "chat_message")) == _lasting(messages)
    again = page.say(again, 'calculate(expression="6*7")')
    assert len(found(again, "chat_message")) == 6

    assert interrupt(process, tmp_path / "log") == 0
    assert "Traceback" not in (tmp_path / "log").read_text()


def _lasting(node: Any) -> Any:
    """Return the elements without the addresses of their files, which differ in every session."""
    if isinstance(node, list):
        return [_lasting(each) for each in node]
    if isinstance(node, dict):
        return {name: _lasting(value) for name, value in node.items() if name not in ("url", "fragment")}
    return node


FUNCTION = '''
"""A function that never returns."""

import threading
from pathlib import Path

from assistant import tool


@tool
def hang() -> str:
    """Never return."""
    Path("started").touch()
    threading.Event().wait()
    return ""
'''


def test_a_function_that_never_returns_does_not_keep_the_page_from_ending(
    server: ModelServer, start: Start, tmp_path: Path
) -> None:
    shutil.copytree(ROOT / "assistant", tmp_path / "assistant")
    (tmp_path / "assistant/functions/hang.py").write_text(FUNCTION)
    server.plays(calls(call("hang")))
    process, page = serve(start, tmp_path, path=tmp_path, OPENAI_BASE_URL=server.url)
    session = page.open()
    words = {"session_id": session["session_id"], "trigger": {"key": "prompt", "value": "Go"}}
    with page.asking("POST", "/_stcore/agent/interact", words):
        until((tmp_path / "started").exists, process, tmp_path / "log")
    # The client has disconnected: Streamlit's server would wait half a minute for an open request.
    assert interrupt(process, tmp_path / "log") == 0
