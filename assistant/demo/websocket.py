"""Answer requests over one WebSocket connection, as the Responses API does in its WebSocket mode.

A message of the client is a ``response.create`` event with the fields of a request, or a ``response.steer`` event
with a message of the user for the response that is being sent. Each message of the server is one event. A response
that is not stored can be continued on its connection.
"""

import asyncio
import json
from collections.abc import Sequence
from contextlib import suppress

from starlette.concurrency import iterate_in_threadpool, run_in_threadpool
from starlette.websockets import WebSocket, WebSocketDisconnect

from assistant.demo.generation import EventStream, Generation
from assistant.demo.items import Json, new_id
from assistant.demo.requests import Rejection, invalid_value, parse_json
from assistant.demo.transport import DemoTransport


async def answer_socket(websocket: WebSocket, transport: DemoTransport) -> None:
    """Accept the connection and answer one request after the other until the client hangs up."""
    await websocket.accept()
    socket = _Socket(websocket, transport)
    receiver = asyncio.create_task(socket.receive())
    try:
        with suppress(WebSocketDisconnect):
            await socket.answer()
    finally:
        receiver.cancel()


class _Socket:
    """One connection: its messages that wait, and what its responses can be continued from."""

    def __init__(self, websocket: WebSocket, transport: DemoTransport) -> None:
        self._websocket, self._transport = websocket, transport
        self._messages: asyncio.Queue[str | None] = asyncio.Queue()
        self._active = ""  # the id of the response that is being sent
        self._steers: list[Json] = []  # events that steer it, not handled yet
        self._pending: dict[str, list[Json]] = {}  # its steered messages that wait for outputs, by its id
        self._unstored: dict[str, Generation] = {}

    async def receive(self) -> None:
        """Sort the client's messages until it hangs up."""
        with suppress(WebSocketDisconnect):
            while True:
                message = await self._websocket.receive_text()
                with suppress(Rejection):
                    event = parse_json(message)
                    if self._active and _is_steer(event):
                        self._steers.append(event)
                        continue
                self._messages.put_nowait(message)
        self._messages.put_nowait(None)

    async def answer(self) -> None:
        """Answer the messages in their order."""
        while (message := await self._messages.get()) is not None:
            body: Json = {}
            try:
                body = parse_json(message)
                if _is_steer(body):
                    await self._send(_failure(body, "response_not_active"), 0)
                    continue
                if body.get("type") != "response.create":
                    raise invalid_value("type", "response.create or response.steer")
                await self._respond(body)
            except Rejection as rejection:
                self._unstored.pop(str(body.get("previous_response_id")), None)  # as documented
                error = rejection.error | {"code": rejection.error["code"] or "invalid_request"}
                await self._send({"type": "error", "status": rejection.status, "error": error})

    async def _respond(self, body: Json) -> None:
        """Send a response, and then those to the messages that steered it."""
        waiting = self._pending.pop(str(body.get("previous_response_id")), [])
        if waiting and isinstance(body.get("input"), list):
            body = body | {"input": waiting + body["input"]}
        while True:
            stream = await run_in_threadpool(self._transport.stream, body, self._unstored)
            response_id = str(stream.response["id"])
            try:
                steered, number = await self._send_response(stream)
            finally:
                self._active = ""
                stream.close()
            if not steered:
                return
            messages = [message for _, messages in steered for message in messages]
            if required := _required_input(stream.response["output"]):
                self._pending[response_id] = messages
                for steer, _ in steered:
                    await self._send(_pending(steer, required), number)
                    number += 1
                return
            body = {**body, "previous_response_id": response_id, "input": messages}

    async def _send_response(self, stream: EventStream) -> tuple[list[tuple[Json, list[Json]]], int]:
        """Send the events of a response; return what has steered it, and the number of the next event."""
        steered: list[tuple[Json, list[Json]]] = []
        number, items = 0, 0
        output = stream.response["output"]
        can_end_early = not _required_input(output)
        self._active = str(stream.response["id"])
        async for event in iterate_in_threadpool(stream.events()):
            await self._send(event, number)
            number += 1
            while self._steers:
                steer = self._steers.pop(0)
                accepted = self._accept(steer, stream)
                await self._send(accepted, number)
                number += 1
                if accepted["type"] == "response.steer.accepted":
                    steered.append((accepted["steer"], _user_messages(steer)))
            items += event["type"] == "response.output_item.done"
            if steered and can_end_early and items < len(output) and event["type"].endswith("item.done"):
                await self._send({"type": "response.incomplete", "response": stream.interrupt(items)}, number)
                number += 1
                break
        self._active = ""
        late, self._steers = self._steers, []
        for steer in late:
            await self._send(_failure(steer, "response_already_completed"), number)
            number += 1
        return steered, number

    def _accept(self, steer: Json, stream: EventStream) -> Json:
        """Return the event that answers one which steers a response."""
        if steer.get("previous_response_id") != self._active:
            return _failure(steer, "response_not_found")
        if stream.response["conversation"]:
            return _failure(steer, "steering_not_supported")
        if not _user_messages(steer) or steer.keys() - {"type", "previous_response_id", "input"}:
            return _failure(steer, "invalid_input")
        accepted = {"id": new_id("steer"), "previous_response_id": self._active}
        return {"type": "response.steer.accepted", "steer": accepted}

    async def _send(self, event: Json, number: int | None = None) -> None:
        """Send an event; the events of a response are numbered."""
        numbered = event if number is None else event | {"sequence_number": number}
        await self._websocket.send_text(json.dumps(numbered))


def _is_steer(event: Json) -> bool:
    """Return whether an event steers a response; one without its fields is no event of the API."""
    return event.get("type") == "response.steer" and {"previous_response_id", "input"} <= event.keys()


def _user_messages(steer: Json) -> list[Json]:
    """Return the user's messages in an event that steers a response; none if it contains anything else."""
    value = steer.get("input")
    items = [{"role": "user", "content": value}] if isinstance(value, str) and value else value
    if not isinstance(items, list):
        return []
    fields = {"type", "role", "content"}
    are_messages = all(
        isinstance(item, dict)
        and item.keys() <= fields
        and item.get("role") == "user"
        and item.get("type", "message") == "message"
        for item in items
    )
    return items if are_messages else []


def _failure(steer: Json, code: str) -> Json:
    """Return the event that gives the input of an event back."""
    returned = {name: steer.get(name) for name in ("previous_response_id", "input")}
    message = f"The response cannot be steered: {code}."
    error = {"type": "invalid_request_error", "code": code, "message": message}
    return {"type": "response.steer.failed", "steer": returned, "error": error}


def _required_input(output: Sequence[Json]) -> list[Json]:
    """Return what the client has to add to each item of a response that it must answer first."""
    required: list[Json] = []
    for item in output:
        match item["type"]:
            case "function_call" if not item.get("async"):
                fields = {"call_id": item["call_id"], "name": item["name"]}
                required.append({"type": "function_call_output", **fields})
            case "custom_tool_call" if not item.get("async"):
                required.append({"type": "custom_tool_call_output", "call_id": item["call_id"]})
            case "mcp_approval_request":
                required.append({"type": "mcp_approval_response", "approval_request_id": item["id"]})
    return required


def _pending(steer: Json, required: Sequence[Json]) -> Json:
    """Return the event that says what a steered message waits for."""
    reason = {"reason": "waiting_for_required_input", "required_input": required}
    return {"type": "response.steer.pending", "steer": steer, **reason}
