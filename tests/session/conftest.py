"""Chats of one process without a page, and what the tests do with them."""

from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from assistant.access.auth import User
from assistant.application import Application
from assistant.session import ChatSession
from tests.environment import remove_settings
from tests.servers.responses import ModelServer

Open = Callable[..., ChatSession]

SECONDS = 10.0
"""Seconds that nothing here takes unless it is broken."""


@pytest.fixture
def open_chat(server: ModelServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Open]:
    """Open chats of one process that are connected to the model server with the owner's key."""
    remove_settings(monkeypatch)
    monkeypatch.setenv("OPENAI_BASE_URL", server.url)
    monkeypatch.setenv("OPENAI_API_KEY", "sk-test-key")
    app = Application(tmp_path)

    def opened(user: str = "", *, is_localhost: bool = True, **settings: str) -> ChatSession:
        for name, value in settings.items():
            monkeypatch.setenv(name, value)
        app.configure({})
        chat = ChatSession(app, User(user))
        chat.connection.configure(is_localhost=is_localhost)
        return chat

    with closing(app):
        yield opened


@contextmanager
def other_process(folder: Path) -> Iterator[ChatSession]:
    """Open a chat of another process with the same database."""
    with closing(Application(folder)) as app:
        app.configure({})
        chat = ChatSession(app)
        chat.connection.configure(is_localhost=True)
        yield chat


def finished(chat: ChatSession) -> ChatSession:
    """Return the chat when its answer has ended and is saved."""
    if run := chat.live_run:
        assert run.join(SECONDS)
    return chat


def ask(chat: ChatSession, words: str) -> ChatSession:
    chat.submit(words)
    return finished(chat)


def texts(chat: ChatSession) -> list[str]:
    return [message.text for message in chat.history]
