"""Calls run in parallel, and every call ends in a result.

Functions that must not return wait at the ``gate``, which opens at the end of the test.
"""

import json
import logging
import math
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from enum import Enum
from typing import Annotated, Any

import pytest
from pydantic import BaseModel, Field, field_validator

from assistant import Tool, Toolbox, ToolError, progress, tool
from assistant.events import ToolCall, ToolProgress, ToolResult
from assistant.tools.execution import execute, run_tool
from assistant.tools.results import (
    MAX_OUTPUT_CHARS,
    error_output,
    is_error_output,
    stopped_result,
    timeout_result,
    to_output,
)

PATIENCE = 10.0
"""Upper limit in seconds for what takes almost no time."""


@pytest.fixture
def gate() -> Iterator[threading.Event]:
    gate = threading.Event()
    yield gate
    gate.set()


@tool
def double(number: int) -> int:
    """Double a number."""
    return number * 2


@tool
def count(items: list[int]) -> int:
    """Count."""
    return len(items)


def call(name: str, arguments: str = "{}", call_id: str = "c1") -> ToolCall:
    return ToolCall(call_id, name, arguments)


def returning(value: Any) -> Tool[..., Any]:
    """Return a function that returns this value."""

    @tool
    def give() -> Any:
        return value

    return give


def raising(error: BaseException) -> Tool[..., Any]:
    """Return a function that raises this error."""

    @tool
    def fail() -> None:
        raise error

    return fail


def waiting(gate: threading.Event, timeout: float | None = None) -> Tool[..., Any]:
    """Return a function that returns when the test is over."""

    @tool(timeout=timeout)
    def wait() -> str:
        gate.wait(PATIENCE)
        return "too late"

    return wait


def ran(*calls: ToolCall, tools: tuple[Tool[..., Any], ...] = (double,)) -> list[ToolResult]:
    return [each for each in execute(calls, Toolbox(*tools), PATIENCE) if isinstance(each, ToolResult)]


def failed(name: str, detail: str) -> ToolResult:
    """Return the result of a function that raised an exception."""
    text = f"The function '{name}' failed. It may work with other arguments, or not at all."
    return ToolResult("c1", json.dumps({"error": text}), "failed", detail)


def invalid(text: str) -> ToolResult:
    return ToolResult("c1", json.dumps({"error": text}, ensure_ascii=False), "invalid")


# --- side by side -----------------------------------------------------------------------------------


def test_no_calls_yield_no_results() -> None:
    assert ran() == []


def test_one_call_yields_one_result_with_its_running_time() -> None:
    [result] = ran(call("double", '{"number": 21}'))
    assert result == ToolResult("c1", "42")
    assert result.seconds is not None
    assert result.seconds >= 0


def test_results_arrive_in_order_of_completion() -> None:
    turns = [threading.Event() for _ in range(3)]

    @tool
    def take_turn(number: int) -> int:
        assert turns[number].wait(PATIENCE)
        return number

    calls = [call("take_turn", f'{{"number": {number}}}', f"c{number}") for number in range(3)]
    results = execute(calls, Toolbox(take_turn), PATIENCE)
    for number in (2, 0, 1):
        turns[number].set()
        assert next(results) == ToolResult(f"c{number}", str(number))
    assert list(results) == []


def test_two_hundred_calls_run_in_parallel() -> None:
    everybody = threading.Barrier(200)

    @tool
    def meet(number: int) -> int:
        everybody.wait(PATIENCE)
        return number

    calls = [call("meet", f'{{"number": {number}}}', f"c{number}") for number in range(200)]
    results = ran(*calls, tools=(meet,))
    assert sorted(results, key=lambda result: int(result.output)) == [
        ToolResult(f"c{number}", str(number)) for number in range(200)
    ]


def test_functions_run_on_daemon_threads() -> None:
    @tool
    def who() -> list[Any]:
        thread = threading.current_thread()
        return [thread.name, thread.daemon, thread is threading.main_thread()]

    assert ran(call("who"), tools=(who,)) == [ToolResult("c1", '["function who",true,false]')]


