"""Images and files: which are accepted, why others are refused, and what each server gets."""

import base64
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from openai.types.beta.agent_session_input_param import AgentSessionInputParam
from openai.types.chat import ChatCompletionMessageParam
from openai.types.responses.response_input_param import ResponseInputItemParam
from pydantic import TypeAdapter
from streamlit.testing.v1 import AppTest

from assistant import Assistant, Thread, Toolbox
from assistant.backends.attachments import accepted_kinds
from assistant.backends.client import connect
from assistant.backends.context import count_tokens
from assistant.codegen.script import thread_script
from assistant.events import Event, Note, RunCompleted, RunFailed
from assistant.messages import Message
from assistant.parts import Attachment, Text
from assistant.settings import ProtocolName, Settings
from assistant.storage.json_export import export_json, import_json
from assistant.storage.markdown_export import export_markdown
from assistant.storage.serialization import message_as_json, message_from_json
from assistant.storage.store import Store
from assistant.uploads import (
    ALL_KINDS,
    MAX_FILE_BYTES,
    MAX_FILES,
    MAX_TEXT_CHARS,
    attach,
    base_name,
    file_types,
    image_type,
    is_valid_attachment,
)
from tests.backends.kinds import EVERY_KIND, KINDS
from tests.conftest import add
from tests.servers.agents import AgentsServer
from tests.servers.assistants import AssistantsServer
from tests.servers.chat_completions import ChatServer
from tests.servers.responses import Json, ModelServer, call, calls, cut, error, text
from tests.stored import load_stored
from tests.variants import quick_first

# One pixel.
PNG_BYTES = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)


def attach_one(name: str, content: bytes) -> Attachment:
    (attachment,), refused = attach([(name, content)])
    assert refused == []
    return attachment


CAT = attach_one("cat.png", PNG_BYTES)
DOG = attach_one("dog.png", PNG_BYTES + b"more")
PDF = attach_one("ticket.pdf", b"%PDF-1.7 ...")
NOTES = attach_one("notes.md", b"Bring ``` socks")
NOTES_AS_TEXT = "notes.md:\n````\nBring ``` socks\n````"
UNSEEN = "[Image cat.png, which cannot be shown to you]"


# --- which are taken ---------------------------------------------------------------------------------


def test_a_wav_file_is_not_an_image() -> None:
    assert image_type(b"RIFF\x24\x00\x00\x00WAVEfmt ") == ""
    assert image_type(b"RIFF\x24\x00\x00\x00WEBPVP8 ") == "image/webp"


def test_a_file_dialog_offers_what_a_connection_takes() -> None:
    assert file_types(["application"]) == ["pdf"]
    assert file_types(ALL_KINDS)[:7] == ["png", "jpg", "jpeg", "webp", "gif", "pdf", "text"]
    offered = file_types(accepted_kinds("assistants"))
    assert {"text", "md", "json", "py", "toml"} <= set(offered)
    assert not {"png", "pdf"} & set(offered)


def test_the_type_of_a_file_is_found_from_its_bytes() -> None:
    files = [
        ("a.txt", PNG_BYTES),
        ("b", b"\xff\xd8\xff\xe0..."),
        ("c", b"RIFF\x00\x00\x00\x00WEBPVP8 "),
        ("d", b"GIF89a..."),
        ("e.png", b"%PDF-1.4"),
        ("f.rs", "fn main() {} // é".encode()),
        ("g.csv", "a;ü".encode("utf-16")),
        ("h.txt", b"\xef\xbb\xbfwith a mark"),
    ]
    attached, refused = attach(files)
    assert refused == []
    assert [each.media_type for each in attached] == [
        "image/png",
        "image/jpeg",
        "image/webp",
        "image/gif",
        "application/pdf",
        "text/plain",
        "text/plain",
        "text/plain",
    ]
    assert [each.content.decode() for each in attached[-3:]] == ["fn main() {} // é", "a;ü", "with a mark"]
    assert all(is_valid_attachment(each) for each in attached)


