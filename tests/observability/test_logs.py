"""What the log tells of runs, what they are counted as, and that nothing that was said is among it."""

import json
import logging
import math
import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from assistant import Assistant, Thread, ToolError, tool
from assistant.events import CallAnswered, CallApproved, CallDenied, RunCompleted, RunPaused, TextDelta
from assistant.observability.logs import begin_logging, measured
from assistant.observability.metrics import BOUNDS, MOST_LABELS, Histogram, Metrics, label
from tests.conftest import Connect, add
from tests.deploy.test_process import Start, interrupt, serve, start
from tests.servers.responses import ModelServer, call, calls, error, text

__all__ = ["start"]  # a fixture

SAID = "canary"


@tool
def fail(why: str) -> str:
    """Fail.

    Args:
        why: The reason.
    """
    raise ToolError(why)


@tool(approval=True)
def careful() -> str:
    """Do something that a person is asked about first."""
    return SAID


@pytest.fixture
def assistant(server: ModelServer, connect_to: Connect) -> Assistant:
    return connect_to(server.url, add, fail, careful)


@pytest.fixture(autouse=True)
def logger() -> Iterator[logging.Logger]:
    """Our logger, which is left as it was."""
    ours = logging.getLogger("assistant")
    handlers, level = ours.handlers[:], ours.level
    yield ours
    ours.handlers[:] = handlers
    ours.setLevel(level)


def lines(written: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in written.splitlines()]


def test_a_run_with_calls_is_a_line_for_each_function_and_for_its_ends(
    server: ModelServer, assistant: Assistant, capsys: pytest.CaptureFixture[str]
) -> None:
    begin_logging("json")
    server.plays(
        calls(call("add", a=1, b=2), call("fail", why=SAID), call(f"no_such_{SAID}")), text(SAID, SAID)
    )
    thread, metrics = Thread(), Metrics()
    events = list(measured(assistant.run(thread, SAID), thread, metrics, assistant.toolbox))
    assert events[-1] == RunCompleted()
    written = capsys.readouterr().err
    assert SAID not in written
    assert thread.id
    assert thread.id not in written
    first, *functions, last = lines(written)
    for line in (first, *functions, last):
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", line.pop("time"))
        assert line.pop("level") == "info"
    run = first["run"]
    assert re.fullmatch("[0-9a-f]{8}", run)
    assert first == {"event": "run begun", "run": run, "thread": ""}
    about = {"run": run, "thread": last["thread"]}
    assert re.fullmatch("[0-9a-f]{8}", last["thread"])
    assert sorted(
        (line.pop("function"), line.pop("outcome"), line.pop("seconds") < 5) for line in functions
    ) == [
        ("add", "done", True),
        ("fail", "failed", True),
        ("unknown", "unknown", True),
    ]
    assert functions == [{"event": "function ended", **about}] * 3
    assert 0 <= last.pop("first_text") <= last.pop("seconds") < 5
    assert last == {
        "event": "run ended", **about, "ending": "completed", "rounds": 2, "input": 20, "output": 10,
    }  # fmt: skip
    assert (metrics.running, dict(metrics.runs), dict(metrics.failures), dict(metrics.tokens)) == (
        0,
        {"completed": 1},
        {},
        {"input": 20, "output": 10},
    )
    assert metrics.first_text.buckets()[-1] == (math.inf, 1)
    assert set(metrics.functions) == {("add", "done"), ("fail", "failed"), ("unknown", "unknown")}


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        ("rate_limit_exceeded", "rate_limit_exceeded"),
        ("some words of a server", "other"),
        ("x" * 65, "other"),
    ],
)
def test_a_failure_is_told_by_its_kind(
    server: ModelServer, assistant: Assistant, caplog: pytest.LogCaptureFixture, code: str, kind: str
) -> None:
    caplog.set_level("INFO", "assistant")
    server.plays(error(400, code, SAID))
    thread, metrics = Thread(), Metrics()
    list(measured(assistant.run(thread, "Hi"), thread, metrics, assistant.toolbox))
    told = caplog.records[-1].__dict__["fields"]
    assert (told["ending"], told["why"], "first_text" in told) == ("failed", kind, False)
    assert (dict(metrics.runs), dict(metrics.failures)) == ({"failed": 1}, {kind: 1})


