"""File search in attachments: uploads, vector stores and their deletion, over a real socket."""

import re
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any
from urllib.parse import urlsplit

import pytest

from assistant import Assistant, Thread, Toolbox
from assistant.backends.client import connect
from assistant.backends.responses import files as responses_files
from assistant.backends.responses.backend import Responses
from assistant.backends.responses.files import is_searchable
from assistant.events import Event, HostedCall, Note, RunCompleted, RunFailed
from assistant.parts import Attachment
from assistant.settings import Settings
from assistant.tools.hosted import parse_hosted_tools
from assistant.uploads import attach
from tests.servers import hosted
from tests.servers.responses import Handler, ModelServer, calls, error, message, text

Ask = Callable[..., Assistant]
Json = dict[str, Any]


class FileServer(ModelServer):
    """A model server that stores files and vector stores."""

    def __init__(self) -> None:
        super().__init__()
        self.uploads: dict[str, str] = {}  # names by file ids
        self.stores: dict[str, list[str]] = {}  # file ids by stores
        self.created: list[str] = []  # every file and store, in order
        self.status = "completed"  # of each file in a store
        self.takes_files = True
        self.looked = threading.Event()  # set when the status of a file is requested

    def handler(self) -> type[Handler]:
        return FileHandler

    def new(self, kind: str) -> str:
        self.created.append(f"{kind}_{len(self.created) + 1}")
        return self.created[-1]


class FileHandler(Handler):
    model: FileServer

    def do_POST(self) -> None:
        path = urlsplit(self.path).path.removeprefix("/v1/").split("/")
        if path[0] not in ("files", "vector_stores"):
            super().do_POST()
            return
        body = self.rfile.read(int(self.headers["content-length"])).decode("utf-8", "replace")
        match path:
            case ["files"] if not self.model.takes_files:
                self._send(400, {"error": {"message": "Uploads are closed today.", "code": None}})
            case ["files"]:
                assert 'name="purpose"\r\n\r\nassistants' in body
                [name] = re.findall(r'filename="([^"]*)"', body)
                file_id = self.model.new("file")
                self.model.uploads[file_id] = name
                self._send(200, {"id": file_id, "object": "file"})
            case ["vector_stores"]:
                assert '"anchor":"last_active_at"' in body.replace(" ", "")
                store_id = self.model.new("vs")
                self.model.stores[store_id] = []
                self._send(200, {"id": store_id, "object": "vector_store"})
            case ["vector_stores", store, "files"] if store in self.model.stores:
                [file] = re.findall(r"file_\d+", body)
                self.model.stores[store].append(file)
                self._send(200, {"id": file, "status": "in_progress"})
            case _:
                self._send(404, {"error": {"message": "No such vector store.", "code": None}})

    def do_GET(self) -> None:
        match urlsplit(self.path).path.removeprefix("/v1/").split("/"):
            case ["vector_stores", store, "files", file] if file in self.model.stores.get(store, []):
                self.model.looked.set()
                failed = {"code": "invalid_file", "message": "It holds no text."}
                status = self.model.status
                last = failed if status == "failed" else None
                self._send(200, {"id": file, "status": status, "last_error": last})
            case _:
                super().do_GET()

    def do_DELETE(self) -> None:
        match urlsplit(self.path).path.removeprefix("/v1/").split("/"):
            case ["files", file] if self.model.uploads.pop(file, None):
                self._send(200, {"id": file, "deleted": True})
            case ["vector_stores", store] if self.model.stores.pop(store, None) is not None:
                self._send(200, {"id": store, "deleted": True})
            case _:
                super().do_DELETE()


@pytest.fixture
def files() -> Iterator[FileServer]:
    with FileServer() as server:
        yield server


@pytest.fixture
def ask(files: FileServer) -> Iterator[Ask]:
    """Create assistants that request these hosted tools."""
    with ExitStack() as clients:

        def create(named: str = "file_search") -> Assistant:
            client = clients.enter_context(connect(Settings(api_key="sk-test", base_url=files.url)))
            return Assistant(
                Responses(client, model="test-model", hosted=parse_hosted_tools(named)), Toolbox()
            )

        yield create


