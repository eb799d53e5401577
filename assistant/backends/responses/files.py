"""Files at the server: attachments for file search, and the files that the code interpreter creates.

An attachment is either found by file search or sent with its message. What was uploaded is recorded before
the next request, so that it can be deleted.
"""

import time
from collections.abc import Callable, Generator
from contextlib import suppress
from pathlib import PurePath

import openai
from openai import OpenAI

from assistant.backends.error_translation import safe_text, translate_errors, validate_id, wrong_api_error
from assistant.backends.json_access import JsonObject
from assistant.backends.requests import Request
from assistant.backends.responses.state import ResponsesState
from assistant.backends.stream_errors import status_of
from assistant.errors import BackendError, RequestRefused, ServerFailed
from assistant.events import Note
from assistant.locale import N_
from assistant.parts import Attachment
from assistant.tools.hosted import HostedTool

THREAD_FILES = HostedTool("file_search")  # file search in the attachments of the thread

_CODE = (".c", ".cpp", ".cs", ".css", ".go", ".java", ".js", ".php", ".py", ".rb", ".sh", ".ts")
SEARCHABLE_TEXTS = (*_CODE, ".html", ".json", ".md", ".tex", ".txt")
"""The suffixes of text files that file search accepts (OpenAI's guide, "Supported files"); besides PDF."""

STORE_DAYS = 7
"""How long a vector store is kept after its last use; each day beyond the first gigabyte costs money."""

INDEX_SECONDS = 30.0  # maximum time until uploaded files can be searched
POLL_SECONDS = 0.25  # time between two requests for a file's status
MAX_FILE_BYTES = 100_000_000  # maximum size of a file that the code interpreter created


