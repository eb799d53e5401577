"""The page in process for tests, and helpers that read it."""

import functools
import gc
import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar
from unittest.mock import MagicMock

import pytest
import streamlit as st
import streamlit.components.v2.manifest_scanner as manifest_scanner
from google.protobuf.text_format import MessageToString  # type: ignore[import-untyped]
from streamlit.testing.v1 import AppTest, app_test
from streamlit.testing.v1.element_tree import Button

from assistant import Thread
from assistant.application import Application
from assistant.demo import transport as demo
from assistant.messages import Message
from assistant.recordings.recording import Recording
from assistant.session import ChatSession
from assistant.ui import keys
from assistant.ui.page import local_access
from tests.environment import remove_settings
from tests.paths import ROOT

PAGE = ROOT / "streamlit_app.py"
Open = Callable[..., AppTest]
T = TypeVar("T")
LABELS = {"Arguments", "Result", "The result is shown here and not sent to the model."}
IS_FOOTER = re.compile(r"(^|.* · )(\d+\.\d|\d+|\d+ min \d+) s( · .*|$)").fullmatch


@pytest.fixture(scope="session", autouse=True)
def component_manifests() -> Iterator[None]:
    """Spare each run of ``AppTest`` a search of all packages for components, and a new mock of its runtime."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(manifest_scanner, "scan_component_manifests", list)
        patch.setattr(app_test, "MagicMock", functools.cache(MagicMock))
        yield


@pytest.fixture
def open_page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Open]:
    """Open a copy of the page, so that no ``.env`` is found, with only the given settings."""
    copy = shutil.copy(PAGE, tmp_path)
    remove_settings(monkeypatch)
    monkeypatch.setattr(gc, "collect", lambda: 0)  # a tenth of a second for each page
    monkeypatch.setattr(demo, "SECONDS_PER_TOKEN", 0)

    def opened(
        address: dict[str, str | list[str]] | None = None,
        user: dict[str, Any] | None = None,
        secrets: dict[str, Any] | None = None,
        **settings: str,
    ) -> AppTest:
        for name, value in settings.items():
            monkeypatch.setenv(name, value)
        page = AppTest.from_file(str(copy), default_timeout=20)
        page.query_params.update(address or {})
        page.user, page.secrets = user or {}, secrets or {}
        return page.run()

    st.cache_resource.clear()
    yield opened
    st.cache_resource.clear()


@pytest.fixture
def local_visitor(monkeypatch: pytest.MonkeyPatch) -> None:
    """The visitor is on the machine that serves the page, and has proven it."""
    monkeypatch.setattr(local_access, "is_localhost", lambda _: True)


def open_inspector(page: AppTest) -> AppTest:
    """Open the inspector beside the chat."""
    page.toggle(key=keys.INSPECTOR).set_value(True).run()
    assert not page.exception
    return page


def ask(page: AppTest, words: str) -> AppTest:
    page.chat_input(key="prompt").set_value(words).run()
    assert not page.exception
    return page


def chat_of(messages: list[Message], url: str = "sqlite://") -> ChatSession:
    """Return a chat with these messages, for a test that draws only a part of the page."""
    with pytest.MonkeyPatch.context() as patch:
        remove_settings(patch)
        patch.setenv("ASSISTANT_DATABASE_URL", url)
        app = Application(Path("/nowhere"))
        app.configure({})
    chat = ChatSession(app)
    chat.thread = Thread("conv_1", messages)
    return chat


def state_in(page: AppTest, kind: type[T]) -> T:
    """Return the state of a module of the page, by its class."""
    state: T = page.session_state[keys.PAGE].states[kind]
    return state


def session_of(page: AppTest) -> ChatSession:
    """Return the chat that the page has open."""
    session = page.session_state[keys.PAGE].session
    assert isinstance(session, ChatSession)
    return session


def recording_of(page: AppTest) -> Recording:
    """Return the recording of the newest run."""
    recording = session_of(page).recording
    assert recording is not None
    return recording


def rows(page: AppTest) -> list[Button]:
    """Return the rows of the list of threads, newest first."""
    return [each for each in page.sidebar.button if str(each.key).startswith("open_thread_")]


def listed(page: AppTest) -> list[str]:
    """Return the titles of the threads in the sidebar."""
    return [each.label for each in rows(page)]


def open_threads(page: AppTest) -> list[str]:
    """Return the ids of the threads that are marked as open in the list."""
    return [
        str(each.key).removeprefix("open_thread_") for each in rows(page) if each.proto.type == "secondary"
    ]


def sent(page: AppTest) -> str:
    """Return all that was sent to the browser as one text; ``repr`` of a block leaves most of it out."""

    def protos(block: Any) -> Iterator[str]:
        for child in getattr(block, "children", {}).values():
            if hasattr(child, "proto") and child.proto is not None:
                yield MessageToString(child.proto, as_utf8=True)
            yield from protos(child)

    return "".join(protos(page.main.root)) + repr(dict(page.query_params))


def shown(page: AppTest) -> list[tuple[str, list[tuple[str, str]]]]:
    """Return each message on the page: its role, and its elements with their texts.

    Without its buttons, and without the labels in the step of a call.
    """
    return [
        (each.name, [seen(element) for element in walk(each) if not is_tool(element)])
        for each in page.chat_message
    ]


def is_tool(element: Any) -> bool:
    """Return whether an element is a button of a message, or a label in the step of a call."""
    if str(getattr(element, "key", "")).startswith(("copy_", "edit_", "regenerate_", "branch_", "rerun-")):
        return True
    return element.type == "caption" and element.value in LABELS


def address(page: AppTest) -> str:
    """Return the thread that the page's address names."""
    named: str | list[str] = page.query_params["thread"]
    return named if isinstance(named, str) else named[0]


def label(status: Any) -> str:
    """Return the label of an expander without Markdown escapes."""
    return str(status.label).replace("\\", "")


def walk(block: Any) -> Iterator[Any]:
    """Yield the elements of a block without the actions of a message."""
    for child in block.children.values():
        if "-actions_" in getattr(child.proto, "id", "") or (
            child.type == "caption" and IS_FOOTER(child.value)
        ):
            continue
        if child.type == "status":
            yield child
        if hasattr(child, "children"):
            yield from walk(child)
        elif child.type != "empty":
            yield child


def seen(element: Any) -> tuple[str, str]:
    words = element.label if hasattr(element, "label") else getattr(element, "value", "")
    return element.type, str(words)
