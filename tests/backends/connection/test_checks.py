"""The results of a connection test."""

import threading
import time
from typing import Any

import pytest

from assistant.backends.client import connect
from assistant.backends.connection.checks import check_connection
from assistant.backends.connection.override import display_host
from assistant.demo import transport as demo
from assistant.settings import Settings
from tests.servers.listing import HELLO, KEY, PING, ClientFactory, ListingServer, closed_port
from tests.servers.responses import Play, call, calls, cut, error, text
from tests.variants import quick_first_row


def results(*arguments: Any, **options: Any) -> list[tuple[str, bool | None, str]]:
    """Return the results of a test with ``HOST`` for the server; the key is in none of them."""
    found = list(check_connection(*arguments, **options))
    assert KEY not in repr(found)
    at = display_host(str(arguments[0].base_url))
    return [(result.name, result.ok, result.text.replace(at, "HOST")) for result in found]


REACHED = [("Server", True, "HOST responds."), ("Key", True, "The key is accepted.")]

KNOWN = [*REACHED, ("Model", True, "The model gpt-6-luna is available.")]

STREAMS = [*KNOWN, ("Streaming", True, "Answers stream over the Responses API.")]

CALLS = [*STREAMS, ("Functions", True, "The model calls functions.")]


def test_a_full_test_of_a_complete_server_succeeds(server: ListingServer, client_for: ClientFactory) -> None:
    server.plays(text("Hello."), calls(call("ping")))
    assert results(client_for(server.url), "gpt-6-luna") == [
        *CALLS,
        ("Conversations", True, "The server stores conversations."),
    ]
    assert server.conversations == {}, "it is deleted again"
    assert [request["max_output_tokens"] for request in server.requests] == [64, 64]
    assert [request.get("reasoning") for request in server.requests] == [None, {"effort": "none"}]


def test_results_arrive_one_by_one(server: ListingServer, client_for: ClientFactory) -> None:
    gate = threading.Event()
    server.plays(text("Hello.", gate=gate, gate_after=0), text("No."))
    found = check_connection(client_for(server.url), "gpt-6-luna")
    assert [next(found).name for _ in range(3)] == ["Server", "Key", "Model"]
    gate.set()
    assert [result.name for result in found] == ["Streaming", "Functions", "Conversations"]


def test_limitations_are_reported_and_are_not_failures(client_for: ClientFactory) -> None:
    with ListingServer(conversations=False) as server:
        limit = {"incomplete_details": {"reason": "max_output_tokens"}}
        server.plays(text("Hel", ending="incomplete", details=limit), text("I had rather not."))
        assert results(client_for(server.url, ""), "gpt-4o", effort="low") == [
            REACHED[0],
            ("Key", True, "No key is required."),
            ("Model", None, "gpt-4o will be shut down on 2999-01-14. Choose another model before then."),
            STREAMS[-1],
            ("Functions", None, "The model did not call the test function this time."),
            (
                "Conversations",
                None,
                "The server does not store conversations; every request sends the whole history.",
            ),
        ]
        assert server.requests[0]["reasoning"] == {"effort": "low"}


def test_a_wrong_key_ends_the_test(server: ListingServer, client_for: ClientFactory) -> None:
    server.key = "another"
    wrong = ("Key", False, "HOST rejected the key. It may be mistyped, expired or revoked.")
    assert results(client_for(server.url), "gpt-6-luna") == [REACHED[0], wrong]


def test_a_key_that_the_server_checks_late_is_reported_as_wrong(
    server: ListingServer, client_for: ClientFactory
) -> None:
    server.plays(error(401, "invalid_api_key", f"Wrong: {KEY}"))
    assert results(client_for(server.url), "gpt-6-luna")[3:] == [
        ("Key", False, "HOST rejected the key. It may be mistyped, expired or revoked.")
    ]


def test_an_unreachable_server_ends_the_test(client_for: ClientFactory) -> None:
    reason = "HOST cannot be reached. Check that the server is running and the address is correct."
    client = client_for(f"http://127.0.0.1:{closed_port()}/v1")
    assert results(client, "gpt-6-luna") == [("Server", False, reason)]


def test_a_web_page_is_not_taken_for_the_api(server: ListingServer, client_for: ClientFactory) -> None:
    server.pages = True
    reason = "HOST returned a web page, not an API response. "
    reason += "Check the address: it usually ends in /v1."
    assert results(client_for(server.url), "gpt-6-luna") == [("Server", False, reason)]


def test_an_unknown_model_ends_the_test(server: ListingServer, client_for: ClientFactory) -> None:
    server.plays(error(404, "model_not_found", "No such model."))
    assert results(client_for(server.url), "gpt-7") == [
        *REACHED,
        ("Model", None, "gpt-7 is not in the server's list of models, but may still work."),
        ("Model", False, "gpt-7 is not available at HOST. Choose another model."),
    ]


def test_an_answer_without_streaming_is_reported(server: ListingServer, client_for: ClientFactory) -> None:
    body = {"id": "resp_1", "object": "response", "error": None, "output": [call("ping")]}
    server.plays(Play(body=body), Play(body=body))
    assert results(client_for(server.url), "gpt-6-luna") == [
        *KNOWN,
        ("Streaming", None, "The server answers over the Responses API, but does not stream."),
        *CALLS[4:],
        ("Conversations", True, "The server stores conversations."),
    ]


