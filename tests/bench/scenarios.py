"""Measurements besides long answers: long threads, many users, the start, and functions.

Each scenario starts what it needs and leaves nothing running.
"""

import time
from collections import defaultdict
from collections.abc import Callable, Generator, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from statistics import median, quantiles

from playwright.sync_api import Browser, ViewportSize

from assistant import Thread, Toolbox, tool
from assistant.events import Event, TextDelta, ToolCall
from assistant.messages import Message
from assistant.tools.background import background_jobs
from assistant.tools.execution import execute
from tests.bench import browser as chromium
from tests.bench import peers, stream
from tests.bench.browser import DESKTOP, IDLE, STREAMLIT, Selectors, Tab
from tests.bench.machine import cpu, memory, quietly
from tests.bench.people import crowd
from tests.bench.servers import EMPTY, PAGE, PLAIN, Model, Process, model_server, streamlit
from tests.bench.stream import numbers
from tests.bench.table import Row
from tests.bench.threads import fill, thread_list

SHORT = "tokens=50"


# --- long threads -------------------------------------------------------------------------------------


def history(times: int, quick: bool) -> Iterator[Row]:
    turns = 40 if quick else 200
    found: defaultdict[str, list[tuple[float, float, float]]] = defaultdict(list)
    weights: defaultdict[str, list[tuple[float, int]]] = defaultdict(list)
    with thread_list() as database, model_server() as model:
        thread = fill(database, model, turns)
        with (
            streamlit(PAGE, model.settings() | database) as page,
            streamlit(PLAIN, model.settings()) as plain,
            chromium.started() as browser,
        ):
            places = {
                "page, new": (page, ""),
                "page, long": (page, f"/?thread={thread}"),
                "plain, new": (plain, ""),
                "plain, long": (plain, f"/?turns={turns}"),
            }
            for _ in range(times):
                for name, (app, place) in places.items():
                    with Tab(browser, app.url + place) as tab:
                        tab.turn(SHORT, next(numbers))
                        for _ in range(2):
                            found[name].append(quietly(f"a turn, {name}", partial(_short_turn, tab, app)))
                        weights[name].append(tab.weight())
    turn, server, renderer = (
        {name: median(each[index] for each in figures) for name, figures in found.items()}
        for index in range(3)
    )
    long = f"{turns} earlier turns"
    for what, figures in (
        ("Enter → last token visible", turn),
        ("server's CPU", server),
        ("browser's CPU", renderer),
    ):
        yield Row(f"A short turn in a new thread: {what}", "s", figures["page, new"], figures["plain, new"])
        yield Row(f"The same after {long}: {what}", "s", figures["page, long"], figures["plain, long"])
    ratio, other = turn["page, long"] / turn["page, new"], turn["plain, long"] / turn["plain, new"]
    yield Row("… long ÷ new", "×", ratio, other, goal="≤ 1.05", met=ratio <= 1.05)
    for index, (what, unit) in enumerate((("JavaScript's heap", "MB"), ("elements of the document", ""))):
        figures = {name: median(each[index] for each in found) for name, found in weights.items()}
        yield Row(f"{what} in a new thread", unit, figures["page, new"], figures["plain, new"])
        yield Row(f"{what} after {long}", unit, figures["page, long"], figures["plain, long"])


def _short_turn(tab: Tab, app: Process) -> tuple[float, float, float]:
    before = cpu(app.pid)
    seen = tab.turn(SHORT, next(numbers))
    return seen.last - seen.pressed, cpu(app.pid) - before, seen.renderer


# --- many users ---------------------------------------------------------------------------------------