class ThreadFiles:
    """The attachments of one thread in a vector store at one server."""

    def __init__(self, client: OpenAI, state: ResponsesState) -> None:
        self._client = client
        self._state = state
        self._renewed = False

    @property
    def searchable_store(self) -> str:
        """The id of the vector store; "" while no file in it can be searched."""
        return self._state.vector_store or "" if self._state.indexed_files else ""

    def upload(self, request: Request) -> Generator[Note, None, None]:
        """Upload the attachments that are not at the server yet, and wait until they can be searched.

        Raises:
            BackendError: An upload was refused, takes too long, or was cancelled. What was uploaded is
            recorded.
        """
        state = self._state
        for attachment in self._attachments():
            if attachment.digest not in state.file_ids:
                request.check()
                with translate_errors(self._client):
                    content = (attachment.name, attachment.content, attachment.media_type)
                    created = self._client.files.create(file=content, purpose="assistants")
                state.file_ids[attachment.digest] = self._id_of(created)
        indexed = state.indexed_files
        missing = {key: file_id for key, file_id in state.file_ids.items() if file_id and key not in indexed}
        if missing:
            yield from self._index(missing, request)
        state.searchable = state.indexed_files

    def renew(
        self, refusal: BackendError, request: Request, parameters: JsonObject
    ) -> Generator[Note, None, JsonObject | None]:
        """Upload everything again if the refusal is about the vector store.

        Return the request's parameters with the new store, or None if that does not help.
        """
        old = self.searchable_store
        if self._renewed or not old or old not in str(refusal.__cause__ or refusal):
            return None
        yield from self._upload_again(request)
        return _with_store(parameters, old, self.searchable_store) if self.searchable_store else None

    def delete(self) -> None:
        """Delete the files and the vector store at the server.

        Raises:
            BackendError: Some of them could not be deleted.
        """
        state = self._state
        for digest, file_id in list(state.file_ids.items()):
            if file_id:
                self._delete(self._client.files.delete, file_id)
            del state.file_ids[digest]
        if state.vector_store:
            self._delete(self._client.vector_stores.delete, state.vector_store)
        state.vector_store = None
        state.stored_files.clear()
        state.indexed_files.clear()

    def _attachments(self) -> list[Attachment]:
        """Return the attachments of the thread that file search accepts, each once."""
        found = (attachment for message in self._state.thread.messages for attachment in message.attachments)
        return list(
            {attachment.digest: attachment for attachment in found if is_searchable(attachment)}.values()
        )

    def _index(self, missing: dict[str, str], request: Request) -> Generator[Note, None, None]:
        """Add uploaded files to the vector store, and wait until they can be searched."""
        state, is_new = self._state, not self._state.vector_store
        request.check()
        try:
            with translate_errors(self._client):
                store = state.vector_store or self._create_store()
                for digest, file_id in missing.items():
                    if digest not in state.stored_files:
                        request.check()
                        self._client.vector_stores.files.create(store, file_id=file_id)
                        state.stored_files.append(digest)
        except RequestRefused as refusal:
            if is_new or self._renewed or status_of(refusal) != 404:
                raise
            yield from self._upload_again(request)
            return
        yield from self._wait_until_indexed(store, missing, request)

    def _wait_until_indexed(
        self, store: str, missing: dict[str, str], request: Request
    ) -> Generator[Note, None, None]:
        names = {attachment.digest: attachment.name for attachment in self._attachments()}
        deadline = time.monotonic() + INDEX_SECONDS
        while True:
            for digest, file_id in list(missing.items()):
                request.check()
                with translate_errors(self._client):
                    file: object = self._client.vector_stores.files.retrieve(file_id, vector_store_id=store)
                status, error = getattr(file, "status", ""), getattr(file, "last_error", None)
                if status == "in_progress":
                    continue
                del missing[digest]
                if status == "completed":
                    self._state.indexed_files.append(digest)
                    continue
                self._state.file_ids[digest] = ""
                self._delete(self._client.files.delete, file_id)
                reason = safe_text(getattr(error, "message", ""), self._client)
                name = names.get(digest, N_("A file"))
                text = N_("{name} can't be searched and was attached to the message instead.", name=name)
                if reason:
                    text = N_(
                        "{name} can't be searched and was attached to the message instead. {why}",
                        name=name,
                        why=reason,
                    )
                yield Note(text)
            if not missing:
                return
            if time.monotonic() > deadline:
                text = N_("The server is still indexing the files. Try again in a moment.")
                raise ServerFailed(text, code="files_in_progress", retry=True)
            request.wait(POLL_SECONDS)

    def _create_store(self) -> str:
        created = self._client.vector_stores.create(
            name="Files of a chat", expires_after={"anchor": "last_active_at", "days": STORE_DAYS}
        )
        store = self._state.vector_store = self._id_of(created)
        return store

    def _upload_again(self, request: Request) -> Generator[Note, None, None]:
        """Put all attachments into a new vector store."""
        self._renewed = True
        self.delete()
        if self._attachments():
            yield Note(N_("The searched files were missing on the server and were uploaded again."))
            yield from self.upload(request)

    def _delete(self, delete: Callable[[str], object], object_id: str) -> None:
        with translate_errors(self._client), suppress(openai.NotFoundError):
            delete(object_id)

    def _id_of(self, created: object) -> str:
        found = getattr(created, "id", None)
        if not isinstance(found, str) or not found:
            raise wrong_api_error(self._client)
        return found


def is_searchable(attachment: Attachment) -> bool:
    """Return whether file search accepts such a file."""
    suffix = PurePath(attachment.name).suffix.lower()
    return suffix in SEARCHABLE_TEXTS if attachment.is_text else suffix == ".pdf" and not attachment.is_image


def download(client: OpenAI, container_id: str, file_id: str) -> bytes:
    """Return a file of the code interpreter, whose container is deleted 20 minutes after its last use.

    Raises:
        BackendError: The file is not available, or is larger than ``MAX_FILE_BYTES``.
    """
    data = b""
    files = client.containers.files.content.with_streaming_response
    for name in (container_id, file_id):
        validate_id(name)
    try:
        with translate_errors(client), files.retrieve(file_id, container_id=container_id) as response:
            for chunk in response.iter_bytes():
                data += chunk
                if len(data) > MAX_FILE_BYTES:
                    raise ServerFailed(N_("The file is larger than 100 MB."), code="too_large")
    except RequestRefused as refusal:
        if status_of(refusal) != 404:
            raise
        raise RequestRefused(
            N_("The file is gone: the server keeps such files for 20 minutes."), code="gone"
        ) from refusal
    return data


def _with_store(parameters: JsonObject, old: str, new: str) -> JsonObject:
    """Return the request's parameters with another vector store."""
    tools = [
        {**tool, "vector_store_ids": [new if store == old else store for store in tool["vector_store_ids"]]}
        if tool["type"] == "file_search"
        else tool
        for tool in parameters["tools"]
    ]
    return {**parameters, "tools": tools}