def attached(**contents: str) -> list[Attachment]:
    """Return attachments by name, with _ for the dot."""
    accepted, refused = attach((name.replace("_", "."), each.encode()) for name, each in contents.items())
    assert not refused
    return accepted


def search_in(*stores: str) -> list[Json]:
    return [{"type": "file_search", "vector_store_ids": list(stores)}]


def sent_texts(request: Json) -> list[str]:
    """Return the texts of the last message of a request."""
    content = request["input"][-1]["content"]
    return [content] if isinstance(content, str) else [part["text"] for part in content]


def notes(events: list[Event]) -> list[str]:
    return [event.text for event in events if isinstance(event, Note)]


RENT = "[File rent.txt, which file search looks through]"


def test_attachments_are_uploaded_and_searched(files: FileServer, ask: Ask) -> None:
    found = hosted.file_search("rent", **{"rent.txt": "It is 900."})
    files.plays(calls(found, message("900.")))
    thread = Thread()
    events = list(ask().run(thread, "How much?", attached(rent_txt="It is 900.", data_csv="a,b")))
    assert files.uploads == {"file_1": "rent.txt"}
    assert files.stores == {"vs_2": ["file_1"]}
    [request] = files.requests
    assert (request["tools"], request["include"]) == (search_in("vs_2"), ["file_search_call.results"])
    assert sent_texts(request) == ["How much?", RENT, "data.csv:\n```\na,b\n```"]
    assert HostedCall(found["id"], "file_search", "", "rent", "rent.txt\nIt is 900.", "done") in events
    assert thread.messages[-1].text == "900."


def test_later_messages_use_the_same_store_and_add_to_it(files: FileServer, ask: Ask) -> None:
    files.plays(text("One."), text("Two."), text("Three."))
    thread, assistant = Thread(), ask("file_search:vs_9, file_search")
    list(assistant.run(thread, "One?", attached(rent_txt="It is 900.")))
    list(assistant.run(thread, "Two?"))
    list(assistant.run(thread, "Three?", attached(rent_txt="It is 900.", plan_md="# Plan")))
    assert [each["tools"] for each in files.requests] == [search_in("vs_9", "vs_2")] * 3
    assert files.stores == {"vs_2": ["file_1", "file_3"]}
    assert sent_texts(files.requests[2]) == [
        "Three?",
        RENT,
        "[File plan.md, which file search looks through]",
    ]


def test_without_files_or_when_switched_off_nothing_is_searched(files: FileServer, ask: Ask) -> None:
    files.plays(text("Hello."), text("900."))
    thread = Thread()
    list(ask().run(thread, "Hello"))
    list(ask("web_search").run(thread, "How much?", attached(rent_txt="It is 900.")))
    assert [each["tools"] for each in files.requests] == [[], [{"type": "web_search"}]]
    assert sent_texts(files.requests[1]) == ["How much?", "rent.txt:\n```\nIt is 900.\n```"]
    assert files.created == []


def test_deleting_a_thread_deletes_its_files_and_store(files: FileServer, ask: Ask) -> None:
    files.plays(text("900."))
    thread, assistant = Thread(), ask()
    list(assistant.run(thread, "How much?", attached(rent_txt="It is 900.", plan_md="# Plan")))
    del files.uploads["file_1"]  # gone already
    assistant.backend.delete_thread(thread)  # type: ignore[attr-defined]
    assert (files.uploads, files.stores, files.conversations) == ({}, {}, {})
    assistant.backend.delete_thread(thread)  # type: ignore[attr-defined]


def test_a_refused_upload_ends_the_run_and_is_retried(files: FileServer, ask: Ask) -> None:
    files.takes_files = False
    thread, assistant = Thread(), ask()
    *_, last = assistant.run(thread, "How much?", attached(rent_txt="It is 900."))
    assert isinstance(last, RunFailed)
    host = urlsplit(files.url).netloc
    assert last.text == f"{host} refused the request. It says: Uploads are closed today."
    assert (files.requests, thread.messages[0].text) == ([], "How much?")
    files.takes_files = True
    files.plays(text("900."))
    *_, last = assistant.resume(thread)
    assert isinstance(last, RunCompleted)
    assert sent_texts(files.requests[0]) == ["How much?", RENT]


