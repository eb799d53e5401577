"""Serve the demo over HTTP and WebSocket, so that a client can be developed against it without a key.

The server listens on this machine only. It hands every request to ``DemoTransport``.
"""

import argparse
import os
import socket
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import suppress

import httpx2
import uvicorn
from starlette.applications import Starlette
from starlette.concurrency import iterate_in_threadpool, run_in_threadpool
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket

from assistant.demo.requests import Rejection
from assistant.demo.transport import SECONDS_PER_TOKEN, DemoTransport
from assistant.demo.websocket import answer_socket

HOST = "127.0.0.1"

MAX_BODY_BYTES = 20_000_000
"""Maximum size of a request; attached files are the largest part of one."""

MAX_CONNECTIONS = 100
"""Maximum number of open connections; further ones get status 503."""

STOP_SECONDS = 1
"""Time that open streams have to end when the server stops."""


def main(arguments: Sequence[str]) -> int:
    """Serve the demo until the process is interrupted, and return the exit status."""
    options = _parser().parse_args(arguments)
    try:
        listener = socket.create_server((HOST, options.port))
    except OSError as error:
        reason = os.strerror(error.errno or 0)
        print(f"Port {options.port} cannot be used: {reason}.", file=sys.stderr)
        return 2
    print(
        f"The demo answers at http://{HOST}:{listener.getsockname()[1]}/v1. Stop it with Ctrl+C.", flush=True
    )
    config = uvicorn.Config(
        create_app(DemoTransport(options.pace)),
        log_level="warning",
        limit_concurrency=MAX_CONNECTIONS,
        timeout_graceful_shutdown=STOP_SECONDS,
        ws_max_size=MAX_BODY_BYTES,
    )
    with suppress(KeyboardInterrupt):
        uvicorn.Server(config).run(sockets=[listener])
    return 0


def create_app(transport: DemoTransport) -> Starlette:
    """Return the application that answers requests with the transport."""

    async def answer(request: Request) -> Response:
        try:
            body = await _read_body(request)
        except Rejection as rejection:
            return JSONResponse({"error": rejection.error}, rejection.status)
        sent = httpx2.Request(request.method, str(request.url), content=body)
        received = await run_in_threadpool(transport.handle_request, sent)
        assert isinstance(received.stream, httpx2.SyncByteStream)
        return StreamingResponse(_chunks(received.stream), received.status_code, dict(received.headers))

    async def connect(websocket: WebSocket) -> None:
        await answer_socket(websocket, transport)

    routes = [
        WebSocketRoute("/v1/responses", connect),
        Route("/{path:path}", answer, methods=["GET", "POST", "DELETE", "PUT", "PATCH"]),
    ]
    # Other names lead here only by a trick of a page in the browser (DNS rebinding).
    only_local = Middleware(TrustedHostMiddleware, allowed_hosts=[HOST, "localhost"])
    return Starlette(routes=routes, middleware=[only_local])


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m assistant demo",
        description="Serve the built-in demo over the Responses and Conversations API, on this machine only.",
    )
    parser.add_argument(
        "--port", type=_port, default=8000, help="the port; 0 chooses a free one (default: 8000)"
    )
    parser.add_argument(
        "--pace", type=float, metavar="SECONDS", help=f"the delay per token (default: {SECONDS_PER_TOKEN})"
    )
    return parser


def _port(text: str) -> int:
    if not text.isdecimal() or int(text) > 65_535:
        raise argparse.ArgumentTypeError("a port is a number from 0 to 65535")
    return int(text)


async def _read_body(request: Request) -> bytes:
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > MAX_BODY_BYTES:
            raise Rejection(f"The request is larger than {MAX_BODY_BYTES} bytes.", status=413)
    return bytes(body)


async def _chunks(stream: httpx2.SyncByteStream) -> AsyncIterator[bytes]:
    """Yield the body; a client that hangs up closes the stream."""
    try:
        async for chunk in iterate_in_threadpool(stream):
            yield chunk
    finally:
        stream.close()
