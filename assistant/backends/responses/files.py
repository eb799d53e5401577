"""The files of a thread that file search looks through: put in at the server, and taken out again.

Not here: vector stores that somebody else made (``hosted.py``), or what a search found
(``responses_hosted.py``).

The one rule: a file is in the search, or it goes with its message as ever; and what is at the server is
noted before anything else is asked, so that it can be deleted.
"""

import time
from collections.abc import Callable, Generator
from contextlib import suppress
from pathlib import PurePath
from typing import TypedDict, cast

import openai
from openai import OpenAI

from assistant.backends.client import Request, address, clean, not_the_api, translate_errors
from assistant.backends.responses.items import Item
from assistant.backends.sync_state import notes_about
from assistant.errors import BackendError, Interrupted, RequestRefused, ServerFailed
from assistant.events import Note
from assistant.locale import N_
from assistant.messages import Attachment
from assistant.threads import Thread

TEXTS = (
    ".c",
    ".cpp",
    ".cs",
    ".css",
    ".go",
    ".html",
    ".java",
    ".js",
    ".json",
    ".md",
    ".php",
    ".py",
    ".rb",
    ".sh",
    ".tex",
    ".ts",
    ".txt",
)
"""How the names of text files end that file search takes (OpenAI's guide, "Supported files"); and PDF."""

KEPT_DAYS = 7
"""How long a vector store is kept after its last use; beyond the first gigabyte a day of it costs money."""

PATIENCE = 30.0
"""Seconds that files may take until they can be searched."""

PAUSE = 0.25
"""Seconds between two looks, and at most until a stop is heard."""


class Notes(TypedDict):
    """What a server keeps of a thread's files, as it stands in ``thread.backend_state``; JSON-able."""

    server: str
    store: str | None  # the vector store
    files: dict[str, str]  # file ids by the digests of attachments; empty for one that cannot be searched
    added: list[str]  # the digests of those that are in the store
    ready: list[str]  # the digests of those that can be searched by now


