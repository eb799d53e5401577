"""A model server that answers over WebSocket connections, too, as the Responses API does in its WebSocket mode.

with WebSocketServer() as server:
    server.plays(text("Hello."))
    ...request a response with ASSISTANT_RESPONSES_TRANSPORT=websocket...
    assert server.messages == [{"type": "response.create", ...}]
"""

import base64
import hashlib
import json
import threading
from contextlib import suppress
from typing import Any, Literal

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
        steering: Whether steered messages are accepted, accepted and given back, or refused; or whether the
            connection ends at the first one.
        interrupts: Whether a steered response without calls ends early, and not as complete.
    """

    def __init__(self, *, conversations: bool = True) -> None:
        super().__init__(conversations=conversations)
        self.connections = 0
        self.messages: list[Json] = []
        self.opens_websockets = True
        self.closes_after = 0
        self.steering: Literal["accepted", "given back", "refused", "hangs up"] = "accepted"
        self.interrupts = True

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
            self._send_not_found()
            return
        digest = hashlib.sha1(f"{self.headers['sec-websocket-key']}{KEY_SUFFIX}".encode()).digest()
        self.send_response(101)
        self.send_header("connection", "Upgrade")
        self.send_header("upgrade", "websocket")
        self.send_header("sec-websocket-accept", base64.b64encode(digest).decode())
        self.end_headers()
        self.model.connections += 1
        self.model.headers.append(dict(self.headers))
        self.websocket, self.close_connection = Protocol(Side.SERVER, max_size=None), False
        self._unfinished = b""
        self._number = 0  # of the next event of a response
        self._steered: list[str] = []  # the accepted messages for the response that is sent
        self._pending: dict[str, list[str]] = {}  # those that wait for results, by the response
        self._answer_messages()

    def _answer_messages(self) -> None:
        answered = 0
        while not self.close_connection and not self.model.closing.is_set():
            for message in self._receive():
                if message["type"] == "response.steer":
                    self._refuse(message, "response_already_completed")
                    continue
                self._respond({name: value for name, value in message.items() if name != "type"})
                answered += 1
                if answered == self.model.closes_after:
                    self._close()

    def _receive(self) -> list[Json]:
        """Return the messages that are complete after the next bytes."""
        assert self.websocket is not None
        data = self.connection.recv(65_536)
        if not data:
            raise ConnectionAbortedError
        self.websocket.receive_data(data)
        frames: list[Any] = self.websocket.events_received()
        self._flush()
        messages: list[Json] = []
        for frame in frames:
            if frame.opcode > 7:
                continue
            self._unfinished += frame.data
            if frame.fin:
                messages.append(json.loads(self._unfinished))
                self._unfinished = b""
        self.model.messages += messages
        return messages

    def _respond(self, request: Json) -> None:
        if self.websocket is None:
            super()._respond(request)
            return
        waiting = self._pending.pop(request.get("previous_response_id", ""), [])
        request = {**request, "input": [*map(_user_message, waiting), *request["input"]]}
        play, conversation = self.model.next_play(request)
        if play.status != 200:
            headers = {"headers": dict(play.headers)} if play.headers else {}
            self._message({"type": "error", "status": play.status, "error": play.body["error"], **headers})
            return
        response_id = new_id("resp")
        self._number, self._steered = 0, []
        events: list[Any] = play.stream(response_id, request)
        has_calls = any(item["type"] == "function_call" for item in play.items)
        for index, event in enumerate(events):
            if play.gate is not None and index == play.gate_after:
                play.reached.set()
                self._wait(play.gate)
            if index == play.cut:
                self._cut(play, json.dumps(event).encode())
                return
            if index == len(events) - 1:
                self.model.finish(play, conversation, request, whole=play.ending == "completed")
                self.model.store(response_id, play, request)
                if self._steered and self.model.interrupts and not has_calls:
                    details = {"status": "incomplete", "incomplete_details": {"reason": "steered"}}
                    event = {**event, "type": "response.incomplete", "response": event["response"] | details}
            self._message(event)
        self._continue(request, response_id, has_calls=has_calls)

    def _continue(self, request: Json, response_id: str, *, has_calls: bool) -> None:
        """Answer the steered messages, or keep them until the results of the calls come."""
        steered, self._steered = self._steered, []
        if steered and self.model.steering == "given back":
            for words in steered:
                message = {"previous_response_id": response_id, "input": words}
                self._refuse(message, "successor_creation_failed", f"steer_{words}")
        elif steered and has_calls:
            self._pending[response_id] = steered
            for words in steered:
                steer = {"id": f"steer_{words}", "previous_response_id": response_id}
                self._message({"type": "response.steer.pending", "sequence_number": 0, "steer": steer})
        elif steered:
            successor = {"previous_response_id": response_id, "input": [*map(_user_message, steered)]}
            self._respond({**request, **successor})

    def _wait(self, gate: threading.Event) -> None:
        """Wait for the gate, or for the client to be gone; meanwhile the response can be steered."""
        if self.websocket is None:
            super()._wait(gate)
            return
        self.connection.settimeout(0.005)
        while not gate.is_set():
            with suppress(TimeoutError):
                for message in self._receive():
                    self._steer(message)
        self.connection.settimeout(None)

    def _steer(self, message: Json) -> None:
        steer = {"id": f"steer_{message['input']}", "previous_response_id": message["previous_response_id"]}
        if self.model.steering == "hangs up":
            raise ConnectionAbortedError
        if self.model.steering == "refused":
            self._refuse(message, "steering_not_supported")
            return
        self._steered.append(message["input"])
        self._message({"type": "response.steer.accepted", "sequence_number": 0, "steer": steer})

    def _refuse(self, message: Json, code: str, steer_id: str = "") -> None:
        steer = {name: message[name] for name in ("previous_response_id", "input")}
        error = {"type": "invalid_request_error", "code": code, "message": "No."}
        named = {"id": steer_id} if steer_id else {}
        event = {"type": "response.steer.failed", "sequence_number": 0, "steer": steer | named}
        self._message(event | {"error": error})

    def _message(self, event: Json) -> None:
        """Send an event; the events of a response are numbered."""
        assert self.websocket is not None
        if "sequence_number" in event:
            event = event | {"sequence_number": self._number}
            self._number += 1
        self.websocket.send_text(json.dumps(event).encode())
        self._flush()

    def _chunk(self, data: bytes) -> None:
        if self.websocket is None:
            super()._chunk(data)

    def _cut(self, play: Play, data: bytes) -> None:
        if self.websocket is None or play.how != "close":
            super()._cut(play, data)
            self.close_connection = True
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


def _user_message(words: str) -> Json:
    return {"type": "message", "role": "user", "content": words}
