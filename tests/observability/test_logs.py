"""The log and the metrics of runs, which contain nothing of the conversation."""

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
from assistant.observability.logs import configure_logging, observe_run
from assistant.observability.metrics import BUCKET_SECONDS, MAX_LABELS, Histogram, Metrics, as_label
from tests.conftest import Connect, add
from tests.deploy.test_process import Start, interrupt, serve, start
from tests.servers.responses import ModelServer, call, calls, error, text

__all__ = ["start"]  # a fixture

SECRET = "canary"


@tool
def fail(why: str) -> str:
    """Fail.

    Args:
        why: The reason.
    """
    raise ToolError(why)


@tool(approval=True)
def careful() -> str:
    """Do something that needs approval."""
    return SECRET


@pytest.fixture
def assistant(server: ModelServer, connect_to: Connect) -> Assistant:
    return connect_to(server.url, add, fail, careful)


@pytest.fixture(autouse=True)
def logger() -> Iterator[logging.Logger]:
    """The logger of the package, restored after the test."""
    logger = logging.getLogger("assistant")
    handlers, level = logger.handlers[:], logger.level
    yield logger
    logger.handlers[:] = handlers
    logger.setLevel(level)


def lines(written: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in written.splitlines()]


def test_a_run_is_logged_when_it_starts_and_ends_and_for_each_function(
    server: ModelServer, assistant: Assistant, capsys: pytest.CaptureFixture[str]
) -> None:
    configure_logging("json")
    server.plays(
        calls(call("add", a=1, b=2), call("fail", why=SECRET), call(f"no_such_{SECRET}")),
        text(SECRET, SECRET),
    )
    thread, metrics = Thread(), Metrics()
    events = list(observe_run(assistant.run(thread, SECRET), thread, metrics, assistant.toolbox))
    assert events[-1] == RunCompleted()
    written = capsys.readouterr().err
    assert SECRET not in written
    assert thread.id
    assert thread.id not in written
    first, *functions, last = lines(written)
    for line in (first, *functions, last):
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", line.pop("time"))
        assert line.pop("level") == "info"
    run = first["run"]
    assert re.fullmatch("[0-9a-f]{8}", run)
    assert first == {"event": "run started", "run": run, "thread": ""}
    ids = {"run": run, "thread": last["thread"]}
    assert re.fullmatch("[0-9a-f]{8}", last["thread"])
    assert sorted(
        (line.pop("function"), line.pop("outcome"), line.pop("seconds") < 5) for line in functions
    ) == [
        ("add", "done", True),
        ("fail", "failed", True),
        ("unknown", "unknown", True),
    ]
    assert functions == [{"event": "function ended", **ids}] * 3
    assert 0 <= last.pop("first_text") <= last.pop("seconds") < 5
    assert last == {
        "event": "run ended", **ids, "ending": "completed", "rounds": 2, "input": 20, "output": 10,
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
def test_a_failure_is_counted_by_its_code(
    server: ModelServer, assistant: Assistant, caplog: pytest.LogCaptureFixture, code: str, kind: str
) -> None:
    caplog.set_level("INFO", "assistant")
    server.plays(error(400, code, SECRET))
    thread, metrics = Thread(), Metrics()
    list(observe_run(assistant.run(thread, "Hi"), thread, metrics, assistant.toolbox))
    fields = caplog.records[-1].__dict__["fields"]
    assert (fields["ending"], fields["reason"], "first_text" in fields) == ("failed", kind, False)
    assert (dict(metrics.runs), dict(metrics.failures)) == ({"failed": 1}, {kind: 1})


def test_a_pause_ends_a_run_and_the_decision_starts_another(
    server: ModelServer, assistant: Assistant, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "assistant")
    careful_call = call("careful")
    server.plays(calls(careful_call), text("Done."))
    thread, metrics = Thread(), Metrics()
    assert (
        list(observe_run(assistant.run(thread, "Hi"), thread, metrics, assistant.toolbox))[-1] == RunPaused()
    )
    decided = assistant.decide(thread, [CallApproved(careful_call["call_id"])])
    assert list(observe_run(decided, thread, metrics, assistant.toolbox))[-1] == RunCompleted()
    assert dict(metrics.runs) == {"paused": 1, "completed": 1}
    assert set(metrics.functions) == {("careful", "done")}
    ended = [record.__dict__["fields"] for record in caplog.records if record.getMessage() == "run ended"]
    assert [fields["ending"] for fields in ended] == ["paused", "completed"]
    assert ended[0]["run"] != ended[1]["run"]
    assert ended[0]["thread"] == ended[1]["thread"]


def test_an_invented_function_name_is_not_logged(
    server: ModelServer, assistant: Assistant, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "assistant")
    assistant.approve_all = True
    invented = [call("AdaLovelace"), call("Born-1815")]
    server.plays(calls(*invented), text("Done."))
    thread, metrics = Thread(), Metrics()
    assert (
        list(observe_run(assistant.run(thread, "Hi"), thread, metrics, assistant.toolbox))[-1] == RunPaused()
    )
    first, second = (item["call_id"] for item in invented)
    decided = assistant.decide(thread, [CallAnswered(first, "Yes."), CallDenied(second)])
    assert list(observe_run(decided, thread, metrics, assistant.toolbox))[-1] == RunCompleted()
    assert set(metrics.functions) == {("unknown", "done"), ("unknown", "denied")}
    assert "Lovelace" not in repr([record.__dict__ for record in caplog.records])


def test_a_closed_run_counts_as_stopped(
    server: ModelServer, assistant: Assistant, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "assistant")
    server.plays(text("One two three four"))
    thread, metrics = Thread(), Metrics()
    run = observe_run(assistant.run(thread, "Hi"), thread, metrics, assistant.toolbox)
    while not isinstance(next(run), TextDelta):
        assert metrics.running == 1
    run.close()
    assert (metrics.running, dict(metrics.runs)) == (0, {"stopped": 1})
    assert thread.messages[-1].ending is not None
    assert caplog.records[-1].__dict__["fields"]["reason"] == "closed"


def test_a_run_that_raises_counts_as_stopped(caplog: pytest.LogCaptureFixture) -> None:
    def broken() -> Iterator[Any]:
        yield from ()
        raise LookupError("Oh.")

    metrics = Metrics()
    with pytest.raises(LookupError):
        list(observe_run(broken(), Thread(), metrics, ()))  # type: ignore[arg-type]
    assert (metrics.running, dict(metrics.runs)) == (0, {"stopped": 1})


# --- the log ------------------------------------------------------------------------------------------


def test_by_default_only_warnings_are_logged(
    logger: logging.Logger, capsys: pytest.CaptureFixture[str]
) -> None:
    configure_logging("")
    logging.getLogger("assistant.x").info("not this")
    logging.getLogger("assistant.x").warning("but this")
    assert capsys.readouterr().err.endswith(" WARNING but this\n")


def test_a_text_line_contains_the_fields(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging("json")
    configure_logging("text")
    logging.getLogger("assistant.x").info("a %s", "thing", extra={"fields": {"run": "ab", "seconds": 0.5}})
    assert re.fullmatch(r"[-\d]+ [:,\d]+ INFO a thing run=ab seconds=0\.5\n", capsys.readouterr().err)


@pytest.mark.parametrize("kind", ["text", "json", ""])
def test_a_secret_is_removed_from_lines_and_tracebacks(capsys: pytest.CaptureFixture[str], kind: Any) -> None:
    configure_logging(kind, ["sk-canary", "", "sk-canary-longer"])
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


# --- metrics --------------------------------------------------------------------------------------


def test_a_histogram_counts_up_to_each_bound() -> None:
    histogram = Histogram()
    for seconds in (0.0, 0.05, 0.06, 59.0, 1e9):
        histogram.add(seconds)
    assert [count for _, count in histogram.buckets()] == [2, 3, 3, 3, 3, 3, 3, 3, 3, 4, 5]
    assert [bound for bound, _ in histogram.buckets()] == list(BUCKET_SECONDS)


def test_the_number_of_labels_is_limited() -> None:
    metrics = Metrics()
    for number in range(3 * MAX_LABELS):
        metrics.function_ended(f"function_{number}", "done", 0.1)
        metrics.run_started()
        metrics.run_ended("failed", f"kind_{number}", None, {})
    assert len(metrics.functions) == len(metrics.failures) == MAX_LABELS + 1
    assert metrics.failures["other"] == 2 * MAX_LABELS
    assert [as_label(text) for text in ("a_b-1.2", "a b", 'a"} 1', "", "é")] == ["a_b-1.2", *["other"] * 4]


# --- a real process -----------------------------------------------------------------------------------


@pytest.mark.exhaustive
def test_metrics_are_served_beside_those_of_streamlit(
    server: ModelServer, start: Start, tmp_path: Path
) -> None:
    process, page = serve(start, tmp_path, OPENAI_BASE_URL=server.url, ASSISTANT_LOG="json")
    session = page.open()
    server.plays(
        calls(call("calculate", expression="6*7")), text(SECRET), error(401, "invalid_api_key", SECRET)
    )
    page.say(session, f"{SECRET}?")
    page.say(session, "Again")
    values: dict[str, float] = {}
    deadline = time.monotonic() + 10
    while values.get('assistant_runs_total{ending="failed"}') is None and time.monotonic() < deadline:
        with page.asking("GET", "/_stcore/metrics") as connection:
            body = connection.getresponse().read().decode()
        rows = [line.rpartition(" ") for line in body.splitlines() if not line.startswith("#")]
        values = {name: float(value) for name, _, value in rows}
    assert body.endswith("# EOF\n")
    assert SECRET not in body
    assert "active_sessions" in values, "Streamlit's own"
    ours = {name: value for name, value in values.items() if name.startswith("assistant_")}
    assert ours['assistant_runs_total{ending="completed"}'] == 1
    assert ours['assistant_runs_total{ending="failed"}'] == 1
    assert ours['assistant_failures_total{kind="invalid_api_key"}'] == 1
    assert ours['assistant_tokens_total{direction="input"}'] == 20
    assert ours["assistant_running"] == 0
    assert ours["assistant_first_text_seconds_count"] == 1
    labels = 'function="calculate",outcome="done"'
    assert ours[f"assistant_function_seconds_count{{{labels}}}"] == 1
    assert ours['assistant_function_seconds_bucket{function="calculate",le="+Inf",outcome="done"}'] == 1
    assert "# TYPE assistant_function_seconds histogram\n# UNIT assistant_function_seconds seconds\n" in body
    with page.asking("GET", "/_stcore/metrics?families=assistant_runs") as connection:
        assert "active_sessions" not in connection.getresponse().read().decode()
    assert interrupt(process, tmp_path / "log") == 0
    log = (tmp_path / "log").read_text()
    assert SECRET not in log
    events = [line["event"] for line in lines("\n".join(re.findall(r"^\{.*\}$", log, re.MULTILINE)))]
    assert events == ["run started", "function ended", "run ended", "run started", "run ended"]