def test_two_calls_with_the_same_id_have_a_result_each(gate: threading.Event) -> None:
    same = [call("double", '{"number": 1}', "same"), call("double", '{"number": 2}', "same")]
    assert sorted(result.output for result in ran(*same)) == ["2", "4"]
    calls = [call("wait", call_id="same"), call("double", '{"number": 1}', "same")]
    results = ran(*calls, tools=(double, waiting(gate, timeout=0.01)))
    assert sorted(result.outcome for result in results) == ["done", "timeout"]


# --- time limits ------------------------------------------------------------------------------------


def test_a_function_that_does_not_return_times_out(gate: threading.Event) -> None:
    [result] = execute([call("wait")], Toolbox(waiting(gate)), 0.02)
    assert result == ToolResult(
        "c1", '{"error": "The function did not return within 0.02 seconds."}', "timeout"
    )
    assert result.seconds == 0.02


def test_a_timeout_does_not_end_the_other_calls(gate: threading.Event) -> None:
    given_up = threading.Event()

    @tool
    def slow() -> str:
        assert given_up.wait(PATIENCE)
        return "done"

    calls = [call("slow"), call("wait", call_id="c2")]
    results = execute(calls, Toolbox(slow, waiting(gate, timeout=0.01)), PATIENCE)
    assert next(results) == timeout_result("c2", 0.01)
    given_up.set()
    assert list(results) == [ToolResult("c1", "done")]


@pytest.mark.parametrize(("own", "general"), [(0.01, PATIENCE), (0.01, 1e300), (0.01, math.inf)])
def test_a_function_can_have_a_shorter_timeout_than_the_default(
    gate: threading.Event, own: float, general: float
) -> None:
    box = Toolbox(waiting(gate, timeout=own))
    assert list(execute([call("wait")], box, general)) == [timeout_result("c1", own)]


@pytest.mark.parametrize("own", [PATIENCE, 1e300, math.inf])
def test_a_function_can_have_a_longer_timeout_than_the_default(gate: threading.Event, own: float) -> None:
    @tool(timeout=own)
    def slow() -> str:
        assert gate.wait(PATIENCE)
        return "done"

    results = execute([call("slow"), call("wait", call_id="c2")], Toolbox(slow, waiting(gate)), 0.01)
    assert next(results) == timeout_result("c2", 0.01)
    gate.set()
    assert list(results) == [ToolResult("c1", "done")]


def test_many_functions_can_time_out_together(gate: threading.Event) -> None:
    calls = [call("wait", call_id=f"c{number}") for number in range(20)]
    results = list(execute(calls, Toolbox(waiting(gate)), 0.01))
    assert results == [timeout_result(f"c{number}", 0.01) for number in range(20)]


def test_a_result_within_the_limit_counts_even_if_it_is_read_later() -> None:
    landing = threading.Event()

    @tool(timeout=0.05)
    def late() -> str:
        assert landing.wait(PATIENCE)
        return "late"

    calls = [call("double", '{"number": 1}'), call("late", call_id="c2")]
    results = execute(calls, Toolbox(double, late), PATIENCE)
    assert next(results) == ToolResult("c1", "2")
    [thread] = [thread for thread in threading.enumerate() if thread.name == "function late"]
    landing.set()
    thread.join(PATIENCE)
    threading.Event().wait(0.06)  # the limit is over now
    assert list(results) == [ToolResult("c2", "late")]


def test_closing_returns_at_once_and_abandons_running_functions(gate: threading.Event) -> None:
    results = execute(
        [call("double", '{"number": 1}'), call("wait", call_id="c2")],
        Toolbox(double, waiting(gate)),
        PATIENCE,
    )
    assert next(results) == ToolResult("c1", "2")
    assert isinstance(results, Iterator)
    results.close()  # type: ignore[attr-defined]
    assert not gate.is_set()
    assert list(results) == []


