"""Files that a program sends to the server's upload address, before and after the password."""

import re
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from urllib.request import Request, urlopen

import pytest
from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ClientState_pb2 import ClientState
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from websockets.sync.client import connect
from websockets.typing import Subprotocol

from tests.access.visitors import served

MEGABYTE = 1_000_000
STORED = re.compile(rb"cache_memory_bytes\{[^}]*UploadedFileManager[^}]*\} (\d+)")


def upload(address: str, session_id: str, number: int, size: int) -> None:
    """Send a file as Streamlit's page does."""
    with urlopen(f"{address}/_stcore/health") as response:
        cookie = (response.headers.get("Set-Cookie") or "").partition(";")[0]
    head = b'--x\r\nContent-Disposition: form-data; name="f"; filename="f"\r\n\r\n'
    request = Request(
        f"{address}/_stcore/upload_file/{session_id}/file{number}",
        head + b"a" * size + b"\r\n--x--\r\n",
        {
            "Content-Type": "multipart/form-data; boundary=x",
            "Cookie": cookie,
            "X-Xsrftoken": cookie.partition("=")[2],
        },
        method="PUT",
    )
    urlopen(request).close()


def stored_bytes(address: str) -> int:
    with urlopen(f"{address}/_stcore/metrics") as response:
        return sum(int(found) for found in STORED.findall(response.read()))


@pytest.mark.exhaustive
@pytest.mark.parametrize(("password", "stored"), [("open sesame", 0), ("", 98 * MEGABYTE)])
def test_files_are_kept_only_of_those_who_are_logged_in_and_only_some(
    tmp_path: Path, password: str, stored: int
) -> None:
    settings: dict[str, Any] = {"ASSISTANT_PASSWORD": password} if password else {}
    with served(tmp_path, **settings) as address:
        address = address.rstrip("/")
        url = f"ws://127.0.0.1:{urlsplit(address).port}/_stcore/stream"
        with connect(
            url, subprotocols=[Subprotocol("streamlit"), Subprotocol("none")], max_size=None
        ) as page:
            page.send(BackMsg(rerun_script=ClientState()).SerializeToString())
            session_id = ""
            while True:
                data = page.recv(timeout=60)
                assert isinstance(data, bytes)
                message = ForwardMsg.FromString(data)
                session_id = message.new_session.initialize.session_id or session_id
                if message.WhichOneof("type") == "script_finished":
                    break
            for number in range(4):
                upload(address, session_id, number, 49 * MEGABYTE)
            assert stored_bytes(address) == stored
