"""The settings of ``.streamlit/config.toml`` on a real server: allowed connections and size limits."""

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
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection

from tests.browser.driver import serve
from tests.environment import without_settings
from tests.page_client import open_socket
from tests.paths import ROOT

pytestmark = pytest.mark.exhaustive

MEGABYTE = 1_000_000


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    for url in serve(tmp_path_factory.mktemp("app")):
        yield url.partition("//")[2].rstrip("/")


def opened(address: str, host: str = "", origin: str = "") -> int:
    """Return the status of the response to the connection."""
    try:
        with open_socket(address, host, origin):
            return 101
    except InvalidStatus as refusal:
        return refusal.response.status_code


def session(page: ClientConnection, size: int = 0) -> NewSession:
    """Start a session; the request is larger by this many bytes."""
    begin = ClientState(query_string="x=" + "y" * size)
    with suppress(ConnectionClosed):  # the answer says it, too
        page.send(BackMsg(rerun_script=begin).SerializeToString())
    while True:
        message = ForwardMsg.FromString(page.recv(20, decode=False))
        if message.WhichOneof("type") == "new_session":
            begun: NewSession = message.new_session
            return begun


def test_a_page_of_another_origin_cannot_open_this_pages_connection(address: str) -> None:
    assert opened(address, origin=f"http://{address}") == 101
    assert opened(address, origin="https://elsewhere.example") == 403
    assert opened(address, host="chat.example", origin="https://chat.example") == 101, "behind a proxy"


def test_nothing_is_uploaded_without_the_pages_own_token_or_beyond_the_limit(address: str) -> None:
    boundary = '--b\r\nContent-Disposition: form-data; name="f"; filename="a.txt"\r\n\r\n'
    with closing(HTTPConnection(address, timeout=20)) as connection:
        connection.request("GET", "/_stcore/health")
        with connection.getresponse() as answer:
            cookie = (answer.headers["Set-Cookie"] or "").partition(";")[0]
    token = {"Cookie": cookie, "X-Xsrftoken": cookie.partition("=")[2]}
    form = {"Content-Type": "multipart/form-data; boundary=b"}

    def upload(path: str, headers: dict[str, str], size: int) -> int:
        body = (boundary + "x" * size + "\r\n--b--\r\n").encode()
        with closing(HTTPConnection(address, timeout=20)) as connection:
            with suppress(BrokenPipeError, ConnectionResetError):  # it need not be read to its end
                connection.request("PUT", path, body, form | headers)
            with connection.getresponse() as answer:
                return answer.status

    with open_socket(address) as page:
        path = f"/_stcore/upload_file/{session(page).initialize.session_id}/f1"
        assert upload(path, {}, 10) == 403
        assert upload(path, token, 10) == 204
        assert upload(path, token, 25 * MEGABYTE) == 413


def test_a_message_beyond_the_limit_ends_its_connection(address: str) -> None:
    with open_socket(address) as page, pytest.raises(ConnectionClosed):
        session(page, 3 * MEGABYTE)


def test_no_statistics_are_sent(address: str) -> None:
    with open_socket(address) as page:
        assert session(page).config.gather_usage_stats is False


def test_allowed_host_names_can_be_set_for_a_container(tmp_path: Path) -> None:
    hosts = "chat.example *.chat.example"
    for url in serve(tmp_path, STREAMLIT_SERVER_ALLOWED_HOSTS=hosts):
        address = url.partition("//")[2].rstrip("/")
        assert opened(address, host="chat.example") == 101
        assert opened(address, host="eu.chat.example") == 101
        assert opened(address, host="rebound.example") == 403
        assert opened(address) == 403


def test_every_option_exists_in_streamlit(tmp_path: Path) -> None:
    shutil.copytree(ROOT / ".streamlit", tmp_path / ".streamlit")
    environment = without_settings()
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
                 "maxUploadSize = 20", "maxMessageSize = 16"):  # fmt: skip
        assert f"\n{line}\n" in shown.stdout
