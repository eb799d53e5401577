"""Sessions that are open in real browsers end, in every process that uses the database."""

import json
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from assistant.events import RunStopped
from assistant.storage.store import Store
from tests.browser.driver import INPUT, MESSAGE, answer, say, serve, wait_for
from tests.paths import ROOT
from tests.servers.responses import ModelServer, text
from tests.waiting import until

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

pytestmark = [pytest.mark.browser, pytest.mark.exhaustive]

PASSWORD = "open sesame"
ENDED = "Your session has ended. Log in again."

served = contextmanager(serve)


def end_sessions(folder: Path, *users: str) -> None:
    """Run the command as the owner does, with the settings of the page."""
    subprocess.run(
        [sys.executable, "-m", "assistant", "end-sessions", *users],
        cwd=ROOT,
        env=os.environ
        | {
            "ASSISTANT_DATABASE_URL": f"sqlite:///{folder}/threads.sqlite",
            "ASSISTANT_AUDIT_LOG": str(folder / "audit.jsonl"),
        },
        check=True,
        capture_output=True,
    )


def log_in(browser: "Browser", address: str, password: str = PASSWORD) -> "Page":
    page = browser.new_context(viewport={"width": 1000, "height": 800}).new_page()
    page.set_default_timeout(20_000)
    page.goto(address)
    enter(page, password)
    return page


def enter(page: "Page", password: str = PASSWORD) -> None:
    page.get_by_role("textbox", name="Password").fill(password)
    page.keyboard.press("Enter")
    page.wait_for_selector(INPUT)


def wait_for_login(page: "Page") -> None:
    page.get_by_text(ENDED).wait_for()
    page.get_by_role("textbox", name="Password").wait_for()
    assert (page.locator(INPUT).count(), page.locator(MESSAGE).count()) == (0, 0)


@pytest.fixture
def settings(one_server: ModelServer, tmp_path: Path) -> dict[str, Any]:
    return {
        "OPENAI_BASE_URL": one_server.url,
        "ASSISTANT_PASSWORD": PASSWORD,
        "ASSISTANT_AUDIT_LOG": str(tmp_path / "audit.jsonl"),
    }


@pytest.fixture
def locked_app(tmp_path: Path, settings: dict[str, Any]) -> Iterator[str]:
    yield from serve(tmp_path, **settings)


def test_idle_pages_of_two_processes_come_back_to_the_login(
    browser: "Browser", model: ModelServer, tmp_path: Path, settings: dict[str, Any]
) -> None:
    model.plays(text("Hello."))
    with served(tmp_path, **settings) as first, served(tmp_path, **settings) as second:
        pages = [log_in(browser, first), log_in(browser, second)]
        answer(pages[0], "Hi", "Hello.")
        end_sessions(tmp_path, "--all")
        for page in pages:
            wait_for_login(page)
        enter(pages[1])
        assert pages[1].get_by_text(ENDED).count() == 0
    entries = [json.loads(line) for line in (tmp_path / "audit.jsonl").read_text().splitlines()]
    assert [(each["event"], each["client"]) for each in entries if each["event"] != "access_configured"] == [
        ("login_succeeded", "127.0.0.1"),
        ("login_succeeded", "127.0.0.1"),
        ("sessions_ended", ""),
        ("session_ended", "127.0.0.1"),
        ("session_ended", "127.0.0.1"),
        ("login_succeeded", "127.0.0.1"),
    ]


@pytest.mark.parametrize("page_is_open", [True, False])
def test_an_answer_that_is_being_written_stops(
    browser: "Browser", model: ModelServer, locked_app: str, tmp_path: Path, page_is_open: bool
) -> None:
    gate = threading.Event()
    model.plays(text("One two three four", gate=gate, gate_after=5))
    page = log_in(browser, locked_app)
    say(page, "Count")
    wait_for(page, "One")
    page.wait_for_url("**thread=**")
    thread_id = page.url.partition("thread=")[2]
    if not page_is_open:
        page.close()
    end_sessions(tmp_path, "--all")
    if page_is_open:
        wait_for_login(page)  # although the server is silent
    else:
        gate.set()
    store = Store(f"sqlite:///{tmp_path}/threads.sqlite")

    def ending() -> object:
        thread = store.load(thread_id)
        return thread and thread.messages[-1].ending

    until(ending)
    stopped = ending()
    assert isinstance(stopped, RunStopped)
    thread = store.load(thread_id)
    assert thread is not None
    assert (thread.messages[-1].text.startswith("One"), "four" in thread.messages[-1].text) == (True, False)
    assert page_is_open or stopped.reason == "session_ended"
    store.close()
    gate.set()


def test_another_password_in_the_env_file_ends_the_open_sessions(
    browser: "Browser", model: ModelServer, tmp_path: Path, settings: dict[str, Any]
) -> None:
    del settings["ASSISTANT_PASSWORD"]
    shutil.copy(ROOT / "streamlit_app.py", tmp_path)
    (env := tmp_path / ".env").write_text(f"ASSISTANT_PASSWORD={PASSWORD}\n")
    with served(tmp_path, tmp_path / "streamlit_app.py", **settings) as address:
        page = log_in(browser, address)
        env.write_text("ASSISTANT_PASSWORD='another password'\n")
        wait_for_login(page)
        enter(page, "another password")
