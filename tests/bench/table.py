"""The table of results: one row per figure, with medians, ratios, and whether each goal is met."""

from collections.abc import Iterable
from dataclasses import dataclass
from math import isfinite, isinf


@dataclass(frozen=True)
class Row:
    """One figure of the page, of plain Streamlit and of the SDK without a page, where they have it.

    ``goal`` says in words what the page's figure has to be, ``met`` whether it is.
    """

    what: str
    unit: str
    page: float
    plain: float | None = None
    raw: float | None = None
    goal: str = ""
    met: bool = True


def as_markdown(rows: Iterable[Row]) -> str:
    head = "| | this page | plain Streamlit | SDK, no page | ÷ plain | ÷ SDK | goal |"
    lines = [head, "| :--- | ---: | ---: | ---: | ---: | ---: | :--- |"]
    for row in rows:
        figures = [_figure(value, row.unit) for value in (row.page, row.plain, row.raw)]
        ratios = [_ratio(row.page, other) for other in (row.plain, row.raw)]
        goal = f"{row.goal} {'✓' if row.met else '**missed**'}" if row.goal else ""
        lines.append(f"| {' | '.join([row.what, *figures, *ratios, goal])} |")
    return "\n".join(lines)


def _figure(value: float | None, unit: str) -> str:
    if value is None:
        return ""
    if isinf(value):
        return "not reached"
    digits = 0 if abs(value) >= 100 else 1 if abs(value) >= 10 else 2 if abs(value) >= 1 else 3
    return f"{value:,.{digits}f} {unit}".strip()


def _ratio(value: float, other: float | None) -> str:
    return f"{value / other:.2f}" if other and isfinite(value) and isfinite(other) else ""
