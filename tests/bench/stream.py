"""Long answers: their delay on the page, their bytes, and their CPU time.

The three pages are measured in turn, round after round, never in blocks.
"""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from itertools import count
from statistics import median

from playwright.sync_api import Browser

from tests.bench import browser as chromium
from tests.bench.browser import STREAMLIT, Selectors, Tab
from tests.bench.machine import cpu, quietly
from tests.bench.servers import PAGE, PLAIN, Model, Process, line, model_server, raw_sdk, streamlit
from tests.bench.table import Row
from tests.bench.threads import fill, thread_list

numbers = count(1)
"""The turns of all scenarios."""


@dataclass(frozen=True)
class Case:
    """So many tokens at so many a second (0: as fast as they are read), measured so many times."""

    tokens: int
    rate: int
    times: int

    @property
    def prompt(self) -> str:
        return f"tokens={self.tokens} rate={self.rate}"

    def __str__(self) -> str:
        return f"{self.tokens:,} tokens " + (f"at {self.rate:,}/s" if self.rate else "at full speed")


@dataclass(frozen=True)
class Turn:
    """The figures of one turn, in seconds; ``bytes`` and ``unpacked`` are multiples of the answer's own."""

    ask: float  # from Enter to the request at the model server
    tail: float  # from the last token sent to the last word seen
    head: float  # from the first token sent to the first word seen
    wait: float  # from Enter to the first word seen
    whole: float  # from Enter to the last word seen
    server: float
    bytes: float = 0.0
    unpacked: float = 0.0
    browser: float = 0.0


def cases(times: int, quick: bool) -> list[Case]:
    """Return the measured cases. The longest are measured once: they take long and vary little."""
    if quick:
        return [Case(2000, 1000, 1), Case(2000, 0, 1)]
    once = min(times, 1)
    return [
        Case(2000, 200, times),
        Case(4000, 1000, once),
        Case(8000, 1000, times),
        Case(16000, 1000, once),
        Case(4000, 0, once),
        Case(8000, 0, times),
        Case(16000, 0, once),
    ]


def rows(times: int, quick: bool) -> Iterator[Row]:
    found: defaultdict[tuple[Case, str], list[Turn]] = defaultdict(list)
    planned = cases(times, quick)
    with (
        thread_list() as database,
        model_server() as model,
        raw_sdk(model) as raw,
        streamlit(PAGE, model.settings() | database) as page,
        streamlit(PLAIN, model.settings()) as plain,
        line(page) as to_page,
        line(plain) as to_plain,
        chromium.started() as browser,
    ):
        fill(database, model)
        raw.ask(planned[0].prompt)  # the first turn of each imports much
        apps = {"page": (page, to_page), "plain": (plain, to_plain)}
        for app, way in apps.values():
            measure(planned[0], browser, app, way, model)
        for repetition in range(max(case.times for case in planned)):
            for case in planned:
                if repetition >= case.times:
                    continue
                found[case, "raw"].append(quietly(f"{case}, raw", partial(_raw, case, raw, model)))
                for name, (app, way) in apps.items():
                    found[case, name].append(
                        quietly(f"{case}, {name}", partial(measure, case, browser, app, way, model))
                    )
    for case in planned:
        yield from _compared(case, *(medians(found[case, name]) for name in ("page", "plain", "raw")))


def measure(
    case: Case, browser: Browser, app: Process, way: Process, model: Model, selectors: Selectors = STREAMLIT
) -> Turn:
    """Measure the second turn of a new chat."""
    length = model.get(f"answers/{case.tokens}")["bytes"]
    with Tab(browser, way.url, selectors) as tab:
        tab.turn("tokens=400", next(numbers))
        number, before, sent_before = next(numbers), cpu(app.pid), way.ask("")["received"]
        seen = tab.turn(case.prompt, number)
        used, came = cpu(app.pid) - before, way.ask("")["received"] - sent_before
    sent = model.get(f"turns/{number}")
    return Turn(
        sent["asked"] - seen.pressed,
        seen.last - sent["last"],
        seen.first - sent["first"],
        seen.first - seen.pressed,
        seen.last - seen.pressed,
        used,
        came / length,
        seen.received / length,
        seen.renderer,
    )


def _raw(case: Case, raw: Process, model: Model) -> Turn:
    model.get(f"answers/{case.tokens}")
    number, before = next(numbers), cpu(raw.pid)
    seen = raw.ask(f"{case.prompt} turn={number}")
    sent = model.get(f"turns/{number}")
    return Turn(
        sent["asked"] - seen["pressed"],
        seen["last"] - sent["last"],
        seen["first"] - sent["first"],
        seen["first"] - seen["pressed"],
        seen["last"] - seen["pressed"],
        cpu(raw.pid) - before,
    )


def medians(turns: list[Turn]) -> Turn:
    """Return the median of each figure."""
    names = Turn.__dataclass_fields__
    return Turn(**{name: median(getattr(turn, name) for turn in turns) for name in names})


def _compared(case: Case, page: Turn, plain: Turn, raw: Turn) -> Iterator[Row]:
    def row(what: str, name: str, limit: float = 0.0, goal: str = "", unit: str = "s") -> Row:
        ours, theirs, bare = (float(getattr(turn, name)) for turn in (page, plain, raw))
        needs_page = name in ("bytes", "unpacked", "browser")
        return Row(f"{case}: {what}", unit, ours, theirs, None if needs_page else bare, goal, ours <= limit)

    paced = case.rate == 1000
    yield row("Enter → request at the model", "ask")
    yield row("last token sent → visible", "tail", 0.04, "≤ 0.04 s" * paced)
    yield row("first token sent → visible", "head")
    yield row("Enter → first token visible", "wait", 0.6 * plain.wait, "≤ 0.6 × plain")
    yield row("Enter → last token visible", "whole", 1.3 * raw.whole, "≤ 1.3 × SDK" * (not case.rate))
    yield row("bytes to the browser ÷ bytes of the answer", "bytes", 1.2, "≤ 1.2", unit="×")
    yield row("the same before they were compressed", "unpacked", unit="×")
    yield row("server's CPU", "server", 1.3 * raw.server, "≤ 1.3 × SDK" * paced)
    yield row("browser's CPU", "browser", plain.browser / 2, "≤ ½ plain" * paced)
