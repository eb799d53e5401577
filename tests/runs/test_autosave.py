"""An unusable database gives one sentence on the page, and the application works without it."""

import resource
import sqlite3
from collections.abc import Generator, Iterator
from contextlib import closing, contextmanager
from functools import partial
from pathlib import Path

import pytest

from assistant import Thread
from assistant.errors import StoreError
from assistant.events import Event, RunCompleted
from assistant.messages import Message
from assistant.parts import Text
from assistant.runs import autosave as module
from assistant.runs.autosave import Autosaver
from assistant.runs.registry import RunRegistry
from assistant.runs.run import Run
from assistant.storage.store import Store
from tests.conftest import Connect, add
from tests.servers.responses import ModelServer, text
from tests.stored import load_stored

HELLO = [Message.from_user("Hello"), Message("assistant", [Text("Hi.")], RunCompleted())]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "threads.sqlite"


@pytest.fixture
def autosaver(file: Path) -> Iterator[Autosaver]:
    with closing(Autosaver(f"sqlite:///{file}")) as autosaver:
        yield autosaver


def store_of(autosaver: Autosaver) -> Store:
    assert autosaver.store is not None
    return autosaver.store


@contextmanager
def changed(file: Path) -> Iterator[sqlite3.Connection]:
    """Change the file as another program does."""
    with closing(sqlite3.connect(file)) as database:
        yield database
        database.commit()


@pytest.mark.parametrize(
    ("url", "sentence"),
    [
        ("nonsense", "ASSISTANT_DATABASE_URL is not the URL of a database."),
        (
            "sqlite:////nowhere/at/all",
            "The database sqlite:////nowhere/at/all cannot be used: unable to open database file",
        ),
        ("mysql://me:canary@localhost/x", "ASSISTANT_DATABASE_URL is for mysql. Use sqlite or postgresql."),
        (
            "sqlite+nope:///x",
            "The database sqlite:///x cannot be used: Can't load plugin: sqlalchemy.dialects:sqlite.nope",
        ),
    ],
)
def test_a_database_that_cannot_be_opened_gives_one_sentence(url: str, sentence: str) -> None:
    autosaver = Autosaver(url)
    assert (autosaver.store, autosaver.error) == (None, sentence)


@pytest.mark.parametrize("where", ["me:canary@127.0.0.1:1/none", "127.0.0.1:1/none?password=canary&user=me"])
def test_a_password_is_in_no_error(where: str) -> None:
    with pytest.raises(StoreError) as caught:
        Store(f"postgresql://{where}")
    assert "canary" not in str(caught.value)
    assert "127.0.0.1:1/none cannot be used: connection failed" in str(caught.value)


def test_a_database_of_a_later_version_is_left_alone(autosaver: Autosaver, file: Path) -> None:
    store_of(autosaver)
    with changed(file) as database:
        database.execute("UPDATE schema_version SET number = 99")
    later = Autosaver(f"sqlite:///{file}")
    assert later.store is None
    assert later.error == f"sqlite:///{file} was created by a later version of this application."


def test_a_read_only_database_can_be_read(autosaver: Autosaver, file: Path) -> None:
    autosaver.save(Thread("conv_1", list(HELLO)), 0, backend_state=True)
    autosaver.close()
    with closing(Autosaver(f"sqlite:///file:{file}?mode=ro&uri=true")) as reader:
        loaded = load_stored(reader.store, "conv_1")
        assert loaded.messages == HELLO
        reader.save(loaded, 0, backend_state=True)
        assert reader.error.endswith("cannot be used: attempt to write a readonly database")


def test_a_full_disk_loses_nothing_that_was_saved(autosaver: Autosaver) -> None:
    thread = Thread("conv_1", list(HELLO))
    autosaver.save(thread, 0, backend_state=True)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, hard))
    try:
        thread.messages.append(Message.from_user("x" * 1_000_000))
        autosaver.save(thread, 2, backend_state=True)
        assert "cannot be used: " in autosaver.error
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert load_stored(autosaver.store, "conv_1").messages == HELLO
    autosaver.save(thread, 2, backend_state=True)
    assert (autosaver.error, load_stored(autosaver.store, "conv_1").messages) == ("", thread.messages)


def test_messages_missed_during_an_outage_are_saved_when_the_database_is_back(
    autosaver: Autosaver, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    thread, other = Thread("conv_1", list(HELLO)), Thread("conv_2", list(HELLO))
    autosaver.save(thread, 0, backend_state=True)
    with changed(file) as database:
        database.execute("ALTER TABLE message RENAME TO away")
    thread.messages += HELLO
    autosaver.save(thread, 2, backend_state=True)
    assert autosaver.error == f"The database sqlite:///{file} cannot be used: no such table: message"
    going_on = Thread("conv_3", [Message.from_user("Go"), Message("assistant")])
    autosaver.save(going_on, 0, backend_state=True)  # is not even tried: the database rests
    with changed(file) as database:
        database.execute("ALTER TABLE away RENAME TO message")
    autosaver.save(other, 0, backend_state=True)
    thread.messages += HELLO
    autosaver.save(thread, 4, backend_state=True)
    assert (autosaver.error, load_stored(autosaver.store, "conv_1").messages) == ("", HELLO * 3)
    assert store_of(autosaver).load("conv_3") is None


def test_a_database_that_comes_back_is_used_again(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "RETRY_SECONDS", 0.0)
    with closing(Autosaver(f"sqlite:///{file.parent}/later/threads.sqlite")) as autosaver:
        assert autosaver.store is None
        assert autosaver.error
        (file.parent / "later").mkdir()
        assert autosaver.store is not None
        assert autosaver.error == ""


def test_an_unreachable_database_is_not_tried_for_every_save(file: Path) -> None:
    autosaver = Autosaver(f"sqlite:///{file.parent}/later/threads.sqlite")
    assert autosaver.store is None
    (file.parent / "later").mkdir()
    assert autosaver.store is None, "it is not tried again for a while"


def test_an_answer_arrives_although_nothing_can_be_saved(server: ModelServer, connect_to: Connect) -> None:
    server.plays(text("Fine."))
    assistant, thread = connect_to(server.url, add), Thread()
    autosaver = Autosaver("sqlite:////nowhere/at/all")
    run = RunRegistry().start(thread, partial(assistant.run, thread, "Go"), assistant.cancel, autosaver)
    assert run.join(5)
    assert thread.messages[-1] == Message("assistant", [Text("Fine.")], RunCompleted())


def test_all_threads_of_a_process_share_an_in_memory_database() -> None:
    with closing(Autosaver("sqlite://")) as autosaver:
        threads = [Thread(f"conv_{number}", list(HELLO)) for number in range(20)]
        for run in [
            RunRegistry().start(each, partial(nothing, each), autosaver=autosaver) for each in threads
        ]:
            assert run.join(5)
        assert len(store_of(autosaver).list_threads()) == 20
        assert autosaver.error == ""


def nothing(thread: Thread) -> Run:
    def events() -> Generator[Event, None, None]:
        yield RunCompleted()

    thread.messages.append(Message("assistant"))
    return Run(thread, thread.messages[-1], events())
