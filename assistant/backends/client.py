"""Create the SDK's client, with the transports that record, throttle and break what goes over the wire."""

import os
import ssl
from contextlib import suppress
from functools import cache, partial

import httpx2
from openai import OpenAI

from assistant.recordings.redaction import redact_url
from assistant.settings import OPENAI_URL, Settings
from assistant.transports.fault_spec import Fault, parse_faults
from assistant.transports.fault_transport import FaultTransport
from assistant.transports.network import CancellableNetwork
from assistant.transports.recorder import RecordTransport
from assistant.transports.throttle import ThrottleTransport
from assistant.transports.websocket import WebSocketTransport

TIMEOUT = httpx2.Timeout(600.0, connect=10.0)
"""The read limit is the longest silence within an answer: reasoning can be silent for minutes."""

DEMO_URL = "http://demo.invalid/v1"


class _Client(httpx2.Client):
    """Closes its connections when it is garbage collected: copies of an SDK client share one of these."""

    def __del__(self) -> None:
        with suppress(Exception):  # partly initialised, or at exit
            self.close()


class _OwnersHeaders:
    """Sends what identifies the owner only to the owner's server, and not to where that redirects.

    The SDK takes these headers from the environment and sends them to every server.
    """

    def __init__(self, settings: Settings) -> None:
        self._url = httpx2.URL(settings.base_url or OPENAI_URL)
        self._headers = settings.owners_headers
        environment = Settings(headers=os.environ.get("OPENAI_CUSTOM_HEADERS", "")).owners_headers
        self._names = {"openai-organization", "openai-project", *environment, *self._headers}

    def __call__(self, request: httpx2.Request) -> None:
        """Change the headers of a request before it is sent; called again for a redirect."""
        for name in self._names:
            request.headers.pop(name, None)
        if request.url.origin == self._url.origin:
            request.headers.update(self._headers)


def connect(settings: Settings, transport: httpx2.BaseTransport | None = None) -> OpenAI:
    """Return a client for these settings; without a key and an address, one for a new demo.

    ``transport`` replaces the network: a running demo with its conversations, or a recording.
    """
    if transport is None and settings.demo:
        from assistant.demo import DemoTransport  # not loaded when a model answers

        transport = DemoTransport()
    if transport is not None:
        client = _Client(transport=transport)
    else:
        client = _Client(
            verify=_tls(),
            timeout=TIMEOUT,
            limits=httpx2.Limits(max_connections=1000, max_keepalive_connections=100),
            follow_redirects=True,
        )
        client.event_hooks = {"request": [_OwnersHeaders(settings)]}
    # The SDK requires a key; a local server ignores it.
    key = "demo" if settings.demo else settings.api_key or "none"
    url = DEMO_URL if settings.demo else settings.base_url or OPENAI_URL
    faults = [fault for fault in parse_faults(settings.faults) if not fault.is_of_functions]
    # Wrapped afterwards, because a client with a transport of its own ignores the environment's proxies.
    wrap = partial(_wrap, faults=faults, websocket=settings.uses_websocket)
    client._transport = wrap(client._transport)
    client._mounts = {pattern: mounted and wrap(mounted) for pattern, mounted in client._mounts.items()}
    # Without retries of the SDK: ``requests`` decides what is tried again.
    return OpenAI(api_key=key, base_url=url, http_client=client, max_retries=0)


def _wrap(transport: httpx2.BaseTransport, faults: list[Fault], websocket: bool) -> RecordTransport:
    """Return a recording transport; faults are recorded as if the server had caused them."""
    if isinstance(transport, httpx2.HTTPTransport):
        transport._pool._network_backend = CancellableNetwork()  # HTTPTransport has no parameter for it
        transport = WebSocketTransport(transport) if websocket else transport
    throttled = ThrottleTransport(transport)
    return RecordTransport(FaultTransport(throttled, faults) if faults else throttled)


@cache
def _tls() -> ssl.SSLContext:
    """Return the context of all clients: creating one reads every certificate that the system trusts."""
    return httpx2.create_ssl_context()


def host(client: OpenAI) -> str:
    """Return the name of the server, for messages."""
    return client.base_url.host if client.base_url.port is None else client.base_url.netloc.decode()


def address(client: OpenAI) -> str:
    """Return the server's address without passwords and keys."""
    return redact_url(str(client.base_url))
