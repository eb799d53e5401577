"""The audit log: one line per entry, whatever a name contains, and no more than a disk can hold."""

import json
import logging
import os
import resource
import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, get_args

import pytest

from assistant.cli import main
from assistant.observability.audit import MAX_CHARS, MAX_REPEATED, AuditEvent, AuditLog, Visitor
from assistant.storage.database import Database
from tests.paths import ROOT

MOMENT = 1_764_497_533.5
ADA = Visitor("ada@example.org", "a" * 64, "203.0.113.7")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "audit.jsonl"


def entries(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text("ascii").splitlines()]


def test_an_entry_says_what_who_when_and_from_where(path: Path) -> None:
    AuditLog(str(path), lambda: MOMENT).write("chat_exported", ADA, thread="9ad1c0de", format="json")
    assert entries(path) == [
        {
            "time": "2025-11-30T10:12:13.500Z",
            "level": "audit",
            "event": "chat_exported",
            "user": "ada@example.org",
            "user_id": "a" * 64,
            "client": "203.0.113.7",
            "thread": "9ad1c0de",
            "format": "json",
        }
    ]


@pytest.mark.parametrize(
    "name",
    [
        'ada@example.org"}\n{"level": "audit", "event": "logged_out"}\n',
        "ada\r\n\x1b[2J\u2028\u2029\x85\0@example.org",
        "\ud800@example.org",
        "あだ@example.org",
    ],
)
def test_whatever_a_name_contains_it_is_one_line(path: Path, name: str) -> None:
    audit = AuditLog(str(path))
    audit.write("login_refused", Visitor(name), reason="not_allowed")
    audit.write("logged_out", ADA)
    assert path.read_bytes().count(b"\n") == 2
    assert [(each["event"], each["user"]) for each in entries(path)] == [
        ("login_refused", name),
        ("logged_out", "ada@example.org"),
    ]


def test_a_long_name_is_cut_off(path: Path) -> None:
    AuditLog(str(path)).write("login_refused", Visitor("a" * 10_000), reason="not_allowed")
    assert entries(path)[0]["user"] == "a" * MAX_CHARS


def test_the_file_may_be_moved_away_and_is_for_its_owner_only(path: Path, tmp_path: Path) -> None:
    audit = AuditLog(str(path))
    audit.write("logged_out", ADA)
    path.rename(tmp_path / "audit.1")
    audit.write("logged_out", ADA)
    assert (len(entries(path)), len(entries(tmp_path / "audit.1"))) == (1, 1)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_many_threads_write_whole_lines(path: Path) -> None:
    logs = [AuditLog(str(path)), AuditLog(str(path))]
    with ThreadPoolExecutor(8) as pool:
        for number in range(200):
            pool.submit(logs[number % 2].write, "chat_deleted", ADA, thread="x" * 300)
    assert len(entries(path)) == 200


def test_standard_error_gets_the_same_line(capsys: pytest.CaptureFixture[str]) -> None:
    AuditLog("stderr", lambda: MOMENT).write("logged_out", ADA)
    assert json.loads(capsys.readouterr().err) == {
        "time": "2025-11-30T10:12:13.500Z",
        "level": "audit",
        "event": "logged_out",
        "user": "ada@example.org",
        "user_id": "a" * 64,
        "client": "203.0.113.7",
    }


def test_without_a_target_nothing_is_written(capsys: pytest.CaptureFixture[str]) -> None:
    AuditLog().write("logged_out", ADA)
    assert capsys.readouterr() == ("", "")


def test_a_flood_is_cut_off_and_counted_and_hides_no_success(path: Path) -> None:
    now = MOMENT
    audit = AuditLog(str(path), lambda: now)
    for _ in range(MAX_REPEATED + 50):
        audit.write("login_failed", Visitor(), method="password", reason="wrong_password")
    audit.write("login_succeeded", ADA, method="password")
    for _ in range(3):
        audit.write("login_failed", Visitor(), method="password", reason="wrong_password")
    now += 1
    audit.write("login_failed", Visitor(), method="password", reason="wrong_password")
    assert [(each["event"], each.get("omitted")) for each in entries(path)] == [
        *[("login_failed", None)] * MAX_REPEATED,
        ("login_succeeded", 50),
        ("login_failed", 3),
    ]


def test_a_file_that_cannot_be_opened_is_an_error_at_once(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="No such file or directory"):
        AuditLog(str(tmp_path / "missing" / "audit.jsonl"))


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs a full disk")
def test_a_full_disk_is_reported_once_and_stops_nothing(caplog: pytest.LogCaptureFixture) -> None:
    audit = AuditLog("/dev/full")
    with caplog.at_level(logging.WARNING, "assistant"):
        audit.write("logged_out", ADA)
        audit.write("logged_out", ADA)
    assert [each.getMessage() for each in caplog.records] == [
        "the audit log cannot be written: No space left on device"
    ]


def test_a_line_that_was_cut_off_does_not_spoil_the_next_one(path: Path) -> None:
    audit, size = AuditLog(str(path)), 50_000_000
    os.truncate(path, size)  # larger than all other files that are written meanwhile
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size + 10, limits[1]))
    try:
        audit.write("logged_out", ADA)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    audit.write("chat_deleted", ADA, thread="9ad1c0de")
    with path.open("rb") as file:
        file.seek(size)
        cut, line = file.read().splitlines()
    assert (len(cut), json.loads(line)["event"]) == (10, "chat_deleted")


def test_the_documentation_has_each_event() -> None:
    table = (ROOT / "docs" / "sessions.md").read_text("utf-8")
    named = [line.split("`")[1] for line in table.splitlines() if line.startswith("| `")]
    assert named == list(get_args(AuditEvent))


def test_the_command_that_ends_sessions_is_in_the_log(path: Path, tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/threads.sqlite"
    Database(url).close()
    environment = {"ASSISTANT_DATABASE_URL": url, "ASSISTANT_AUDIT_LOG": str(path)}
    assert main(["end-sessions", "Ada@example.org", "@example.com"], environment) == 0
    assert main(["end-sessions", "--all"], environment) == 0
    assert [{name: value for name, value in each.items() if name != "time"} for each in entries(path)] == [
        {
            "level": "audit",
            "event": "sessions_ended",
            "user": "command line",
            "user_id": "",
            "client": "",
            "users": users,
        }
        for users in (["ada@example.org", "@example.com"], ["*"])
    ]