def test_a_pause_is_an_end_and_what_comes_after_it_is_another_run(
    server: ModelServer, assistant: Assistant, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "assistant")
    asked = call("careful")
    server.plays(calls(asked), text("Done."))
    thread, metrics = Thread(), Metrics()
    assert list(measured(assistant.run(thread, "Hi"), thread, metrics, assistant.toolbox))[-1] == RunPaused()
    decided = assistant.decide(thread, [CallApproved(asked["call_id"])])
    assert list(measured(decided, thread, metrics, assistant.toolbox))[-1] == RunCompleted()
    assert dict(metrics.runs) == {"paused": 1, "completed": 1}
    assert set(metrics.functions) == {("careful", "done")}
    told = [record.__dict__["fields"] for record in caplog.records if record.getMessage() == "run ended"]
    assert [each["ending"] for each in told] == ["paused", "completed"]
    assert told[0]["run"] != told[1]["run"]
    assert told[0]["thread"] == told[1]["thread"]


def test_a_name_that_somebody_made_up_is_told_nowhere(
    server: ModelServer, assistant: Assistant, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "assistant")
    assistant.approve_all = True
    made_up = [call("AdaLovelace"), call("Born-1815")]
    server.plays(calls(*made_up), text("Done."))
    thread, metrics = Thread(), Metrics()
    assert list(measured(assistant.run(thread, "Hi"), thread, metrics, assistant.toolbox))[-1] == RunPaused()
    first, second = (each["call_id"] for each in made_up)
    decided = assistant.decide(thread, [CallAnswered(first, "Yes."), CallDenied(second)])
    assert list(measured(decided, thread, metrics, assistant.toolbox))[-1] == RunCompleted()
    assert set(metrics.functions) == {("unknown", "done"), ("unknown", "denied")}
    assert "Lovelace" not in repr([record.__dict__ for record in caplog.records])


def test_a_run_that_is_closed_was_stopped_and_is_closed_itself(
    server: ModelServer, assistant: Assistant, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "assistant")
    server.plays(text("One two three four"))
    thread, metrics = Thread(), Metrics()
    run = measured(assistant.run(thread, "Hi"), thread, metrics, assistant.toolbox)
    while not isinstance(next(run), TextDelta):
        assert metrics.running == 1
    run.close()
    assert (metrics.running, dict(metrics.runs)) == (0, {"stopped": 1})
    assert thread.messages[-1].ending is not None
    assert caplog.records[-1].__dict__["fields"]["why"] == "closed"


def test_a_run_that_breaks_is_told_as_far_as_it_came(caplog: pytest.LogCaptureFixture) -> None:
    def broken() -> Iterator[Any]:
        yield from ()
        raise LookupError("Oh.")

    metrics = Metrics()
    with pytest.raises(LookupError):
        list(measured(broken(), Thread(), metrics, ()))  # type: ignore[arg-type]
    assert (metrics.running, dict(metrics.runs)) == (0, {"stopped": 1})


# --- the log ------------------------------------------------------------------------------------------


def test_by_itself_the_log_has_warnings_alone(
    logger: logging.Logger, capsys: pytest.CaptureFixture[str]
) -> None:
    begin_logging("")
    logging.getLogger("assistant.x").info("not this")
    logging.getLogger("assistant.x").warning("but this")
    assert capsys.readouterr().err.endswith(" WARNING but this\n")


def test_a_line_of_text_names_what_it_is_about(capsys: pytest.CaptureFixture[str]) -> None:
    begin_logging("json")
    begin_logging("text")
    logging.getLogger("assistant.x").info("a %s", "thing", extra={"fields": {"run": "ab", "seconds": 0.5}})
    assert re.fullmatch(r"[-\d]+ [:,\d]+ INFO a thing run=ab seconds=0\.5\n", capsys.readouterr().err)


