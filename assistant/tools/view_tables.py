"""A table as plain cells: what a DataFrame of whatever kind becomes. Pure.

Not here: what else a function may return (``views.py``). Of libraries that make tables only pyarrow is
imported here, for a table that is none of pandas'.

The one rule: any cell becomes one of JSON's values, and any table a small one; neither is an error.
"""

import csv
import io
import json
import math
import numbers
from collections import Counter
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from itertools import islice
from typing import Any, Literal

MOST_ROWS = 5_000
MOST_COLUMNS = 50
MOST_CHARACTERS = 2_500_000
LONGEST_CELL, SHORTEST_CELL = 1_000, 50
"""The characters that a cell's text is cut to: fewer in a table of many cells."""
TOLD_ROWS = 20
"""Rows that the model reads; what it reads of a cell is shorter, too."""
TOLD_CELL = 200

Kind = Literal["number", "bool", "date", "datetime", "text"]
Cell = str | int | float | bool | None


@dataclass(slots=True)
class Cells:
    """The beginning of a table: its columns (name, type in its library's words, kind) and rows.

    ``count`` and ``width`` are the rows and columns of all of it.
    """

    columns: list[tuple[str, str, Kind]]
    rows: list[tuple[Cell, ...]]
    count: int
    width: int

    def as_json(self) -> str:
        """The table as ``ui/views.py`` draws it."""
        columns = [[name, kind] for name, _, kind in self.columns]
        rows = [list(row) for row in self.rows]
        return json.dumps({"columns": columns, "rows": rows, "count": self.count, "width": self.width})

    def in_words(self) -> str:
        """Its shape."""
        return f"{_number(self.count, 'row')} and {_number(self.width, 'column')}"


def _number(count: int, what: str) -> str:
    return f"{count:,} {what}{'' if count == 1 else 's'}"


def is_table(value: Any) -> bool:
    """Whether this is a table or a column of pandas, or something that Arrow can take as one."""
    return _is_of_pandas(value) or hasattr(type(value), "__arrow_c_stream__")


def _is_of_pandas(value: Any) -> bool:
    return any(
        each.__name__ in ("DataFrame", "Series") and str(each.__module__).partition(".")[0] == "pandas"
        for each in type(value).__mro__
    )