def test_a_refused_file_is_named_with_the_reason() -> None:
    files = [
        ("old.zip", b"PK\x03\x04\xff\xfe\x00"),
        ("nothing.txt", b""),
        ("book.txt", b"x" * (MAX_TEXT_CHARS + 1)),
        ("huge.png", PNG_BYTES.ljust(MAX_FILE_BYTES + 1)),
        ("latin.txt", "é".encode("latin-1")),
        ("cat.png", PNG_BYTES),
    ]
    kinds = "Supported: PNG, JPEG, WebP and GIF images, PDF files, and text files of any kind."
    assert attach(files) == (
        [CAT],
        [
            f"old.zip has an unsupported type. {kinds}",
            "nothing.txt is empty.",
            "book.txt is too long: 200,001 characters. The maximum is 200,000.",
            "huge.png is too large: 10 MB. The maximum is 10 MB.",
            f"latin.txt has an unsupported type. {kinds}",
        ],
    )


def test_the_number_and_the_size_of_files_are_limited() -> None:
    many = [(f"{number}.txt", b"x") for number in range(MAX_FILES + 1)]
    attached, refused = attach(many)
    assert len(attached) == MAX_FILES
    assert refused == ["10.txt was not attached: a message can have up to 10 files."]
    assert attach([("y.txt", b"y")], attached) == (
        [],
        ["y.txt was not attached: a message can have up to 10 files."],
    )
    large = [(f"{number}.png", PNG_BYTES.ljust(MAX_FILE_BYTES)) for number in range(3)]
    attached, refused = attach(large)
    assert [each.name for each in attached] == ["0.png", "1.png"]
    assert refused == ["2.png was not attached: the files of a message can have up to 20 MB together."]


def test_a_kind_that_the_connection_does_not_accept_is_refused_before_sending() -> None:
    files = [("cat.png", PNG_BYTES), ("t.pdf", b"%PDF-"), ("a.txt", b"a")]
    assert attach(files, accepted_kinds=accepted_kinds("agents"))[1] == [
        "t.pdf was not attached: this connection does not accept PDF files."
    ]
    assert attach(files, accepted_kinds=accepted_kinds("assistants"))[1] == [
        "cat.png was not attached: this connection does not accept images.",
        "t.pdf was not attached: this connection does not accept PDF files.",
    ]
    demo = accepted_kinds("responses", demo=True)
    assert attach(files[:1], accepted_kinds=demo, recipient="the built-in demo")[1] == [
        "cat.png was not attached: the built-in demo does not accept images."
    ]
    protocols: tuple[ProtocolName, ...] = ("responses", "chat", "auto")
    for protocol in protocols:
        assert attach(files, accepted_kinds=accepted_kinds(protocol))[1] == []


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("../../etc/passwd", "passwd"),
        ("C:\\me\\a.png", "a.png"),
        ("a\nb\x00\u202f.txt", "a b\ufffd .txt"),
        ("", "file"),
        ("x" * 300 + ".png", "x" * 60 + "…" + "x" * 15 + ".png"),
        ("\ud800.png", "\ufffd.png"),
    ],
)
def test_a_name_is_one_short_line_without_folders(path: str, name: str) -> None:
    assert base_name(path) == name


# --- what each server gets ---------------------------------------------------------------------------


@pytest.fixture(params=EVERY_KIND)
def name(request: pytest.FixtureRequest) -> str:
    kind: str = request.param
    return kind


@pytest.fixture
def server(name: str) -> Iterator[Any]:
    with KINDS[name].server() as server:
        yield server


@pytest.fixture
def assistant(name: str, server: Any) -> Iterator[Assistant]:
    client = connect(Settings(base_url=server.url))
    yield Assistant(KINDS[name].backend(client), Toolbox(add))
    client.close()


def only(*names: str) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("name", names, indirect=True)


def notes(events: list[Event]) -> list[str]:
    return [event.text for event in events if isinstance(event, Note)]


def checked(kind: Any, values: list[Json]) -> list[Json]:
    """Return the values after checking them against the SDK's types."""
    for value in values:
        TypeAdapter(kind).validate_python(value)
    return values