def test_a_file_that_cannot_be_searched_is_sent_with_its_message(files: FileServer, ask: Ask) -> None:
    files.status = "failed"
    files.plays(text("900."))
    events = list(ask().run(Thread(), "How much?", attached(rent_txt="It is 900.")))
    assert notes(events) == [
        "rent.txt can't be searched and was attached to the message instead. It holds no text."
    ]
    assert files.requests[0]["tools"] == []
    assert sent_texts(files.requests[0]) == ["How much?", "rent.txt:\n```\nIt is 900.\n```"]
    assert files.uploads == {}


ANEW = "The searched files were missing on the server and were uploaded again."


@pytest.mark.parametrize("adds", [False, True])
def test_a_deleted_store_is_created_again(files: FileServer, ask: Ask, adds: bool) -> None:
    files.plays(text("900."))
    thread, assistant = Thread(), ask()
    list(assistant.run(thread, "How much?", attached(rent_txt="It is 900.")))
    files.stores.clear()
    if not adds:
        files.plays(error(404, None, "Vector store with id ['vs_2'] not found."))
    files.plays(text("Yes."))
    events = list(assistant.run(thread, "Sure?", attached(plan_md="# Plan") if adds else []))
    assert notes(events) == [ANEW]
    [store] = files.stores
    assert files.requests[-1]["tools"] == search_in(store)
    assert [files.uploads[each] for each in files.stores[store]] == ["rent.txt", "plan.md"][: 1 + adds]
    assert len(files.uploads) == 1 + adds


def test_a_deleted_store_without_files_is_left_out(files: FileServer, ask: Ask) -> None:
    files.plays(
        text("900."), error(404, None, "Vector store with id ['vs_2'] not found."), text("A."), text("B.")
    )
    thread, assistant = Thread(), ask()
    list(assistant.run(thread, "How much?", attached(rent_txt="It is 900.")))
    parts = thread.messages[0].parts
    parts[:] = [part for part in parts if not isinstance(part, Attachment)]
    [note] = notes(list(assistant.run(thread, "Sure?")))
    assert note.startswith("The server rejected the tool file_search. The request was sent without it.")
    assert notes(list(assistant.run(thread, "Sure?"))) == []
    assert [each["tools"] for each in files.requests] == [search_in("vs_2"), search_in("vs_2"), [], []]


def test_stop_works_while_files_are_indexed(files: FileServer, ask: Ask) -> None:
    files.status = "in_progress"
    thread, assistant = Thread(), ask()
    events: list[Event] = []
    run = assistant.run(thread, "How much?", attached(rent_txt="It is 900."))
    running = threading.Thread(target=lambda: events.extend(run))
    running.start()
    assert files.looked.wait(5)
    assistant.cancel(thread)
    running.join(5)
    assert events[-1] == RunFailed("cancelled", "Cancelled.")
    files.status = "completed"
    files.plays(text("900."))
    list(assistant.resume(thread))
    assert files.stores == {"vs_2": ["file_1"]}  # nothing was put in twice
    assert sent_texts(files.requests[0]) == ["How much?", RENT]


def test_indexing_that_takes_too_long_ends_the_run(
    files: FileServer, ask: Ask, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(responses_files, "INDEX_SECONDS", 0.0)
    files.status = "in_progress"
    *_, last = ask().run(Thread(), "How much?", attached(rent_txt="It is 900."))
    assert isinstance(last, RunFailed)
    assert (last.code, last.retry) == ("files_in_progress", True)


def test_only_pdf_and_known_text_files_are_searchable() -> None:
    attached, _ = attach(
        [
            ("a.PDF", b"%PDF-1.4"),
            ("b.py", b"x = 1"),
            ("c.pdf", b"\x89PNG\r\n\x1a\n"),
            ("d.csv", b"a,b"),
            ("e.pdf", b"text"),
            ("f", b"%PDF-1.4"),
        ]
    )
    assert [is_searchable(each) for each in attached] == [True, True, False, False, False, False]
