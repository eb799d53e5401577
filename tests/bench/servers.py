"""The measured processes, each on its own port, in an environment without the user's settings.

Each is ended by the code that started it. If one does not start, the error contains its output.
"""

import json
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import IO, Any

from tests.environment import without_settings

ROOT = Path(__file__).parent.parent.parent
APPS = Path(__file__).with_name("apps")
PAGE, PLAIN, EMPTY = ROOT / "streamlit_app.py", APPS / "plain_app.py", APPS / "empty_app.py"
PATIENCE = 60.0


class Process:
    """A process that listens on ``port``, or that answers lines."""

    def __init__(self, process: subprocess.Popen[str], port: int, began: float) -> None:
        self.pid, self.port, self.began = process.pid, port, began
        self._process = process

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def ask(self, line: str) -> dict[str, Any]:
        """Send a line to the process and read its answer."""
        stdin, stdout = self._process.stdin, self._process.stdout
        assert stdin is not None
        assert stdout is not None
        print(line, file=stdin, flush=True)
        answer: dict[str, Any] = json.loads(stdout.readline())
        return answer


class Model(Process):
    """The model server; see ``model_server.py``."""

    @property
    def url(self) -> str:
        return f"{super().url}/v1"

    def get(self, path: str) -> dict[str, Any]:
        with urllib.request.urlopen(f"{self.url}/{path}", timeout=PATIENCE) as response:
            found: dict[str, Any] = json.load(response)
        return found

    def settings(self) -> dict[str, str]:
        """Return the environment of a program that uses this server."""
        # The users are remote, and a key on a public page needs a limit.
        limit = "1000000 messages/day"
        return {"OPENAI_BASE_URL": self.url, "OPENAI_API_KEY": "sk-benchmark", "ASSISTANT_LIMIT_ALL": limit}


@contextmanager
def model_server() -> Iterator[Model]:
    port = _free_port()
    with _started(["-m", "tests.bench.model_server", str(port)], {}) as (process, began):
        _wait_for(process, port)
        yield Model(process, port, began)


@contextmanager
def streamlit(app: Path, settings: dict[str, str]) -> Iterator[Process]:
    """``streamlit run``, as a user runs it."""
    port = _free_port()
    command = ["-m", "streamlit", "run", str(app), "--server.headless=true", "--server.address=127.0.0.1"]
    command += [f"--server.port={port}", "--browser.gatherUsageStats=false"]
    if app != PAGE:  # what is set for the page here is not set for others
        command += ["--server.enableWebsocketCompression=false"]
    with _started(command, settings) as (process, began):
        _wait_for(process, port)
        yield Process(process, port, began)


@contextmanager
def foreign(python: Path, arguments: list[str], settings: dict[str, str]) -> Iterator[Process]:
    """Another library's page, run by this Python; ``{port}`` in the arguments becomes its port."""
    port = _free_port()
    arguments = [argument.replace("{port}", str(port)) for argument in arguments]
    with _started(arguments, settings, python=str(python), in_project=False) as (process, began):
        _wait_for(process, port)
        yield Process(process, port, began)


@contextmanager
def line(server: Process) -> Iterator[Process]:
    """Yield the address for a browser, whose traffic is counted; see ``line.py``."""
    port = _free_port()
    command = ["-m", "tests.bench.line", str(port), str(server.port)]
    with _started(command, {}, lines=True) as (process, began):
        _wait_for(process, port)
        yield Process(process, port, began)


@contextmanager
def raw_sdk(model: Model) -> Iterator[Process]:
    with _started(["-m", "tests.bench.raw_sdk"], model.settings(), lines=True) as (process, began):
        yield Process(process, 0, began)


@contextmanager
def _started(
    arguments: list[str],
    settings: dict[str, str],
    *,
    lines: bool = False,
    python: str = sys.executable,
    in_project: bool = True,
) -> Iterator[tuple[subprocess.Popen[str], float]]:
    surroundings = without_settings()
    with TemporaryDirectory() as home, (Path(home) / "log").open("w+") as log:
        began = time.monotonic()
        process = subprocess.Popen(
            [python, *arguments],
            cwd=ROOT if in_project else home,
            env=surroundings | settings,
            stdin=subprocess.PIPE if lines else subprocess.DEVNULL,
            stdout=subprocess.PIPE if lines else log,
            stderr=log,
            text=True,
        )
        try:
            yield process, began
        except BaseException:
            _show(log)
            raise
        finally:
            process.terminate()
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _show(log: IO[str]) -> None:
    log.seek(0)
    print(log.read()[-4000:], file=sys.stderr)


def _wait_for(process: subprocess.Popen[str], port: int) -> None:
    deadline = time.monotonic() + PATIENCE
    while True:
        with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            return
        if process.poll() is not None or time.monotonic() > deadline:
            raise RuntimeError(f"Nobody listens on port {port}: {process.args!r} did not begin.")
        time.sleep(0.01)


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
    return port
