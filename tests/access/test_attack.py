"""Strangers who use up what they can of a public page, all at once: what it costs is printed, with ``-s``.

The figures are in ``docs/access.md``.
"""

import os
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.access.test_exhaustion import recording_of_calls
from tests.access.visitors import Visitor, served, upload
from tests.forged import HOUR
from tests.waiting import at_once

pytestmark = pytest.mark.exhaustive

MEGABYTE = 1_000_000
FILE = b"a" * (19 * MEGABYTE)
PEOPLE = 12
HOST_BYTES = 1_000 * MEGABYTE
"""The memory of the smallest host."""

VALUES = b'{"recording": 1, "began": "2026-11-23T18:00:00Z", "thread": ""}\n' + b"".join(
    b'{"at": 0, "kind": "body", "exchange": 1, "body": [%s[]]}\n' % (b'{"abc": 1}, ' * 90)
    for _ in range(2_000)
)
"""A recording of as many small values as may be opened."""


class Server:
    """The process of the page, as the operating system sees it."""

    def __init__(self) -> None:
        tasks = Path("/proc/self/task").glob("*/children")
        children = [int(pid) for task in tasks for pid in task.read_text().split()]
        [self.pid] = [pid for pid in children if b"streamlit" in Path(f"/proc/{pid}/cmdline").read_bytes()]
        self.threads = 0
        threading.Thread(target=self._watch, daemon=True).start()

    def status(self, name: str) -> int:
        lines = Path(f"/proc/{self.pid}/status").read_text().splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith(f"{name}:"))

    def _watch(self) -> None:
        try:
            while True:
                self.threads = max(self.threads, self.status("Threads"))
                time.sleep(0.05)
        except (OSError, StopIteration):
            pass  # it has ended

    def print(self, what: str) -> None:
        memory, peak = (self.status(name) / 1_000 for name in ("VmRSS", "VmHWM"))
        threads = self.status("Threads")
        print(
            f"{what}: {memory:.0f} MB (peak {peak:.0f}), {threads} threads (peak {self.threads})", flush=True
        )


@contextmanager
def half_a_message(address: str, size: int) -> Iterator[None]:
    """Open the page's connection and send a message that never ends."""
    with socket.create_connection(("127.0.0.1", urlsplit(address).port or 80)) as connection:
        connection.sendall(
            b"GET /_stcore/stream HTTP/1.1\r\nHost: chat.example\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Key: x3JJHMbDL1EzLkh9GBhXDw==\r\nSec-WebSocket-Version: 13\r\n"
            b"Sec-WebSocket-Protocol: streamlit\r\n\r\n"
        )
        assert b" 101 " in connection.recv(1_000)
        with suppress(ConnectionError):  # it is too large
            connection.sendall(b"\x82\xff" + size.to_bytes(8) + os.urandom(4) + b"x" * (size - 1))
        yield


def replay(visitor: Visitor) -> None:
    visitor.set("inspector_view", string_array_value={"data": ["Recording"]})
    visitor.press("inspector_replay")


def test_strangers_cannot_use_up_the_memory_of_a_small_host(tmp_path: Path) -> None:
    calls = recording_of_calls(100, HOUR).encode()
    with served(tmp_path) as page, ExitStack() as stack:
        server, address = Server(), page.rstrip("/")

        def visit() -> list[Visitor]:
            return [stack.enter_context(Visitor(page)) for _ in range(PEOPLE)]

        visitors = visit()
        server.print(f"{PEOPLE} visitors")
        for each in visitors:
            each.set("inspector", bool_value=True)
            each.open_file("recording_file", calls)
            replay(each)
        server.print(f"{PEOPLE} replays of 100 calls that take an hour")
        opened = []
        for each in visit():
            each.set("inspector", bool_value=True)
            each.open_file("recording_file", VALUES)
            opened += [each] if each.has("inspector_view") else []
            for view in ("Events", "Timing", "Sequence", "Check") if each in opened else ():
                each.set("inspector_view", string_array_value={"data": [view]})
        server.print(f"{len(opened)} opened recordings of {len(VALUES) / MEGABYTE:.1f} MB, each in all views")
        for each in opened:
            replay(each)
            each.wait(lambda each=each: each.finished)  # type: ignore[misc]
        server.print(f"{len(opened)} replays of them")
        for each in (visitors := visit()):
            each.say("calculate(expression='1+1') " * 300)
        for each in visitors:
            each.wait(lambda each=each: each.finished)  # type: ignore[misc]
        server.print(f"{PEOPLE} messages that ask for 300 calls")
        for _ in range(PEOPLE):
            stack.enter_context(half_a_message(page, 15 * MEGABYTE))
        time.sleep(1)
        server.print(f"{PEOPLE} messages of 15 MB that do not end")
        sent = at_once(PEOPLE, lambda number: upload(address, visitors[number].session_id, "file", FILE))
        server.print(f"{PEOPLE} files of 19 MB at once, {sent.count(204)} of them read")
        began = time.monotonic()
        with Visitor(page) as honest:
            honest.say("What time is it in Oslo?")
            honest.wait(lambda: honest.finished and honest.shows("Oslo"))
        print(f"another visitor is answered after {time.monotonic() - began:.1f} s")
        assert not any(each.uncaught for each in (*visitors, *opened, honest))
        assert server.status("VmHWM") * 1_000 < HOST_BYTES