IN_RESPONSES = {
    "type": "message",
    "role": "user",
    "content": [
        {"type": "input_text", "text": "What is this?"},
        {"type": "input_image", "detail": "auto", "image_url": CAT.url},
        {"type": "input_file", "filename": "ticket.pdf", "file_data": PDF.url},
        {"type": "input_text", "text": NOTES_AS_TEXT},
    ],
}


@only("Responses with conversations")
def test_a_conversation_gets_files_once(server: ModelServer, assistant: Assistant) -> None:
    server.plays(calls(call("add", a=1, b=2)), text("A cat."), text("Yes."))
    thread = Thread()
    list(assistant.run(thread, "What is this?", [CAT, PDF, NOTES]))
    list(assistant.run(thread, "Sure?"))
    first, second, third = [checked(ResponseInputItemParam, each["input"]) for each in server.requests]
    assert first == [IN_RESPONSES]
    assert [item["type"] for item in second] == ["function_call_output"]
    assert third == [{"type": "message", "role": "user", "content": "Sure?"}]
    assert CAT.data not in json.dumps(thread.backend_state)


@only("Responses alone")
def test_a_stateless_server_gets_files_each_time_and_state_contains_none(
    server: ModelServer, assistant: Assistant
) -> None:
    server.plays(text("A cat."), text("Yes."))
    thread = Thread()
    list(assistant.run(thread, "What is this?", [CAT, PDF, NOTES]))
    assert CAT.data not in json.dumps(thread.backend_state)
    again = Thread(thread.id, thread.messages, json.loads(json.dumps(thread.backend_state)))
    list(assistant.run(again, "Sure?"))
    assert checked(ResponseInputItemParam, server.requests[1]["input"])[0] == IN_RESPONSES


@only("Chat Completions")
def test_chat_completions_get_files_each_time(server: ChatServer, assistant: Assistant) -> None:
    server.plays(text("A cat."), text("Yes."))
    thread = Thread()
    list(assistant.run(thread, "What is this?", [CAT, PDF, NOTES]))
    list(assistant.run(thread, "", [NOTES]))
    first, second = [checked(ChatCompletionMessageParam, each["messages"]) for each in server.requests]
    assert first == [
        {
            "role": "user",
            "content": [
                {"type": "text", "text": f"What is this?\n\n{NOTES_AS_TEXT}"},
                {"type": "image_url", "image_url": {"url": CAT.url}},
                {"type": "file", "file": {"filename": "ticket.pdf", "file_data": PDF.url}},
            ],
        }
    ]
    assert second[0] == first[0]
    assert second[-1] == {"role": "user", "content": NOTES_AS_TEXT}


@only("Agents")
def test_an_agent_gets_images_and_the_names_of_other_files(
    server: AgentsServer, assistant: Assistant
) -> None:
    server.plays(text("A cat."), text("A dog."))
    thread = Thread()
    list(assistant.run(thread, "What is this?", [CAT, PDF, NOTES]))
    list(assistant.run(thread, "", [DOG]))
    (session,) = server.sessions.values()
    files = "[Image cat.png]\n\n[File ticket.pdf, which cannot be shown to you]"
    words = f"What is this?\n\n{files}\n\n{NOTES_AS_TEXT}"
    begun = {"type": "agent.session.input.message", "input": session.body["input"]}
    assert checked(AgentSessionInputParam, [begun])[0]["input"] == [
        {
            "role": "user",
            "content": [{"type": "input_text", "text": words}, {"type": "input_image", "image_url": CAT.url}],
        }
    ]
    messages = [item["content"] for item in session.items if item.get("role") == "user"]
    assert messages[-1] == [
        {"type": "input_text", "text": "[Image dog.png]"},
        {"type": "input_image", "image_url": DOG.url},
    ]


@only("Assistants")
def test_an_assistant_gets_text_files_and_the_names_of_others(
    server: AssistantsServer, assistant: Assistant
) -> None:
    server.plays(text("Socks."))
    thread = Thread()
    list(assistant.run(thread, "What is this?", [CAT, NOTES]))
    (thread_id,) = server.threads
    assert server.transcript(thread_id)[0] == ("user", f"What is this?\n\n{UNSEEN}\n\n{NOTES_AS_TEXT}")


