"""Faults to inject on purpose: how each is written in one line, what it does, and what should come of it.

    cut:5, slow:200, 429:20@2, function.raise:get_weather, function.delay:*:5, random, seed=7

Faults are separated by commas. A fault is its kind and, after a colon, where or how much: the number of the
event, milliseconds (``slow``), seconds (``429``). ``@2`` at its end limits it to the second round of a run. A
fault of functions names the function, ``*`` for all, and then how much. ``random`` is one chosen by ``seed``.
"""

import re
from dataclasses import dataclass
from random import Random

from assistant.locale import N_, Sentence


@dataclass(frozen=True, slots=True)
class _Kind:
    description: Sentence
    expected: Sentence
    unit: str = ""  # of the value, where there is one
    default: float = 0
    max: float = 0
    min: float = 0


_TEXT_STAYS = N_("The text so far stays, and no function of that round runs.")
_INTERRUPTED = N_(
    "The answer ends as interrupted and offers Retry. {stays} If there was no text yet, the request is sent "
    "once more first.",
    stays=_TEXT_STAYS,
)
_EVENT = ("event", 5, 100_000)
_UNITS = {"milliseconds": N_("milliseconds"), "seconds": N_("seconds"), "characters": N_("characters")}

STREAM = {
    "cut": _Kind(N_("The connection is lost after event {at}."), _INTERRUPTED, *_EVENT),
    "stall": _Kind(
        N_("Nothing more arrives after event {at}."),
        N_("The answer stands still, but the page responds: Stop ends it at once. The text so far stays."),
        *_EVENT,
    ),
    "slow": _Kind(
        N_("Every event arrives {at} ms later."),
        N_("The whole answer arrives, only more slowly."),
        "milliseconds",
        200,
        60_000,
    ),
    "half": _Kind(N_("The connection is lost in the middle of event {at}."), _INTERRUPTED, *_EVENT, 1),
    "twice": _Kind(
        N_("Event {at} arrives twice."),
        N_("The answer is complete, and every call runs once. A piece of text may be repeated."),
        *_EVENT,
        1,
    ),
    "unknown": _Kind(
        N_("An event of an unknown type arrives after event {at}."),
        N_("It is ignored: the answer is the same without it."),
        *_EVENT,
    ),
    "429": _Kind(
        N_("The server refuses with status 429 and asks to wait {at} s."),
        N_(
            "The page shows the wait and offers Retry: at once if it is more than 5 seconds, otherwise after "
            "two more tries, each of which it announces. No function runs."
        ),
        "seconds",
        20,
        3_600,
    ),
    "500": _Kind(
        N_("The server answers with status 500."),
        N_(
            "The page announces two more tries; then the answer ends with the server's error and offers Retry. "
            "No function runs."
        ),
    ),
    "failed": _Kind(
        N_("The server reports a failure after event {at}."),
        N_("The answer ends with the server's error and offers Retry. {stays}", stays=_TEXT_STAYS),
        *_EVENT,
    ),
    "incomplete": _Kind(
        N_("The server ends the answer at its output limit after event {at}."),
        N_("The answer ends as cut off at the output limit. {stays}", stays=_TEXT_STAYS),
        *_EVENT,
    ),
    "html": _Kind(
        N_("A web page arrives instead of the answer."),
        N_("The page says that this is not an API, and to check the address. No function runs."),
    ),
}
FUNCTIONS = {
    "function.raise": _Kind(
        N_("{name} raises an exception."),
        N_(
            "The model reads that the function failed, without the exception's text, and the answer continues."
        ),
    ),
    "function.delay": _Kind(
        N_("{name} takes {at} s longer."),
        N_("The result arrives later and delays nothing else; after the time limit the call is abandoned."),
        "seconds",
        3,
        3_600,
    ),
    "function.never": _Kind(
        N_("{name} never returns."),
        N_("After the time limit the call is abandoned. The model is informed, and the answer continues."),
    ),
    "function.type": _Kind(
        N_("{name} returns something that is not JSON."),
        N_("The model reads it as text, and the answer continues."),
    ),
    "function.huge": _Kind(
        N_("{name} returns {at} characters."),
        N_("The model reads the beginning and that the text was cut; the user can see all of it."),
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

    def describe(self) -> Sentence:
        """Return what it does, in one sentence."""
        name = self.function or N_("Every function")
        fault = _KINDS[self.kind].description.with_params(at=f"{self.at:,.10g}", name=name)
        if not self.round:
            return fault
        return N_("In round {round} of a run: {fault}", round=self.round, fault=fault)

    def expected(self) -> Sentence:
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
        raise ValueError(N_("The seed is one whole number, such as seed=7."))
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
        available = ", ".join([*_KINDS, "random"])
        text = N_(
            "There is no fault {fault}. Available: {available}. Separate them by commas.",
            fault=shown,
            available=available,
        )
        raise ValueError(text)
    kind, name, value = _KINDS[found["kind"]], "", found["first"]
    if found["kind"] in FUNCTIONS:
        name, value = (found["first"] or "").replace("*", ""), found["second"]
        if found["round"]:
            text = N_(
                "{fault} names a round, but faults of functions are in every round. Leave it out.",
                fault=shown,
            )
            raise ValueError(text)
    elif found["second"] is not None:
        raise ValueError(N_("{fault} has one colon too many.", fault=shown))
    if not kind.unit and value:
        raise ValueError(N_("{fault} has a value, and this fault takes none. Leave it out.", fault=shown))
    return Fault(found["kind"], _parse_value(value, kind, shown), name, int(found["round"] or 0))


def _parse_value(value: str | None, kind: _Kind, shown: str) -> float:
    try:
        at = float(value) if value else kind.default
    except ValueError:
        at = -1
    if not kind.min <= at <= kind.max or (kind.unit in ("event", "characters") and at != int(at)):
        limits: dict[str, str] = {"min": f"{kind.min:g}", "max": f"{kind.max:,.10g}"}
        if kind.unit == "event":
            raise ValueError(
                N_("{fault} needs the number of an event, from {min} to {max}.", fault=shown, **limits)
            )
        limits["unit"] = _UNITS[kind.unit]
        raise ValueError(N_("{fault} needs a number of {unit}, from {min} to {max}.", fault=shown, **limits))
    return at
