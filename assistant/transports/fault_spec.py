"""Faults to inject on purpose: how each is written in one line, what it does, and what should come of it.

    cut:5, slow:200, 429:20@2, function.raise:get_weather, function.delay:*:5, random, seed=7

Faults are separated by commas. A fault is its kind and, after a colon, where or how much: the number of the
event, milliseconds (``slow``), seconds (``429``). ``@2`` at its end limits it to the second round of a run. A
fault of functions names the function, ``*`` for all, and then how much. ``random`` is one chosen by ``seed``.
"""

import re
from dataclasses import dataclass
from random import Random


@dataclass(frozen=True, slots=True)
class _Kind:
    description: str
    expected: str
    unit: str = ""  # of the value, where there is one
    default: float = 0
    max: float = 0
    min: float = 0


_TEXT_STAYS = "The text so far stays, and no function of that round runs."
_INTERRUPTED = (
    f"The answer ends as interrupted and offers Retry. {_TEXT_STAYS} If there was no text yet, the request is "
    "sent once more first."
)
_EVENT = ("event", 5, 100_000)

STREAM = {
    "cut": _Kind("The connection is lost after event {at}", _INTERRUPTED, *_EVENT),
    "stall": _Kind(
        "Nothing more arrives after event {at}",
        "The answer stands still, but the page responds: Stop ends it at once. The text so far stays.",
        *_EVENT,
    ),
    "slow": _Kind(
        "Every event arrives {at} milliseconds later",
        "The whole answer arrives, only more slowly.",
        "milliseconds",
        200,
        60_000,
    ),
    "half": _Kind("The connection is lost in the middle of event {at}", _INTERRUPTED, *_EVENT, 1),
    "twice": _Kind(
        "Event {at} arrives twice",
        "The answer is complete, and every call runs once. A piece of text may be repeated.",
        *_EVENT,
        1,
    ),
    "unknown": _Kind(
        "An event of an unknown type arrives after event {at}",
        "It is ignored: the answer is the same without it.",
        *_EVENT,
    ),
    "429": _Kind(
        "The server refuses with status 429 and asks to wait {at} seconds",
        "The page shows the wait and offers Retry: at once if it is more than 5 seconds, otherwise after the "
        "SDK has waited and retried twice. No function runs.",
        "seconds",
        20,
        3_600,
    ),
    "500": _Kind(
        "The server answers with status 500",
        "The SDK retries twice; then the answer ends with the server's error and offers Retry. No function "
        "runs.",
    ),
    "failed": _Kind(
        "The server reports a failure after event {at}",
        f"The answer ends with the server's error and offers Retry. {_TEXT_STAYS}",
        *_EVENT,
    ),
    "incomplete": _Kind(
        "The server ends the answer at its output limit after event {at}",
        f"The answer ends as cut off at the output limit. {_TEXT_STAYS}",
        *_EVENT,
    ),
    "html": _Kind(
        "A web page arrives instead of the answer",
        "The page says that this is not an API, and to check the address. No function runs.",
    ),
}
FUNCTIONS = {
    "function.raise": _Kind(
        "{name} raises an exception",
        "The model is told that the function failed, without the exception's text, and the answer goes on.",
    ),
    "function.delay": _Kind(
        "{name} takes {at} seconds longer",
        "The result arrives later and delays nothing else; after the time limit the call is abandoned.",
        "seconds",
        3,
        3_600,
    ),
    "function.never": _Kind(
        "{name} never returns",
        "After the time limit the call is abandoned; the model is told, and the answer goes on.",
    ),
    "function.type": _Kind(
        "{name} returns something that is not JSON",
        "The model reads it as text, and the answer goes on.",
    ),
    "function.huge": _Kind(
        "{name} returns {at} characters",
        "The model reads the beginning and that the text was cut; the user can see all of it.",
        "characters",
        1_000_000,
        20_000_000,
    ),
}
_KINDS = STREAM | FUNCTIONS

_SYNTAX = re.compile(
    r"(?P<kind>[a-z0-9.]+)(?::(?P<first>[\w.*+-]*))?(?::(?P<second>[\w.*+-]*))?(?:@(?P<round>[0-9]+))?"
)


@dataclass(frozen=True, slots=True)
class Fault:
    """A fault: ``at`` is the number of its event or its amount; ``round`` 0 means every round.

    ``function`` is the function it affects, "" for all of them.
    """

    kind: str
    at: float = 0
    function: str = ""
    round: int = 0

    @property
    def is_of_functions(self) -> bool:
        """Whether it affects functions, and not the stream."""
        return self.kind in FUNCTIONS

    def describe(self) -> str:
        """Return what it does, in one sentence."""
        name = self.function or "Every function"
        round = f", in round {self.round} of a run" if self.round else ""
        return _KINDS[self.kind].description.format(at=f"{self.at:,.10g}", name=name) + round + "."

    def expected(self) -> str:
        """Return what should come of it, in a sentence or two."""
        return _KINDS[self.kind].expected

    def __str__(self) -> str:
        """Return the fault as ``parse_faults`` reads it."""
        value = f":{self.at:.10g}" if _KINDS[self.kind].unit else ""
        name = f":{self.function or '*'}" if self.is_of_functions else ""
        return self.kind + name + value + (f"@{self.round}" if self.round else "")


def parse_faults(text: str) -> list[Fault]:
    """Return the faults in a line; the module's docstring has the syntax.

    Raises:
        ValueError: A part is not a fault; the message says which, and what is possible.
    """
    items = [item.strip() for item in text.split(",") if item.strip()]
    seeds = [item.removeprefix("seed=") for item in items if item.startswith("seed=")]
    if any(not re.fullmatch("[0-9]{1,18}", seed) for seed in seeds) or len(seeds) > 1:
        raise ValueError("The seed is one whole number, such as seed=7.")
    random = Random(int(seeds[0]) if seeds else 0)
    return [
        _random_fault(random) if item == "random" else _parse_fault(item)
        for item in items
        if not item.startswith("seed=")
    ]


def _random_fault(random: Random) -> Fault:
    name, kind = random.choice(list(_KINDS.items()))
    return Fault(name, random.randint(1, 12) if kind.unit == "event" else kind.default)


def _parse_fault(item: str) -> Fault:
    found, shown = _SYNTAX.fullmatch(item), repr(item[:60])
    if not found or found["kind"] not in _KINDS:
        raise ValueError(
            f"There is no fault {shown}. Available: {', '.join(_KINDS)}, random; separate them by commas."
        )
    kind, name, value = _KINDS[found["kind"]], "", found["first"]
    if found["kind"] in FUNCTIONS:
        name, value = (found["first"] or "").replace("*", ""), found["second"]
        if found["round"]:
            raise ValueError(
                f"{shown} names a round, but faults of functions are in every round. Leave it out."
            )
    elif found["second"] is not None:
        raise ValueError(f"{shown} has one colon too many.")
    if not kind.unit and value:
        raise ValueError(f"{shown} has a value, and this fault takes none. Leave it out.")
    return Fault(found["kind"], _parse_value(value, kind, shown), name, int(found["round"] or 0))


def _parse_value(value: str | None, kind: _Kind, shown: str) -> float:
    try:
        at = float(value) if value else kind.default
    except ValueError:
        at = -1
    if not kind.min <= at <= kind.max or (kind.unit in ("event", "characters") and at != int(at)):
        expected = "the number of an event" if kind.unit == "event" else f"a number of {kind.unit}"
        raise ValueError(f"{shown} needs {expected}, from {kind.min:g} to {kind.max:,.10g}.")
    return at