def test_a_stream_that_ends_early_is_reported(server: ListingServer, client_for: ClientFactory) -> None:
    server.plays(cut(text("Hello."), 5, "close"))
    assert results(client_for(server.url), "gpt-6-luna") == [
        *KNOWN,
        ("Streaming", False, "HOST ended the stream early."),
    ]


def test_a_refusal_of_functions_is_reported_in_the_servers_wording(
    server: ListingServer, client_for: ClientFactory
) -> None:
    reason = f'"auto" tool choice requires --enable-auto-tool-choice, says {KEY}'
    server.plays(text("Hello."), error(400, None, reason))
    assert results(client_for(server.url), "gpt-6-luna")[4] == (
        "Functions",
        False,
        'HOST refused the request. It says: "auto" tool choice requires --enable-auto-tool-choice, says …',
    )
    assert server.conversations == {}


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        (
            403,
            [REACHED[0], ("Key", False, "HOST does not allow this for your account or project. It says: no")],
        ),
        (500, [("Server", False, "HOST failed. Try again in a moment. It says: no")]),
    ],
)
def test_a_refused_list_of_models_ends_the_test(
    client_for: ClientFactory, status: int, expected: list[Any]
) -> None:
    with ListingServer({"error": {"message": "no"}}, status=status) as server:
        assert results(client_for(server.url), "gpt-6-luna") == expected


def test_a_server_without_a_list_of_models_is_tested_further(client_for: ClientFactory) -> None:
    with ListingServer({"error": "no"}, status=404) as server:
        server.plays(text("Hello."), calls(call("ping")))
        assert results(client_for(server.url), "gpt-6-luna") == [
            REACHED[0],
            ("Model", None, "The server does not list its models."),
            *CALLS[3:],
            ("Conversations", True, "The server stores conversations."),
        ]


@pytest.mark.parametrize(
    ("path", "trickles", "last"),
    quick_first_row(
        ("/models", False, ("Server", False, "HOST did not respond within 0.1 seconds.")),
        ("/models", True, ("Server", False, "HOST did not respond within 0.1 seconds.")),
        ("/responses", False, ("Streaming", False, "HOST did not respond in time.")),
        ("/conversations", False, ("Conversations", False, "HOST did not respond in time.")),
        ("/conversations", True, ("Conversations", False, "HOST did not respond in time.")),
    ),
)
def test_a_server_that_never_answers_fails_in_time(
    server: ListingServer, client_for: ClientFactory, path: str, trickles: bool, last: tuple[str, bool, str]
) -> None:
    server.hangs_at, server.trickles = path, trickles
    if path == "/conversations":
        server.plays(text("Hello."), calls(call("ping")))
    seconds = 0.1 if path == "/models" else 0.5  # the steps before it must end in time
    started = time.monotonic()
    found = results(client_for(server.url), "gpt-6-luna", seconds=seconds)
    assert (found[-1], time.monotonic() - started < 5) == (last, True)


@pytest.mark.exhaustive
def test_a_silent_stream_fails_in_time(server: ListingServer, client_for: ClientFactory) -> None:
    server.plays(cut(text("Hello."), 5, "silence"))
    found = results(client_for(server.url), "gpt-6-luna", seconds=0.5)
    assert found == [*KNOWN, ("Streaming", False, "HOST did not respond in time.")]


@pytest.mark.parametrize("protocol", ["auto", "chat"])
def test_chat_completions_is_the_fallback(
    server: ListingServer, client_for: ClientFactory, protocol: Any
) -> None:
    server.has_responses = False
    server.chat = [HELLO, PING]
    assert results(client_for(server.url), "gpt-6-luna", protocol) == [
        *KNOWN,
        ("Streaming", True, "Answers stream over Chat Completions."),
        ("Functions", True, "The model calls functions."),
    ]
    assert [request["max_tokens"] for request in server.completions] == [64, 64]
    assert server.conversations == {}


def test_the_newer_name_of_the_token_limit_is_tried_when_the_older_is_refused(
    server: ListingServer, client_for: ClientFactory
) -> None:
    reason = "Unsupported parameter: 'max_tokens'. Use 'max_completion_tokens' instead."
    refused = (400, {"error": {"message": reason, "code": "unsupported_parameter"}})
    whole = {"choices": [{"message": {"role": "assistant", "content": "Hello."}, "finish_reason": "stop"}]}
    server.chat = [refused, whole, refused, PING]
    assert results(client_for(server.url), "gpt-6-luna", "chat")[3:] == [
        ("Streaming", None, "The server answers over Chat Completions, but does not stream."),
        ("Functions", True, "The model calls functions."),
    ]
    assert [request.get("max_completion_tokens") for request in server.completions] == [None, 64, None, 64]


def test_a_full_test_of_the_demo_succeeds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(demo, "SECONDS_PER_TOKEN", 0)
    with connect(Settings()) as client:
        found = [(result.name, result.ok) for result in check_connection(client, "Demo")]
    names = ["Server", "Key", "Model", "Streaming", "Functions", "Conversations"]
    assert found == [(name, True) for name in names]
