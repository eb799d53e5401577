"""Two signed-in users: neither sees, finds, changes or stops anything of the other."""

import threading
from collections.abc import Callable, Generator, Iterator
from contextlib import closing
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from assistant import Thread
from assistant.access.auth import User, authorize
from assistant.backends.connection.override import ConnectionOverride
from assistant.errors import ThreadBusy
from assistant.events import Event, RunCompleted
from assistant.messages import Message
from assistant.parts import Attachment, Text
from assistant.recordings.recording import Recording
from assistant.runs.autosave import Autosaver
from assistant.runs.registry import RunRegistry
from assistant.runs.run import Run
from assistant.storage.json_export import export_json
from assistant.storage.search import ThreadSummary
from assistant.storage.store import Store
from assistant.ui import keys
from assistant.ui.inspector.function_runner import RunnerState
from assistant.ui.sidebar.thread_list import ThreadList
from tests.conftest import need
from tests.servers.agents import AgentsServer
from tests.servers.responses import ModelServer, call, calls, text
from tests.stored import load_stored
from tests.ui.page import Open, address, ask, listed, sent, session_of, shown
from tests.waiting import until

ADA = {"is_logged_in": True, "iss": "https://id.example", "sub": "1", "email": "ada@example.org"}
BOB = {"is_logged_in": True, "iss": "https://id.example", "sub": "2", "email": "bob@example.org"}
AUTH = {
    "redirect_uri": "http://localhost:8501/oauth2callback",
    "cookie_secret": "0123456789abcdef0123456789abcdef",
    "client_id": "us",
    "client_secret": "secret",
    "server_metadata_url": "https://id.example/.well-known/openid-configuration",
}
UNKNOWN = "That chat doesn't exist. Started a new one."


def id_of(claims: dict[str, Any]) -> str:
    user = authorize(claims, ["*"])
    assert isinstance(user, User)
    return user.id


def thread_of(owner: str, name: str = "conv_1") -> Thread:
    return Thread(
        name, [Message.from_user("Hush"), Message("assistant", [Text("Hm.")], RunCompleted())], owner=owner
    )


# --- the store --------------------------------------------------------------------------------------


@pytest.fixture
def store(database: str) -> Iterator[Store]:
    store = Store(database)
    yield store
    store.close()


def test_only_its_owner_finds_a_thread(store: Store) -> None:
    ada, bob = store.for_owner("ada"), store.for_owner("bob")
    thread = thread_of("ada")
    store.save(thread)
    store.leases.acquire(thread)
    for other in (bob, store):  # another user, and the page without sign-in
        assert other.load("conv_1") is None
        assert (other.list_threads(), other.list_threads("hush")) == ([], [])
        other.rename("conv_1", "Mine")
        other.delete("conv_1")
        other.leases.request_stop(thread_of(other.owner))
        assert not other.leases.is_held_elsewhere(thread_of(other.owner))
        assert other.known_on_server(["conv_1", "conv_2"]) == {"conv_1": "conv_1"}
        assert other.load_newer(thread_of(other.owner)) is None
        with pytest.raises(ThreadBusy):  # nor is it written over by one that has the same id
            other.save(thread_of(other.owner))
    assert store.leases.renew([thread]) == [], "no stop was requested"
    assert [(each.id, each.title) for each in ada.list_threads("HUSH")] == [("conv_1", "Hush")]
    saved = load_stored(ada, "conv_1")
    assert (saved.messages, saved.owner) == (thread.messages, "ada")
    ada.rename("conv_1", "Ours")
    assert [each.title for each in ada.list_threads()] == ["Ours"]
    ada.delete("conv_1")
    assert store.known_on_server(["conv_1"]) == {}


def test_threads_from_before_sign_in_belong_to_no_user(store: Store) -> None:
    store.save(thread_of(""))
    assert [each.id for each in store.list_threads()] == ["conv_1"]
    assert (store.for_owner("ada").list_threads(), store.for_owner("ada").load("conv_1")) == ([], None)


def test_the_owner_sees_a_thread_grow_in_another_process(store: Store, database: str) -> None:
    thread = thread_of("ada")
    autosaver = Autosaver(database)
    assert autosaver.acquire(thread, lambda: None) is None
    autosaver.save(thread, 0, backend_state=True)
    mine = load_stored(store.for_owner("ada"), "conv_1")
    assert store.leases.is_held_elsewhere(thread_of("ada"))
    thread.messages.append(Message.from_user("More"))
    autosaver.save(thread, 2, backend_state=True)
    newer = store.load_newer(mine)
    assert newer is not None
    assert (len(newer.messages), newer.owner) == (3, "ada")
    autosaver.release(thread)
    autosaver.close()