def test_a_message_may_consist_of_a_file(server: Any, assistant: Assistant) -> None:
    server.plays(text("I see."), text("Still."))
    thread = Thread()
    assert list(assistant.run(thread, "", [CAT]))[-1] == RunCompleted()
    assert list(assistant.run(thread, "And now?"))[-1] == RunCompleted()


def test_after_a_cut_a_message_with_files_is_not_sent_twice(
    server: Any, assistant: Assistant, name: str
) -> None:
    server.plays(cut(text("A c", keeps="all"), 6, "close"), text("A dog."))
    thread = Thread()
    list(assistant.run(thread, "What is this?", [CAT, NOTES]))
    assert list(assistant.run(thread, "And this?", [DOG]))[-1] == RunCompleted()
    if name == "Responses with conversations":
        (conversation,) = server.conversations.values()
        images = [item for item in conversation.items if CAT.url in json.dumps(item)]
        assert len(images) == 1


# --- refusals ----------------------------------------------------------------------------------------

BLIND = ("Responses with conversations", "Responses alone", "Chat Completions")


@only(*BLIND)
@pytest.mark.parametrize(
    "refusal",
    quick_first(
        [
            error(400, None, "image input is not supported"),
            error(500, "server_error", "image input is not supported - hint: mmproj", x_should_retry="false"),
            error(400, None, "unsupported content[].type"),
            error(400, None, "'input_file' is not supported by llamacpp at this moment"),
            error(404, None, "No endpoints found that support image input"),
            error(415, None, "What is that?"),
            error(422, None, "content: Input should be a valid string"),
            error(400, "invalid_image", "The data is damaged."),
        ],
        2,
    ),
    ids=lambda play: f"{play.status} {play.body['error']['message'][:12]}",
)
def test_a_model_without_images_gets_their_names_and_the_user_a_note(
    server: Any, assistant: Assistant, refusal: Any
) -> None:
    server.plays(refusal, text("I cannot see it."), text("No."))
    thread = Thread()
    events = list(assistant.run(thread, "What is this?", [CAT]))
    assert events[-1] == RunCompleted()
    (note,) = notes(events)
    assert note.startswith("The server rejected cat.png. The model sees only the name.")
    events = list(assistant.run(thread, "Really?"))
    assert (events[-1], notes(events)) == (RunCompleted(), [])
    assert CAT.data in json.dumps(server.requests[0])
    for request in server.requests[1:]:
        assert CAT.data not in json.dumps(request)
    assert UNSEEN in json.dumps(server.requests[1])


@only(*BLIND)
def test_only_the_refused_kind_of_file_is_replaced_by_names(server: Any, assistant: Assistant) -> None:
    refusal = error(400, None, "'input_file' is not supported by llamacpp at this moment")
    server.plays(refusal, text("A cat."))
    list(assistant.run(Thread(), "What is this?", [CAT, PDF]))
    assert CAT.data in json.dumps(server.requests[-1])
    assert PDF.data not in json.dumps(server.requests[-1])


@only("Responses alone", "Chat Completions")
def test_a_thread_continues_without_images_on_a_model_that_accepts_none(
    server: Any, assistant: Assistant
) -> None:
    server.plays(text("A cat."), error(400, None, "image input is not supported"), text("Hello."))
    thread = Thread()
    list(assistant.run(thread, "What is this?", [CAT, PDF]))
    events = list(assistant.run(thread, "Hi"))
    assert (events[-1], len(notes(events))) == (RunCompleted(), 1)
    assert CAT.data not in json.dumps(server.requests[-1])
    assert PDF.data in json.dumps(server.requests[-1])


@only(*BLIND)
def test_a_refusal_of_something_else_keeps_the_files(server: Any, assistant: Assistant) -> None:
    server.plays(error(400, "invalid_prompt", "Against the policy."), text("A cat."))
    thread = Thread()
    events = list(assistant.run(thread, "What is this?", [CAT]))
    assert isinstance(events[-1], RunFailed)
    assert notes(events) == []
    list(assistant.resume(thread))
    assert CAT.data in json.dumps(server.requests[-1])


# --- storage -----------------------------------------------------------------------------------------


