"""A model server that answers over WebSocket connections, too, as the Responses API does in its WebSocket mode.

with WebSocketServer() as server:
    server.plays(text("Hello."))
    ...request a response with ASSISTANT_RESPONSES_TRANSPORT=websocket...
    assert server.messages == [{"type": "response.create", ...}]
"""

import base64
import hashlib
import json
from typing import Any

from websockets.protocol import Protocol, Side

from tests.servers.responses import Handler, Json, ModelServer, Play, new_id

KEY_SUFFIX = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"


class WebSocketServer(ModelServer):
    """Plays its scripts over WebSocket connections, as over HTTP.

    Attributes:
        connections: How many WebSocket connections were opened.
        messages: What clients sent over them, in order.
        opens_websockets: Whether it opens them at all.
        closes_after: After how many responses a connection is closed; 0 for never.
    """

    def __init__(self, *, conversations: bool = True) -> None:
        super().__init__(conversations=conversations)
        self.connections = 0
        self.messages: list[Json] = []
        self.opens_websockets = True
        self.closes_after = 0

    def handler(self) -> type[Handler]:
        return _Handler


class _Handler(Handler):
    model: WebSocketServer
    websocket: Protocol | None = None

    def do_GET(self) -> None:
        if self.headers.get("upgrade") != "websocket":
            super().do_GET()
            return
        if not self.model.opens_websockets:
            self._send(404, {"error": {"message": "Not found", "code": None}})
            return
        digest = hashlib.sha1(f"{self.headers['sec-websocket-key']}{KEY_SUFFIX}".encode()).digest()
        self.send_response(101)
        self.send_header("connection", "Upgrade")
        self.send_header("upgrade", "websocket")
        self.send_header("sec-websocket-accept", base64.b64encode(digest).decode())
        self.end_headers()
        self.model.connections += 1
        self.model.headers.append(dict(self.headers))
        self.websocket, self.close_connection = Protocol(Side.SERVER, max_size=None), True
        self._answer_messages(self.websocket)

    def _answer_messages(self, websocket: Protocol) -> None:
        answered, unfinished = 0, b""
        while not self.model.closing.is_set() and (data := self.connection.recv(65_536)):
            websocket.receive_data(data)
            frames: list[Any] = websocket.events_received()
            for frame in frames:
                if frame.opcode > 7:
                    continue
                unfinished += frame.data
                if frame.fin:
                    message, unfinished = json.loads(unfinished), b""
                    self.model.messages.append(message)
                    assert message.pop("type") == "response.create", "only responses are requested"
                    self.close_connection = False
                    self._respond(message)
                    answered += 1
                    if answered == self.model.closes_after:
                        self._close()
                    if self.close_connection:
                        return
            self._flush()

    def _respond(self, request: Json) -> None:
        if self.websocket is None:
            super()._respond(request)
            return
        play, conversation = self.model.next_play(request)
        if play.status != 200:
            headers = {"headers": dict(play.headers)} if play.headers else {}
            self._message({"type": "error", "status": play.status, "error": play.body["error"], **headers})
            return
        response_id, whole = new_id("resp"), False

        def finish_before_last(left: int) -> None:
            if left == 1:
                self.model.finish(play, conversation, request, whole=play.ending == "completed")
                self.model.store(response_id, play, request)

        try:
            events = [json.dumps(event).encode() for event in self._events(play, response_id, request)]
            whole = self._stream(play, events, finish_before_last)
        finally:
            if not whole:
                self.model.finish(play, conversation, request, whole=False)

    def _events(self, play: Play, response_id: str, request: Json) -> list[Any]:
        return play.stream(response_id, request)

    def _begin_stream(self, content_type: str = "text/event-stream") -> None:
        if self.websocket is None:
            super()._begin_stream(content_type)

    def _chunk(self, data: bytes) -> None:
        """Send one message; one that is cut in half breaks within its frame."""
        if self.websocket is None:
            super()._chunk(data)
        elif data:
            self.websocket.send_text(data)
            self._flush()

    def _message(self, event: Json) -> None:
        self._chunk(json.dumps(event).encode())

    def _cut(self, play: Play, data: bytes) -> None:
        if self.websocket is None or play.how != "close":
            super()._cut(play, data)
            return
        play.reached.set()
        self._close()

    def _close(self) -> None:
        assert self.websocket is not None
        self.websocket.send_close(1000, "bye")
        self._flush()
        self.close_connection = True

    def _flush(self) -> None:
        assert self.websocket is not None
        for data in self.websocket.data_to_send():
            if data:
                self.wfile.write(data)
        self.wfile.flush()
