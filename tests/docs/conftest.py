"""Run a snippet as a module of its own, with nothing configured or with a scripted server."""

import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from assistant import Assistant
from assistant.demo import transport as demo
from tests.docs.pages import Snippet
from tests.environment import remove_settings
from tests.servers.agents import AgentsServer
from tests.servers.assistants import AssistantsServer
from tests.servers.chat_completions import ChatServer
from tests.servers.responses import ModelServer


@pytest.fixture
def clean_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Unset all settings and enter an empty folder: the demo answers, without delays."""
    remove_settings(monkeypatch)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(demo, "SECONDS_PER_TOKEN", 0)


@pytest.fixture
def run_snippet(
    clean_environment: None, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[[Snippet], Any]]:
    """Return a function that runs a snippet as a module and returns the module."""
    modules: list[ModuleType] = []

    def run(snippet: Snippet) -> ModuleType:
        modules.append(ModuleType(f"snippet_{len(modules)}"))
        monkeypatch.setitem(sys.modules, modules[-1].__name__, modules[-1])
        # Preceded by as many lines as on its page, so that an error has the right line number.
        code = compile("\n" * snippet.line + snippet.code, snippet.page, "exec")
        exec(code, modules[-1].__dict__)
        return modules[-1]

    yield run
    for module in modules:
        if isinstance(used := getattr(module, "assistant", None), Assistant):
            used.backend.close()  # type: ignore[attr-defined]


SERVERS: dict[str, tuple[Callable[[], Any], dict[str, str]]] = {
    "Responses": (ModelServer, {}),
    "Responses alone": (lambda: ModelServer(conversations=False), {}),
    "Chat Completions": (ChatServer, {"ASSISTANT_PROTOCOL": "chat"}),
    "Agents": (AgentsServer, {"OPENAI_AGENT_ID": "agent_1"}),
    "Assistants": (AssistantsServer, {"OPENAI_ASSISTANT_ID": "asst_1"}),
}


@pytest.fixture
def start_server(clean_environment: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], Any]]:
    """Return a function that starts a server for a protocol and configures the environment for it."""
    with closing(RunningServers(monkeypatch)) as servers:
        yield servers.start


class RunningServers:
    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._monkeypatch, self._servers = monkeypatch, list[Any]()

    def start(self, protocol: str) -> Any:
        make, variables = SERVERS[protocol]
        self._servers.append(server := make().__enter__())
        for name, value in {
            "OPENAI_BASE_URL": server.url,
            "OPENAI_API_KEY": "sk-test-key",
            **variables,
        }.items():
            self._monkeypatch.setenv(name, value)
        return server

    def close(self) -> None:
        for server in self._servers:
            server.__exit__(None, None, None)
