"""A function's output as short Markdown, under its heading.

Not here: which outputs are told (``answers.py``).
The one rule: whatever the output, what is said of it is short and of the shape that Markdown needs.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from assistant.demo import phrases
from assistant.demo.calls import Call

ROWS, COLUMNS, TABLES, LINES = 8, 6, 3, 10
TEXT_LIMIT, CELL_LIMIT = 1_000, 120


def title(call: Call, language: str) -> str:
    """What an output is headed with: words for the trip planner's functions, the call for all others."""
    given = {name: value for name, value in call.arguments.items() if value is not None}
    try:
        spoken = {name: phrases.city_in(language, _cell(value)) for name, value in given.items()}
        return f"**{phrases.TITLES[call.name][language].format_map(spoken)}**"
    except KeyError:  # another function, or a call without the argument that the title names
        written = (f"{name}={json.dumps(value, ensure_ascii=False)}" for name, value in given.items())
        return "`" + _cell(f"{call.name}({', '.join(written)})").replace("`", "'") + "`"


def in_words(output: str, language: str) -> str:
    """What an output says; of an error its first sentence, because the others tell a model what to do."""
    say = phrases.SENTENCES[language]
    value = json_or_text(output)
    if isinstance(value, dict) and list(value) == ["error"]:
        return say["failed"].format(error=_short(phrases.first_sentence(str(value["error"])), TEXT_LIMIT))
    return _markdown(value, say["more"]).strip() or say["empty"]


def json_or_text(output: str) -> Any:
    """An output's value, where it is JSON, otherwise the output as it is."""
    try:
        return json.loads(output)
    except (ValueError, RecursionError):
        return output


def _markdown(value: Any, more: str) -> str:
    if isinstance(value, dict):
        tables = [_table(each, more) for each in value.values() if _is_table(each)]
        lines = [f"**{_cell(key)}**: {_cell(each)}" for key, each in value.items() if not _is_table(each)]
        return "\n\n".join([_bullets(lines, more), *tables[:TABLES]])
    if _is_table(value):
        return _table(value, more)
    if isinstance(value, list):
        return _bullets([_cell(each) for each in value], more)
    if isinstance(value, str):
        text = _short(value, TEXT_LIMIT)
        return text if "\n" not in text else f"````\n{text.replace('````', '')}\n````"
    return _cell(value)


def _is_table(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(each, dict) for each in value)


def _table(rows: Sequence[Mapping[str, Any]], more: str) -> str:
    columns = list(dict.fromkeys(key for row in rows[:ROWS] for key in row))[:COLUMNS]
    lines = [[_cell(column) for column in columns], ["---"] * len(columns)]
    lines += [[_cell(row.get(column)) for column in columns] for row in rows[:ROWS]]
    table = "\n".join(f"| {' | '.join(line)} |" for line in lines)
    return table if len(rows) <= ROWS else f"{table}\n\n{more.format(count=len(rows) - ROWS)}"


def _bullets(lines: Sequence[str], more: str) -> str:
    rest = [more.format(count=len(lines) - LINES)] if len(lines) > LINES else []
    return "\n".join(f"- {line}" for line in [*lines[:LINES], *rest])


def _cell(value: Any) -> str:
    """A value on one line, fit for a table."""
    if isinstance(value, list) and not any(isinstance(each, dict | list) for each in value):
        value = ", ".join("–" if each is None else str(each) for each in value)
    text = (
        "–" if value is None else value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    )
    return _short(" ".join(text.split()), CELL_LIMIT).replace("|", "\\|")


def _short(text: str, limit: int) -> str:
    return text if len(text) <= limit else text[: limit - 1] + "…"