def people(times: int, quick: bool) -> Iterator[Row]:
    number, tokens, seconds = (10, 400, 2.0) if quick else (100, 600, 6.0)
    found: defaultdict[str, list[dict[str, float]]] = defaultdict(list)
    with model_server() as model:
        for _ in range(times):
            for name, app in (("page", PAGE), ("plain", PLAIN)):
                found[name].append(_crowded(name, app, model, number, tokens, seconds))
    page, plain = (
        {figure: median(each[figure] for each in found[name]) for figure in found[name][0]}
        for name in ("page", "plain")
    )
    who = f"{number} people, 50 tokens/s each"
    for what, figure, unit, limit in (
        ("token sent → received, median", "median", "s", 0.0),
        ("… 95 of 100", "most", "s", 0.0),
        ("… the slowest", "slowest", "s", 0.5),
        ("the server's memory at most", "memory", "MB", 700),
        ("cores used by the server", "cores", "", 0.0),
        ("all of them gone: cores used", "alone", "", 0.0),
    ):
        goal = f"≤ {limit} {unit}" if limit else ""
        yield Row(f"{who}: {what}", unit, page[figure], plain[figure], goal=goal, met=page[figure] <= limit)


def _crowded(
    name: str, app: Path, model: Model, number: int, tokens: int, seconds: float
) -> dict[str, float]:
    """Return the figures of a server while it answers so many people, and after they have left."""
    prompt = f"tokens={tokens} rate=50"
    with thread_list() as database, streamlit(app, model.settings() | database) as server:
        crowd(server, [next(numbers)], SHORT, 0.0)  # a server's first turn imports much
        turns = [next(numbers) for _ in range(number)]
        seen = quietly(f"{number} people, {name}", partial(crowd, server, turns, prompt, seconds))
        peak = memory(server.pid, "VmHWM")
        lags: list[float] = []
        for turn, received in seen.received.items():
            sent = dict(model.get(f"turns/{turn}")["marks"])
            lags += [received[word] - moment for word, moment in sent.items()]
        turns = [next(numbers) for _ in range(number)]
        gone = partial(crowd, server, turns, prompt, seconds, watching=False)
        alone = quietly(f"the same gone, {name}", gone).cores
        _wait_for_ends(model, turns, tokens / 50)
    cuts = quantiles(lags, n=20)
    return {
        "median": cuts[9],
        "most": cuts[18],
        "slowest": max(lags),
        "memory": peak,
        "cores": seen.cores,
        "alone": alone,
    }


def _wait_for_ends(model: Model, turns: list[int], seconds: float) -> None:
    """Check that answers without followers were read to their end."""
    deadline = time.monotonic() + seconds + 10
    while not all(model.get(f"turns/{turn}").get("whole") for turn in turns):
        if time.monotonic() > deadline:
            raise RuntimeError("An answer that nobody watched was not read to its end.")
        time.sleep(0.2)


# --- the start ----------------------------------------------------------------------------------------


