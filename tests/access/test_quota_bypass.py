"""At a limit, no action on the page sends a request with the owner's key."""

import json
import shutil
import socket
from collections.abc import Callable
from contextlib import closing, suppress
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from assistant import Thread
from assistant.access.limits import UsageTotals, parse_limits
from assistant.access.usage_store import UsageStore
from assistant.backends.connection.hosted_tools import connection_tools
from assistant.backends.connection.override import ConnectionOverride
from assistant.errors import LimitExceeded
from assistant.events import RunPaused
from assistant.messages import Message
from assistant.parts import Call
from assistant.recordings.recording import Recording
from assistant.settings import Settings
from assistant.storage.database import Database
from assistant.storage.json_export import export_json
from assistant.ui import keys
from tests.access.test_people import ADA, SignIn, sign_in
from tests.deploy.test_process import Start, interrupt, start, until
from tests.paths import ROOT
from tests.servers.responses import ModelServer, call, calls, error, text
from tests.ui.page import Open, ask, recording_of, session_of
from tests.variants import quick_first

__all__ = ["sign_in", "start"]  # fixtures

TOKEN = "token-of-the-owner"
KEY = "sk-of-the-owner"
LIMIT = "1 messages/day"
AT_LIMIT = "This page has reached its usage limit"
BOOK: dict[str, Any] = {"hotel_id": 1, "guest": "Ada", "check_in": "2027-01-01", "nights": 1}


@pytest.fixture
def public(open_page: Open, server: ModelServer) -> Open:
    """Open the page remotely, with a key and a limit of the owner."""

    def opened(thread: str = "") -> AppTest:
        return open_page(
            {"thread": thread} if thread else None,
            OPENAI_BASE_URL=server.url,
            OPENAI_API_KEY=KEY,
            ASSISTANT_LIMIT_ALL=LIMIT,
        )

    return opened


def exhaust_limit(folder: Path) -> None:
    """Use up the limit of the page whose database is in this folder."""
    with closing(Database(f"sqlite:///{folder}/threads.sqlite")) as database, suppress(LimitExceeded):
        while True:
            UsageStore(database).reserve("another", UsageTotals(messages=1), (), parse_limits(LIMIT))


def press(page: AppTest, key: str) -> AppTest:
    """Press the button whose key ends so."""
    return next(each for each in page.button if str(each.key).endswith(key)).click().run()


def edit(page: AppTest) -> None:
    press(page, "edit_0")
    page.text_area(key="edit_text_0").set_value("Other").run()
    press(page, "save_0")


ACTIONS: dict[str, Callable[[AppTest], object]] = {
    "a message": lambda page: ask(page, "Two"),
    "an edit": edit,
    "a regenerated answer": lambda page: press(page, "regenerate_1"),
    "an example": lambda page: press(press(page, "new_chat"), "example_0"),
}


@pytest.mark.parametrize("action", quick_first(ACTIONS, 2))
def test_at_a_limit_no_request_is_sent(action: str, server: ModelServer, public: Open) -> None:
    server.plays(text("A."))
    page = ask(public(), "One")
    ACTIONS[action](page)
    assert not page.exception
    assert AT_LIMIT in " ".join(each.value for each in [*page.info, *page.toast])
    assert len(server.requests) == 1


def test_at_a_limit_a_failed_answer_is_not_retried(server: ModelServer, public: Open) -> None:
    server.plays(error(500, None, "No.", x_should_retry="false"))
    page = ask(public(), "One").run()
    before = len(server.requests)
    press(page, "retry")
    assert AT_LIMIT in page.info[0].value
    assert len(server.requests) == before


@pytest.mark.parametrize("decision", quick_first(["-run", "-deny", "-answer"]))
def test_a_decision_counts_as_a_message(server: ModelServer, public: Open, decision: str) -> None:
    server.plays(calls(call("book_hotel", **BOOK)))
    page = ask(public(), "Book it").run()
    press(page, decision)
    assert AT_LIMIT in page.info[0].value
    assert len(server.requests) == 1
    assert any(str(each.key).endswith(decision) for each in page.button), "the decision can be repeated"


@pytest.mark.exhaustive
def test_a_pause_in_an_opened_recording_does_not_bypass_the_limit(
    server: ModelServer, public: Open, tmp_path: Path
) -> None:
    server.plays(calls(call("book_hotel", **BOOK)))
    page = ask(public(), "Book it")
    recording = Recording.from_lines(recording_of(page).as_lines())  # as in a file that a visitor wrote
    server.plays(text("A."))
    page.session_state[keys.PAGE].opened_recordings.append(recording)
    page.toggle(key="inspector").set_value(True).run()
    press(page, "new_chat")
    page.segmented_control(key="inspector_view").set_value("Recording").run()
    page.segmented_control(key="inspector_speed").set_value("instant").run()
    press(page, "inspector_replay").run()
    assert session_of(page).thread.is_paused
    press(page, "-deny")
    assert AT_LIMIT in page.info[0].value
    assert len(server.requests) == 1
    assert server.drop_script() == 1


