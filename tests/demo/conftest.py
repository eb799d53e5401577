"""A client for the demo inside the process, at no pace."""

from collections.abc import Iterator

import httpx2
import pytest
from openai import OpenAI

from assistant.demo import DemoTransport


@pytest.fixture
def client() -> Iterator[OpenAI]:
    transport = httpx2.Client(transport=DemoTransport(pace=0))
    with OpenAI(api_key="demo", base_url="http://demo.invalid/v1", http_client=transport) as client:
        yield client