def test_a_message_with_files_is_stored_unchanged(tmp_path: Path) -> None:
    message = Message.from_user("See", [CAT, NOTES])
    assert message_from_json(json.loads(json.dumps(message_as_json(message)))) == message
    store = Store(f"sqlite:///{tmp_path}/t.sqlite")
    store.save(Thread("thread_1", [message]))
    stored = load_stored(store, "thread_1")
    assert stored.messages == [message]
    assert [entry.id for entry in store.list_threads(CAT.data[:20])] == []
    store.close()


def test_a_thread_is_exported_with_its_files_and_imported_again() -> None:
    thread = Thread(
        "t", [Message.from_user("See", [CAT]), Message("assistant", [Text("A cat.")], RunCompleted())]
    )
    imported, title = import_json(export_json(thread, "Cats"))
    assert (imported.messages, title) == (thread.messages, "Cats")
    assert "**Attached** `cat.png` (`image/png`)" in export_markdown(thread, "Cats")
    compile(thread_script(Thread("t", [Message.from_user("", [CAT])]), "m"), "script", "exec")


@pytest.mark.parametrize(
    "hostile",
    [
        Attachment("cat.png", "image/png", "no base64"),
        Attachment("cat.png", "text/html", CAT.data),
        Attachment("cat.png", "image/png", NOTES.data),
        Attachment("../cat.png", "image/png", CAT.data),
        Attachment("cat.png", "image/png", ""),
        Attachment("cat.png", "image/png", CAT.data + "\n"),
    ],
)
def test_a_file_that_could_not_have_been_attached_is_not_imported(hostile: Attachment) -> None:
    written = export_json(Thread("t", [Message.from_user("See", [hostile])]), "x")
    with pytest.raises(ValueError, match="its message 1 cannot be read"):
        import_json(written)


def test_a_file_of_an_answer_is_not_imported() -> None:
    thread = Thread("t", [Message("assistant", [CAT], RunCompleted())])
    with pytest.raises(ValueError, match="its message 1 cannot be read"):
        import_json(export_json(thread, "x"))


def test_an_image_counts_by_its_tokens_and_not_its_bytes() -> None:
    large = Attachment("x.png", "image/png", "A" * 5_000_000)
    part = {"type": "input_image", "image_url": large.url}
    noted = {"type": "input_image", "image_url": f"attachment:{large.digest}"}
    assert 1_500 < count_tokens([{"role": "user", "content": [part]}]) < 1_567
    assert 1_500 < count_tokens([{"role": "user", "content": [noted]}]) < 1_567


def test_a_file_has_a_short_repr() -> None:
    assert repr(CAT) == f"Attachment('cat.png', 'image/png', {len(CAT.data)} characters)"


@only("Responses with conversations")
def test_a_thread_is_loaded_from_the_server_with_its_images(
    server: ModelServer, assistant: Assistant
) -> None:
    server.plays(text("A cat."), text("Yes."))
    thread = Thread()
    list(assistant.run(thread, "What is this?", [CAT]))
    recalled = assistant.backend.load_thread(thread.id)  # type: ignore[attr-defined]
    assert [each.data for each in recalled.messages[0].attachments] == [CAT.data]
    assert CAT.data not in json.dumps(recalled.backend_state)
    assert list(assistant.run(recalled, "Sure?"))[-1] == RunCompleted()


# --- on the page -------------------------------------------------------------------------------------


def test_a_message_shows_its_images_and_names_its_files() -> None:
    def page() -> None:
        import streamlit as st

        from assistant.ui.composer.attachments import draw_attachments

        draw_attachments(st.session_state.message)

    app = AppTest.from_function(page)
    damaged = Attachment("broken.png", "image/png", base64.b64encode(b"\x89PNG\r\n\x1a\n").decode())
    app.session_state.message = Message.from_user("See", [CAT, PDF, damaged])
    app.run()
    assert not app.exception
    assert [each.value for each in app.caption] == [
        ":material/description: broken\\.png · 1 kB",
        ":material/description: ticket\\.pdf · 1 kB",
    ]
    (image,) = app.get("image")
    assert image.proto.imgs[0].url