# --- calls that cannot be run -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "tools", "text"),
    [
        ("look", (double, count), "There is no function 'look'. Available functions: double, count."),
        ("look", (), "There is no function 'look'. Available functions: none."),
        ("", (double,), "There is no function ''. Available functions: double."),
        ("Double", (double,), "There is no function 'Double'. Available functions: double."),
        ("\ud800", (double,), "There is no function '?'. Available functions: double."),
    ],
)
def test_an_unknown_function_results_in_the_available_names(
    name: str, tools: tuple[Tool[..., Any], ...], text: str
) -> None:
    assert ran(call(name), tools=tools) == [ToolResult("c1", json.dumps({"error": text}), "unknown")]


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        ("{", "EOF while parsing an object at line 1 column 1"),
        ('{"number": 1', "EOF while parsing an object at line 1 column 12"),
        ('{"number": 1}}', "trailing characters at line 1 column 14"),
        ("{'number': 1}", "key must be a string at line 1 column 2"),
        ('```json\n{"number": 1}\n```', "expected value at line 1 column 1"),
        ("\ufeff{}", "expected value at line 1 column 1"),
        ("\0", "expected value at line 1 column 1"),
        ("[" * 100_000, "recursion limit exceeded at line 1 column 202"),
        ('{"a":' * 100_000, "recursion limit exceeded at line 1 column 1006"),
        ('{"number": ' + "9" * 5000 + "}", "number out of range at line 1 column 4313"),
        ('{"number": "\\ud800"}', "unexpected end of hex escape at line 1 column 19"),
    ],
)
def test_arguments_that_are_not_json_result_in_the_reason(arguments: str, reason: str) -> None:
    text = f"The arguments are not valid JSON: {reason}."
    assert ran(call("double", arguments)) == [invalid(text)]


@pytest.mark.parametrize(
    ("arguments", "reasons"),
    [
        ("", "number: Field required"),
        ("  \n", "number: Field required"),
        ("null", "number: Field required"),
        ("{}", "number: Field required"),
        ("[]", "arguments: Input should be an object"),
        ("1", "arguments: Input should be an object"),
        ('"x"', "arguments: Input should be an object"),
        ("true", "arguments: Input should be an object"),
        ('{"number": null}', "number: Input should be a valid integer"),
        ('{"number": NaN}', "number: Input should be a finite number"),
        ('{"number": 1e400}', "number: Input should be a finite number"),
        (
            '{"number": "\ud800"}',
            "number: Input should be a valid integer, unable to parse string as an integer",
        ),
        ('{"number": 1, "数": 2}', "数: Extra inputs are not permitted"),
        ('{"Number": 1}', "number: Field required; Number: Extra inputs are not permitted"),
    ],
)
def test_invalid_arguments_result_in_every_mismatch(arguments: str, reasons: str) -> None:
    assert ran(call("double", arguments)) == [
        invalid(f"The arguments do not match the function's parameters. {reasons}.")
    ]


def test_a_mismatch_deep_inside_the_arguments_is_named_by_its_path() -> None:
    [result] = ran(call("count", '{"items": [1, "two", 3, null]}'), tools=(count,))
    assert result == invalid(
        "The arguments do not match the function's parameters. items.1: Input should be a valid integer, "
        "unable to parse string as an integer; items.3: Input should be a valid integer."
    )


def test_empty_arguments_are_enough_for_a_function_without_parameters() -> None:
    for arguments in ("", " ", "null", "{}"):
        assert ran(call("give", arguments), tools=(returning("done"),)) == [ToolResult("c1", "done")]


def test_thousands_of_mismatches_are_truncated_for_the_model_and_complete_for_the_user() -> None:
    [result] = ran(call("count", json.dumps({"items": ["x"] * 5000})), tools=(count,))
    assert result.outcome == "invalid"
    shown = json.loads(result.output)["error"]
    assert len(shown) < MAX_OUTPUT_CHARS + 200
    assert shown.startswith("The arguments do not match the function's parameters. items.0: ")
    assert result.detail.startswith(shown[:MAX_OUTPUT_CHARS])
    assert "items.4999: " in result.detail


# --- functions that fail ------------------------------------------------------------------------------


def test_the_model_reads_the_text_of_a_tool_error() -> None:
    result = ToolResult("c1", '{"error": "「京都」 is \\"full\\"."}', "failed")
    assert ran(call("fail"), tools=(raising(ToolError('「京都」 is "full".')),)) == [result]


def test_the_model_does_not_read_the_cause_of_a_tool_error() -> None:
    @tool
    def fail() -> None:
        try:
            raise ValueError("secret")
        except ValueError as error:
            raise ToolError("Try again.") from error

    assert ran(call("fail"), tools=(fail,)) == [ToolResult("c1", '{"error": "Try again."}', "failed")]


