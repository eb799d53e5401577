"""Backups are made and restored exactly as the page about deploying says, and all chats are there again."""

import os
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from assistant import Thread, cli
from assistant.cli.common import USAGE
from assistant.errors import StoreError
from assistant.events import RunCompleted
from assistant.messages import Feedback, Message
from assistant.parts import Attachment, Text
from assistant.storage.backup import back_up
from assistant.storage.store import Store
from tests.docs.pages import snippets
from tests.environment import without_settings
from tests.paths import ROOT
from tests.servers import postgresql
from tests.stored import load_stored
from tests.ui.page import Open, shown

COMMANDS = [each.code for each in snippets() if each.heading == "Backup and restore"]
FILE = Attachment("notes.txt", "text/plain", "Tm90ZXM=")


def thread_with_everything(thread_id: str, owner: str = "") -> Thread:
    """Return a thread with branches, an attachment, a rating and a state at the server."""
    answer = Message("assistant", [Text("First.")], RunCompleted())
    answer.feedback = Feedback(True, "Good")
    thread = Thread(thread_id, [Message.from_user("日本語 \x00", [FILE]), answer], owner=owner)
    thread.branch(1)
    thread.messages.append(Message("assistant", [Text("Second.")], RunCompleted()))
    thread.backend_state["responses"] = {"https://api.openai.com/v1": {"conversation": "conv_1"}}
    return thread


def everything(url: str) -> list[dict[str, Any]]:
    """Save two chats, one of them still being answered, and return them as they are loaded."""
    with closing(Store(url)) as store:
        for thread in (thread_with_everything("conv_1"), thread_with_everything("conv_2", "ada")):
            store.save(thread)
        unfinished = Thread("conv_3", [Message.from_user("Hi"), Message("assistant", [Text("On its w")])])
        store.save(unfinished)
    return loaded(url)


def loaded(url: str) -> list[dict[str, Any]]:
    with closing(Store(url)) as store:
        owners = {"conv_1": "", "conv_2": "ada", "conv_3": ""}
        return [asdict(load_stored(store.for_owner(owner), name)) for name, owner in owners.items()]


def run(command: str, folder: Path, **settings: str) -> None:
    """Run a command of the page in a deployment's folder."""
    environment = without_settings()
    programs = [str(Path(sys.executable).parent), str(postgresql.programs() or ""), environment["PATH"]]
    environment |= {"PATH": os.pathsep.join(programs), **settings}
    subprocess.run(["bash", "-euc", command], cwd=folder, env=environment, check=True, timeout=60)


@pytest.fixture
def deployments(tmp_path: Path) -> list[Path]:
    """The folders of two deployments: one in use and a fresh one."""
    folders = [tmp_path / "old", tmp_path / "new"]
    for folder in folders:
        folder.mkdir()
        (folder / "assistant").symlink_to(ROOT / "assistant")
    return folders


def test_the_page_shows_two_commands_for_each_database() -> None:
    assert [command.split()[0] for command in COMMANDS] == ["python", "rm", "pg_dump", "pg_restore"]


@pytest.mark.exhaustive
def test_a_sqlite_database_is_backed_up_while_it_is_used_and_restored(
    deployments: list[Path], open_page: Open
) -> None:
    old, new = deployments
    url = f"sqlite:///{old}/threads.sqlite"
    expected = everything(url)
    with closing(Store(url)) as store, store.database.writing() as connection:
        connection.exec_driver_sql("UPDATE thread SET title = 'not committed'")
        run(COMMANDS[0], old)
    (old / "backup.sqlite").rename(new / "backup.sqlite")
    with closing(Store(f"sqlite:///{new}/threads.sqlite")) as other:  # what is there is replaced
        other.save(Thread("conv_9", [Message.from_user("Other")]))
    run(COMMANDS[1], new)
    restored = f"sqlite:///{new}/threads.sqlite"
    assert loaded(restored) == expected
    with closing(Store(restored)) as store:
        assert {each.id for each in store.list_threads()} == {"conv_1", "conv_3"}
        assert [each.id for each in store.list_threads("first")] == ["conv_1"]
    page = open_page({"thread": "conv_1"}, ASSISTANT_DATABASE_URL=restored)
    assert not page.exception
    assert [words for _, each in shown(page) for _, words in each][-1] == "Second."
    page = open_page({"thread": "conv_3"}, ASSISTANT_DATABASE_URL=restored)
    assert "On its w" in str(shown(page))


@pytest.mark.exhaustive
def test_a_postgresql_database_is_backed_up_and_restored(
    deployments: list[Path], databases: Callable[[], str]
) -> None:
    old, new = deployments
    url, restored = databases(), databases()
    expected = everything(url)
    run(COMMANDS[2], old, ASSISTANT_DATABASE_URL=url)
    (old / "backup.dump").rename(new / "backup.dump")
    run(COMMANDS[3], new, ASSISTANT_DATABASE_URL=restored)
    assert loaded(restored) == expected
    with closing(Store(restored)) as store:
        assert [each.id for each in store.list_threads("first")] == ["conv_1"]
        store.save(load_stored(store, "conv_1"))  # and go on


def test_a_backup_is_readable_by_its_owner_alone_and_replaces_no_file(tmp_path: Path) -> None:
    url, file = f"sqlite:///{tmp_path}/threads.sqlite", tmp_path / "backup.sqlite"
    everything(url)
    back_up(url, file)
    assert file.stat().st_mode & 0o777 == 0o600
    with pytest.raises(StoreError, match="File exists"):
        back_up(url, file)
    assert loaded(f"sqlite:///{file}") == loaded(url)


def test_what_cannot_be_backed_up_gets_a_reason(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    missing = {"ASSISTANT_DATABASE_URL": f"sqlite:///{tmp_path}/missing.sqlite"}
    assert cli.main(["backup", str(tmp_path / "a")], missing) == USAGE
    server = {"ASSISTANT_DATABASE_URL": "postgresql://me@here/chats"}
    assert cli.main(["backup", str(tmp_path / "a")], server) == USAGE
    broken = tmp_path / "broken.sqlite"
    broken.write_text("This is not a database. " * 100)
    file = {"ASSISTANT_DATABASE_URL": f"sqlite:///{broken}"}
    assert cli.main(["backup", str(tmp_path / "a")], file) == USAGE
    errors = capsys.readouterr().err.splitlines()
    assert errors[0].startswith("There is no database")
    assert errors[1] == "The database is PostgreSQL. Back it up with pg_dump."
    assert errors[2].endswith("a cannot be written: file is not a database")
    assert not (tmp_path / "a").exists()