def test_an_open_thread_is_shared_only_with_its_owner() -> None:
    runs = RunRegistry()
    adas, bobs = thread_of("ada"), thread_of("bob")
    assert runs.register(adas) is adas
    assert runs.register(bobs) is bobs
    assert [runs.find("conv_1", each) for each in ("ada", "bob", "", "eve")] == [adas, bobs, None, None]
    go_on = threading.Event()

    def wait() -> Generator[Event, None, None]:
        go_on.wait(10)
        yield RunCompleted()

    running = thread_of("ada", "conv_2")
    live = runs.start(running, lambda: Run(running, running.messages[-1], wait()))
    assert [runs.find("conv_2", each) for each in ("ada", "bob", "")] == [running, None, None]
    go_on.set()
    assert live.join(10)
    runs.forget(bobs)
    assert [runs.find("conv_1", each) for each in ("ada", "bob")] == [adas, None]


# --- the page ---------------------------------------------------------------------------------------

SignIn = Callable[..., AppTest]


@pytest.fixture
def sign_in(open_page: Open, server: ModelServer) -> SignIn:
    """Opens the page for a signed-in user."""
    need(find_spec("authlib"), "Authlib (.ci/requirements.txt)")

    def opened(claims: dict[str, Any], thread: str = "", url: str = server.url, **settings: str) -> AppTest:
        return open_page(
            {"thread": thread} if thread else None,
            user=claims,
            secrets={"auth": AUTH},
            OPENAI_BASE_URL=url,
            ASSISTANT_ALLOWED="*",
            **settings,
        )

    return opened


def is_new(page: AppTest) -> bool:
    """Return whether the page says that the thread does not exist, and shows a new one."""
    assert not page.exception
    assert "Hush" not in sent(page)
    for each in page.button:  # nor is there anything to do with it
        assert not str(each.key).startswith(("edit_", "regenerate_", "branch_", "stop", "delete"))
    assert "thread" not in page.query_params
    return [each.value for each in page.info] == [UNKNOWN] and not page.chat_message


def test_users_have_separate_lists_and_searches(server: ModelServer, sign_in: SignIn) -> None:
    server.plays(text("A."), text("B."))
    ada, bob = ask(sign_in(ADA), "Hush"), ask(sign_in(BOB), "Hello")
    assert listed(ada.run()) == ["Hush"], "although the page is not on the machine that serves it"
    assert listed(bob.run()) == ["Hello"]
    bob.text_input(key="search").set_value("Hush").run()
    assert listed(bob) == []
    assert shown(sign_in(ADA, address(ada)))[0] == ("user", [("text", "Hush")])


def test_the_address_of_another_users_thread_is_unknown(server: ModelServer, sign_in: SignIn) -> None:
    server.plays(text("A."))
    ada = ask(sign_in(ADA), "Hush")
    assert is_new(sign_in(BOB, address(ada)))
    assert is_new(sign_in(BOB, "conv_unknown"))
    assert len(server.requests) == 1, "the server was not asked for it either"


def test_a_thread_that_only_the_server_has_is_not_opened(
    server: ModelServer, sign_in: SignIn, tmp_path: Path
) -> None:
    server.plays(text("A."))
    ada = ask(sign_in(ADA), "Hush")
    elsewhere = f"sqlite:///{tmp_path}/other.sqlite"
    assert is_new(sign_in(BOB, address(ada), ASSISTANT_DATABASE_URL=elsewhere))


@pytest.mark.exhaustive
def test_sessions_of_an_agent_are_not_listed_for_signed_in_users(sign_in: SignIn) -> None:
    with AgentsServer() as agents:
        agents.plays(text("A."))
        page = ask(sign_in(ADA, url=agents.url, OPENAI_AGENT_ID="agent_1"), "Hush").run()
        assert listed(page) == ["Hush"]
        assert "at_server" not in [each.key for each in page.sidebar.button]


