"""Visitors who speak the protocol of Streamlit's page over raw sockets, as a program does that attacks it."""

import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from http.client import HTTPConnection
from itertools import count
from typing import Any, Self
from urllib.parse import urlsplit
from urllib.request import urlopen

from streamlit.proto.Common_pb2 import ChatInputValue, FileUploaderState, UploadedFileInfo
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from streamlit.proto.WidgetStates_pb2 import WidgetState

from tests.browser.driver import serve
from tests.page_client import PATIENCE, PageClient, open_socket
from tests.waiting import at_once

_numbers = count()

served = contextmanager(serve)
"""Serves the page within a ``with`` block."""


@contextmanager
def crowd(address: str, number: int) -> Iterator[list["Visitor"]]:
    """Yield so many visitors who have the page open."""
    visitors = [Visitor(address) for _ in range(number)]
    with ExitStack() as pages:
        at_once(number, lambda index: pages.enter_context(visitors[index]))
        yield visitors


_HEAD = b'--x\r\nContent-Disposition: form-data; name="f"; filename="f.jsonl"\r\n\r\n'
_TAIL = b"\r\n--x--\r\n"


@contextmanager
def arriving(address: str, session_id: str, name: str, content: bytes) -> Iterator[HTTPConnection]:
    """Begin to send a file as Streamlit's page does; yield the connection for its content."""
    with urlopen(f"{address}/_stcore/health") as response:
        cookie = (response.headers.get("Set-Cookie") or "").partition(";")[0]
    with closing(HTTPConnection(urlsplit(address).netloc, timeout=PATIENCE)) as connection:
        connection.putrequest("PUT", f"/_stcore/upload_file/{session_id}/{name}")
        connection.putheader("Content-Type", "multipart/form-data; boundary=x")
        connection.putheader("Cookie", cookie)
        connection.putheader("X-Xsrftoken", cookie.partition("=")[2])
        connection.putheader("Content-Length", str(len(_HEAD) + len(content) + len(_TAIL)))
        connection.endheaders(_HEAD)
        yield connection


def upload(address: str, session_id: str, name: str, content: bytes, sent: int | None = None) -> int:
    """Send a file, or only the first ``sent`` bytes of it; return the status."""
    with arriving(address, session_id, name, content) as connection:
        with suppress(ConnectionError):  # the server has refused it already
            connection.send(content[:sent])
            if sent is None:
                connection.send(_TAIL)
        return connection.getresponse().status


class Visitor(PageClient):
    """One remote browser session.

    Attributes:
        seen: The bytes received since the last message was sent.
        draft: The text that the page has put back into the input.
        fragments: The ids of the parts of the page that run alone.
        uncaught: Whether the page has shown an exception of its own.
    """

    def __init__(self, address: str, password: str = "") -> None:
        parts = urlsplit(address)
        super().__init__(open_socket(parts.netloc, "chat.example"), parts.query)
        self.draft = ""
        self.fragments: set[str] = set()
        self.uncaught = False
        self._address = address.partition("?")[0].rstrip("/")
        self._values: dict[str, WidgetState] = {}  # of widgets that keep their value
        self._password = password

    def __enter__(self) -> Self:
        super().__enter__()
        self.run()
        if self._password:
            self.wait(lambda: self.finished and self.has("password"))
            password = WidgetState(id=self.ids["password"], string_value=self._password)
            self.run([password, WidgetState(id=self.ids["log_in"], trigger_value=True)])
        last = "prompt" if self._password else "log_in"  # who has no password stays at the login
        self.wait(lambda: self.finished and (self.has("prompt") or self.has(last)))
        return self

    def run(self, widgets: Iterable[WidgetState] = (), fragment: str = "") -> None:
        super().run([*self._values.values(), *widgets], fragment)

    def say(self, words: str, fragment: str = "") -> None:
        """Send a message, to one fragment or to the whole page."""
        self.seen, self.draft = b"", ""
        self.run([WidgetState(id=self.ids["prompt"], chat_input_value=ChatInputValue(data=words))], fragment)

    def press(self, key: str) -> None:
        """Press the button with this key."""
        self.wait(lambda: self.has(key))
        self.run([WidgetState(id=self.ids[key], trigger_value=True)])

    def set(self, key: str, **value: Any) -> None:
        """Change the value of the widget with this key, and wait for the page."""
        self.wait(lambda: self.has(key))
        self._values[key] = WidgetState(id=self.ids[key], **value)
        self.run()
        self.wait(lambda: self.finished)

    def has(self, key: str) -> bool:
        """Return whether the page has drawn a widget with this key."""
        return key in self.ids

    def open_file(self, key: str, content: bytes) -> int:
        """Upload a file to the widget with this key; return the status. The page runs if it was accepted."""
        status = upload(self._address, self.session_id, name := f"file{next(_numbers)}", content)
        if status == 204:
            info = UploadedFileInfo(file_id=name, name=f"{name}.jsonl", size=len(content))
            self.set(key, file_uploader_state_value=FileUploaderState(uploaded_file_info=[info]))
        return status

    def settle(self) -> None:
        """Receive what is under way, until nothing comes for a second."""
        with suppress(TimeoutError):
            while True:
                self.receive_message(1.0)

    def wait(self, happens: Callable[[], object]) -> None:
        """Receive until this is true."""
        deadline = time.monotonic() + PATIENCE
        while not happens():
            assert time.monotonic() < deadline, self.seen[-2000:]
            with suppress(TimeoutError):
                self.receive_message(0.5)

    def handle(self, message: ForwardMsg) -> None:
        super().handle(message)
        self.fragments |= {message.delta.fragment_id} - {""}
        match message.delta.new_element.WhichOneof("type"):
            case "chat_input" if message.delta.new_element.chat_input.set_value:
                self.draft = message.delta.new_element.chat_input.value
            case "exception":
                self.uncaught = True
