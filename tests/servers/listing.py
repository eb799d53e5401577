"""A model server that also lists models and speaks Chat Completions, for tests of a connection."""

import json
import socket
from collections.abc import Callable
from contextlib import closing
from typing import Any

from openai import OpenAI

from tests.servers.responses import Handler, ModelServer

ClientFactory = Callable[..., OpenAI]
"""Makes a client for an address: ``client_for(server.url)``."""

KEY = "canary-4711-do-not-tell"
"""The key of a client, which may appear in no text."""

OPENAI_MODELS = {
    "object": "list",
    "data": [{"id": "gpt-6-luna"}, {"id": "gpt-4o", "shutdown_date": "2999-01-14"}],
}


class ListingServer(ModelServer):
    """A model server that lists models, and can be made to misbehave.

    ``key`` is the only key that it accepts, if set. It never answers requests whose path ends in
    ``hangs_at``; with ``trickles``, it sends a byte now and then.
    """

    def __init__(self, body: Any = None, *, key: str = "", status: int = 200, **options: Any) -> None:
        super().__init__(**options)
        self.body, self.key, self.status = OPENAI_MODELS if body is None else body, key, status
        self.chat: list[Any] = []  # the answers to POST /chat/completions, in order
        self.completions: list[dict[str, Any]] = []  # the bodies of those requests
        self.paths: list[str] = []
        self.has_responses = True
        self.hangs_at = ""
        self.trickles = False

    def handler(self) -> type[Handler]:
        return _Listing


class _Listing(Handler):
    model: Any

    def do_GET(self) -> None:
        server: ListingServer = self.model
        server.paths.append(self.path)
        if not self._is_allowed():
            return
        if self.path == "/v1/models" and not server.pages:
            self._send(server.status, server.body)
        else:
            super().do_GET()

    def do_POST(self) -> None:
        server: ListingServer = self.model
        if not self._is_allowed():
            return
        if self.path == "/v1/chat/completions" and server.chat:
            server.completions.append(self._json())
            self._complete(server.chat.pop(0))
        elif self.path == "/v1/responses" and not server.has_responses:
            self._json()
            self._send_not_found()
        else:
            super().do_POST()

    def _is_allowed(self) -> bool:
        server: ListingServer = self.model
        if server.hangs_at and self.path.endswith(server.hangs_at):
            self._hang()
        elif server.key and self.headers.get("authorization") != f"Bearer {server.key}":
            sent = self.headers.get("authorization", "")
            self.rfile.read(int(self.headers.get("content-length", 0)))
            reason = f"Incorrect API key provided: {sent.removeprefix('Bearer ')}."
            self._send(401, {"error": {"message": reason, "code": "invalid_api_key"}})
        else:
            return True
        return False

    def _hang(self) -> None:
        """Send nothing, or a byte now and then, until the client disconnects."""
        server: ListingServer = self.model
        self.close_connection = True
        if server.trickles:
            self.wfile.write(b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n\r\n")
        self.connection.settimeout(0.01)
        while not server.closing.is_set():
            if server.trickles:
                self.wfile.write(b" ")
            try:
                if not self.connection.recv(1000):
                    return
            except TimeoutError:
                continue

    def _complete(self, reply: Any) -> None:
        if isinstance(reply, tuple):
            self._send(*reply)
        elif isinstance(reply, dict):
            self._send(200, reply)
        else:
            body = b"".join(f"data: {json.dumps(item)}\n\n".encode() for item in reply)
            self._send(200, body + b"data: [DONE]\n\n", (("content-type", "text/event-stream"),))


def chunk(finish: str | None = None, **delta: Any) -> dict[str, Any]:
    return {"choices": [{"index": 0, "delta": delta, "finish_reason": finish}]}


HELLO = [chunk(content="Hel"), chunk(content="lo."), chunk("stop")]

PING = [
    chunk(tool_calls=[{"index": 0, "id": "c1", "function": {"name": "ping", "arguments": "{}"}}]),
    chunk("tool_calls"),
]


def closed_port() -> int:
    """Return a local port that no server listens on."""
    with closing(socket.create_server(("127.0.0.1", 0))) as listening:
        return int(listening.getsockname()[1])


def port_of(server: ModelServer) -> int:
    return int(server.url.split(":")[2].removesuffix("/v1"))
