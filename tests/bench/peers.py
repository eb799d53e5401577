"""Pages that a user could pick instead: Gradio's ``ChatInterface`` and Chainlit.

Each runs in a virtual environment of its own in the user's cache folder, which is created when it is first
needed. A library that cannot be installed is skipped.
"""

import os
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass
from functools import partial
from importlib.metadata import version
from pathlib import Path
from statistics import median

from playwright.sync_api import Browser

from tests.bench import browser as chromium
from tests.bench.browser import STREAMLIT, Selectors, Tab
from tests.bench.machine import memory, quietly
from tests.bench.servers import APPS, PAGE, PLAIN, Model, Process, foreign, line, model_server, streamlit
from tests.bench.stream import Case, Turn, measure, medians, numbers
from tests.bench.table import Row
from tests.bench.threads import thread_list

CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "assistant-bench"
REST_SECONDS = 5.0
"""After so long, a server has loaded what it loads behind its first page."""


@dataclass(frozen=True)
class Peer:
    """Another library's page; ``requirement`` pins its version, ``arguments`` are those of its Python."""

    requirement: str
    arguments: tuple[str, ...]
    selectors: Selectors

    @property
    def name(self) -> str:
        return self.requirement.title().replace("==", " ")

    def install(self) -> Path | None:
        """Return the Python of the library's environment; None, with a line that says why, if there is none."""
        folder = CACHE / self.requirement
        python, complete = folder / "bin" / "python", folder / "complete"
        if complete.exists():
            return python
        print(f"  installing {self.requirement} in {folder} …", file=sys.stderr)
        packages = [self.requirement, f"openai=={version('openai')}"]
        for command in (
            [sys.executable, "-m", "venv", "--clear", str(folder)],
            [str(python), "-m", "pip", "install", "--quiet", *packages],
        ):
            done = subprocess.run(command, capture_output=True, text=True, check=False)
            if done.returncode:
                reason = (done.stderr.strip() or "no reason given").splitlines()[-1]
                print(f"  {self.requirement} is skipped: it cannot be installed. {reason}", file=sys.stderr)
                return None
        complete.touch()
        return python

    def serve(self, python: Path, settings: dict[str, str]) -> AbstractContextManager[Process]:
        """Run the page."""
        return foreign(python, list(self.arguments), settings | {"GRADIO_ANALYTICS_ENABLED": "False"})


PEERS = [
    Peer(
        "gradio==6.31.0",
        (str(APPS / "gradio_app.py"), "{port}"),
        Selectors("textarea", "[data-testid=bot]", "textarea"),
    ),
    Peer(
        "chainlit==2.12.0",
        ("-m", "chainlit", "run", str(APPS / "chainlit_app.py"), "--headless", "--port", "{port}"),
        Selectors("#chat-input", ".ai-message", "#chat-input", "#chat-submit:not(:disabled)"),
    ),
]


@dataclass(frozen=True)
class _Page:
    name: str
    selectors: Selectors
    serve: Callable[[], AbstractContextManager[Process]]


def rows(times: int, quick: bool) -> Iterator[Row]:
    with ExitStack() as stack:
        database, model = stack.enter_context(thread_list()), stack.enter_context(model_server())
        browser, settings = stack.enter_context(chromium.started()), model.settings()
        pages = [
            _Page("page", STREAMLIT, partial(streamlit, PAGE, settings | database)),
            _Page("plain", STREAMLIT, partial(streamlit, PLAIN, settings)),
        ]
        for peer in PEERS:
            if python := peer.install():
                pages.append(_Page(peer.name, peer.selectors, partial(peer.serve, python, settings)))
        yield from _start_rows(pages, browser, times)
        yield from _stream_rows(pages, browser, model, times, quick)


def _start_rows(pages: list[_Page], browser: Browser, times: int) -> Iterator[Row]:
    found: defaultdict[str, list[tuple[float, float]]] = defaultdict(list)
    for _ in range(times):
        for page in pages:
            found[page.name].append(quietly(f"start, {page.name}", partial(_started, page, browser)))
    for index, (what, unit) in enumerate(
        (("From the start of the server to the first answer", "s"), ("The server's memory at rest", "MB"))
    ):
        yield _row(
            what, unit, {name: median(each[index] for each in starts) for name, starts in found.items()}
        )


def _started(page: _Page, browser: Browser) -> tuple[float, float]:
    """Return the seconds from a server's start to its first answer, and another one's memory at rest."""
    with page.serve() as server, Tab(browser, server.url, page.selectors) as tab:
        answered = tab.turn("tokens=50", next(numbers)).first - server.began
    with page.serve() as server, Tab(browser, server.url, page.selectors):
        time.sleep(REST_SECONDS)
        return answered, memory(server.pid)


_FIGURES = {
    "Enter → request at the model": "ask",
    "Enter → first token visible": "wait",
    "last token sent → visible": "tail",
    "bytes to the browser ÷ bytes of the answer": "bytes",
    "server's CPU": "server",
    "browser's CPU": "browser",
}


def _stream_rows(
    pages: list[_Page], browser: Browser, model: Model, times: int, quick: bool
) -> Iterator[Row]:
    # Chainlit needs minutes for longer answers at full speed.
    cases = [Case(1000, 50, times), Case(2000, 200, times), Case(2000, 1000, 1)][2 * quick :]
    found: defaultdict[tuple[Case, str], list[Turn]] = defaultdict(list)
    with ExitStack() as stack:
        served = {}
        for page in pages:
            server = stack.enter_context(page.serve())
            served[page.name] = server, stack.enter_context(line(server))
            measure(Case(400, 0, 1), browser, *served[page.name], model, page.selectors)
        for repetition in range(times):
            for case in cases:
                if repetition >= case.times:
                    continue
                for page in pages:
                    app, way = served[page.name]
                    turn = partial(measure, case, browser, app, way, model, page.selectors)
                    found[case, page.name].append(quietly(f"{case}, {page.name}", turn))
    for case in cases:
        turns = {page.name: medians(found[case, page.name]) for page in pages}
        for what, name in _FIGURES.items():
            figures = {page: float(getattr(turn, name)) for page, turn in turns.items()}
            yield _row(f"{case}: {what}", "×" if name == "bytes" else "s", figures)


def _row(what: str, unit: str, figures: dict[str, float]) -> Row:
    """Return the row of a figure; the first two are this page's and plain Streamlit's."""
    page, plain, *_ = figures.values()
    return Row(what, unit, page, plain, peers=dict(list(figures.items())[2:]))
