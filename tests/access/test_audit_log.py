"""What the page writes to the audit log, entry by entry."""

import json
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from assistant.access import sessions
from assistant.access.auth import FREE_ATTEMPTS, User, authorize
from assistant.access.sessions import EVERYONE, end_sessions
from assistant.errors import SessionEnded
from assistant.events import RunCompleted
from assistant.messages import Message
from assistant.observability.logs import hash_thread
from assistant.storage.database import Database
from assistant.storage.json_export import export_json, import_json
from assistant.storage.store import Store
from assistant.threads import Thread
from tests.access.test_sessions import ADA, AUTH, PASSWORD, log_in
from tests.conftest import need
from tests.runs.test_retention import make_older
from tests.servers.responses import ModelServer, call, calls, text
from tests.ui.page import Open, address, ask, session_of
from tests.waiting import until

SECRETS = (PASSWORD, "Hush", "canary", AUTH["cookie_secret"], AUTH["client_secret"])


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The audit log of the pages that are opened."""
    path = tmp_path / "audit.jsonl"
    monkeypatch.setenv("ASSISTANT_AUDIT_LOG", str(path))
    monkeypatch.setattr(sessions, "CHECK_SECONDS", 0.0)
    return path


@pytest.fixture
def entries(path: Path) -> Callable[[], list[dict[str, Any]]]:
    """Returns the entries since the last call: the event, the fields of their own, and who it was if that is known."""
    position = 0

    def read() -> list[dict[str, Any]]:
        nonlocal position
        lines = path.read_text("ascii").splitlines()[position:]
        position += len(lines)
        assert not [secret for secret in SECRETS if secret in "".join(lines)]
        found = [json.loads(line) for line in lines]
        for entry in found:
            assert {entry.pop("level"), len(entry.pop("time"))} == {"audit", len("2026-11-30T10:12:13.123Z")}
        return found

    return read


def entry(event: str, *, user: str = "", user_id: str = "", client: str = "", **facts: Any) -> Any:
    return {"event": event, "user": user, "user_id": user_id, "client": client, **facts}


def configured(**facts: Any) -> Any:
    usual: dict[str, Any] = {
        "login": "none",
        "allowed": 0,
        "owner_key": "none",
        "inspector": "local",
        "local_access": "token",
    }
    return entry("access_configured", **usual | facts)


@pytest.mark.exhaustive
def test_logins_with_a_password(
    open_page: Open, path: Path, entries: Callable[[], list[Any]], tmp_path: Path
) -> None:
    page = open_page(ASSISTANT_PASSWORD=PASSWORD, ASSISTANT_AUDIT_LOG=str(path))
    assert entries() == [configured(login="password")]
    page.text_input(key="password").set_value("canary")
    page.button(key="log_in").click().run()
    assert entries() == [entry("login_failed", method="password", reason="wrong_password")]
    log_in(page)
    assert entries() == [entry("login_succeeded", method="password")]
    database = Database(f"sqlite:///{tmp_path}/threads.sqlite")
    end_sessions(database, [EVERYONE])
    database.close()
    page.run().run()
    assert entries() == [entry("session_ended", reason="ended_by_owner")]
    for _ in range(FREE_ATTEMPTS):
        page.text_input(key="password").set_value("canary")
        page.button(key="log_in").click().run()
    assert entries()[-1] == entry("login_failed", method="password", reason="too_many_attempts")


@pytest.mark.exhaustive
def test_what_is_done_with_chats(
    open_page: Open, path: Path, entries: Callable[[], list[Any]], server: ModelServer
) -> None:
    server.plays(text("Hello."))
    page = ask(open_page(OPENAI_BASE_URL=server.url, ASSISTANT_AUDIT_LOG=str(path)), "Hush")
    session, thread_id = session_of(page), address(page)
    exported = session.visit.export(
        "chat_exported", thread_id, "json", lambda: export_json(session.thread, title="Hush")
    )
    session.import_thread(import_json(exported)[0])
    imported = session.thread.id
    session.delete(thread_id)
    session.open("no-such-chat")
    thread = hash_thread(thread_id)
    assert entries() == [
        configured(),
        entry("chat_exported", thread=thread, format="json"),
        entry("chat_imported", thread=hash_thread(imported), messages=2),
        entry("chat_deleted", thread=thread),
        entry("chat_not_found", thread=hash_thread("no-such-chat")),
    ]
    assert thread_id not in path.read_text()


@pytest.mark.exhaustive
def test_limits_that_are_reached(
    open_page: Open, path: Path, entries: Callable[[], list[Any]], server: ModelServer
) -> None:
    server.plays(calls(call("calculate", expression="6*7")))
    page = open_page(
        OPENAI_BASE_URL=server.url,
        OPENAI_API_KEY="sk-canary",
        ASSISTANT_LIMIT_ALL="1 message/day, 5 tokens/day",
        ASSISTANT_AUDIT_LOG=str(path),
    )
    assert entries() == [configured(owner_key="everyone_within_limits")]
    ask(page, "Hush")  # the limit ends the answer before its second response
    assert entries() == [entry("limit_reached", scope="everyone", limit="1 messages/day")]
    ask(page, "Hush")
    assert entries() == [entry("limit_reached", scope="everyone", limit="1 messages/day")]


@pytest.mark.exhaustive
def test_logins_with_a_provider(open_page: Open, path: Path, entries: Callable[[], list[Any]]) -> None:
    need(find_spec("authlib"), "Authlib (.ci/requirements.txt)")
    user = authorize(ADA, ["*"])
    assert isinstance(user, User)
    ada = {"user": "Ada@Example.org", "user_id": user.id}

    def opened(claims: dict[str, Any], allowed: str = "@example.org") -> Any:
        secrets = {"auth": AUTH}
        return open_page(
            user=claims, secrets=secrets, ASSISTANT_ALLOWED=allowed, ASSISTANT_AUDIT_LOG=str(path)
        )

    page = opened(ADA).run()
    assert entries() == [
        configured(login="sign_in", allowed=1),
        entry("login_succeeded", **ada, method="sign_in", signed_in="1970-01-01T00:16:40Z"),
    ]
    eve = 'eve@example.net", "event": "logged_out\n'
    opened(ADA | {"sub": "2", "email": eve}).run()
    assert entries() == [entry("login_refused", user=eve, reason="not_allowed")]
    opened({"is_logged_in": False}, allowed="bob@example.org")
    page.run()
    page.run()
    assert entries() == [
        entry("session_ended", **ada, reason="not_allowed"),
    ]
    opened({"is_logged_in": False}, allowed="*")
    assert entries() == [configured(login="sign_in", allowed="everyone")]
    page.run()
    assert entries() == [entry("login_succeeded", **ada, method="sign_in", signed_in="1970-01-01T00:16:40Z")]


@pytest.mark.exhaustive
def test_a_local_visitor_and_a_guess(
    open_page: Open, path: Path, entries: Callable[[], list[Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    token = "a-token-of-the-owner"
    settings = {
        "ASSISTANT_LOCAL_TOKEN": token,
        "OPENAI_API_KEY": "sk-test",
        "ASSISTANT_AUDIT_LOG": str(path),
    }
    open_page({"token": "guess"}, **settings).run()
    open_page({"token": token}, **settings)  # as the page of another machine
    assert entries() == [
        configured(owner_key="local"),
        entry("login_failed", method="local_token", reason="wrong_token"),
        entry("login_failed", method="local_token", reason="not_local"),
    ]
    monkeypatch.setattr("assistant.ui.page.local_access.is_localhost", lambda _: True)
    open_page({"token": token}, **settings).run()
    assert entries() == [entry("login_succeeded", method="local_token")]


def test_chats_that_have_expired(
    open_page: Open, path: Path, entries: Callable[[], list[Any]], tmp_path: Path
) -> None:
    store = Store(f"sqlite:///{tmp_path}/threads.sqlite")
    store.save(Thread("conv_1", [Message.from_user("Hush"), Message("assistant", [], RunCompleted())]))
    make_older(store.database, "conv_1", 7200)
    store.close()
    open_page(ASSISTANT_RETENTION="1 hour", ASSISTANT_AUDIT_LOG=str(path))
    found: list[Any] = []

    def expired() -> bool:
        found.extend(entries())
        return len(found) == 2

    until(expired)
    assert {each["event"]: each for each in found} == {
        "access_configured": configured(),
        "chat_expired": entry("chat_expired", thread=hash_thread("conv_1")),
    }


def test_an_ended_session_exports_nothing(
    open_page: Open, path: Path, entries: Callable[[], list[Any]], tmp_path: Path
) -> None:
    session = session_of(log_in(open_page(ASSISTANT_PASSWORD=PASSWORD, ASSISTANT_AUDIT_LOG=str(path))))
    database = Database(f"sqlite:///{tmp_path}/threads.sqlite")
    end_sessions(database, [EVERYONE])
    database.close()
    with pytest.raises(SessionEnded):
        session.visit.export("chat_exported", "conv_1", "json", lambda: "Hush")
    assert [each["event"] for each in entries()] == ["access_configured", "login_succeeded"]


def test_a_log_that_cannot_be_opened_stops_the_page_and_shows_no_path(open_page: Open) -> None:
    page = open_page(ASSISTANT_AUDIT_LOG="/canary/audit.jsonl")
    assert [each.value for each in page.error] == [
        "ASSISTANT\\_AUDIT\\_LOG cannot be written\\: No such file or directory\\."
    ]
    assert not page.chat_input
