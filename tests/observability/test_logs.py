"""The log and the metrics of runs, which contain nothing of the conversation."""

import json
import logging
import re
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.error import URLError

import pytest

from assistant import Assistant, Thread, Toolbox, ToolError, tool
from assistant.application import Application
from assistant.events import (
    CallAnswered,
    CallApproved,
    CallDenied,
    RunCompleted,
    RunPaused,
    TextDelta,
    ToolCall,
)
from assistant.observability.logs import configure_logging, observe_run
from assistant.observability.metrics import MAX_LABELS, Metrics
from assistant.tools.execution import run_tool
from tests.conftest import Connect, add
from tests.deploy.test_process import Start, interrupt, serve, start
from tests.ports import free_port, served_metrics
from tests.servers.responses import ModelServer, call, calls, error, text

__all__ = ["start"]  # a fixture

SECRET = "canary"
FUNCTIONS = "assistant_function_seconds_count"


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


def counted(metrics: Metrics, sample: str) -> dict[str, float]:
    """The values of a sample by its labels."""
    samples = (each for family in metrics.registry.collect() for each in family.samples)
    return {",".join(each.labels.values()): each.value for each in samples if each.name == sample}


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
    ) == [("add", "done", True), ("fail", "failed", True), ("unknown", "unknown", True)]
    assert functions == [{"event": "function ended", **ids}] * 3
    assert 0 <= last.pop("first_text") <= last.pop("seconds") < 5
    assert last == {
        "event": "run ended", **ids, "ending": "completed", "rounds": 2, "input": 20, "output": 10,
    }  # fmt: skip
    assert counted(metrics, "assistant_running") == {"": 0}
    assert counted(metrics, "assistant_runs_total") == {"completed": 1}
    assert counted(metrics, "assistant_failures_total") == {}
    assert counted(metrics, "assistant_tokens_total") == {"input": 20, "output": 10}
    assert counted(metrics, "assistant_first_text_seconds_count") == {"": 1}
    assert counted(metrics, FUNCTIONS) == {"add,done": 1, "fail,failed": 1, "unknown,unknown": 1}


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        ("rate_limit_exceeded", "rate_limit_exceeded"),
        ("a_b-1.2", "a_b-1.2"),
        ("some words of a server", "other"),
        ('a"} 1', "other"),
        ("é", "other"),
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
    assert counted(metrics, "assistant_runs_total") == {"failed": 1}
    assert counted(metrics, "assistant_failures_total") == {kind: 1}


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
    assert counted(metrics, "assistant_runs_total") == {"paused": 1, "completed": 1}
    assert counted(metrics, FUNCTIONS) == {"careful,done": 1}
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
    assert counted(metrics, FUNCTIONS) == {"unknown,done": 1, "unknown,denied": 1}
    assert "Lovelace" not in repr([record.__dict__ for record in caplog.records])


def test_a_closed_run_counts_as_stopped(
    server: ModelServer, assistant: Assistant, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "assistant")
    server.plays(text("One two three four"))
    thread, metrics = Thread(), Metrics()
    run = observe_run(assistant.run(thread, "Hi"), thread, metrics, assistant.toolbox)
    while not isinstance(next(run), TextDelta):
        assert counted(metrics, "assistant_running") == {"": 1}
    run.close()
    assert counted(metrics, "assistant_running") == {"": 0}
    assert counted(metrics, "assistant_runs_total") == {"stopped": 1}
    assert thread.messages[-1].ending is not None
    assert caplog.records[-1].__dict__["fields"]["reason"] == "closed"


def test_a_run_that_raises_counts_as_stopped(caplog: pytest.LogCaptureFixture) -> None:
    def broken() -> Iterator[Any]:
        yield from ()
        raise LookupError("Oh.")

    metrics = Metrics()
    with pytest.raises(LookupError):
        list(observe_run(broken(), Thread(), metrics, ()))  # type: ignore[arg-type]
    assert counted(metrics, "assistant_running") == {"": 0}
    assert counted(metrics, "assistant_runs_total") == {"stopped": 1}


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


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r", "\x0b", "\x85", "\u2028"])
def test_no_text_forges_a_line_of_the_log(capsys: pytest.CaptureFixture[str], end: str) -> None:
    forged = f"{end}2026-11-23 21:04:05,678 INFO run ended run=5f0c61b2\x1b[2K"

    @tool
    def broken(text: str) -> None:
        """Fail."""
        raise LookupError(text)

    configure_logging("text")
    run_tool(ToolCall("call_1", "broken", json.dumps({"text": forged})), Toolbox(broken))
    logging.getLogger("assistant.x").warning("no %s", forged, extra={"fields": {"name": forged}})
    written = capsys.readouterr().err
    assert "\x1b" not in written
    assert [line for line in written.splitlines() if line.startswith("2026-11-23 21:04:05")] == []
    assert written.count("    2026-11-23 21:04:05,678 INFO run ended run=5f0c61b2\\x1b[2K") >= 3


