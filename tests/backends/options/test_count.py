"""The tokens of the next request, counted by a server that counts, before anything is generated."""

from copy import deepcopy

import pytest

from assistant import Thread, Toolbox
from assistant.backends.base import RemoteBackend
from assistant.backends.client import connect
from assistant.backends.responses.backend import Responses
from assistant.demo import DemoTransport
from assistant.errors import ServerFailed
from assistant.messages import Message
from assistant.request_options import RequestOptions
from assistant.runs.assistant import Assistant
from assistant.session.next_request import count_request, estimate_request
from assistant.settings import Settings
from tests.backends.kinds import KINDS
from tests.conftest import add
from tests.servers.responses import ModelServer, text

HELLO = Message.from_user("Hello there, demo. " * 50)


def test_the_count_is_what_the_response_then_has() -> None:
    with connect(Settings(), DemoTransport(pace=0)) as client:
        assistant = Assistant(Responses(client, model="Demo", instructions="Be brief."), Toolbox(add))
        backend = assistant.backend
        assert isinstance(backend, Responses)
        thread = Thread()
        for words in ("Hello there, demo. " * 50, "And again?"):
            state = deepcopy(thread.backend_state)
            options = RequestOptions(instructions="Be rude.")
            thread.options = options
            counted = count_request(backend, thread, Message.from_user(words), options, assistant.toolbox)
            assert thread.backend_state == state
            list(assistant.run(thread, words))
            usage = thread.messages[-1].stats.usage
            assert usage is not None
            assert counted == usage.input


def test_a_server_that_does_not_count_says_so_and_nothing_is_lost(server: ModelServer) -> None:
    server.plays(text("Hello."))
    with connect(Settings(base_url=server.url)) as client:
        backend = Responses(client, model="m")
        thread = Thread()
        assert count_request(backend, thread, HELLO, RequestOptions(), Toolbox(add)) is None
        assert thread.messages == []
        list(Assistant(backend, Toolbox(add)).run(thread, "Hi"))


def test_an_unreachable_server_is_an_error() -> None:
    with connect(Settings(base_url="http://127.0.0.1:1/v1")) as client, pytest.raises(ServerFailed):
        count_request(Responses(client, model="m"), Thread(), HELLO, RequestOptions(), Toolbox())


@pytest.mark.parametrize("kind", [kind for kind in KINDS if not kind.startswith("Responses")])
def test_other_protocols_do_not_count(kind: str) -> None:
    with connect(Settings(base_url="http://127.0.0.1:1/v1")) as client:
        backend: RemoteBackend = KINDS[kind].backend(client)
        assert count_request(backend, Thread(), HELLO, RequestOptions(), Toolbox(add)) is None


def test_an_estimate_has_parts() -> None:
    thread = Thread("t", [Message.from_user("x" * 400), Message("assistant")])
    options = RequestOptions(instructions="x" * 40, schema="x" * 40)
    found = estimate_request(thread, Message.from_user("x" * 80), options, Toolbox())
    assert (found.instructions, found.functions, found.history, found.attachments) == (20, 0, 100, 0)
    assert (found.message, found.total) == (20, 140)
