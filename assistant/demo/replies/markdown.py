"""Put the result of any function into valid Markdown: text, a list or a table."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

MAX_ROWS, MAX_COLUMNS, MAX_TABLES, MAX_LINES = 8, 6, 3, 10
MAX_TEXT_CHARS, MAX_CELL_CHARS = 1_000, 120


def markdown(value: Any, more: str) -> str:
    """Return a value as Markdown; ``more`` says how many rows or lines are left out."""
    if isinstance(value, dict):
        tables = [table(item, more) for item in value.values() if is_table(item)]
        lines = [f"**{_heading(key)}**: {cell(item)}" for key, item in value.items() if not is_table(item)]
        return "\n\n".join([_bullets(lines, more), *tables[:MAX_TABLES]])
    if is_table(value):
        return table(value, more)
    if isinstance(value, list):
        return _bullets([cell(item) for item in value], more)
    if isinstance(value, str):
        text = short(value, MAX_TEXT_CHARS)
        return text if "\n" not in text else f"````\n{text.replace('````', '')}\n````"
    return cell(value)


def is_table(value: Any) -> bool:
    """Return whether a value is a list of objects."""
    return isinstance(value, list) and bool(value) and all(isinstance(item, dict) for item in value)


def table(rows: Sequence[Mapping[str, Any]], more: str) -> str:
    """Return the first rows and columns as a table; ``more`` says how many rows are left out."""
    columns = list(dict.fromkeys(key for row in rows[:MAX_ROWS] for key in row))[:MAX_COLUMNS]
    lines = [[_heading(column) for column in columns], ["---"] * len(columns)]
    lines += [[cell(row.get(column)) for column in columns] for row in rows[:MAX_ROWS]]
    text = "\n".join(f"| {' | '.join(line)} |" for line in lines)
    return text if len(rows) <= MAX_ROWS else f"{text}\n\n{more.format(count=len(rows) - MAX_ROWS)}"


def _bullets(lines: Sequence[str], more: str) -> str:
    note = [more.format(count=len(lines) - MAX_LINES)] if len(lines) > MAX_LINES else []
    return "\n".join(f"- {line}" for line in [*lines[:MAX_LINES], *note])


def _heading(key: str) -> str:
    """Return the key of a result as a heading."""
    words = cell(key).replace("_", " ").strip()
    return words[:1].upper() + words[1:]


def cell(value: Any) -> str:
    """Return a value on one line, escaped for a table."""
    if isinstance(value, list) and not any(isinstance(item, dict | list) for item in value):
        value = ", ".join("–" if item is None else str(item) for item in value)
    text = (
        "–" if value is None else value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    )
    return short(" ".join(text.split()), MAX_CELL_CHARS).replace("|", "\\|")


def short(text: str, max_chars: int) -> str:
    """Return a text, cut to this length."""
    return text if len(text) <= max_chars else text[: max_chars - 1] + "…"
