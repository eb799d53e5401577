"""Files that a program sends to the server's upload address, before and after the password."""

import re
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from http.client import HTTPConnection
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import urlopen

import pytest
from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ClientState_pb2 import ClientState
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from websockets.sync.client import connect
from websockets.typing import Subprotocol

from tests.access.visitors import PATIENCE, served
from tests.waiting import until

pytestmark = pytest.mark.exhaustive

MEGABYTE = 1_000_000
STORED = re.compile(rb"cache_memory_bytes\{[^}]*UploadedFileManager[^}]*\} (\d+)")


HEAD = b'--x\r\nContent-Disposition: form-data; name="f"; filename="f"\r\n\r\n'
TAIL = b"\r\n--x--\r\n"


def upload(address: str, session_id: str, number: int, size: int, sent: int | None = None) -> int:
    """Send a file as Streamlit's page does, or the first ``sent`` bytes of it; return the status."""
    with urlopen(f"{address}/_stcore/health") as response:
        cookie = (response.headers.get("Set-Cookie") or "").partition(";")[0]
    connection = HTTPConnection(urlsplit(address).netloc, timeout=PATIENCE)
    with closing(connection):
        connection.putrequest("PUT", f"/_stcore/upload_file/{session_id}/file{number}")
        connection.putheader("Content-Type", "multipart/form-data; boundary=x")
        connection.putheader("Cookie", cookie)
        connection.putheader("X-Xsrftoken", cookie.partition("=")[2])
        connection.putheader("Content-Length", str(len(HEAD) + size + len(TAIL)))
        connection.endheaders(HEAD)
        with suppress(ConnectionError):  # the server has refused it already
            connection.send(b"a" * (size if sent is None else sent))
            if sent is None:
                connection.send(TAIL)
        return connection.getresponse().status


def stored_bytes(address: str) -> int:
    with urlopen(f"{address}/_stcore/metrics") as response:
        return sum(int(found) for found in STORED.findall(response.read()))


@contextmanager
def session(address: str) -> Iterator[str]:
    """Open the page; yield the id of the session."""
    url = f"ws://127.0.0.1:{urlsplit(address).port}/_stcore/stream"
    with connect(url, subprotocols=[Subprotocol("streamlit"), Subprotocol("none")], max_size=None) as page:
        page.send(BackMsg(rerun_script=ClientState()).SerializeToString())
        session_id = ""
        while True:
            data = page.recv(timeout=PATIENCE)
            assert isinstance(data, bytes)
            message = ForwardMsg.FromString(data)
            session_id = message.new_session.initialize.session_id or session_id
            if message.WhichOneof("type") == "script_finished":
                break
        yield session_id


def test_a_file_of_someone_who_is_not_logged_in_is_refused_before_it_is_read(tmp_path: Path) -> None:
    with served(tmp_path, ASSISTANT_PASSWORD="open sesame") as page, session(page) as session_id:
        address = page.rstrip("/")
        assert upload(address, session_id, 0, 49 * MEGABYTE, sent=1_000) == 400
        assert upload(address, session_id, 1, 1_000) == 400
        assert stored_bytes(address) == 0


def test_only_so_many_bytes_are_kept_of_a_session_and_of_all(tmp_path: Path) -> None:
    with served(tmp_path) as page, ExitStack() as sessions:
        address = page.rstrip("/")
        first, *others = [sessions.enter_context(session(page)) for _ in range(5)]
        statuses = [upload(address, first, number, 49 * MEGABYTE) for number in range(4)]
        assert (statuses[:2], stored_bytes(address)) == ([204, 204], 98 * MEGABYTE)
        for session_id in others:
            for number in range(2):
                upload(address, session_id, number, 49 * MEGABYTE)
        # The server counts them again after a few seconds.
        until(lambda: stored_bytes(address) == 196 * MEGABYTE, "it keeps the files of two sessions")
        assert upload(address, others[-1], 2, 4 * MEGABYTE) == 204
        assert upload(address, others[-2], 2, 49 * MEGABYTE, sent=1_000) == 400, "it is full"