@pytest.mark.parametrize("kind", ["text", "json", ""])
def test_a_secret_is_removed_from_every_line_also_from_a_traceback(
    capsys: pytest.CaptureFixture[str], kind: Any
) -> None:
    begin_logging(kind, ["sk-canary", "", "sk-canary-longer"])
    error = LookupError("it is sk-canary-longer\nand sk-canary")
    try:
        raise error
    except LookupError:
        logging.getLogger("assistant.x").exception(
            "with %s", "sk-canary", extra={"fields": {"a": "sk-canary"}}
        )
    written = capsys.readouterr().err
    assert "canary" not in written
    assert "longer" not in written
    assert written.count("[removed]") == 4
    if kind == "json":
        [line] = lines(written)
        assert line["exception"].endswith("LookupError: it is [removed]\nand [removed]")


# --- the numbers --------------------------------------------------------------------------------------


def test_a_histogram_counts_up_to_each_bound() -> None:
    histogram = Histogram()
    for seconds in (0.0, 0.05, 0.06, 59.0, 1e9):
        histogram.add(seconds)
    assert [count for _, count in histogram.buckets()] == [2, 3, 3, 3, 3, 3, 3, 3, 3, 4, 5]
    assert [bound for bound, _ in histogram.buckets()] == list(BOUNDS)


def test_labels_are_few_whatever_servers_and_models_make_up() -> None:
    metrics = Metrics()
    for number in range(3 * MOST_LABELS):
        metrics.function(f"function_{number}", "done", 0.1)
        metrics.begin()
        metrics.end("failed", f"kind_{number}", None, {})
    assert len(metrics.functions) == len(metrics.failures) == MOST_LABELS + 1
    assert metrics.failures["other"] == 2 * MOST_LABELS
    assert [label(each) for each in ("a_b-1.2", "a b", 'a"} 1', "", "é")] == ["a_b-1.2", *["other"] * 4]


# --- a real process -----------------------------------------------------------------------------------


@pytest.mark.exhaustive
def test_a_server_tells_its_runs_beside_streamlits_own_numbers(
    server: ModelServer, start: Start, tmp_path: Path
) -> None:
    process, page = serve(start, tmp_path, OPENAI_BASE_URL=server.url, ASSISTANT_LOG="json")
    session = page.open()
    server.plays(calls(call("calculate", expression="6*7")), text(SAID), error(401, "invalid_api_key", SAID))
    page.say(session, f"{SAID}?")
    page.say(session, "Again")
    told: dict[str, float] = {}
    deadline = time.monotonic() + 10
    while told.get('assistant_runs_total{ending="failed"}') is None and time.monotonic() < deadline:
        with page.asking("GET", "/_stcore/metrics") as connection:
            answer = connection.getresponse().read().decode()
        rows = [line.rpartition(" ") for line in answer.splitlines() if not line.startswith("#")]
        told = {name: float(value) for name, _, value in rows}
    assert answer.endswith("# EOF\n")
    assert SAID not in answer
    assert "active_sessions" in told, "Streamlit's own"
    ours = {name: value for name, value in told.items() if name.startswith("assistant_")}
    assert ours['assistant_runs_total{ending="completed"}'] == 1
    assert ours['assistant_runs_total{ending="failed"}'] == 1
    assert ours['assistant_failures_total{kind="invalid_api_key"}'] == 1
    assert ours['assistant_tokens_total{direction="input"}'] == 20
    assert ours["assistant_running"] == 0
    assert ours["assistant_first_text_seconds_count"] == 1
    labels = 'function="calculate",outcome="done"'
    assert ours[f"assistant_function_seconds_count{{{labels}}}"] == 1
    assert ours['assistant_function_seconds_bucket{function="calculate",le="+Inf",outcome="done"}'] == 1
    assert (
        "# TYPE assistant_function_seconds histogram\n# UNIT assistant_function_seconds seconds\n" in answer
    )
    with page.asking("GET", "/_stcore/metrics?families=assistant_runs") as connection:
        assert "active_sessions" not in connection.getresponse().read().decode()
    assert interrupt(process, tmp_path / "log") == 0
    log = (tmp_path / "log").read_text()
    assert SAID not in log
    events = [line["event"] for line in lines("\n".join(re.findall(r"^\{.*\}$", log, re.MULTILINE)))]
    assert events == ["run begun", "function ended", "run ended", "run begun", "run ended"]