def test_a_very_long_tool_error_is_truncated() -> None:
    [result] = ran(call("fail"), tools=(raising(ToolError("x" * (MAX_OUTPUT_CHARS + 1))),))
    shown = json.loads(result.output)["error"]
    assert shown == "x" * MAX_OUTPUT_CHARS + ("\n[truncated: the first 40,000 of 40,001 characters]")
    assert result.detail == "x" * (MAX_OUTPUT_CHARS + 1)


class Unspeakable(Exception):
    def __str__(self) -> str:
        raise RuntimeError("no words")


@pytest.mark.parametrize(
    ("error", "detail"),
    [
        (ValueError("secret"), "ValueError: secret"),
        (KeyError("secret"), "KeyError: 'secret'"),
        (ZeroDivisionError(), "ZeroDivisionError"),
        (SystemExit(3), "SystemExit: 3"),
        (KeyboardInterrupt(), "KeyboardInterrupt"),
        (GeneratorExit(), "GeneratorExit"),
        (StopIteration(1), "StopIteration: 1"),
        (RecursionError("deep"), "RecursionError: deep"),
        (UnicodeError("\ud800"), "UnicodeError: ?"),
        (Unspeakable(), f"{__name__}.Unspeakable: <exception str() failed>"),
    ],
)
def test_only_the_user_sees_the_text_of_any_other_exception(error: BaseException, detail: str) -> None:
    assert ran(call("fail"), tools=(raising(error),)) == [failed("fail", detail)]


def test_errors_of_async_functions_are_treated_the_same() -> None:
    @tool
    async def fail(kind: str) -> None:
        raise {"told": ToolError("Told."), "quiet": ValueError("secret")}[kind]

    results = [ran(call("fail", json.dumps({"kind": kind})), tools=(fail,)) for kind in ("told", "quiet")]
    assert results == [
        [ToolResult("c1", '{"error": "Told."}', "failed")],
        [failed("fail", "ValueError: secret")],
    ]


class Picky(BaseModel):
    number: int

    @field_validator("number")
    @classmethod
    def check(cls, number: int) -> int:
        match number:
            case 0:
                raise ValueError("zero is no number")
            case 1:
                raise ToolError("One is too few.")
            case 2:
                raise LookupError("secret")
        return number


@pytest.mark.parametrize(
    ("number", "result"),
    [
        (
            0,
            invalid(
                "The arguments do not match the function's parameters. "
                "choice.number: Value error, zero is no number."
            ),
        ),
        (1, ToolResult("c1", '{"error": "One is too few."}', "failed")),
        (2, failed("pick", "LookupError: secret")),
        (3, ToolResult("c1", "3")),
    ],
)
def test_an_exception_in_a_validator_ends_in_a_result(number: int, result: ToolResult) -> None:
    @tool
    def pick(choice: Picky) -> int:
        return choice.number

    assert ran(call("pick", f'{{"choice": {{"number": {number}}}}}'), tools=(pick,)) == [result]


def test_an_impossible_constraint_ends_in_a_result() -> None:
    @tool
    def look(city: Annotated[str, Field(ge=3)]) -> str:
        return city

    [result] = ran(call("look", '{"city": "Oslo"}'), tools=(look,))
    assert result == failed("look", "TypeError: Unable to apply constraint 'ge' to supplied value Oslo")


def test_a_value_error_of_the_function_is_not_an_argument_error() -> None:
    @tool
    def parse(text: str) -> int:
        return int(text)

    assert ran(call("parse", '{"text": "x"}'), tools=(parse,)) == [
        failed("parse", "ValueError: invalid literal for int() with base 10: 'x'")
    ]


def test_a_failure_is_logged_with_its_traceback(caplog: pytest.LogCaptureFixture) -> None:
    error = ValueError("secret")
    ran(call("fail"), tools=(raising(error),))
    [record] = caplog.records
    assert (record.name, record.levelno) == ("assistant.tools.execution", logging.ERROR)
    assert record.getMessage() == "The function fail failed"
    assert record.exc_info is not None
    assert record.exc_info[1] is error


