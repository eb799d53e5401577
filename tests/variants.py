"""Cases of a parametrised test that only the exhaustive suite runs."""

from collections.abc import Iterable
from typing import Any

import pytest


def exhaustive(*cases: Any) -> list[Any]:
    """Return the cases with the mark ``exhaustive``: ``parametrize("n", [1, *exhaustive(2, 3)])``."""
    return [pytest.param(case, marks=pytest.mark.exhaustive) for case in cases]


def quick_first(cases: Iterable[Any], quick: int = 1) -> list[Any]:
    """Return all cases, of which the quick suite runs the first ``quick``."""
    cases = list(cases)
    return [*cases[:quick], *exhaustive(*cases[quick:])]


def quick_first_row(*rows: tuple[Any, ...]) -> list[Any]:
    """Return the rows of a table with a column for each parameter; the quick suite runs the first."""
    return [rows[0], *(pytest.param(*row, marks=pytest.mark.exhaustive) for row in rows[1:])]
