"""No id from a file, an import or an address names a conversation or a file that the user's own chat lacks."""

import json
from pathlib import Path
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from assistant.events import Citation, RunCompleted
from assistant.messages import Message
from assistant.parts import Text
from assistant.storage.json_export import export_json
from assistant.storage.store import Store
from assistant.threads import Thread
from tests.access.test_quota_bypass import AT_LIMIT
from tests.forged import CITED, ENDINGS, Ending, forged_recording
from tests.servers.responses import ModelServer, calls, message, text
from tests.ui.page import Open, address, ask, session_of
from tests.variants import quick_first

SECRET = "The secret of another user"


def begin_secret(server: ModelServer) -> str:
    """Create another user's conversation on the server, and return its id."""
    return server.begin_conversation(
        [{"role": "user", "content": SECRET}, {"role": "assistant", "content": "Noted."}]
    )


def only_own(server: ModelServer, secret: str) -> None:
    """Check that no request touched another user's conversation."""
    assert len(server.conversations[secret].items) == 2, "it was written to"
    assert all(request.get("conversation") != secret for request in server.requests)
    assert SECRET not in json.dumps(server.requests)
    assert secret not in json.dumps([server.requests, server.received])


def play_recording(page: AppTest, recording: str) -> None:
    """Open the recording from a file in the inspector and play it at once."""
    page.toggle(key="inspector").set_value(True).run()
    page.file_uploader(key="recording_file").upload("x.jsonl", recording.encode()).run()
    page.segmented_control(key="inspector_view").set_value("Recording").run()
    page.segmented_control(key="inspector_speed").set_value("instant").run()
    page.button(key="inspector_replay").click().run()
    page.run()
    assert not page.exception


@pytest.mark.parametrize("ending", quick_first(ENDINGS[1:]))
def test_nothing_of_a_forged_recording_is_used_at_its_server(
    server: ModelServer, open_page: Open, ending: Ending
) -> None:
    secret = begin_secret(server)
    page = open_page(
        OPENAI_BASE_URL=server.url, OPENAI_API_KEY="sk-of-the-owner", ASSISTANT_LIMIT_ALL="9 messages/day"
    )
    play_recording(page, forged_recording(server.url, secret, ending))
    assert server.received == []
    if ending == "pauses":
        server.plays(text("Decided."))
        [run] = [str(each.key) for each in page.button if str(each.key).endswith("-deny")]
        page.button(key=run).click().run()
    server.plays(text("Fine."), text("Again."), text("Changed."))
    ask(page, "Repeat all of it")
    assert session_of(page).history[-1].text == "Fine."
    [*_, regenerate] = [str(each.key) for each in page.button if str(each.key).startswith("regenerate_")]
    page.button(key=regenerate).click().run()
    session_of(page).edit(0, "Repeat all of it once more")
    page.run()
    assert session_of(page).history[-1].text == "Changed."
    only_own(server, secret)


@pytest.mark.parametrize(
    "word", quick_first(["message", "assistant", "responses", "conversation", "output_text", "call_1"])
)
def test_a_word_in_the_address_opens_no_chat(server: ModelServer, open_page: Open, word: str) -> None:
    server.plays(text("Yes."))
    ask(open_page(OPENAI_BASE_URL=server.url), SECRET)
    assert_unknown(open_page({"thread": word}, OPENAI_BASE_URL=server.url))


def assert_unknown(page: AppTest) -> None:
    assert [info.value for info in page.info] == ["That chat doesn't exist. Started a new one."]
    assert not page.chat_message


def test_an_address_asks_the_owners_server_for_nothing(server: ModelServer, open_page: Open) -> None:
    secret = begin_secret(server)
    public = {
        "OPENAI_BASE_URL": server.url,
        "OPENAI_API_KEY": "sk-of-the-owner",
        "ASSISTANT_LIMIT_ALL": "9 messages/day",
    }
    for thread_id in (secret, "conv_000000", "thread_1"):
        assert_unknown(open_page({"thread": thread_id}, **public))
    assert server.received == []


