"""Visitors who speak the protocol of Streamlit's page over raw sockets, as a program does that attacks it."""

import socket
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from http.client import HTTPConnection
from itertools import count
from typing import Any, Self
from urllib.parse import urlsplit
from urllib.request import urlopen

from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ClientState_pb2 import ClientState
from streamlit.proto.Common_pb2 import ChatInputValue, FileUploaderState, UploadedFileInfo
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from streamlit.proto.WidgetStates_pb2 import WidgetState, WidgetStates
from websockets.sync.client import connect
from websockets.typing import Subprotocol

from tests.browser.driver import serve
from tests.waiting import at_once

PATIENCE = 60.0

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


class Visitor:
    """One remote browser session.

    Attributes:
        seen: The bytes received since the last message was sent.
        draft: The text that the page has put back into the input.
        fragments: The ids of the parts of the page that run alone.
    """

    def __init__(self, address: str, password: str = "") -> None:
        self._connection = connect(
            "ws://chat.example/_stcore/stream",
            sock=socket.create_connection(("127.0.0.1", urlsplit(address).port or 80)),
            subprotocols=[Subprotocol("streamlit"), Subprotocol("none")],
            compression=None,
            ping_interval=None,
            close_timeout=0.1,
            max_queue=None,
            max_size=None,
            proxy=None,
        )
        self._socket = self._connection.__enter__()
        self._page = self._input = ""
        self._query = urlsplit(address).query
        self._address = address.partition("?")[0].rstrip("/")
        self._ids: dict[str, str] = {}  # of widgets, by key
        self._values: dict[str, WidgetState] = {}  # of widgets that keep their value
        self._uncaught = False
        self.seen, self.draft, self.session_id = b"", "", ""
        self.finished = False
        self.fragments: set[str] = set()
        self._password = password

    def __enter__(self) -> Self:
        self._run()
        if self._password:
            self.wait(lambda: self.finished and "password" in self._ids)
            password = WidgetState(id=self._ids["password"], string_value=self._password)
            self.finished = False
            self._run([password, WidgetState(id=self._ids["log_in"], trigger_value=True)])
        last = "" if self._password else "log_in"  # who has no password stays at the login
        self.wait(lambda: self.finished and (self._input or last in self._ids))
        return self

    def __exit__(self, *error: Any) -> None:
        self._connection.__exit__(*error)

    def say(self, words: str, fragment: str = "") -> None:
        """Send a message, to one fragment or to the whole page."""
        self.seen, self.draft, self.finished = b"", "", False
        self._run([WidgetState(id=self._input, chat_input_value=ChatInputValue(data=words))], fragment)

    def press(self, key: str) -> None:
        """Press the button with this key."""
        self.wait(lambda: key in self._ids)
        self.finished = False
        self._run([WidgetState(id=self._ids[key], trigger_value=True)])

    def set(self, key: str, **value: Any) -> None:
        """Change the value of the widget with this key, and wait for the page."""
        self.wait(lambda: key in self._ids)
        self._values[key] = WidgetState(id=self._ids[key], **value)
        self.finished = False
        self._run()
        self.wait(lambda: self.finished)

    def has(self, key: str) -> bool:
        """Return whether the page has drawn a widget with this key."""
        return key in self._ids

    def open_file(self, key: str, content: bytes) -> int:
        """Upload a file to the widget with this key; return the status. The page runs if it was accepted."""
        status = upload(self._address, self.session_id, name := f"file{next(_numbers)}", content)
        if status == 204:
            info = UploadedFileInfo(file_id=name, name=f"{name}.jsonl", size=len(content))
            self.set(key, file_uploader_state_value=FileUploaderState(uploaded_file_info=[info]))
        return status

    @property
    def uncaught(self) -> bool:
        """Whether the page has shown an exception of its own."""
        return self._uncaught

    def shows(self, words: str) -> bool:
        """Return whether the page has shown these words since the last message was sent."""
        return words.encode() in self.seen

    def settle(self) -> None:
        """Receive what is under way, until nothing comes for a second."""
        with suppress(TimeoutError):
            while True:
                self._receive(1.0)

    def wait(self, happens: Callable[[], object]) -> None:
        """Receive until this is true."""
        deadline = time.monotonic() + PATIENCE
        while not happens():
            assert time.monotonic() < deadline, self.seen[-2000:]
            with suppress(TimeoutError):
                self._receive(0.5)

    def _receive(self, seconds: float) -> None:
        data = self._socket.recv(timeout=seconds)
        assert isinstance(data, bytes)
        self.seen += data
        self._handle(ForwardMsg.FromString(data))

    def _run(self, widgets: list[WidgetState] | None = None, fragment: str = "") -> None:
        state = ClientState(
            query_string=self._query,
            page_script_hash=self._page,
            widget_states=WidgetStates(widgets=[*self._values.values(), *(widgets or [])]),
            fragment_id=fragment,
        )
        self._socket.send(BackMsg(rerun_script=state).SerializeToString())

    def _handle(self, message: ForwardMsg) -> None:
        match message.WhichOneof("type"):
            case "new_session":
                self._page, self.finished = message.new_session.page_script_hash, False
                self.session_id = message.new_session.initialize.session_id or self.session_id
            case "page_info_changed":
                self._query = message.page_info_changed.query_string
            case "script_finished":
                self.finished = True
            case "delta":
                self.fragments |= {message.delta.fragment_id} - {""}
                element = message.delta.new_element
                match element.WhichOneof("type"):
                    case "chat_input":
                        self._input = element.chat_input.id
                        if element.chat_input.set_value:
                            self.draft = element.chat_input.value
                    case "button" | "text_input" | "checkbox" | "button_group" | "file_uploader" as kind:
                        widget_id = getattr(element, kind).id
                        self._ids[widget_id.rpartition("-")[2]] = widget_id
                    case "exception":
                        self._uncaught = True
