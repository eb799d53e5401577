"""The servers that generated code runs against, and text that tries to break out of it."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.servers.chat_completions import ChatServer
from tests.servers.responses import ModelServer

HOSTILE = "'''\"\"\"{} {0} $HOME $messages `id` \\ \n\r\nJSON\n\x00 \x1b[2J \ud800 \u202e $(id) !! 京都"


@pytest.fixture(params=["responses", pytest.param("chat", marks=pytest.mark.exhaustive)])
def protocol(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def model(protocol: str) -> Iterator[ModelServer]:
    with ChatServer() if protocol == "chat" else ModelServer(conversations=False) as server:
        yield server


def run_script(script: str, server: ModelServer, folder: Path) -> tuple[str, str]:
    """Run a script against this server, outside the project; return its standard output and error."""
    (folder / "script.py").write_text(script, "utf-8")
    environment = {
        name: value for name, value in os.environ.items() if not name.startswith(("OPENAI", "PYTHON"))
    }
    done = subprocess.run(
        [sys.executable, "-X", "utf8", "script.py"],
        cwd=folder,
        env=environment | {"OPENAI_BASE_URL": server.url, "OPENAI_API_KEY": "sk-test-key"},
        capture_output=True,
        encoding="utf-8",
        timeout=60,
        check=False,
    )
    return done.stdout, done.stderr