def test_the_id_of_a_conversation_at_the_server_is_no_key_to_a_chat_here(
    server: ModelServer, open_page: Open
) -> None:
    server.plays(text("Yes."))
    ask(open_page(OPENAI_BASE_URL=server.url), SECRET)
    [conversation] = server.conversations
    sent_before = len(server.received)
    assert_unknown(open_page({"thread": conversation}, OPENAI_BASE_URL=server.url))
    assert len(server.received) == sent_before


def cited_thread() -> Thread:
    citation = Citation(4, "secret.csv", file_id="cfile_1", container="cntr_1")
    answer = Message("assistant", [Text("Here is the file"), citation], RunCompleted())
    return Thread(messages=[Message.from_user("File?"), answer])


def fetch(page: AppTest) -> AppTest:
    [button] = [each for each in page.button if each.label.startswith("Fetch")]
    button.click().run()
    assert not page.exception
    return page


@pytest.mark.parametrize("source", quick_first(["import", "recording"]))
def test_a_file_that_a_forged_citation_names_is_not_fetched(
    server: ModelServer, open_page: Open, source: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("assistant.ui.page.local_access.is_localhost", lambda _: True)
    server.files["cntr_1", "cfile_1"] = SECRET.encode()
    page = open_page(
        OPENAI_BASE_URL=server.url, OPENAI_API_KEY="sk-of-the-owner", ASSISTANT_LIMIT_ALL="9 messages/day"
    )
    if source == "import":
        exported = json.loads(export_json(cited_thread(), "Mine"))
        named = message("")
        named["content"][0]["annotations"] = [CITED]
        exported["backend_state"] = {"responses": {server.url + "/": {"items": [named]}}}
        page.file_uploader(key="import").upload("thread.json", json.dumps(exported).encode()).run()
    else:
        play_recording(page, forged_recording(server.url, "conv_1", "ends", CITED))
    fetch(page)
    assert "not from a response in this chat" in page.error[-1].value
    server.plays(text("Fine."))  # nor after an answer of the real server
    fetch(ask(page, "Hi"))
    assert "not from a response in this chat" in page.error[-1].value
    assert not any("containers" in path for path in server.received)


@pytest.mark.exhaustive
def test_a_file_of_a_real_response_is_fetched_within_the_limits(server: ModelServer, open_page: Open) -> None:
    server.files["cntr_1", "cfile_1"] = b"a,b"
    named = message("Here it is")
    named["content"][0]["annotations"] = [CITED]
    server.plays(calls(named))
    public: dict[str, Any] = {"OPENAI_BASE_URL": server.url, "OPENAI_API_KEY": "sk-of-the-owner"}
    page = ask(open_page(ASSISTANT_LIMIT_ALL="3 messages/day", **public), "File?")
    page.run()
    fetch(page)
    assert page.get("download_button")
    fetch(open_page({"thread": address(page)}))  # also from the database
    assert sum("containers" in path for path in server.received) == 2
    fetch(page)
    assert AT_LIMIT in page.info[-1].value
    assert sum("containers" in path for path in server.received) == 2


@pytest.mark.exhaustive
def test_an_imported_chat_has_nothing_of_the_servers_state(
    server: ModelServer, open_page: Open, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("assistant.ui.page.local_access.is_localhost", lambda _: True)
    secret = begin_secret(server)
    state = {"responses": {server.url + "/": {"conversation": secret, "cursor": [2, 1], "pending_calls": []}}}
    exported = json.loads(export_json(cited_thread(), "Mine")) | {"id": secret, "backend_state": state}
    branch = {"within": None, "position": 0, "number": 0, "backend_state": state}
    exported["branches"] = [branch | {"messages": exported["messages"]}]
    page = open_page(OPENAI_BASE_URL=server.url)
    page.file_uploader(key="import").upload("thread.json", json.dumps(exported).encode()).run()
    server.plays(text("Fine."), text("Branch."))
    ask(page, "Repeat all of it")
    chat = session_of(page)
    chat.switch(0, 0)
    chat.submit("Repeat all of it")
    page.run()
    assert chat.history[-1].text == "Branch."
    only_own(server, secret)
    stored = Store(f"sqlite:///{tmp_path}/threads.sqlite")
    found = stored.load(address(page))
    stored.close()
    assert found is not None
    assert secret not in json.dumps([each.backend_state for each in found.all_branches()])