def test_without_sign_in_a_users_thread_is_not_opened(
    server: ModelServer, sign_in: SignIn, open_page: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.plays(text("A."))
    ada = ask(sign_in(ADA), "Hush")
    monkeypatch.delenv("ASSISTANT_ALLOWED")
    assert is_new(open_page({"thread": address(ada)}, OPENAI_BASE_URL=server.url))


def test_an_answer_of_another_process_is_shown_only_to_its_owner(sign_in: SignIn, tmp_path: Path) -> None:
    autosaver = Autosaver(f"sqlite:///{tmp_path}/threads.sqlite")
    thread = Thread("conv_1", [Message.from_user("Hush"), Message("assistant", [Text("Hm")])])
    thread.owner = id_of(ADA)
    autosaver.acquire(thread, lambda: None)
    autosaver.save(thread, 0, backend_state=True)
    bob = sign_in(BOB, "conv_1")
    assert is_new(bob)
    assert not [each for each in bob.button if each.key in ("stop", "stop_elsewhere")]
    ada = sign_in(ADA, "conv_1")
    assert "Another process of this application is writing this answer." in [
        each.value for each in ada.caption
    ]
    autosaver.release(thread)
    autosaver.close()


def test_an_imported_thread_belongs_to_the_importer(sign_in: SignIn) -> None:
    page = sign_in(ADA)
    exported = export_json(thread_of("eve"), "Hush").encode()
    assert b"eve" not in exported
    page.file_uploader(key="import").upload("thread.json", exported).run()
    assert listed(page) == ["Hush"]
    assert is_new(sign_in(BOB, address(page)))
    assert listed(sign_in(BOB)) == []


def test_a_session_is_reset_when_another_user_signs_in(server: ModelServer, sign_in: SignIn) -> None:
    server.plays(text("A."))
    page = ask(sign_in(ADA), "Hush")
    page.user = BOB
    page.run()
    assert not page.chat_message
    assert listed(page) == []
    assert "Hush" not in sent(page)


def test_without_sign_in_the_page_says_that_the_address_is_the_key(open_page: Open) -> None:
    page = open_page()
    assert "Only the address of this page leads back to this chat" in page.sidebar.caption[-1].value
    assert id_of(ADA) != id_of(BOB)


def test_a_session_keeps_nothing_of_the_user_before(server: ModelServer, sign_in: SignIn) -> None:
    server.plays(text("Hush A."))
    page = ask(sign_in(ADA), "Hush")
    chat = session_of(page)
    chat.connection.override = ConnectionOverride(server.url, "sk-of-ada", "hush-model")
    chat.composer.attachments = [Attachment("hush.txt", "text/plain", "SHVzaA==")]
    chat.composer.problems = ["hush.zip cannot be sent."]
    chat.composer.audio, chat.composer.transcript = b"Hush", "Hush, spoken"
    page.session_state[keys.PAGE].opened_recordings = [Recording("conv_hush")]
    states = page.session_state[keys.PAGE].states
    states[RunnerState] = RunnerState("calculate", arguments={"calculate": "Hush"})
    states[ThreadList].on_server = [ThreadSummary("hush", "Hush", 0.0)]
    page.run()
    assert "hush" in sent(page).lower()
    page.user = BOB
    page.run()
    assert not page.exception
    states = page.session_state[keys.PAGE].states
    assert (states[ThreadList].on_server, states[ThreadList].drawn) == ([], frozenset())
    assert RunnerState not in states
    assert session_of(page) is not chat
    assert "hush" not in sent(page).lower()
    page.toggle(key="inspector").set_value(True).run()
    assert "Nothing recorded yet" in sent(page)


@pytest.mark.exhaustive
def test_branches_recordings_and_open_calls_are_shown_only_to_their_owner(
    server: ModelServer, sign_in: SignIn, tmp_path: Path
) -> None:
    """Branches, feedback, recordings, failed and open calls."""
    failed, waits = call("calculate", expression="hush"), call("book_hotel", guest="Hush")
    server.plays(text("Hush 1."), calls(failed), text("Hush 2."), calls(waits))
    ada = ask(sign_in(ADA), "Hush")
    ada.button(key="edit_0").click().run()
    ada.text_area(key="edit_text_0").set_value("Hush!").run()
    ada.button(key="save_0").click().run()
    ask(ada.run(), "Hush again").run()
    kinds = ("branch_", "approve-")
    assert all(any(str(each.key).startswith(kind) for each in ada.button) for kind in kinds)
    bob = sign_in(BOB, address(ada))
    assert is_new(bob)
    assert not [each for each in bob.button if str(each.key).startswith((*kinds, "rerun-"))]
    bob.toggle(key="inspector").set_value(True).run()
    assert "Nothing recorded yet" in sent(bob)
    assert "Hush" not in sent(bob)


def test_an_answer_of_this_process_is_shown_only_to_its_owner(
    server: ModelServer, sign_in: SignIn, tmp_path: Path
) -> None:
    gate = threading.Event()
    server.plays(text("Before."), text("Hush, hush", gate=gate, gate_after=5))
    ada = ask(sign_in(ADA), "Hello")
    writing = threading.Thread(target=ask, args=[ada, "Hush"])
    writing.start()
    try:
        with closing(Store(f"sqlite:///{tmp_path}/threads.sqlite")) as store:
            theirs = store.for_owner(id_of(ADA))
            until(lambda: (saved := theirs.load(address(ada))) and len(saved.messages) == 4)
        bob = sign_in(BOB, address(ada))
        assert is_new(bob)
        assert listed(bob) == []
    finally:
        gate.set()
        writing.join(20)
    assert shown(ada)[-1] == ("assistant", [("markdown", "Hush, hush")])


def test_a_thread_from_before_sign_in_is_not_opened_or_listed(sign_in: SignIn, tmp_path: Path) -> None:
    with closing(Store(f"sqlite:///{tmp_path}/threads.sqlite")) as store:
        store.save(thread_of(""))
        page = sign_in(ADA, "conv_1")
        assert is_new(page)
        page.text_input(key="search").set_value("Hush").run()
        assert listed(page) == []
        assert store.load("conv_1") is not None, "it is still stored"
