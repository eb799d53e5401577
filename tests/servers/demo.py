"""The built-in demo on a real socket, for clients of other projects."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import uvicorn

from assistant.demo import DemoTransport
from assistant.demo.server import HOST, create_app


@contextmanager
def running(pace: float = 0) -> Iterator[str]:
    """Serve the demo and yield its URL."""
    listener = socket.create_server((HOST, 0))
    app = create_app(DemoTransport(pace))
    server = uvicorn.Server(uvicorn.Config(app, log_level="warning", timeout_graceful_shutdown=1))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()
    try:
        yield f"http://{HOST}:{listener.getsockname()[1]}/v1"
    finally:
        server.should_exit = True
        thread.join()
        listener.close()
