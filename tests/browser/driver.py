"""Start the page as a user does, and use it in a browser."""

import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.environment import without_settings
from tests.paths import ROOT
from tests.servers.responses import ModelServer, text

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync"]
FLAGS += ["--disable-background-networking", "--disable-component-update"]

INPUT = "[data-testid=stChatInputTextArea]"
STOP = ".st-key-stop button"
MESSAGE = "[data-testid=stChatMessage]"
LOCAL_TOKEN = "token-of-the-tests"
"""Proves to the served pages that the browser is on this machine."""

IDLE = "[data-test-script-state=notRunning]"
INPUT_HAS_FOCUS = f"document.activeElement == document.querySelector('{INPUT}')"


def serve(
    folder: Path, app: Path = ROOT / "streamlit_app.py", flags: Sequence[str] = (), **settings: str
) -> Iterator[str]:
    """Start ``streamlit run`` as a user does, with more flags, and return its address."""
    environment = without_settings()
    environment["ASSISTANT_DATABASE_URL"] = f"sqlite:///{folder}/threads.sqlite"
    environment["ASSISTANT_LOCAL_TOKEN"] = LOCAL_TOKEN
    command = [sys.executable, "-m", "streamlit", "run", str(app), "--server.port=0"]
    command += ["--server.headless=true", "--server.address=127.0.0.1", "--server.fileWatcherType=none"]
    command += flags
    with subprocess.Popen(
        command,
        cwd=ROOT,
        env=environment | settings,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if "URL:" in line:
                break
        # Read on, so that the pipe never fills up.
        threading.Thread(target=process.stdout.read, daemon=True).start()
        try:
            yield line.split("URL:")[1].strip()
        finally:
            process.terminate()


def open_page(browser: "Browser", address: str, **options: Any) -> "Page":
    page = browser.new_page(**({"viewport": {"width": 900, "height": 800}} | options))
    page.set_default_timeout(20_000)
    port = address.partition("//")[2].partition("/")[0].rpartition(":")[2]
    page.context.add_cookies([{"name": f"assistant_token_{port}", "value": LOCAL_TOKEN, "url": address}])
    page.goto(address)
    page.wait_for_selector(INPUT)
    return page


def say(page: "Page", words: str) -> None:
    page.fill(INPUT, words)
    page.keyboard.press("Enter")


def wait_for(page: "Page", words: str) -> None:
    """Wait until the newest message holds these words."""
    script = "([what, words]) => [...document.querySelectorAll(what)].pop()?.innerText.includes(words)"
    page.wait_for_function(script, arg=[MESSAGE, words])


def answer(page: "Page", words: str, expected: str) -> None:
    """Send words, and wait for the end of an answer that holds the expected ones."""
    say(page, words)
    wait_for(page, expected)
    page.wait_for_selector(IDLE)


def begin_answer(model: ModelServer, page: "Page") -> threading.Event:
    """Have "One two three four" written up to "One two", and return the event that lets the server go on."""
    gate = threading.Event()
    model.plays(text("One two three four", gate=gate, gate_after=6))
    say(page, "Count")
    wait_for(page, "One two")
    return gate


def last_message(page: "Page") -> str:
    """Return the newest message without its actions and figures."""
    script = """message => {
        const lines = [...message.querySelectorAll("[class*=st-key-actions_]")]
        lines.forEach(line => line.style.display = "none")
        const words = message.innerText
        lines.forEach(line => line.style.display = "")
        return words
    }"""
    return str(page.locator(MESSAGE).last.evaluate(script))
