"""A server that lists models, and clients connected to it."""

from collections.abc import Iterator

import pytest
from openai import OpenAI

from assistant.backends.client import connect
from assistant.settings import Settings
from tests.servers.listing import KEY, ClientFactory, ListingServer


@pytest.fixture
def server() -> Iterator[ListingServer]:
    with ListingServer() as server:
        yield server


@pytest.fixture
def client_for() -> Iterator[ClientFactory]:
    clients: list[OpenAI] = []

    def make(url: str, key: str = KEY) -> OpenAI:
        clients.append(connect(Settings(api_key=key, base_url=url)))
        return clients[-1]

    yield make
    for client in clients:
        client.close()
