"""What ``.streamlit/config.toml`` sets, tried on a real server: who may connect, how much anybody may send."""

import asyncio
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, suppress
from http.client import HTTPConnection
from pathlib import Path

import pytest
from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ClientState_pb2 import ClientState
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from streamlit.proto.NewSession_pb2 import NewSession
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.typing import Origin, Subprotocol

from assistant.settings import VARIABLES
from tests.test_browser import serve

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parent.parent
MEGABYTE = 1_000_000


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    for url in serve(tmp_path_factory.mktemp("app")):
        yield url.partition("//")[2].rstrip("/")


def opened(address: str, host: str = "", origin: str = "") -> int:
    """The status with which the page's connection is answered."""

    async def ask() -> int:
        try:
            async with connect(
                f"ws://{host or address}/_stcore/stream",
                host="127.0.0.1",
                port=int(address.rpartition(":")[2]),
                subprotocols=[Subprotocol("streamlit"), Subprotocol("none")],
                origin=Origin(origin) if origin else None,
                proxy=None,
            ):
                return 101
        except InvalidStatus as refusal:
            return refusal.response.status_code

    return asyncio.run(asyncio.wait_for(ask(), 20))


def sent(address: str, size: int) -> tuple[NewSession, str]:
    """How a session begins, and how one ends that sends a message of this size: by which code, if at all."""

    async def send() -> tuple[NewSession, str]:
        async with connect(
            f"ws://{address}/_stcore/stream",
            subprotocols=[Subprotocol("streamlit"), Subprotocol("none")],
            compression=None,
            max_size=None,
            proxy=None,
        ) as socket:
            begin = ClientState(query_string="x=" + "y" * size)
            with suppress(ConnectionClosed):
                await socket.send(BackMsg(rerun_script=begin).SerializeToString())
            try:
                while True:
                    message = ForwardMsg.FromString(await socket.recv(decode=False))
                    if message.WhichOneof("type") == "new_session":
                        return message.new_session, ""
            except ConnectionClosed as closed:
                return NewSession(), str(closed.rcvd.code if closed.rcvd else "")

    return asyncio.run(asyncio.wait_for(send(), 60))


def test_a_page_of_another_origin_cannot_open_this_pages_connection(address: str) -> None:
    assert opened(address, origin=f"http://{address}") == 101
    assert opened(address, origin="https://elsewhere.example") == 403
    assert opened(address, host="chat.example", origin="https://chat.example") == 101, "behind a proxy"


def test_nothing_is_uploaded_without_the_pages_own_token_or_beyond_the_limit(address: str) -> None:
    session, _ = sent(address, 0)
    boundary = '--b\r\nContent-Disposition: form-data; name="f"; filename="a.txt"\r\n\r\n'
    with closing(HTTPConnection(address, timeout=20)) as connection:
        connection.request("GET", "/_stcore/health")
        with connection.getresponse() as answer:
            cookie = (answer.headers["Set-Cookie"] or "").partition(";")[0]
    token = {"Cookie": cookie, "X-Xsrftoken": cookie.partition("=")[2]}
    path = f"/_stcore/upload_file/{session.initialize.session_id}/f1"
    form = {"Content-Type": "multipart/form-data; boundary=b"}

    def upload(headers: dict[str, str], size: int) -> int:
        body = (boundary + "x" * size + "\r\n--b--\r\n").encode()
        with closing(HTTPConnection(address, timeout=20)) as connection:
            with suppress(BrokenPipeError, ConnectionResetError):  # it need not be read to its end
                connection.request("PUT", path, body, form | headers)
            with connection.getresponse() as answer:
                return answer.status

    assert upload({}, 10) == 403
    assert upload(token, 55 * MEGABYTE) == 413


def test_a_message_beyond_the_limit_ends_its_connection(address: str) -> None:
    _, code = sent(address, 51 * MEGABYTE)
    assert code == "1009"


def test_no_statistics_are_sent_to_anybody(address: str) -> None:
    session, _ = sent(address, 0)
    assert session.config.gather_usage_stats is False


def test_the_names_that_the_server_is_called_by_can_be_set_beside_a_container(tmp_path: Path) -> None:
    hosts = "chat.example *.chat.example"
    for url in serve(tmp_path, STREAMLIT_SERVER_ALLOWED_HOSTS=hosts):
        address = url.partition("//")[2].rstrip("/")
        assert opened(address, host="chat.example") == 101
        assert opened(address, host="eu.chat.example") == 101
        assert opened(address, host="rebound.example") == 403
        assert opened(address) == 403


def test_every_option_that_is_set_is_one_of_streamlits(tmp_path: Path) -> None:
    shutil.copytree(ROOT / ".streamlit", tmp_path / ".streamlit")
    environment = {name: value for name, value in os.environ.items() if name not in VARIABLES}
    shown = subprocess.run(
        [sys.executable, "-m", "streamlit", "config", "show"],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    assert "not a valid config option" not in shown.stdout + shown.stderr
    for line in ('showErrorDetails = "type"', "enableCORS = true", "enableXsrfProtection = true",
                 "maxUploadSize = 50", "maxMessageSize = 50"):  # fmt: skip
        assert f"\n{line}\n" in shown.stdout
