"""A fault: something that is broken on purpose, how it is written in one line, and what it is expected to do.

    cut:5, slow:200, 429:20@2, function.raise:get_weather, function.delay:*:5, random, seed=7

Faults are separated by commas. A fault is its kind and, after a colon, where or how much: the number of the
event, milliseconds (``slow``), seconds (``429``). ``@2`` at its end means the second round of a run alone. A
fault of functions names the function, ``*`` for all, and then how much. ``random`` is one picked by ``seed``.

Not here: the breaking (``faults.py``, ``assistant/tools/fault_injection.py``).

The one rule: what is not understood is an error in a sentence, never a fault that does not happen.
"""

import re
from dataclasses import dataclass
from random import Random


@dataclass(frozen=True, slots=True)
class _Kind:
    describe: str
    expected: str
    unit: str = ""  # of the value, where there is one
    default: float = 0
    most: float = 0
    least: float = 0


_STAYS = "What came before stays, and no function of that round runs."
_INTERRUPTED = (
    f"The answer ends as interrupted and offers Retry. {_STAYS} Where nothing was said yet, it is asked "
    "for once more first."
)
_EVENT = ("event", 5, 100_000)

STREAM = {
    "cut": _Kind("The connection is lost after event {at}", _INTERRUPTED, *_EVENT),
    "stall": _Kind(
        "Nothing more comes after event {at}",
        "The answer stands still and the page does not: Stop ends it at once. What came before stays.",
        *_EVENT,
    ),
    "slow": _Kind(
        "Every event comes {at} milliseconds later",
        "All of the answer arrives, only more slowly.",
        "milliseconds",
        200,
        60_000,
    ),
    "half": _Kind("The connection is lost in the middle of event {at}", _INTERRUPTED, *_EVENT, 1),
    "twice": _Kind(
        "Event {at} comes twice",
        "The answer goes on to its end, and every call is run once. A piece of text may be there twice.",
        *_EVENT,
        1,
    ),
    "unknown": _Kind(
        "An event that nobody knows comes after event {at}",
        "It is passed over: the answer is what it is without it.",
        *_EVENT,
    ),
    "429": _Kind(
        "The server refuses with status 429 and asks to wait {at} seconds",
        "The person is told to wait and offered Retry, at once where the wait is more than 5 seconds, and "
        "else after the SDK has waited and tried twice more. Nothing runs.",
        "seconds",
        20,
        3_600,
    ),
    "500": _Kind(
        "The server answers with status 500",
        "The SDK tries twice more; then the answer ends with the server's error and offers Retry. "
        "Nothing runs.",
    ),
    "failed": _Kind(
        "The server says that it failed, after event {at}",
        f"The answer ends with the server's error and offers Retry. {_STAYS}",
        *_EVENT,
    ),
    "incomplete": _Kind(
        "The server ends the answer at the limit of output tokens, after event {at}",
        f"The answer ends as cut off at the limit of output tokens. {_STAYS}",
        *_EVENT,
    ),
    "html": _Kind(
        "A web page comes in place of the answer",
        "The person is told that this is not the API, and to check the address. Nothing runs.",
    ),
}
FUNCTIONS = {
    "function.raise": _Kind(
        "{name} raises an exception",
        "The model reads that the function failed, without the exception's words, and the answer goes on.",
    ),
    "function.delay": _Kind(
        "{name} takes {at} seconds longer",
        "The result comes later and holds nothing else up; after the time limit the call is given up.",
        "seconds",
        3,
        3_600,
    ),
    "function.never": _Kind(
        "{name} never returns",
        "After the time limit the call is given up; the model is told so, and the answer goes on.",
    ),
    "function.type": _Kind(
        "{name} returns something that is not JSON",
        "The model reads it as text, and the answer goes on.",
    ),
    "function.huge": _Kind(
        "{name} returns {at} characters",
        "The model reads the beginning and that the rest was cut; the person can see all of it.",
        "characters",
        1_000_000,
        20_000_000,
    ),
}
_KINDS = STREAM | FUNCTIONS

_WRITTEN = re.compile(
    r"(?P<kind>[a-z0-9.]+)(?::(?P<first>[\w.*+-]*))?(?::(?P<second>[\w.*+-]*))?(?:@(?P<round>[0-9]+))?"
)


@dataclass(frozen=True, slots=True)
class Fault:
    """Something to break: ``at`` is its event, or its amount; ``round`` 0 is every round.

    ``function`` is the one that is broken, empty for all of them.
    """

    kind: str
    at: float = 0
    function: str = ""
    round: int = 0

    @property
    def is_of_functions(self) -> bool:
        """Whether it breaks functions, and not the stream."""
        return self.kind in FUNCTIONS

    def describe(self) -> str:
        """What it will do, in a sentence."""
        name = self.function or "Every function"
        when = f", in round {self.round} of a run" if self.round else ""
        return _KINDS[self.kind].describe.format(at=f"{self.at:,.10g}", name=name) + when + "."

    def expected(self) -> str:
        """What a good client makes of it, in a sentence or two."""
        return _KINDS[self.kind].expected

    def __str__(self) -> str:
        """The fault as ``parse`` reads it."""
        value = f":{self.at:.10g}" if _KINDS[self.kind].unit else ""
        name = f":{self.function or '*'}" if self.is_of_functions else ""
        return self.kind + name + value + (f"@{self.round}" if self.round else "")


def parse(text: str) -> list[Fault]:
    """The faults in a line; see above for how they are written.

    Raises:
        ValueError: Something in it is no fault; the sentence says what, and what there is.
    """
    written = [each.strip() for each in text.split(",") if each.strip()]
    seeds = [each.removeprefix("seed=") for each in written if each.startswith("seed=")]
    if any(not re.fullmatch("[0-9]{1,18}", seed) for seed in seeds) or len(seeds) > 1:
        raise ValueError("The seed is one whole number, such as seed=7.")
    random = Random(int(seeds[0]) if seeds else 0)
    return [
        _any(random) if each == "random" else _fault(each) for each in written if not each.startswith("seed=")
    ]


def _any(random: Random) -> Fault:
    name, kind = random.choice(list(_KINDS.items()))
    return Fault(name, random.randint(1, 12) if kind.unit == "event" else kind.default)


def _fault(written: str) -> Fault:
    found, shown = _WRITTEN.fullmatch(written), repr(written[:60])
    if not found or found["kind"] not in _KINDS:
        raise ValueError(
            f"There is no fault {shown}. There are: {', '.join(_KINDS)}, random; separate them by commas."
        )
    kind, name, value = _KINDS[found["kind"]], "", found["first"]
    if found["kind"] in FUNCTIONS:
        name, value = (found["first"] or "").replace("*", ""), found["second"]
        if found["round"]:
            raise ValueError(f"{shown} names a round, and faults of functions are in all. Leave it out.")
    elif found["second"] is not None:
        raise ValueError(f"{shown} has one colon too many.")
    if not kind.unit and value:
        raise ValueError(f"{shown} has a value, and this fault takes none. Leave it out.")
    try:
        at = float(value) if value else kind.default
    except ValueError:
        at = -1
    if not kind.least <= at <= kind.most or (kind.unit in ("event", "characters") and at != int(at)):
        wanted = "the number of an event" if kind.unit == "event" else f"a number of {kind.unit}"
        raise ValueError(f"{shown} needs {wanted}, from {kind.least:g} to {kind.most:,.10g}.")
    return Fault(found["kind"], at, name, int(found["round"] or 0))
