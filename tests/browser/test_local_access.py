"""Who is on the machine that serves the page, in a real browser and through a proxy that adds nothing."""

import socket
import threading
from collections.abc import Iterator
from contextlib import suppress
from typing import TYPE_CHECKING

import pytest
from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ClientState_pb2 import ClientState

from tests.browser.driver import INPUT, LOCAL_TOKEN, serve
from tests.servers.loopback import LoopbackServer, QuietHandler
from tests.servers.responses import ModelServer

if TYPE_CHECKING:
    from pathlib import Path

    from playwright.sync_api import Browser

pytestmark = pytest.mark.browser

DEMO = "text=Demo mode"
MODEL = "text=Answers by"


@pytest.fixture(scope="module")
def keyed_app(one_server: ModelServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder: Path = tmp_path_factory.mktemp("app")
    yield from serve(folder, OPENAI_BASE_URL=one_server.url, OPENAI_API_KEY="sk-canary")


@pytest.fixture
def proxy(keyed_app: str) -> Iterator[str]:
    """A proxy on the same machine that passes on what it gets, and adds no header."""
    port = int(keyed_app.rpartition(":")[2].strip("/"))
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def accept() -> None:
            with suppress(OSError):
                while True:
                    inner, outer = listener.accept()[0], socket.create_connection(("127.0.0.1", port))
                    for source, target in ((inner, outer), (outer, inner)):
                        threading.Thread(target=pass_on, args=[source, target], daemon=True).start()

        threading.Thread(target=accept, daemon=True).start()
        yield f"http://localhost:{listener.getsockname()[1]}"
        listener.shutdown(socket.SHUT_RDWR)


def pass_on(source: socket.socket, target: socket.socket) -> None:
    with source, suppress(OSError):
        while data := source.recv(65_536):
            target.sendall(data)
        target.shutdown(socket.SHUT_WR)


def test_a_stranger_behind_a_silent_proxy_does_not_get_the_owners_key(
    browser: "Browser", keyed_app: str, proxy: str
) -> None:
    for address in (keyed_app, proxy, f"{proxy}?token=guess"):
        page = browser.new_context().new_page()
        page.goto(address)
        page.wait_for_selector(INPUT)
        page.wait_for_selector(DEMO)
        assert page.locator(MODEL).count() == 0
        page.context.close()


def test_the_link_with_the_token_is_opened_once(browser: "Browser", keyed_app: str) -> None:
    page = browser.new_context().new_page()
    page.goto(f"{keyed_app}?token={LOCAL_TOKEN}")
    page.wait_for_selector(MODEL)
    page.wait_for_function("document.cookie.includes('assistant_token_')")
    assert LOCAL_TOKEN not in page.url
    page.goto(keyed_app)
    page.wait_for_selector(MODEL)
    page.context.close()


LISTEN = """([address, message]) => new Promise(done => {
    const socket = new WebSocket(address, ["streamlit", "none"])
    let seen = ""
    socket.binaryType = "arraybuffer"
    socket.onopen = () => socket.send(new Uint8Array(message))
    socket.onclose = () => done(seen)
    setTimeout(() => socket.close(), 15000)
    socket.onmessage = event => {
        seen += new TextDecoder().decode(event.data)
        if (seen.includes("demo answers here") || seen.includes("Answers by")) socket.close()
    }
})"""


class Nothing(QuietHandler):
    """An empty page."""

    def do_GET(self) -> None:
        self._send(200, b"", (("content-type", "text/html"),))


def test_the_page_of_another_program_on_this_machine_is_not_local(browser: "Browser", keyed_app: str) -> None:
    """Browsers send the cookies of one port to all ports."""
    page = browser.new_context().new_page()
    page.goto(f"{keyed_app}?token={LOCAL_TOKEN}")
    page.wait_for_function("document.cookie.includes('assistant_token_')")
    with LoopbackServer(Nothing) as other:
        page.goto(other.url)
        assert "assistant_token_" in page.evaluate("document.cookie")
        address = f"ws{keyed_app.removeprefix('http').rstrip('/')}/_stcore/stream"
        message = BackMsg(rerun_script=ClientState()).SerializeToString()
        seen = page.evaluate(LISTEN, [address, list(message)])
    assert "demo answers here" in seen
    assert "Answers by" not in seen
    page.context.close()
