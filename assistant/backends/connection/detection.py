"""Find out which protocol a server speaks, where the settings do not say.

No request is made for that alone, because some servers would answer it, and charge for the answer. A message goes
to the Responses API; where the server does not have that, the same message goes to Chat Completions.
"""

from typing import Literal

from openai import OpenAI

from assistant.backends.base import RemoteBackend, RemoteThread, ResponseEvents
from assistant.backends.chat_completions.backend import ChatCompletions
from assistant.backends.error_translation import is_missing_endpoint
from assistant.backends.requests import Request, ServerBackend
from assistant.backends.responses.backend import Responses
from assistant.backends.stream_errors import status_of
from assistant.errors import BackendError
from assistant.request_options import RequestOptions
from assistant.settings import ProtocolName
from assistant.threads import Thread
from assistant.tools.toolbox import Toolbox

_UNDERSTOOD = (400, 422)  # statuses of a server that has read the request


class AutoBackend(ServerBackend):
    """Uses the Responses API, or Chat Completions where the server does not have it.

    What was found is tried first from then on. A server may be replaced by another one at the same address, so an
    endpoint that is missing is never final: the other one is tried. An error that can pass decides nothing.
    """

    def __init__(self, client: OpenAI, responses: Responses, chat: ChatCompletions) -> None:
        super().__init__(client)
        self._backends: dict[Literal["responses", "chat"], ServerBackend] = {
            "responses": responses,
            "chat": chat,
        }
        self._found: Literal["auto", "responses", "chat"] = "auto"

    @property
    def protocol(self) -> ProtocolName:
        return self._found

    def detect_again(self) -> None:
        self._found = "auto"

    def respond(self, thread: Thread, toolbox: Toolbox, request: Request) -> ResponseEvents:
        cursor, found = thread.cursor, self._found
        missing: dict[str, BackendError] = {}
        # Both, if necessary: the endpoint of the first may be missing.
        for protocol in ("chat", "responses") if found == "chat" else ("responses", "chat"):
            request.check()
            if missing:
                self._found = protocol
            try:
                calls = yield from self._backends[protocol].respond(thread, toolbox, request)
            except BackendError as error:
                if thread.cursor == cursor and is_missing_endpoint(error):
                    missing[protocol] = error
                    continue
                if status_of(error) in _UNDERSTOOD:
                    self._found = protocol
                raise
            self._found = protocol
            return calls
        self._found = "chat" if found == "auto" else found
        raise missing["chat"]

    def refusals(self, toolbox: Toolbox, options: RequestOptions) -> dict[str, str]:
        return self._backend.refusals(toolbox, options)

    def count_input(self, thread: Thread, toolbox: Toolbox, options: RequestOptions) -> int | None:
        return self._backend.count_input(thread, toolbox, options)

    def load_thread(self, thread_id: str) -> Thread:
        return self._backend.load_thread(thread_id)

    def delete_thread(self, thread: Thread) -> None:
        self._backends["responses"].delete_thread(thread)  # a server keeps nothing for Chat Completions

    def list_threads(self, limit: int) -> list[RemoteThread]:
        return self._backend.list_threads(limit)

    def can_resume(self, thread: Thread) -> bool:
        return self._backend.can_resume(thread)

    def fetch_file(self, thread: Thread, container_id: str, file_id: str) -> bytes:
        return self._backend.fetch_file(thread, container_id, file_id)

    @property
    def _backend(self) -> RemoteBackend:
        return self._backends["chat" if self._found == "chat" else "responses"]