def test_tool_errors_and_invalid_arguments_are_not_logged(caplog: pytest.LogCaptureFixture) -> None:
    ran(call("fail"), tools=(raising(ToolError("Told.")),))
    ran(call("double", "{"), call("nothing", "{}", "c2"))
    assert caplog.records == []


# --- outputs ------------------------------------------------------------------------------------------


@dataclass
class Row:
    name: str
    day: date


class Page(BaseModel):
    rows: list[int]
    price: Decimal


class Colour(Enum):
    RED = "red"


class Plain:
    def __str__(self) -> str:
        return "plain"


def _numbers() -> Iterator[int]:
    yield 1
    yield 2


@pytest.mark.parametrize(
    ("value", "output"),
    [
        ("text", "text"),
        ("", ""),
        ('{"a": 1}', '{"a": 1}'),
        ("京都 🏨", "京都 🏨"),
        ("half \ud83d", "half ?"),
        (None, "null"),
        (True, "true"),
        (3, "3"),
        (1.5, "1.5"),
        (10**30, "1" + "0" * 30),
        (math.nan, '"NaN"'),
        ([math.nan, math.inf, -math.inf], '["NaN","Infinity","-Infinity"]'),
        ({"a": math.nan}, '{"a":"NaN"}'),
        ({"京都": ["🏨"]}, '{"京都":["🏨"]}'),
        (["half \ud83d", "京"], '["half \\ud83d", "\\u4eac"]'),
        ([], "[]"),
        ((1, 2), "[1,2]"),
        ({3}, "[3]"),
        (frozenset({3}), "[3]"),
        (b"bytes", '"bytes"'),
        (date(2030, 1, 2), '"2030-01-02"'),
        (Decimal("1.10"), '"1.10"'),
        (Decimal("NaN"), '"NaN"'),
        (Colour.RED, '"red"'),
        (Row("a", date(2030, 1, 2)), '{"name":"a","day":"2030-01-02"}'),
        ([Page(rows=[1], price=Decimal("2.50"))], '[{"rows":[1],"price":"2.50"}]'),
        ({1: "a", (2, 3): "b", date(2030, 1, 2): "c"}, '{"1":"a","2,3":"b","2030-01-02":"c"}'),
        (Plain(), '"plain"'),
        ([Plain()], '["plain"]'),
        (ValueError("text"), '"text"'),
    ],
)  # fmt: skip
def test_the_model_reads_strings_unchanged_and_other_values_as_json(value: Any, output: str) -> None:
    assert ran(call("give"), tools=(returning(value),)) == [ToolResult("c1", output)]


def test_a_generator_becomes_a_list_and_its_exception_a_failure() -> None:
    @tool
    def rows(last: int) -> Iterator[int]:
        yield from _numbers()
        if last:
            raise ToolError("No more.")

    assert ran(call("rows", '{"last": 0}'), tools=(rows,)) == [ToolResult("c1", "[1,2]")]
    assert ran(call("rows", '{"last": 1}'), tools=(rows,)) == [
        ToolResult("c1", '{"error": "No more."}', "failed")
    ]


class Dumb:
    def __str__(self) -> str:
        raise RuntimeError("no words")

    __repr__ = __str__


def _cycle() -> list[Any]:
    around: list[Any] = []
    around.append(around)
    return around


def _deep() -> list[Any]:
    deep: list[Any] = []
    for _ in range(10_000):
        deep = [deep]
    return deep


@pytest.mark.parametrize(
    ("value", "detail"),
    [
        (Dumb(), "RuntimeError: no words"),
        ([Dumb()], "RuntimeError: no words"),
        (_cycle(), "ValueError: Circular reference detected (id repeated)"),
        (_deep(), "ValueError: Maximum serialization depth exceeded"),
        (b"\xff", "UnicodeDecodeError: 'utf-8' codec can't decode byte 0xff in position 0: invalid utf-8"),
    ],
    ids=["object", "list", "cycle", "deep", "bytes"],
)
def test_a_value_that_cannot_be_converted_is_a_failure(value: Any, detail: str) -> None:
    assert ran(call("give"), tools=(returning(value),)) == [failed("give", detail)]