def start(times: int, quick: bool) -> Iterator[Row]:
    found: defaultdict[str, defaultdict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    with model_server() as model, chromium.started() as browser:
        _started(browser, EMPTY, model)  # the browser's first page is slow
        for _ in range(times):
            for app in (EMPTY, PLAIN, PAGE):
                figures = quietly(f"start, {app.stem}", partial(_started, browser, app, model))
                for what, figure in figures.items():
                    found[what][app.stem].append(figure)
    there, answered, memories = (
        {app: median(each) for app, each in found[what].items()} for what in ("page", "answer", "memory")
    )
    for what, unit, figures, empty, more in (
        ("From `streamlit run` to the page", "s", there, there[EMPTY.stem], 0.0),
        ("From `streamlit run` to the first answer", "s", answered, there[EMPTY.stem], 0.7),
        ("The server's memory at rest", "MB", memories, memories[EMPTY.stem], 55),
    ):
        page, plain = figures[PAGE.stem], figures[PLAIN.stem]
        goal = f"≤ an empty page + {more} {unit}" if more else ""
        yield Row(
            what, unit, page, plain, peers={"an empty page": empty}, goal=goal, met=page <= empty + more
        )


def _started(browser: Browser, app: Path, model: Model) -> dict[str, float]:
    selectors = Selectors(input=IDLE) if app == EMPTY else STREAMLIT
    with thread_list() as database:
        settings = model.settings() | database
        with streamlit(app, settings) as server, Tab(browser, server.url, selectors) as tab:
            found = {"page": time.monotonic() - server.began}
            if app != EMPTY:
                found["answer"] = tab.turn(SHORT, next(numbers)).first - server.began
        with streamlit(app, settings) as server, Tab(browser, server.url, selectors):
            time.sleep(peers.REST_SECONDS)
            return found | {"memory": memory(server.pid)}


# --- the layout ---------------------------------------------------------------------------------------

PHONE: ViewportSize = {"width": 390, "height": 844}


def load(times: int, quick: bool) -> Iterator[Row]:
    found: defaultdict[tuple[str, str], list[float]] = defaultdict(list)
    with (
        thread_list() as database,
        model_server() as model,
        streamlit(PAGE, model.settings() | database) as page,
        streamlit(PLAIN, model.settings()) as plain,
        chromium.started() as browser,
    ):
        for _ in range(times):
            for size, viewport in (("desktop", DESKTOP), ("phone", PHONE)):
                for name, app in (("page", page), ("plain", plain)):
                    with Tab(browser, app.url, viewport=viewport) as tab:
                        time.sleep(chromium.AFTER)
                        found[size, name].append(tab.layout_shift())
    for size in ("desktop", "phone"):
        shift, plain_shift = (median(found[size, name]) for name in ("page", "plain"))
        what = f"Layout shift while the page loads, {size}"
        yield Row(what, "", shift, plain_shift, goal="≤ 0.05", met=shift <= 0.05)


# --- functions ----------------------------------------------------------------------------------------


@tool
def add(a: int, b: int) -> int:
    """Add two whole numbers."""
    return a + b


@tool
def sleep(number: int) -> int:
    """Do nothing for a tenth of a second."""
    time.sleep(0.1)
    return number


ADDING = '{"a":1,"b":2}'
TEXTS = 2_000


def _background_seconds(toolbox: Toolbox, calls: list[ToolCall], texts: int = 0) -> float:
    """Return the time of a response with these calls and pieces of text, and of the results if there is no text."""

    def response() -> Generator[Event, None, list[ToolCall]]:
        yield from (replace(call, background=True) for call in calls)
        yield from (TextDelta("word ") for _ in range(texts))
        return []

    thread = Thread("", [Message("assistant")])
    jobs = background_jobs(thread)
    began = time.perf_counter()
    for _ in jobs.interleave(response(), thread, toolbox, lambda name: False):
        pass
    while not texts and any(True for _ in jobs.wait()):
        pass
    return time.perf_counter() - began


def calls(times: int, quick: bool) -> Iterator[Row]:
    toolbox = Toolbox(add, sleep)

    def seconds(*calls: ToolCall) -> float:
        began = time.perf_counter()
        assert all(getattr(result, "outcome", "") == "done" for result in execute(calls, toolbox, 30.0))
        return time.perf_counter() - began

    def one() -> float:
        return median(seconds(ToolCall("call_1", "add", ADDING)) for _ in range(500))

    def ten() -> float:
        return seconds(*(ToolCall(f"call_{n}", "sleep", f'{{"number":{n}}}') for n in range(10)))

    def background() -> float:
        return median(_background_seconds(toolbox, [ToolCall("call_1", "add", ADDING)]) for _ in range(500))

    def beside() -> float:
        slow = [ToolCall(f"call_{n}", "sleep", f'{{"number":{n}}}') for n in range(20)]
        return (_background_seconds(toolbox, slow, TEXTS) - _background_seconds(toolbox, [], TEXTS)) / TEXTS

    single, parallel = quietly("one call", one), median(quietly("ten calls", ten) for _ in range(times))
    yield Row("One function call that does nothing", "ms", single * 1000, goal="≤ 1 ms", met=single <= 1e-3)
    single = quietly("one background call", background)
    yield Row("The same in the background", "ms", single * 1000, goal="≤ 1 ms", met=single <= 1e-3)
    added = median(quietly("text beside background calls", beside) for _ in range(times))
    what = "What 20 background calls add to each piece of text"
    yield Row(what, "ms", added * 1000, goal="≤ 0.05 ms", met=added <= 5e-5)
    yield Row(
        "Ten functions of 0.1 s each, side by side", "s", parallel, goal="≤ 0.15 s", met=parallel <= 0.15
    )


ALL: dict[str, Callable[[int, bool], Iterator[Row]]] = {
    "stream": stream.rows,
    "history": history,
    "people": people,
    "start": start,
    "load": load,
    "peers": peers.rows,
    "functions": calls,
}