def fitting(cells: Cells) -> str:
    """The table as JSON, with as many of its rows as are not too many."""
    content = cells.as_json()
    while len(content) > MOST_CHARACTERS and cells.rows:
        cells.rows = cells.rows[: len(cells.rows) // 2]
        content = cells.as_json()
    return content


def read_table(table: Any, most_rows: int = MOST_ROWS) -> Cells:
    """The first rows and columns of a table; an index that is more than numbers of rows comes before."""
    columns, count, width = (
        _of_pandas(table, most_rows) if _is_of_pandas(table) else _of_arrow(table, most_rows)
    )
    names = _unique([name for name, _, _ in columns])
    count_of_cells = sum(len(values) for _, _, values in columns)
    longest = max(SHORTEST_CELL, min(LONGEST_CELL, MOST_CHARACTERS // max(1, count_of_cells)))
    cells = [_column(values, longest) for _, _, values in columns]
    rows = list(zip(*(values for _, values in cells), strict=True))
    kinds = [(name, of, kind) for name, (_, of, _), (kind, _) in zip(names, columns, cells, strict=True)]
    return Cells(kinds, rows, count, width)


Columns = list[tuple[str, str, list[Any]]]


def _of_pandas(table: Any, most_rows: int) -> tuple[Columns, int, int]:
    frame = table.to_frame() if hasattr(table, "to_frame") else table
    count, width = frame.shape
    head = frame.iloc[:most_rows, :MOST_COLUMNS]
    columns: Columns = []
    if frame.index.nlevels > 1 or frame.index.name is not None or frame.index.dtype.kind not in "iu":
        for level in range(frame.index.nlevels):
            values = head.index.get_level_values(level)
            name = values.name if values.name is not None else "index"
            columns.append((_text(name, LONGEST_CELL), str(values.dtype), values.tolist()))
            width += 1
    for position, name in enumerate(head.columns):
        words = " / ".join(map(str, name)) if isinstance(name, tuple) else name
        values = head.iloc[:, position]
        columns.append((_text(words, LONGEST_CELL), str(values.dtype), values.tolist()))
    return columns[:MOST_COLUMNS], count, width


def _of_arrow(table: Any, most_rows: int) -> tuple[Columns, int, int]:
    import pyarrow  # type: ignore[import-untyped]

    whole: Any = pyarrow.table(table)
    head = whole.slice(0, most_rows)
    columns = [
        (_text(each.name, LONGEST_CELL), str(each.type), head.column(position).to_pylist())
        for position, each in enumerate(islice(whole.schema, MOST_COLUMNS))
    ]
    return columns, whole.num_rows, whole.num_columns


def _unique(names: list[str]) -> list[str]:
    """The names, those that come again with a number behind."""
    taken, times = set(names), Counter[str]()
    found = []
    for name in names:
        times[name] += 1
        shown = name
        while times[name] > 1 and shown in taken:
            shown = f"{name} ({times[name]})"
            times[name] += shown in taken
        taken.add(shown)
        found.append(shown)
    return found


# --- cells ------------------------------------------------------------------------------------------


def _column(values: list[Any], longest: int) -> tuple[Kind, list[Cell]]:
    """The kind of a column, and its cells so that all are of it."""
    values = [_plain(value) for value in values]
    kinds = {_kind(value) for value in values if value is not None}
    kind: Kind = kinds.pop() if len(kinds) == 1 else "text"
    if kind == "text":
        return kind, [None if value is None else _text(value, longest) for value in values]
    return kind, [value.isoformat() if isinstance(value, date) else _finite(value) for value in values]


def _plain(value: Any) -> Any:
    """The value as Python's own, None where there is none."""
    if value is None or type(value).__name__ in ("NAType", "NaTType"):
        return None
    if isinstance(value, bool | str | datetime | date):
        return value
    if isinstance(value, numbers.Integral):
        return int(value) if abs(int(value)) < 2**53 else str(int(value))  # a browser has no larger ones
    if isinstance(value, numbers.Real | Decimal):
        return None if math.isnan(value) else float(value)
    return value


def _kind(value: Any) -> Kind:
    match value:
        case bool():
            return "bool"
        case int() | float():
            return "number"
        case datetime():
            return "datetime"
        case date():
            return "date"
    return "text"


def _finite(value: Any) -> Any:
    """What JSON does not have as a text: ``inf`` and ``-inf``."""
    return str(value) if isinstance(value, float) and math.isinf(value) else value


def _text(value: Any, longest: int) -> str:
    try:
        text = value if isinstance(value, str) else str(value)
    except Exception:  # whatever an object's own code does
        text = f"<{type(value).__name__}>"
    text = text if len(text) <= longest else text[: longest - 1] + "…"
    return text.encode("utf-8", "replace").decode()


def table_as_csv(cells: Cells) -> str:
    """What a model reads of a table: its columns with their types, and its first rows as CSV."""
    columns = ", ".join(f"{_short(name)} ({of})" for name, of, _ in cells.columns)
    shown = cells.rows[:TOLD_ROWS]
    if cells.width > len(cells.columns):
        columns += f" and {cells.width - len(cells.columns):,} more"
    if not shown:
        return f"Columns: {columns or 'none'}"
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow([_short(name) for name, _, _ in cells.columns])
    writer.writerows([[_short(cell) for cell in row] for row in shown])
    which = "All rows" if cells.count == len(shown) else f"The first {_number(len(shown), 'row')}"
    return f"Columns: {columns}\n{which} as CSV:\n{file.getvalue()}".rstrip("\n")


def _short(cell: Cell) -> Cell:
    return _text(cell, TOLD_CELL) if isinstance(cell, str) else cell