def test_a_pause_in_an_imported_thread_does_not_bypass_the_limit(
    server: ModelServer, sign_in: SignIn, tmp_path: Path
) -> None:
    waiting = Message("assistant", [Call("c1", "book_hotel", "{}", 1)], RunPaused())
    exported = export_json(Thread("", [Message.from_user("Book it"), waiting]), "Book it")
    page = sign_in(ADA, OPENAI_API_KEY=KEY, ASSISTANT_LIMIT_ALL=LIMIT)
    exhaust_limit(tmp_path)
    page.file_uploader(key="import").upload("thread.json", exported.encode()).run()
    page.run()
    press(page, "-deny")
    assert AT_LIMIT in page.info[0].value
    assert server.requests == []


def test_at_a_limit_a_queued_message_returns_to_the_input(server: ModelServer, public: Open) -> None:
    server.plays(text("A."))
    page = ask(public(), "One")
    session_of(page).app.queue.add(session_of(page).thread, "Two")
    page.run()
    assert AT_LIMIT in page.info[0].value
    assert page.chat_input(key="prompt").proto.value == "Two"
    assert len(server.requests) == 1


def test_a_visitor_cannot_test_the_owners_connection(server: ModelServer, public: Open) -> None:
    page = public()
    page.button(key="open_connection").click().run()
    assert page.radio(key="connection").value == "configured"
    test = page.button(key="connection_test")
    assert test.disabled
    test.proto.disabled = False  # in that browser
    test.click().run()
    assert not page.exception
    assert server.headers == []


def test_where_usage_is_counted_only_the_owner_enables_tools_that_cost_extra() -> None:
    free = Settings(api_key=KEY)
    counted = Settings(api_key=KEY, limit_all=parse_limits(LIMIT), hosted_tools="file_search:vs_1")
    assert [each.kind for each in connection_tools(free)] == [
        "web_search",
        "code_interpreter",
        "image_generation",
        "file_search",
    ]
    assert [each.kind for each in connection_tools(counted)] == ["file_search"]
    own = ConnectionOverride(api_key="sk-of-a-visitor", model="m").settings(counted)
    assert connection_tools(own) == connection_tools(free)


@pytest.mark.exhaustive
@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_only_local_requests_use_the_owners_key(
    server: ModelServer, start: Start, tmp_path: Path, host: str
) -> None:
    with socket.create_server((host, 0), family=family(host)) as free:
        port = free.getsockname()[1]
    surroundings = {"OPENAI_BASE_URL": server.url, "OPENAI_API_KEY": KEY, "ASSISTANT_LOCAL_TOKEN": TOKEN}
    flags = ["--server.headless=true", f"--server.address={host}", f"--server.port={port}"]
    shutil.copy(ROOT / "streamlit_app.py", tmp_path)
    process = start(
        *["-m", "streamlit", "run", "streamlit_app.py", "--server.enableAgentApi=true", *flags],
        **surroundings,
    )

    def uses_owner_key(token: str = TOKEN, **headers: str) -> bool:
        """Return whether a request like this would use the owner's key."""
        with closing(HTTPConnection(host, port, timeout=20)) as connection:
            all_headers = {"content-type": "application/json"} | headers
            body = json.dumps({"query_params": {"token": [token]}} if token else {})
            connection.request("POST", "/_stcore/agent/interact", body, all_headers)
            page = connection.getresponse().read().decode()
        is_demo = "built-in demo answers here" in page or "Demo mode" in page
        assert is_demo is not ("Answers by" in page)
        return "Answers by" in page

    def answers() -> bool:
        with suppress(OSError), closing(HTTPConnection(host, port, timeout=20)) as connection:
            connection.request("GET", "/_stcore/health")
            return connection.getresponse().status == 200
        return False

    until(answers, process, tmp_path / "log")
    assert uses_owner_key()
    assert not uses_owner_key(token="")
    assert not uses_owner_key(token=TOKEN[:-1])
    assert uses_owner_key(Host=f"localhost:{port}")
    for name in ("chat.example", f"localhost.example:{port}", f"127.0.0.1.example:{port}"):
        assert not uses_owner_key(Host=name)
    for name in ("X-Forwarded-For", "x-forwarded-proto", "Forwarded", "Via", "X-Real-IP"):
        assert not uses_owner_key(**{name: "127.0.0.1"})
    assert server.requests == []
    assert interrupt(process, tmp_path / "log") == 0


def family(host: str) -> socket.AddressFamily:
    return socket.AF_INET6 if ":" in host else socket.AF_INET
