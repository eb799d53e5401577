"""How long chats stay, and that nothing is left of one that was deleted."""

import base64
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
import sqlalchemy as sql

from assistant import Thread
from assistant.access.limits import UsageTotals
from assistant.access.usage_store import EVERYONE, UsageStore
from assistant.errors import SettingsError, ThreadDeleted
from assistant.messages import Feedback, Message
from assistant.parts import Attachment
from assistant.runs.retention import SERVER_GRACE_SECONDS, Retention
from assistant.session import ChatSession
from assistant.settings import Settings
from assistant.storage.database import Database
from assistant.storage.schema import BRANCHES, MESSAGES, THREADS, USAGE
from assistant.storage.store import Store
from tests.access.test_usage_store import totals
from tests.servers.responses import ModelServer, call, calls, text
from tests.session.conftest import Open, ask, finished, open_chat
from tests.ui.page import Open as OpenPage
from tests.ui.page import ask as ask_page
from tests.ui.page import session_of, shown
from tests.waiting import until

__all__ = ["open_chat"]  # a fixture

CANARY = "canary-in-the-coal-mine-0123"
DAY = 86_400.0


def make_older(database: Database, thread_id: str, seconds: float) -> None:
    """Let the last change of a thread be so many seconds ago."""
    moved = sql.update(THREADS).where(THREADS.c.id == thread_id)
    with database.writing() as connection:
        connection.execute(moved.values(updated_at=database.now - seconds))


def stored_bytes(folder: Path) -> bytes:
    """Return all bytes of the database's files."""
    return b"".join(file.read_bytes() for file in folder.iterdir() if file.is_file())


def has_canary(data: bytes) -> bool:
    return any(each in data for each in (CANARY.encode(), base64.b64encode(CANARY.encode())))


def chat_with_canaries(server: ModelServer, chat: ChatSession) -> ChatSession:
    """Return a chat with a canary in all that it has: a long one, so that its text fills pages of its own."""
    long = f"{CANARY} " * 2_000
    server.plays(
        calls(call("calculate", expression=CANARY)), text(long), text(f"{CANARY} again"), text("Later.")
    )
    chat.submit(
        CANARY, [Attachment(f"{CANARY}.txt", "text/plain", base64.b64encode(CANARY.encode()).decode())]
    )
    finished(chat)
    chat.rate(chat.thread.messages[1], Feedback(False, CANARY))
    chat.regenerate(1)
    finished(chat)
    ask(chat, "And now?")
    chat.rename(chat.thread.id, CANARY)
    chat.app.queue.add(chat.thread, CANARY)
    return chat


def test_nothing_is_left_of_a_deleted_chat(server: ModelServer, open_chat: Open, tmp_path: Path) -> None:
    chat = chat_with_canaries(server, open_chat())
    thread, app = chat.thread, chat.app
    server.plays(text("Other."))
    other = ask(open_chat(), "Another chat")
    assert has_canary(stored_bytes(tmp_path))
    assert server.conversations
    chat.delete(thread.id)
    assert not has_canary(stored_bytes(tmp_path))
    assert (app.recordings.for_thread(thread.id), app.queue.waiting(thread), chat.recording) == ([], [], None)
    assert (thread.messages, thread.branches, thread.backend_state) == ([], {}, {})
    assert len(server.conversations) == 1, "that of the other chat"
    assert chat.notices == []
    assert Store(f"sqlite:///{tmp_path}/threads.sqlite").load(other.thread.id)


@pytest.mark.exhaustive
def test_no_row_is_left_of_a_deleted_chat(
    server: ModelServer, open_chat: Open, databases: Callable[[], str]
) -> None:
    chat = chat_with_canaries(server, open_chat(ASSISTANT_DATABASE_URL=databases()))
    store = chat.store
    assert store is not None
    chat.delete(chat.thread.id)
    with store.database.reading() as connection:
        for table in (THREADS, MESSAGES, BRANCHES):
            assert connection.execute(sql.select(table)).all() == []


def test_what_a_growing_answer_was_before_is_not_left(tmp_path: Path) -> None:
    with closing(Store(f"sqlite:///{tmp_path}/threads.sqlite")) as store:
        thread = Thread("conv_1", [Message.from_user("Hello")])
        for length in (10, 1_000, 5_000):
            thread.messages[1:] = [Message.from_user(f"{CANARY} " * length)]
            store.save(thread)
        store.delete("conv_1")
        assert not has_canary(stored_bytes(tmp_path))


def test_a_chat_that_was_deleted_elsewhere_is_left_and_not_saved_again(
    server: ModelServer, open_chat: Open
) -> None:
    server.plays(text("Hi."))
    chat = ask(open_chat(), "Hello")
    assert chat.store is not None
    messages = list(chat.thread.messages)
    chat.store.delete(chat.thread.id)  # by another process
    assert chat.is_outdated
    chat.rate(messages[1], Feedback(True))
    chat.submit("And now?")
    draft = chat.composer.take_draft()
    assert draft is not None
    assert (draft.text, str(draft.reason)) == (
        "And now?",
        "This chat was deleted. Your message is back in the input.",
    )
    assert chat.store.list_threads() == []
    with pytest.raises(ThreadDeleted):
        chat.store.save(chat.thread)
    chat.open(chat.thread.id)
    assert (chat.thread.id, chat.thread.messages, chat.thread_missing) == ("", [], True)
    assert len(server.requests) == 1


