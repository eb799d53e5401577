"""Answer requests over one WebSocket connection, as the Responses API does in its WebSocket mode.

Each message of the client is a ``response.create`` event with the fields of a request; each message of the server
is one event of the response. A response that is not stored can be continued on its connection.
"""

import json
from contextlib import suppress

from starlette.concurrency import iterate_in_threadpool, run_in_threadpool
from starlette.websockets import WebSocket, WebSocketDisconnect

from assistant.demo.generation import Generation
from assistant.demo.requests import Json, Rejection, invalid_value, parse_json
from assistant.demo.transport import DemoTransport


async def answer_socket(websocket: WebSocket, transport: DemoTransport) -> None:
    """Accept the connection and answer one request after the other until the client hangs up."""
    await websocket.accept()
    unstored: dict[str, Generation] = {}
    with suppress(WebSocketDisconnect):
        while True:
            await _answer(websocket, transport, await websocket.receive_text(), unstored)


async def _answer(
    websocket: WebSocket, transport: DemoTransport, message: str, unstored: dict[str, Generation]
) -> None:
    body: Json = {}
    try:
        body = parse_json(message)
        if body.get("type") != "response.create":
            raise invalid_value("type", "response.create")
        stream = await run_in_threadpool(transport.stream, body, unstored)
    except Rejection as rejection:
        unstored.pop(str(body.get("previous_response_id")), None)  # as documented
        error = rejection.error | {"code": rejection.error["code"] or "invalid_request"}
        await websocket.send_text(json.dumps({"type": "error", "status": rejection.status, "error": error}))
        return
    try:
        async for event in iterate_in_threadpool(stream.events()):
            await websocket.send_text(json.dumps(event))
    finally:
        stream.close()
