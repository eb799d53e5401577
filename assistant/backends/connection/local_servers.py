"""Find model servers that run on this machine."""

import json
import socket
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException
from threading import Thread

from assistant.backends.connection.models import MAX_LIST_BYTES, parse_models

DEFAULT_PORTS = {"Ollama": 11434, "LM Studio": 1234, "llama.cpp": 8080, "vLLM": 8000}
"""Local model servers and the ports they listen on by default."""


@dataclass(frozen=True, slots=True)
class LocalServer:
    """A model server found on this machine."""

    name: str
    base_url: str


def find_local_servers(timeout: float = 0.3, ports: Mapping[str, int] = DEFAULT_PORTS) -> list[LocalServer]:
    """Return the servers that answer on these ports with a list of models within ``timeout`` seconds."""
    found: dict[str, LocalServer] = {}
    sockets: list[socket.socket] = []
    deadline = time.monotonic() + timeout

    def probe(name: str, port: int) -> None:
        # http.client instead of the SDK: no proxy, no redirects, no key.
        with suppress(OSError, HTTPException, ValueError, RecursionError):
            connection = HTTPConnection("127.0.0.1", port, timeout=timeout)
            connection.connect()
            with connection.sock as connected:
                sockets.append(connected)
                connection.request("GET", "/v1/models", headers={"Connection": "close"})
                with connection.getresponse() as response:
                    is_list = parse_models(json.loads(response.read(MAX_LIST_BYTES))) is not None
            if is_list and response.status == 200:
                found[name] = LocalServer(name, f"http://127.0.0.1:{port}/v1")

    threads = [Thread(target=probe, args=item, daemon=True) for item in ports.items()]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(max(0.0, deadline - time.monotonic()))
    for connected in list(sockets):  # end the threads of servers that keep sending
        with suppress(OSError):
            connected.shutdown(socket.SHUT_RDWR)
    return [found[name] for name in ports if name in found]
