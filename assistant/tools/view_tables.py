"""Convert tables of pandas or Arrow to plain cells.

Every cell becomes a JSON value, and every table is cut to a size that a browser can show. Pyarrow is imported
only for tables that are not of pandas.
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
from typing import Any, Literal, NamedTuple

from assistant.texts import replace_surrogates, shorten

MAX_ROWS = 5_000
MAX_COLUMNS = 50
MAX_TABLE_CHARS = 2_500_000  # maximum length of a table as JSON

MAX_CELL_CHARS, MIN_CELL_CHARS = 1_000, 50
"""Range of the length to which cells are cut; tables with more cells get shorter ones."""

MAX_MODEL_ROWS = 20  # maximum number of rows that the model reads
MAX_MODEL_CELL_CHARS = 200  # maximum length of a cell that the model reads

ColumnKind = Literal["number", "bool", "date", "datetime", "text"]
Cell = str | int | float | bool | None


class Column(NamedTuple):
    """A column: its name, its type as pandas or Arrow call it, and the kind of its cells."""

    name: str
    dtype: str
    kind: ColumnKind


@dataclass(slots=True)
class Table:
    """The first columns and rows of a table, and the full number of rows and columns."""

    columns: list[Column]
    rows: list[tuple[Cell, ...]]
    row_count: int
    column_count: int

    def as_json(self) -> str:
        """Return the table for ``ui/chat/calls/views.py``, with as many rows as fit."""
        columns = [[column.name, column.kind] for column in self.columns]
        rows = [list(row) for row in self.rows]
        while True:
            fields = {"columns": columns, "rows": rows, "count": self.row_count, "width": self.column_count}
            content = json.dumps(fields)
            if len(content) <= MAX_TABLE_CHARS or not rows:
                return content
            rows = rows[: len(rows) // 2]

    def as_csv(self) -> str:
        """Return the table for the model: the columns with their types, and the first rows as CSV."""
        columns = ", ".join(f"{_cut(column.name)} ({column.dtype})" for column in self.columns)
        rows = self.rows[:MAX_MODEL_ROWS]
        if self.column_count > len(self.columns):
            columns += f" and {self.column_count - len(self.columns):,} more"
        if not rows:
            return f"Columns: {columns or 'none'}"
        file = io.StringIO()
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow([_cut(column.name) for column in self.columns])
        writer.writerows([[_cut(cell) for cell in row] for row in rows])
        part = "All rows" if self.row_count == len(rows) else f"The first {_count(len(rows), 'row')}"
        return f"Columns: {columns}\n{part} as CSV:\n{file.getvalue()}".rstrip("\n")

    def shape(self) -> str:
        """Return for example "2 rows and 1 column"."""
        return f"{_count(self.row_count, 'row')} and {_count(self.column_count, 'column')}"


def _count(count: int, noun: str) -> str:
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def _cut(cell: Cell) -> Cell:
    return _text(cell, MAX_MODEL_CELL_CHARS) if isinstance(cell, str) else cell


def is_table(value: Any) -> bool:
    """Return whether this is a DataFrame or Series of pandas, or a table that Arrow can read."""
    return _is_pandas(value) or hasattr(type(value), "__arrow_c_stream__")


def _is_pandas(value: Any) -> bool:
    return any(
        base.__name__ in ("DataFrame", "Series") and str(base.__module__).partition(".")[0] == "pandas"
        for base in type(value).__mro__
    )


def read_table(table: Any, max_rows: int = MAX_ROWS) -> Table:
    """Return the first rows and columns; a pandas index with a name or other than integers comes first."""
    read = _read_pandas if _is_pandas(table) else _read_arrow
    columns, row_count, column_count = read(table, max_rows)
    names = _unique([column.name for column in columns])
    cell_count = sum(len(column.values) for column in columns)
    max_chars = max(MIN_CELL_CHARS, min(MAX_CELL_CHARS, MAX_TABLE_CHARS // max(1, cell_count)))
    converted = [_convert(column.values, max_chars) for column in columns]
    rows = list(zip(*(cells for _, cells in converted), strict=True))
    described = [
        Column(name, column.dtype, kind)
        for name, column, (kind, _) in zip(names, columns, converted, strict=True)
    ]
    return Table(described, rows, row_count, column_count)


class _RawColumn(NamedTuple):
    name: str
    dtype: str
    values: list[Any]


def _read_pandas(table: Any, max_rows: int) -> tuple[list[_RawColumn], int, int]:
    frame = table.to_frame() if hasattr(table, "to_frame") else table
    row_count, column_count = frame.shape
    head = frame.iloc[:max_rows, :MAX_COLUMNS]
    columns: list[_RawColumn] = []
    if frame.index.nlevels > 1 or frame.index.name is not None or frame.index.dtype.kind not in "iu":
        for level in range(frame.index.nlevels):
            values = head.index.get_level_values(level)
            name = values.name if values.name is not None else "index"
            columns.append(_RawColumn(_text(name, MAX_CELL_CHARS), str(values.dtype), values.tolist()))
            column_count += 1
    for position, label in enumerate(head.columns):
        name = " / ".join(map(str, label)) if isinstance(label, tuple) else label
        values = head.iloc[:, position]
        columns.append(_RawColumn(_text(name, MAX_CELL_CHARS), str(values.dtype), values.tolist()))
    return columns[:MAX_COLUMNS], row_count, column_count


def _read_arrow(table: Any, max_rows: int) -> tuple[list[_RawColumn], int, int]:
    import pyarrow  # type: ignore[import-untyped]

    whole: Any = pyarrow.table(table)
    head = whole.slice(0, max_rows)
    columns = [
        _RawColumn(_text(field.name, MAX_CELL_CHARS), str(field.type), head.column(position).to_pylist())
        for position, field in enumerate(islice(whole.schema, MAX_COLUMNS))
    ]
    return columns, whole.num_rows, whole.num_columns


def _unique(names: list[str]) -> list[str]:
    """Return the names; a repeated one gets a number."""
    used, seen = set(names), Counter[str]()
    result = []
    for name in names:
        seen[name] += 1
        unique = name
        while seen[name] > 1 and unique in used:
            unique = f"{name} ({seen[name]})"
            seen[name] += unique in used
        used.add(unique)
        result.append(unique)
    return result


# --- cells ------------------------------------------------------------------------------------------


def _convert(values: list[Any], max_chars: int) -> tuple[ColumnKind, list[Cell]]:
    """Return the kind of a column and its cells; a column of mixed kinds becomes text."""
    values = [_python_value(value) for value in values]
    kinds = {_kind(value) for value in values if value is not None}
    kind: ColumnKind = kinds.pop() if len(kinds) == 1 else "text"
    if kind == "text":
        return kind, [None if value is None else _text(value, max_chars) for value in values]
    return kind, [value.isoformat() if isinstance(value, date) else _json_value(value) for value in values]


def _python_value(value: Any) -> Any:
    """Return the value as a Python number, date or string if it is one, and None for a missing value."""
    if value is None or type(value).__name__ in ("NAType", "NaTType"):
        return None
    if isinstance(value, bool | str | datetime | date):
        return value
    if isinstance(value, numbers.Integral):
        return int(value) if abs(int(value)) < 2**53 else str(int(value))  # JavaScript is exact below 2**53
    if isinstance(value, numbers.Real | Decimal):
        return None if math.isnan(value) else float(value)
    return value


def _kind(value: Any) -> ColumnKind:
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


def _json_value(value: Any) -> Any:
    """Return infinity as "inf" or "-inf", because JSON has none."""
    return str(value) if isinstance(value, float) and math.isinf(value) else value


def _text(value: Any, max_chars: int) -> str:
    try:
        text = value if isinstance(value, str) else str(value)
    except Exception:  # ``__str__`` of any object can fail
        text = f"<{type(value).__name__}>"
    return replace_surrogates(shorten(text, max_chars))
