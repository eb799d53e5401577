"""A client of the served page that sends what it likes, as an attacker's program does: messages, requests and files."""

import socket
import time
from contextlib import suppress
from http.client import HTTPConnection
from typing import Any, Self

from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ClientState_pb2 import ClientState
from streamlit.proto.Common_pb2 import ChatInputValue, FileUploaderState, UploadedFileInfo
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from streamlit.proto.WidgetStates_pb2 import WidgetState, WidgetStates
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect
from websockets.typing import Origin, Subprotocol

PATIENCE = 60.0
QUIET_SECONDS = 0.3
"""A page that has sent nothing for so long after its script has ended is complete."""


class Stranger:
    """One browser session at a port of this machine, with ``Host: localhost`` as a careless proxy passes it on.

    Attributes:
        seen: Everything that was received, over all connections.
        sent: Everything that was sent; what comes back of it is no secret.
        ids: The ids of the page's widgets by their keys. They are the same in every session.
    """

    def __init__(
        self,
        port: int,
        query: str = "",
        *,
        host: str = "",
        cookie: str = "",
        headers: dict[str, str] | None = None,
    ) -> None:
        self.port, self.query = port, query
        self._host = host or f"localhost:{port}"
        self._headers = ({"Cookie": cookie} if cookie else {}) | (headers or {})
        self.seen = self.sent = b""
        self.ids: dict[str, str] = {}
        self._page = self._session = ""
        self._is_finished = False

    def __enter__(self) -> Self:
        self._connection = connect(
            f"ws://{self._host}/_stcore/stream",
            sock=socket.create_connection(("127.0.0.1", self.port)),
            subprotocols=[Subprotocol("streamlit"), Subprotocol("none")],
            origin=Origin(f"http://{self._host}"),
            additional_headers=self._headers,
            compression=None,
            ping_interval=None,
            close_timeout=0.1,
            max_queue=None,
            max_size=None,
            proxy=None,
        )
        self._socket = self._connection.__enter__()
        self.use()
        return self

    def __exit__(self, *error: Any) -> None:
        self._connection.__exit__(*error)

    # --- the page's connection --------------------------------------------------------------------------

    def use(self, query: Any = None, **widgets: Any) -> None:
        """Set widgets by their keys or ids, run the page, and wait until it is complete.

        The type of a value says the kind of widget; ``...`` presses a button.
        """
        self.begin(query, **widgets)
        self.wait()

    def begin(self, query: Any = None, **widgets: Any) -> None:
        """Set widgets and run the page, without waiting."""
        states = [self._state(self.ids.get(key, key), value) for key, value in widgets.items()]
        self.query = self.query if query is None else query
        state = ClientState(
            query_string=self.query, page_script_hash=self._page, widget_states=WidgetStates(widgets=states)
        )
        self.send(BackMsg(rerun_script=state))

    def say(self, words: str) -> None:
        self.use(prompt=ChatInputValue(data=words))

    def press(self, *keys: str) -> None:
        for key in keys:
            self.use(**{key: ...})

    def send(self, message: BackMsg) -> None:
        data = message.SerializeToString()
        self.sent += data
        self._is_finished = False
        self._socket.send(data)

    def wait(self) -> None:
        """Receive until the script has ended and nothing more comes."""
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            try:
                data = self._socket.recv(timeout=QUIET_SECONDS, decode=False)
            except TimeoutError:
                if self._is_finished:
                    return
                continue
            self.seen += data
            self._handle(ForwardMsg.FromString(data))
        raise AssertionError(f"the page is not complete: {self.seen[-2000:]!r}")

    def receive(self, seconds: float = QUIET_SECONDS) -> None:
        """Receive whatever comes, until nothing has come for so long."""
        with suppress(TimeoutError, ConnectionClosed):
            while True:
                data = self._socket.recv(timeout=seconds, decode=False)
                self.seen += data
                self._handle(ForwardMsg.FromString(data))

    def key_ending(self, suffix: str) -> str:
        """Return the key of the newest widget whose key ends so."""
        return [key for key in self.ids if key.endswith(suffix)][-1]

    def shows(self, words: str) -> bool:
        return words.encode() in self.seen

    def _handle(self, message: ForwardMsg) -> None:
        match message.WhichOneof("type"):
            case "new_session":
                self._page, self._is_finished = message.new_session.page_script_hash, False
                self._session = message.new_session.initialize.session_id or self._session
            case "page_info_changed":
                self.query = message.page_info_changed.query_string
            case "script_finished":
                self._is_finished = True
            case "delta":
                element = message.delta.new_element
                if kind := element.WhichOneof("type"):
                    widget = str(getattr(getattr(element, kind), "id", ""))
                    if widget.count("-") > 1:  # $$ID-<hash>-<key>
                        self.ids[widget.split("-", 2)[2]] = widget

    @staticmethod
    def _state(widget: str, value: Any) -> WidgetState:
        match value:
            case WidgetState():
                return value
            case ChatInputValue():
                return WidgetState(id=widget, chat_input_value=value)
            case FileUploaderState():
                return WidgetState(id=widget, file_uploader_state_value=value)
            case bool():
                return WidgetState(id=widget, bool_value=value)
            case str():
                return WidgetState(id=widget, string_value=value)
            case [*texts]:
                state = WidgetState(id=widget)
                state.string_array_value.data.extend(texts)
                return state
        return WidgetState(id=widget, trigger_value=True)

    # --- files ------------------------------------------------------------------------------------------

    def upload(self, content: bytes, name: str, session: str = "") -> FileUploaderState:
        """Upload a file, to another session if one is given, and return the value of its widget."""
        file_id = f"file-{len(self.sent)}"
        health = self.get("/_stcore/health")
        cookie = health[1].get("set-cookie", "").partition(";")[0]
        form = f'--x\r\nContent-Disposition: form-data; name="f"; filename="{name}"\r\n\r\n'.encode()
        path = f"/_stcore/upload_file/{session or self._session}/{file_id}"
        body = form + content + b"\r\n--x--\r\n"
        self.sent += body
        headers = {"Content-Type": "multipart/form-data; boundary=x", "Cookie": cookie}
        self.get(path, "PUT", body, **headers, **{"X-Xsrftoken": cookie.partition("=")[2]})
        info = UploadedFileInfo(name=name, size=len(content), file_id=file_id)
        info.file_urls.file_id, info.file_urls.upload_url = file_id, path
        return FileUploaderState(uploaded_file_info=[info])

    # --- requests ---------------------------------------------------------------------------------------

    def get(
        self, path: str, method: str = "GET", body: bytes = b"", **headers: str
    ) -> tuple[int, dict[str, str], bytes]:
        """Return the status, the headers and the body of a response; the path is sent as it is."""
        connection = HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE)
        try:
            connection.putrequest(method, path, skip_host=True)
            for name, value in ({"Host": self._host} | headers).items():
                connection.putheader(name, value)
            connection.putheader("Content-Length", str(len(body)))
            connection.endheaders(body)
            with connection.getresponse() as response:
                content, named = response.read(), {k.lower(): v for k, v in response.getheaders()}
                self.seen += str(named).encode() + content
                return response.status, named, content
        finally:
            connection.close()
