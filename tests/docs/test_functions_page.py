"""The page about functions: its tables, and every function of its gallery."""

import json
import socket
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import date, datetime, time
from enum import Enum
from pathlib import Path
from typing import Annotated, Any, Literal, get_args
from uuid import UUID

import pytest
from pydantic import BaseModel, Field

from assistant import Tool, Toolbox, tool
from assistant import events as events
from assistant.events import ToolCall
from assistant.tools.execution import run_tool
from assistant.tools.lint import lint
from tests.docs.pages import Snippet, codes, rows, snippets
from tests.servers.loopback import LoopbackServer, QuietHandler


def test_the_table_of_outcomes_is_complete() -> None:
    assert [codes(name)[0] for name, _ in rows("functions.md", "Results")] == list(get_args(events.Outcome))


class Color(Enum):
    RED = "red"


@dataclass
class Point:
    x: float


class Place(BaseModel):
    name: str


NAMES: dict[str, Any] = {
    "Any": Any,
    "Annotated": Annotated,
    "Field": Field,
    "Literal": Literal,
    "Enum": Color,
    "UUID": UUID,
    "date": date,
    "datetime": datetime,
    "time": time,
    "Point": Point,
    "Place": Place,
}


def test_the_table_of_types_tells_which_are_strict() -> None:
    count = 0
    for types, strict in rows("functions.md", "Types"):
        extra = ["Point", "Place"] if "dataclass" in types else []
        for annotation in [*codes(types), *extra]:

            def function(value: Any) -> None: ...

            function.__annotations__["value"] = eval(annotation, NAMES)
            assert tool(function).strict == (strict == "yes"), annotation
            count += 1
    assert count == 19


@dataclass(frozen=True)
class Example:
    """A call of a function in the gallery, with its expected output and outcome."""

    arguments: str
    output: object
    outcome: str = "done"


class EncyclopediaHandler(QuietHandler):
    def do_GET(self) -> None:
        if self.path == "/AC%2FDC":
            self._send(200, {"title": "AC/DC", "extract": "A band.", "more": 1})
        else:
            self._send(404, {})


@pytest.fixture
def address() -> Iterator[str]:
    """Serve an encyclopedia with one article, and return its URL."""
    with LoopbackServer(EncyclopediaHandler) as server:
        yield f"{server.url}/"


GALLERY = [item for item in snippets() if item.page == "functions.md"][-7:]

EXAMPLES = {
    "find_orders": [
        Example(
            '{"customer": "ADA@example.org", "status": null}',
            [{"number": "2", "placed": "2026-11-02", "status": "open", "total": 5.0}],
        ),
        Example('{"customer": "x\' OR 1=1 --", "status": null}', []),
        Example('{"customer": "ada@example.org", "status": "lost"}', "status", "invalid"),
    ],
    "look_up": [
        Example('{"topic": "AC/DC"}', {"title": "AC/DC", "extract": "A band."}),
        Example('{"topic": "../secrets"}', "There is no article called '../secrets'", "failed"),
    ],
    "read_note": [
        Example('{"name": "trip"}', "Oslo!"),
        Example('{"name": "../secret"}', "There is no note '../secret'. Available notes: trip.", "failed"),
        Example('{"name": "/etc/passwd"}', "Available notes: trip.", "failed"),
    ],
    "add_task": [
        Example('{"title": "Pack", "due": "2026-12-01"}', "The task is on the list."),
        Example('{"title": "Pack", "due": "soon"}', "due", "invalid"),
    ],
    "split_bill": [
        Example(
            '{"items": [{"name": "Pizza", "price": 12, "shared_by": ["Ada", "Bo"]},'
            ' {"name": "Tea", "price": 3, "shared_by": ["Bo"]}], "tip_percent": 10}',
            {"Ada": 6.6, "Bo": 9.9},
        ),
        Example('{"items": [], "tip_percent": null}', "items", "invalid"),
        Example(
            '{"items": [{"name": "Tea", "price": 3, "shared_by": []}]}', "No one shares 'Tea'.", "failed"
        ),
    ],
    "check_services": [
        Example('{"names": ["shop", "mail"]}', {"shop": True, "mail": False}),
        Example('{"names": []}', {}),
        Example('{"names": ["localhost:22"]}', "names", "invalid"),
    ],
    "plan_savings": [
        Example('{"monthly": 100, "years": 2, "percent": 0}', "After 2 years: 2400.00"),
        Example('{"monthly": 100, "years": 51}', "years", "invalid"),
    ],
}


def prepare(module: Any, address: str) -> None:
    """Create the files, database and services that the functions of the gallery use."""
    match module:
        case object(DATABASE=str()):
            with closing(sqlite3.connect(module.DATABASE)) as database, database:
                database.execute("CREATE TABLE orders (number, placed, status, total, customer)")
                orders = [("1", "2026-11-01", "open", 1.0, "bo@example.org")]
                orders += [("2", "2026-11-02", "open", 5.0, "ada@example.org")]
                database.executemany("INSERT INTO orders VALUES (?, ?, ?, ?, ?)", orders)
        case object(WIKIPEDIA=str()):
            module.WIKIPEDIA = address
        case object(NOTES=Path()):
            module.NOTES.mkdir()
            (module.NOTES / "trip.md").write_text("Oslo!")
            Path("secret.md").write_text("Secret.")
        case object(SERVICES=dict()):
            port = int(address.rpartition(":")[2].strip("/"))
            with socket.socket() as free:
                free.bind(("127.0.0.1", 0))
                module.SERVICES |= {"shop": ("127.0.0.1", port), "mail": free.getsockname()}


@pytest.mark.parametrize("snippet", GALLERY, ids=lambda item: item.heading)
def test_a_function_of_the_gallery_is_strict_and_returns_the_expected_results(
    snippet: Snippet, run_snippet: Callable[[Snippet], Any], address: str
) -> None:
    example_module = run_snippet(snippet)
    prepare(example_module, address)
    [function] = [value for value in vars(example_module).values() if isinstance(value, Tool)]
    toolbox = Toolbox(function)
    assert (function.strict, lint(toolbox)) == (True, [])
    assert function.approval == ("after asking" in snippet.heading)
    for example in EXAMPLES[function.name]:
        result = run_tool(ToolCall("call_1", function.name, example.arguments), toolbox)
        assert result.outcome == example.outcome, result
        if example.outcome == "done" and not isinstance(example.output, str):
            assert json.loads(result.output) == example.output
        else:
            assert str(example.output) in result.output
        assert "Secret." not in result.output
