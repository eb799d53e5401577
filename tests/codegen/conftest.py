"""The servers that generated code runs against, and text that tries to break out of it."""

from collections.abc import Iterator

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