# --- metrics --------------------------------------------------------------------------------------


def test_a_histogram_counts_up_to_each_bound() -> None:
    metrics = Metrics()
    for seconds in (0.0, 0.05, 0.06, 59.0, 1e9):
        metrics.function_ended("add", "done", seconds)
    buckets = counted(metrics, "assistant_function_seconds_bucket")
    bounds = ["0.05", "0.1", "0.25", "0.5", "1.0", "2.5", "5.0", "10.0", "30.0", "60.0", "+Inf"]
    counts = [2, 3, 3, 3, 3, 3, 3, 3, 3, 4, 5]
    assert buckets == {f"add,done,{bound}": count for bound, count in zip(bounds, counts, strict=True)}


def test_the_number_of_labels_is_limited() -> None:
    metrics = Metrics()
    for number in range(3 * MAX_LABELS):
        metrics.function_ended(f"function_{number}", "done", 0.1)
        metrics.run_started()
        metrics.run_ended("failed", f"kind_{number}", None, {})
    functions, failures = counted(metrics, FUNCTIONS), counted(metrics, "assistant_failures_total")
    assert len(functions) == len(failures) == MAX_LABELS + 1
    assert functions["other,done"] == failures["other"] == 2 * MAX_LABELS


def test_a_port_that_is_taken_is_logged_and_the_application_works_without_metrics(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("ASSISTANT_DATABASE_URL", "sqlite://")
    with socket.create_server(("0.0.0.0", 0)) as taken:
        monkeypatch.setenv("ASSISTANT_METRICS_PORT", str(taken.getsockname()[1]))
        app = Application(tmp_path)
        app.configure({})
        app.close()
    assert app.metrics is None
    assert "The metrics are not served." in caplog.text


@pytest.mark.exhaustive
def test_the_port_can_be_changed_and_is_free_after_the_application_is_closed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ASSISTANT_DATABASE_URL", "sqlite://")
    app, ports = Application(tmp_path), [free_port(), free_port()]
    for port in ports:
        monkeypatch.setenv("ASSISTANT_METRICS_PORT", str(port))
        app.configure({})
        assert "assistant_running 0.0" in served_metrics(port)
    app.close()
    for port in ports:
        with pytest.raises(URLError):
            served_metrics(port)


# --- a real process -----------------------------------------------------------------------------------


@pytest.mark.exhaustive
def test_metrics_are_served_on_a_port_of_their_own(server: ModelServer, start: Start, tmp_path: Path) -> None:
    port = free_port()
    settings = {"OPENAI_BASE_URL": server.url, "ASSISTANT_LOG": "json", "ASSISTANT_METRICS_PORT": str(port)}
    process, page = serve(start, tmp_path, **settings)
    session = page.open()
    server.plays(
        calls(call("calculate", expression="6*7")), text(SECRET), error(401, "invalid_api_key", SECRET)
    )
    page.say(session, f"{SECRET}?")
    page.say(session, "Again")
    values: dict[str, float] = {}
    deadline = time.monotonic() + 10
    while values.get('assistant_runs_total{ending="failed"}') is None and time.monotonic() < deadline:
        body = served_metrics(port)
        rows = [line.rpartition(" ") for line in body.splitlines() if not line.startswith("#")]
        values = {name: float(value) for name, _, value in rows}
    assert SECRET not in body
    assert values['assistant_runs_total{ending="completed"}'] == 1
    assert values['assistant_runs_total{ending="failed"}'] == 1
    assert values['assistant_failures_total{kind="invalid_api_key"}'] == 1
    assert values['assistant_tokens_total{direction="input"}'] == 20
    assert values["assistant_running"] == 0
    assert values["assistant_first_text_seconds_count"] == 1
    labels = 'function="calculate",outcome="done"'
    assert values[f"assistant_function_seconds_count{{{labels}}}"] == 1
    assert values['assistant_function_seconds_bucket{function="calculate",le="+Inf",outcome="done"}'] == 1
    assert "# TYPE assistant_function_seconds histogram\n" in body
    assert interrupt(process, tmp_path / "log") == 0
    log = (tmp_path / "log").read_text()
    assert SECRET not in log
    events = [line["event"] for line in lines("\n".join(re.findall(r"^\{.*\}$", log, re.MULTILINE)))]
    assert events == ["run started", "function ended", "run ended", "run started", "run ended"]