@pytest.mark.parametrize("output", ["x" * MAX_OUTPUT_CHARS, "🏨" * MAX_OUTPUT_CHARS])
def test_an_output_at_the_limit_is_not_truncated(output: str) -> None:
    assert ran(call("give"), tools=(returning(output),)) == [ToolResult("c1", output)]


@pytest.mark.parametrize("value", ["京" * 1_000_000, ["x" * 1_000_000]])
def test_a_longer_output_is_truncated_for_the_model_and_complete_for_the_user(value: Any) -> None:
    whole = to_output(value)
    note = f"\n[truncated: the first 40,000 of {len(whole):,} characters]"
    assert ran(call("give"), tools=(returning(value),)) == [
        ToolResult("c1", whole[:40_000] + note, detail=whole)
    ]


def test_all_texts_of_a_result_can_be_encoded() -> None:
    tools = (double, returning("\ud800"), raising(ToolError("\udfff")))
    for each in [call("\ud800"), call("give"), call("fail"), call("double", '{"\ud800": 1}')]:
        [result] = ran(each, tools=tools)
        assert (result.output + result.detail).encode()


# --- the texts themselves -------------------------------------------------------------------------------


def test_only_error_outputs_are_recognised_as_errors() -> None:
    assert is_error_output(error_output("Something."))
    assert is_error_output(stopped_result("c1").output)
    assert is_error_output(timeout_result("c1", 1).output)
    others = ["", "text", "null", "[]", '"error"', "{}", '{"error": 1}', '{"error": null}',
              '{"error": "x", "more": 1}', '{"Error": "x"}', '["error"]', "{", "[" * 100_000]  # fmt: skip
    assert [output for output in others if is_error_output(output)] == []


def test_an_interrupted_call_has_the_outcome_stopped() -> None:
    assert stopped_result("c1") == ToolResult(
        "c1", '{"error": "The answer was stopped or interrupted before this function returned."}', "stopped"
    )


@pytest.mark.parametrize(("seconds", "limit"), [(30.0, "30"), (0.5, "0.5"), (3600, "3600")])
def test_the_result_of_a_timeout_names_the_limit(seconds: float, limit: str) -> None:
    output = f'{{"error": "The function did not return within {limit} seconds."}}'
    assert timeout_result("c1", seconds) == ToolResult("c1", output, "timeout")


def test_run_tool_runs_a_call_on_the_same_thread() -> None:
    assert run_tool(call("double", '{"number": 4}'), Toolbox(double)) == ToolResult("c1", "8")


# --- how far they are -------------------------------------------------------------------------------


def test_the_latest_progress_of_each_running_function_is_yielded() -> None:
    gates = [threading.Event() for _ in range(2)]

    @tool
    def steps() -> str:
        """Go on step by step."""
        for number in range(10_000):
            progress(f"{number} of many")
        progress("half", 0.5)
        gates[0].wait(PATIENCE)
        progress("nearly", 0.9)
        gates[1].wait(PATIENCE)
        return "there"

    events: list[ToolProgress | ToolResult] = []
    for event in execute([call("steps")], Toolbox(steps), PATIENCE):
        if isinstance(event, ToolProgress) and event.text in ("half", "nearly"):
            gates[event.text == "nearly"].set()
            events.append(event)
        elif isinstance(event, ToolResult):
            events.append(event)
    assert events == [
        ToolProgress("c1", "half", 0.5),
        ToolProgress("c1", "nearly", 0.9),
        ToolResult("c1", "there"),
    ]


def test_a_function_that_timed_out_yields_no_more_progress() -> None:
    gate, reported, heard_last = threading.Event(), threading.Event(), threading.Event()

    @tool
    def late() -> str:
        """Come late."""
        gate.wait(PATIENCE)
        progress("too late")
        reported.set()
        return "late"

    @tool
    def last() -> str:
        """Come last."""
        assert reported.wait(PATIENCE)
        progress("here")
        assert heard_last.wait(PATIENCE)
        return "last"

    late.timeout = 0.01
    events = []
    for event in execute([call("late"), call("last", call_id="c2")], Toolbox(late, last), PATIENCE):
        events.append(event)
        gate.set()
        if isinstance(event, ToolProgress):
            heard_last.set()
    assert events == [timeout_result("c1", 0.01), ToolProgress("c2", "here"), ToolResult("c2", "last")]
