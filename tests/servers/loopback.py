"""An HTTP server on a free port of this machine, which closes without a wait."""

import json
import socket
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self
from urllib.parse import parse_qs, urlsplit


class LoopbackServer(ThreadingHTTPServer):
    """Serves on a thread of its own within a ``with`` block.

    ``serve_forever`` looks ten or more times a second whether it shall end, and lets ``shutdown`` wait for that.
    This server waits for connections only, and its end is one.
    """

    daemon_threads = True
    request_queue_size = 64  # by default 5 may connect at once, and others wait a second

    def __init__(self, handler: type[BaseHTTPRequestHandler]) -> None:
        super().__init__(("127.0.0.1", 0), handler)
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._serve)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    def server_bind(self) -> None:
        self.socket.bind(self.server_address)  # without looking up the name of the host
        self.server_address = self.socket.getsockname()
        self.server_port = self.server_address[1]

    def _serve(self) -> None:
        while not self._closing.is_set():
            self.handle_request()

    def verify_request(self, *_: Any) -> bool:
        return not self._closing.is_set()

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._closing.set()
        with socket.create_connection(("127.0.0.1", self.server_port)):
            self._thread.join()
        self.server_close()


class QuietHandler(BaseHTTPRequestHandler):
    """Writes no log, and whole responses."""

    def log_message(self, *_: object) -> None:
        pass

    def _json(self) -> Any:
        """Return the body of the request; ``{}`` if it has none."""
        return json.loads(self.rfile.read(int(self.headers.get("content-length", 0))) or b"{}")

    def _query(self) -> dict[str, str]:
        """Return the query of the request; of a name that occurs again, the first value."""
        return {name: values[0] for name, values in parse_qs(urlsplit(self.path).query).items()}

    def _send(self, status: int, body: Any, headers: tuple[tuple[str, str], ...] = ()) -> None:
        """Send a response; a body that is not bytes is sent as JSON."""
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.send_response(status)
        names = {name for name, _ in headers}
        for name, value in (*headers, ("content-length", str(len(data)))):
            self.send_header(name, value)
        if "content-type" not in names:
            self.send_header("content-type", "application/json")
        self.end_headers()
        self.wfile.write(data)