class Files:
    """The files of one thread at one server."""

    def __init__(self, client: OpenAI, thread: Thread) -> None:
        self._client = client
        self._thread = thread
        blank = Notes(server=address(client), store=None, files={}, added=[], ready=[])
        self.notes = cast("Notes", notes_about(thread, "responses_files", address(client), {**blank}))
        self._renewed = False

    @property
    def store(self) -> str:
        """The vector store to search in; empty where nothing can be found."""
        return self.notes["store"] or "" if self.notes["ready"] else ""

    def put_in(self, request: Request) -> Generator[Note, None, None]:
        """Put in what is attached and not there yet, and wait until it can be searched.

        Raises:
            BackendError: It was refused, takes too long, or nobody waits any more. What is there is noted.
        """
        for attached in self._attached():
            if attached.digest not in self.notes["files"]:
                _go_on(request)
                with translate_errors(self._client):
                    upload = (attached.name, attached.content, attached.media_type)
                    made = self._client.files.create(file=upload, purpose="assistants")
                self.notes["files"][attached.digest] = self._id(made)
        waiting = {digest: each for digest, each in self.notes["files"].items() if each}
        for digest in self.notes["ready"]:
            waiting.pop(digest, None)
        if waiting:
            yield from self._make_ready(waiting, request)

    def renew(self, refusal: BackendError, request: Request) -> Generator[Note, None, bool]:
        """Make anew what is gone, if that is what the refusal is about; whether it was that."""
        store = self.notes["store"]
        if self._renewed or not store or store not in str(refusal.__cause__ or refusal):
            return False
        self._renewed = True
        yield from self._begin_again(request)
        return bool(self.store)

    def forget(self) -> None:
        """Delete all of it at the server.

        Raises:
            BackendError: Something of it is still there.
        """
        for digest, file_id in list(self.notes["files"].items()):
            if file_id:
                self._delete(self._client.files.delete, file_id)
            del self.notes["files"][digest]
        if self.notes["store"]:
            self._delete(self._client.vector_stores.delete, self.notes["store"])
        self.notes["store"] = None
        self.notes["added"].clear()
        self.notes["ready"].clear()

    def _attached(self) -> list[Attachment]:
        """What file search can take, each once."""
        found = (each for message in self._thread.messages for each in message.attachments)
        return list({each.digest: each for each in found if is_searchable(each)}.values())

    def _make_ready(self, waiting: dict[str, str], request: Request) -> Generator[Note, None, None]:
        """Put uploaded files into the store, and wait for them."""
        _go_on(request)
        stores, is_new = self._client.vector_stores, not self.notes["store"]
        try:
            with translate_errors(self._client):
                store = self.notes["store"] or self._make_store()
                for digest in [each for each in waiting if each not in self.notes["added"]]:
                    _go_on(request)
                    stores.files.create(store, file_id=waiting[digest])
                    self.notes["added"].append(digest)
        except RequestRefused as refusal:
            if is_new or self._renewed or not isinstance(refusal.__cause__, openai.NotFoundError):
                raise
            self._renewed = True
            yield from self._begin_again(request)
            return
        names = {each.digest: each.name for each in self._attached()}
        deadline = time.monotonic() + PATIENCE
        while waiting:
            for digest, file_id in list(waiting.items()):
                _go_on(request)
                with translate_errors(self._client):
                    file: object = stores.files.retrieve(file_id, vector_store_id=store)
                status, fault = getattr(file, "status", ""), getattr(file, "last_error", None)
                if status == "in_progress":
                    continue
                del waiting[digest]
                if status == "completed":
                    self.notes["ready"].append(digest)
                    continue
                self.notes["files"][digest] = ""
                self._delete(self._client.files.delete, file_id)
                why = clean(getattr(fault, "message", ""), self._client)
                name = names.get(digest, N_("A file"))
                text = N_("{name} cannot be searched; it goes with the message.", name=name)
                if why:
                    text = N_(
                        "{name} cannot be searched; it goes with the message. {why}", name=name, why=why
                    )
                yield Note(text)
            if waiting and time.monotonic() > deadline:
                raise ServerFailed(
                    N_(
                        "The server is still reading the files that are to be searched. Try again in a "
                        "moment."
                    ),
                    code="files_in_progress",
                    retry=True,
                )
            if waiting:
                time.sleep(PAUSE)

    def _make_store(self) -> str:
        made = self._client.vector_stores.create(
            name="Files of a chat", expires_after={"anchor": "last_active_at", "days": KEPT_DAYS}
        )
        store = self.notes["store"] = self._id(made)
        return store

    def _begin_again(self, request: Request) -> Generator[Note, None, None]:
        """Put everything that is still in the transcript into a new store."""
        self.forget()
        if self._attached():
            yield Note(N_("The files to be searched were gone at the server; they were put in again."))
            yield from self.put_in(request)

    def _delete(self, delete: Callable[[str], object], name: str) -> None:
        with translate_errors(self._client), suppress(openai.NotFoundError):
            delete(name)

    def _id(self, made: object) -> str:
        found = getattr(made, "id", None)
        if not isinstance(found, str) or not found:
            raise not_the_api(self._client)
        return found


def _go_on(request: Request) -> None:
    """Make sure that somebody still waits."""
    if request.cancelled:
        raise Interrupted(N_("Cancelled."), code="cancelled")


def is_searchable(attachment: Attachment) -> bool:
    """Whether file search takes such a file."""
    ending = PurePath(attachment.name).suffix.lower()
    return ending in TEXTS if attachment.is_text else ending == ".pdf" and not attachment.is_image


def in_store(asked: Item, old: str, new: str) -> Item:
    """The request with another vector store in the place of one."""
    tools = [
        {**tool, "vector_store_ids": [new if each == old else each for each in tool["vector_store_ids"]]}
        if tool["type"] == "file_search"
        else tool
        for tool in asked["tools"]
    ]
    return {**asked, "tools": tools}
