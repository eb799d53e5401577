"""The steps of the Dockerfile without Docker: the copied files, the start, the health check and the end.

The files, the environment and the commands are those of the image.
"""

import fnmatch
import json
import shlex
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from assistant.storage.store import Store
from tests.deploy.deployments import copy_image, dockerfile, image_command, image_environment
from tests.deploy.test_process import Page, found
from tests.environment import without_settings
from tests.paths import ROOT

pytestmark = pytest.mark.exhaustive

PATIENCE = 30.0


def let_in() -> list[str]:
    """Return the files that ``.dockerignore`` does not exclude."""
    lines = [line for line in (ROOT / ".dockerignore").read_text().splitlines() if line and line[0] != "#"]
    assert lines[0] == "*", "all is left out that is not named"
    return [line[1:] for line in lines if line.startswith("!")]


def test_the_image_contains_exactly_the_copied_files() -> None:
    copied = [shlex.split(about)[:-1] for name, about in dockerfile() if name == "COPY"]
    assert sorted(path for paths in copied for path in paths) == sorted(let_in())
    assert all((ROOT / path).exists() for path in let_in())
    for secret in (".env", ".streamlit/secrets.toml", "threads.sqlite", ".git/config"):
        assert not any(fnmatch.fnmatch(secret, path) or secret.startswith(f"{path}/") for path in let_in())


def test_the_container_starts_answers_and_ends(tmp_path: Path) -> None:
    app, data = tmp_path / "app", tmp_path / "data"
    copy_image(app)
    data.mkdir()

    def files() -> list[Path]:
        return sorted(path for path in app.rglob("*") if "__pycache__" not in path.parts)

    before = files()
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    environment = without_settings()
    environment |= image_environment(data)
    environment |= {"STREAMLIT_SERVER_PORT": str(port), "STREAMLIT_SERVER_ADDRESS": "127.0.0.1"}
    environment |= {"STREAMLIT_SERVER_ENABLE_AGENT_API": "true"}  # to use the page in this test
    [check] = [
        json.loads(about.partition("CMD ")[2]) for name, about in dockerfile() if name == "HEALTHCHECK"
    ]

    def healthy() -> bool:
        run = subprocess.run([sys.executable, *check[1:]], cwd=app, env=environment, check=False)
        return run.returncode == 0

    assert not healthy(), "nobody is there yet"
    with (tmp_path / "log").open("wb") as log, subprocess.Popen(
        image_command(), cwd=app, env=environment, stdout=log, stderr=log
    ) as process:  # fmt: skip
        try:
            deadline = time.monotonic() + PATIENCE
            while not healthy():
                assert process.poll() is None, (tmp_path / "log").read_text()
                assert time.monotonic() < deadline, (tmp_path / "log").read_text()
            page = Page(port)
            session = page.say(page.open(), 'calculate(expression="6*7")')
            assert len(found(session, "chat_message")) == 2
            assert "not kept" not in json.dumps(session)
            process.send_signal(signal.SIGTERM)  # as ``docker stop`` does
            assert process.wait(8) == 0, "or it would be killed after ten seconds"
        finally:
            process.kill()
    store = Store(f"sqlite:///{data}/threads.sqlite")
    assert [entry.title for entry in store.list_threads()] == ['calculate(expression="6*7")']
    store.close()
    assert files() == before, "the server may write only in /data"


@pytest.mark.parametrize("prefix", ["", "chat", "/chat/"])
def test_the_health_check_uses_the_path_of_the_page(prefix: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = str(server.getsockname()[1])
        environment = {"STREAMLIT_SERVER_PORT": port, "STREAMLIT_SERVER_BASE_URL_PATH": prefix}
        with subprocess.Popen([sys.executable, "deploy/health.py"], cwd=ROOT, env=environment) as check:
            connection, _ = server.accept()
            with connection:
                request_line = connection.recv(1000).decode().splitlines()[0]
                connection.sendall(b"HTTP/1.1 503 Not yet\r\nContent-Length: 0\r\n\r\n")
            assert check.wait(10) == 1
    assert request_line == f"GET {'/chat' if prefix else ''}/_stcore/health HTTP/1.1"
