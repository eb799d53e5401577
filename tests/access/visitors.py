"""Visitors who speak the protocol of Streamlit's page over raw sockets, as a program does that attacks it."""

import socket
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from typing import Any, Self
from urllib.parse import urlsplit

from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ClientState_pb2 import ClientState
from streamlit.proto.Common_pb2 import ChatInputValue
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from streamlit.proto.WidgetStates_pb2 import WidgetState, WidgetStates
from websockets.sync.client import connect
from websockets.typing import Subprotocol

from tests.browser.driver import serve
from tests.waiting import at_once

PATIENCE = 60.0

served = contextmanager(serve)
"""Serves the page within a ``with`` block."""


@contextmanager
def crowd(address: str, number: int) -> Iterator[list["Visitor"]]:
    """Yield so many visitors who have the page open."""
    visitors = [Visitor(address) for _ in range(number)]
    with ExitStack() as pages:
        at_once(number, lambda index: pages.enter_context(visitors[index]))
        yield visitors


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
        self._buttons: dict[str, str] = {}
        self._uncaught = False
        self.seen, self.draft = b"", ""
        self.finished = False
        self.fragments: set[str] = set()
        self._password, self._password_input = password, ""

    def __enter__(self) -> Self:
        self._run()
        if self._password:
            self.wait(lambda: self.finished and self._password_input)
            password = WidgetState(id=self._password_input, string_value=self._password)
            self._run([password, WidgetState(id=self._buttons["log_in"], trigger_value=True)])
        self.wait(lambda: self.finished and self._input)
        return self

    def __exit__(self, *error: Any) -> None:
        self._connection.__exit__(*error)

    def say(self, words: str, fragment: str = "") -> None:
        """Send a message, to one fragment or to the whole page."""
        self.seen, self.draft, self.finished = b"", "", False
        self._run([WidgetState(id=self._input, chat_input_value=ChatInputValue(data=words))], fragment)

    def press(self, key: str) -> None:
        """Press the button with this key."""
        self.wait(lambda: key in self._buttons)
        self._run([WidgetState(id=self._buttons[key], trigger_value=True)])

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
            widget_states=WidgetStates(widgets=widgets or []),
            fragment_id=fragment,
        )
        self._socket.send(BackMsg(rerun_script=state).SerializeToString())

    def _handle(self, message: ForwardMsg) -> None:
        match message.WhichOneof("type"):
            case "new_session":
                self._page, self.finished = message.new_session.page_script_hash, False
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
                    case "button":
                        key = element.button.id.rpartition("-")[2]
                        self._buttons[key] = element.button.id
                    case "text_input":
                        self._password_input = element.text_input.id
                    case "exception":
                        self._uncaught = True
