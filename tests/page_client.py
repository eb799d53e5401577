"""A client of the served page that speaks the protocol of Streamlit's browser code, as any program can."""

import socket
from collections.abc import Iterable, Mapping
from typing import Any, Self

from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ClientState_pb2 import ClientState
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from streamlit.proto.WidgetStates_pb2 import WidgetState, WidgetStates
from websockets.sync.client import ClientConnection, connect
from websockets.typing import Origin, Subprotocol

PATIENCE = 60.0
"""Seconds after which a page that is not complete fails a test."""


def open_socket(
    address: str, host: str = "", origin: str = "", headers: Mapping[str, str] | None = None
) -> ClientConnection:
    """Open the page's connection to ``127.0.0.1:port`` as a browser does that knows the page as ``host``."""
    return connect(
        f"ws://{host or address}/_stcore/stream",
        sock=socket.create_connection(("127.0.0.1", int(address.rpartition(":")[2]))),
        subprotocols=[Subprotocol("streamlit"), Subprotocol("none")],
        origin=Origin(origin) if origin else None,
        additional_headers=headers,
        compression=None,
        ping_interval=None,
        close_timeout=0.1,
        max_queue=None,
        max_size=None,
        proxy=None,
    )


class PageClient:
    """One browser session.

    Attributes:
        query: The query of the page's address.
        ids: The ids of the page's widgets by their keys. They are the same in every session.
        session_id: What Streamlit calls this session.
        finished: Whether the script has ended since it was run last.
        seen: The bytes that were received.
    """

    def __init__(self, connection: ClientConnection, query: str = "") -> None:
        self.query = query
        self.ids: dict[str, str] = {}
        self.session_id = self._page = ""
        self.finished = False
        self.seen = b""
        self._connection = connection

    def __enter__(self) -> Self:
        self._connection.__enter__()
        return self

    def __exit__(self, *error: Any) -> None:
        self._connection.__exit__(*error)

    def run(self, widgets: Iterable[WidgetState] = (), fragment: str = "") -> None:
        """Run the page, or one fragment of it, with these widgets set."""
        state = ClientState(
            query_string=self.query,
            page_script_hash=self._page,
            widget_states=WidgetStates(widgets=widgets),
            fragment_id=fragment,
        )
        self.send(BackMsg(rerun_script=state))

    def send(self, message: BackMsg) -> None:
        """Send a message to the page."""
        self.finished = False
        self._connection.send(message.SerializeToString())

    def receive_message(self, seconds: float) -> None:
        """Receive one message; raises ``TimeoutError`` if none comes."""
        data = self._connection.recv(timeout=seconds, decode=False)
        self.seen += data
        self.handle(ForwardMsg.FromString(data))

    def shows(self, words: str) -> bool:
        """Return whether these words are among what was received."""
        return words.encode() in self.seen

    def handle(self, message: ForwardMsg) -> None:
        """Note what a message says about the page."""
        match message.WhichOneof("type"):
            case "new_session":
                self._page, self.finished = message.new_session.page_script_hash, False
                self.session_id = message.new_session.initialize.session_id or self.session_id
            case "page_info_changed":
                self.query = message.page_info_changed.query_string
            case "script_finished":
                self.finished = True
            case "delta":
                element = message.delta.new_element
                if kind := element.WhichOneof("type"):
                    widget_id = str(getattr(getattr(element, kind), "id", ""))
                    if widget_id.count("-") > 1:  # $$ID-<hash>-<key>
                        self.ids[widget_id.split("-", 2)[2]] = widget_id