def test_an_open_page_shows_a_new_chat_in_place_of_a_deleted_one(
    server: ModelServer, open_page: OpenPage, tmp_path: Path
) -> None:
    server.plays(text("Hi."))
    page = ask_page(open_page(OPENAI_BASE_URL=server.url), "Hello")
    with closing(Store(f"sqlite:///{tmp_path}/threads.sqlite")) as store:
        store.delete(session_of(page).thread.id)
    page.run()
    assert not page.exception
    assert (shown(page), page.query_params.get("thread")) == ([], None)
    assert "That chat doesn't exist" in page.info[0].value


# --- retention ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "seconds"), [("30 days", 30 * DAY), ("1 day", DAY), ("12 Hours", DAY / 2), ("", 0)]
)
def test_how_long_chats_stay_is_parsed(value: str, seconds: float) -> None:
    assert Settings.load({"ASSISTANT_RETENTION": value}).retention == seconds


@pytest.mark.parametrize("value", ["30", "0 days", "-1 day", "1.5 days", "2 weeks", "forever", "999999 days"])
def test_anything_else_is_refused_with_an_example(value: str) -> None:
    with pytest.raises(SettingsError) as caught:
        Settings.load({"ASSISTANT_RETENTION": value})
    expected = (
        f"ASSISTANT_RETENTION is {value!r}. Set a number of days or hours, such as 30 days, or leave it out."
    )
    assert str(caught.value) == expected


def test_chats_are_deleted_when_the_page_starts(server: ModelServer, open_chat: Open, tmp_path: Path) -> None:
    chat = chat_with_canaries(server, open_chat())
    server.plays(text("Other."))
    other = ask(open_chat(), "Another chat")
    assert chat.store is not None
    make_older(chat.store.database, chat.thread.id, 31 * DAY)
    make_older(chat.store.database, other.thread.id, 29 * DAY)
    open_chat(ASSISTANT_RETENTION="30 days")
    until(lambda: not has_canary(stored_bytes(tmp_path)), "the chat stays")
    assert [each.id for each in chat.store.list_threads()] == [other.thread.id]
    until(lambda: len(server.conversations) == 1, "the server's copy stays")
    chat.open(chat.url_thread_id)
    assert (chat.thread.messages, chat.thread_missing) == ([], True)


def test_chats_of_all_owners_expire_and_those_that_are_answered_do_not(database: str) -> None:
    with closing(Store(database, 60.0)) as store, closing(Store(database, 60.0)) as elsewhere:
        threads = [
            Thread(f"conv_{owner}", [Message.from_user("Hi")], owner=owner) for owner in ("", "ada", "bob")
        ]
        for thread in threads:
            store.save(thread)
            make_older(store.database, thread.id, DAY)
        elsewhere.leases.acquire(threads[2])
        found = [
            store.claim_expired(60),
            elsewhere.claim_expired(60),
            store.claim_expired(60, ["conv_", "conv_ada"]),
        ]
        assert [each and (each.id, each.owner) for each in found] == [
            ("conv_", ""),
            ("conv_ada", "ada"),
            None,
        ]
        assert not store.delete_expired(threads[1], 60), "the other process has claimed it"
        assert not store.delete_expired(threads[0], 2 * DAY)
        assert store.delete_expired(threads[0], 60)
        assert elsewhere.delete_expired(threads[1], 60)
        assert store.claim_expired(60) is None


def test_a_chat_stays_a_day_longer_if_its_copy_cannot_be_deleted(
    server: ModelServer, open_chat: Open, caplog: pytest.LogCaptureFixture
) -> None:
    server.plays(text("Hi."))
    chat = ask(open_chat(), "Hello")
    app, store, thread_id = chat.app, chat.store, chat.thread.id
    assert store is not None
    backend = open_chat(OPENAI_BASE_URL="http://127.0.0.1:9/v1").connection.backend
    retention = Retention(DAY, lambda: app.autosaver.store, lambda: backend, app.forget, lambda *_: None)
    [(address, state)] = chat.thread.backend_state["responses"].items()
    gone = address.replace(server.url, "http://127.0.0.1:9/v1")
    chat.thread.backend_state["responses"] = {gone: state}
    store.save(chat.thread)
    make_older(store.database, thread_id, DAY + 60)
    assert retention.delete_expired() == 0
    assert store.load(thread_id)
    assert not store.leases.is_held_elsewhere(chat.thread)
    make_older(store.database, thread_id, DAY + SERVER_GRACE_SECONDS + 60)
    assert retention.delete_expired() == 1
    assert store.load(thread_id) is None
    assert "deleted here, but not on the server" in caplog.text


def test_what_users_have_used_is_forgotten_with_their_chats(database: str) -> None:
    with closing(Database(database)) as opened:
        now = time.time()
        usage = UsageStore(opened, lambda: now - 3 * DAY)
        usage.reserve("ada", UsageTotals(messages=1))
        UsageStore(opened).reserve("ada", UsageTotals(messages=1))
        UsageStore(opened).delete_users(2 * DAY)
        assert totals(opened, "day", now - 3 * DAY, "ada") == UsageTotals()
        assert totals(opened, "day", now - 3 * DAY, EVERYONE) == UsageTotals(1), "a budget counts it"
        assert totals(opened, "day", now, "ada") == UsageTotals(1)
        with opened.reading() as connection:
            assert connection.execute(sql.select(sql.func.count()).select_from(USAGE)).scalar_one() == 5
