"""A function's output as short, valid Markdown under a heading."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from assistant.demo import phrases
from assistant.demo.calls import Call

MAX_ROWS, MAX_COLUMNS, MAX_TABLES, MAX_LINES = 8, 6, 3, 10
MAX_TEXT_CHARS, MAX_CELL_CHARS = 1_000, 120


def heading(call: Call, language: str) -> str:
    """Return a title for a trip planner's function, and the call for any other."""
    arguments = {name: value for name, value in call.arguments.items() if value is not None}
    try:
        values = {name: phrases.localize_city(language, _cell(value)) for name, value in arguments.items()}
        return f"**{phrases.TITLES[call.name][language].format_map(values)}**"
    except KeyError:  # another function, or the title's argument is missing
        written = (f"{name}={json.dumps(value, ensure_ascii=False)}" for name, value in arguments.items())
        return "`" + _cell(f"{call.name}({', '.join(written)})").replace("`", "'") + "`"


def describe_output(output: str, language: str) -> str:
    """Return an output as Markdown; of an error the first sentence, because the others address the model."""
    sentences = phrases.SENTENCES[language]
    value = parse_output(output)
    if isinstance(value, dict) and list(value) == ["error"]:
        error = _short(phrases.first_sentence(str(value["error"])), MAX_TEXT_CHARS)
        return sentences["failed"].format(error=error)
    return _markdown(value, sentences["more"]).strip() or sentences["empty"]


def parse_output(output: str) -> Any:
    """Return the value of a JSON output, else the output itself."""
    try:
        return json.loads(output)
    except (ValueError, RecursionError):
        return output


def _markdown(value: Any, more: str) -> str:
    if isinstance(value, dict):
        tables = [_table(item, more) for item in value.values() if _is_table(item)]
        lines = [f"**{_cell(key)}**: {_cell(item)}" for key, item in value.items() if not _is_table(item)]
        return "\n\n".join([_bullets(lines, more), *tables[:MAX_TABLES]])
    if _is_table(value):
        return _table(value, more)
    if isinstance(value, list):
        return _bullets([_cell(item) for item in value], more)
    if isinstance(value, str):
        text = _short(value, MAX_TEXT_CHARS)
        return text if "\n" not in text else f"````\n{text.replace('````', '')}\n````"
    return _cell(value)


def _is_table(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(item, dict) for item in value)


def _table(rows: Sequence[Mapping[str, Any]], more: str) -> str:
    columns = list(dict.fromkeys(key for row in rows[:MAX_ROWS] for key in row))[:MAX_COLUMNS]
    lines = [[_cell(column) for column in columns], ["---"] * len(columns)]
    lines += [[_cell(row.get(column)) for column in columns] for row in rows[:MAX_ROWS]]
    table = "\n".join(f"| {' | '.join(line)} |" for line in lines)
    return table if len(rows) <= MAX_ROWS else f"{table}\n\n{more.format(count=len(rows) - MAX_ROWS)}"


def _bullets(lines: Sequence[str], more: str) -> str:
    note = [more.format(count=len(lines) - MAX_LINES)] if len(lines) > MAX_LINES else []
    return "\n".join(f"- {line}" for line in [*lines[:MAX_LINES], *note])


def _cell(value: Any) -> str:
    """Return a value on one line, escaped for a table."""
    if isinstance(value, list) and not any(isinstance(item, dict | list) for item in value):
        value = ", ".join("–" if item is None else str(item) for item in value)
    text = (
        "–" if value is None else value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    )
    return _short(" ".join(text.split()), MAX_CELL_CHARS).replace("|", "\\|")


def _short(text: str, max_chars: int) -> str:
    return text if len(text) <= max_chars else text[: max_chars - 1] + "…"
