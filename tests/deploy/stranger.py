"""A client of the served page that sends what it likes, as an attacker's program does: messages, requests and files."""

import time
from contextlib import suppress
from http.client import HTTPConnection
from typing import Any, Self

from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.Common_pb2 import ChatInputValue, FileUploaderState, UploadedFileInfo
from streamlit.proto.WidgetStates_pb2 import WidgetState
from websockets.exceptions import ConnectionClosed

from tests.page_client import PATIENCE, PageClient, open_socket

QUIET_SECONDS = 0.3
"""A page that has sent nothing for so long after its script has ended is complete."""


class Stranger(PageClient):
    """One browser session at a port of this machine, with ``Host: localhost`` as a careless proxy passes it on.

    Attributes:
        seen: Everything that was received, over all connections.
        sent: Everything that was sent; what comes back of it is no secret.
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
        self.port, self._host = port, host or f"localhost:{port}"
        headers = ({"Cookie": cookie} if cookie else {}) | (headers or {})
        origin = f"http://{self._host}"
        super().__init__(open_socket(f"127.0.0.1:{port}", self._host, origin, headers), query)
        self.sent = b""

    def __enter__(self) -> Self:
        super().__enter__()
        self.use()
        return self

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
        self.run(states)

    def say(self, words: str) -> None:
        self.use(prompt=ChatInputValue(data=words))

    def press(self, *keys: str) -> None:
        for key in keys:
            self.use(**{key: ...})

    def send(self, message: BackMsg) -> None:
        self.sent += message.SerializeToString()
        super().send(message)

    def wait(self) -> None:
        """Receive until the script has ended and nothing more comes."""
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            try:
                self.receive_message(QUIET_SECONDS)
            except TimeoutError:
                if self.finished:
                    return
        raise AssertionError(f"the page is not complete: {self.seen[-2000:]!r}")

    def receive(self, seconds: float = QUIET_SECONDS) -> None:
        """Receive whatever comes, until nothing has come for so long."""
        with suppress(TimeoutError, ConnectionClosed):
            while True:
                self.receive_message(seconds)

    def key_ending(self, suffix: str) -> str:
        """Return the key of the newest widget whose key ends so."""
        return [key for key in self.ids if key.endswith(suffix)][-1]

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
        path = f"/_stcore/upload_file/{session or self.session_id}/{file_id}"
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
