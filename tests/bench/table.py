"""The table of results: one row per figure, with medians, ratios, and whether each goal is met."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from math import isfinite, isinf


@dataclass(frozen=True)
class Row:
    """One figure of the page, of plain Streamlit and of the SDK without a page, where they have it.

    ``peers`` has the same figure of other libraries' pages, by their names.
    ``goal`` says in words what the page's figure has to be, ``met`` whether it is.
    """

    what: str
    unit: str
    page: float
    plain: float | None = None
    raw: float | None = None
    goal: str = ""
    met: bool = True
    peers: Mapping[str, float] = field(default_factory=dict)

    @property
    def others(self) -> dict[str, float | None]:
        """The figures that the page is compared with."""
        return {"plain Streamlit": self.plain, "SDK, no page": self.raw, **self.peers}


def as_markdown(rows: Sequence[Row]) -> str:
    """Return a table with a column for everything that any row is compared with."""
    names = list(
        dict.fromkeys(name for row in rows for name, value in row.others.items() if value is not None)
    )
    head = ["", "this page", *names, *(f"÷ {name.partition(',')[0]}" for name in names), "goal"]
    lines = [head, [":---", *["---:"] * (2 * len(names) + 1), ":---"]]
    for row in rows:
        others = [row.others.get(name) for name in names]
        figures = [_figure(value, row.unit) for value in (row.page, *others)]
        ratios = [_ratio(row.page, other) for other in others]
        goal = f"{row.goal} {'✓' if row.met else '**missed**'}" if row.goal else ""
        lines.append([row.what, *figures, *ratios, goal])
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _figure(value: float | None, unit: str) -> str:
    if value is None:
        return ""
    if isinf(value):
        return "not reached"
    digits = 0 if abs(value) >= 100 else 1 if abs(value) >= 10 else 2 if abs(value) >= 1 else 3
    return f"{value:,.{digits}f} {unit}".strip()


def _ratio(value: float, other: float | None) -> str:
    return f"{value / other:.2f}" if other and isfinite(value) and isfinite(other) else ""
