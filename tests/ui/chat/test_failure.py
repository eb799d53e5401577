"""A failure shows one sentence and what to do, and the message is not lost."""

import socket

import pytest

from assistant import Assistant, Thread
from assistant.errors import ServerFailed, UnknownThread
from assistant.events import RunCompleted, RunFailed
from assistant.messages import Message
from tests.conftest import Connect, add
from tests.servers.responses import ModelServer, Play, call, calls, cut, error, text
from tests.silence import SilenceTransport

KEY = "sk-canary-0123456789"


def fail(assistant: Assistant, thread: Thread) -> RunFailed:
    """Run a message into an error; check that the thread keeps the message and continues."""
    ending = list(assistant.run(thread, "Hello?"))[-1]
    assert isinstance(ending, RunFailed)
    assert thread.messages[0] == Message.from_user("Hello?")
    assert KEY not in repr(thread.messages)
    return ending


STATUSES = [
    (
        error(401, "invalid_api_key", f"Incorrect API key provided: {KEY}."),
        RunFailed(
            "invalid_api_key",
            "{host} does not accept the key. Check OPENAI_API_KEY: it may be mistyped, expired or revoked.",
        ),
    ),
    (
        error(429, "insufficient_quota"),
        RunFailed(
            "insufficient_quota",
            "The account's quota or credit is used up. "
            "Add credit or raise the limit in its billing, then retry.",
        ),
    ),
    (
        error(404, "model_not_found", "The model `x` does not exist."),
        RunFailed(
            "model_not_found",
            "This model is not available to you at {host}. Set OPENAI_MODEL to another one. "
            "It says: The model `x` does not exist.",
        ),
    ),
    (
        error(429, "rate_limit_exceeded", retry_after="20"),
        RunFailed(
            "rate_limit_exceeded",
            "Too many requests to {host}. Wait 20 seconds and try again.",
            retry=True,
            retry_after=20.0,
        ),
    ),
    (
        error(400, "context_length_exceeded"),
        RunFailed(
            "context_length_exceeded",
            "This is too long for the model. Send smaller parts, or start a new chat.",
        ),
    ),
    (
        error(403, None, "Not in your country."),
        RunFailed(
            "forbidden",
            "{host} does not allow this for your account or project. It says: Not in your country.",
        ),
    ),
    (
        error(429, "rate_limit_exceeded", retry_after="0.4", x_should_retry="false"),
        RunFailed(
            "rate_limit_exceeded",
            "Too many requests to {host}. Wait 1 second and try again.",
            retry=True,
            retry_after=0.4,
        ),
    ),
    (
        error(500, "server_error", "Incorrect API key provided.", x_should_retry="false"),
        RunFailed(
            "server_error",
            "{host} failed. Try again in a moment. It says: Incorrect API key provided.",
            retry=True,
        ),
    ),
    (
        error(503, "server_is_overloaded", x_should_retry="false"),
        RunFailed(
            "server_is_overloaded", "{host} is overloaded. Try again in a moment. It says: No.", retry=True
        ),
    ),
    (
        Play(status=500, body={"detail": "kaput"}, headers=(("x-should-retry", "false"),)),
        RunFailed("unknown", "{host} failed. Try again in a moment. It says: kaput", retry=True),
    ),
    (
        Play(status=418, body=b"", headers=(("x-should-retry", "false"),)),
        RunFailed("unknown", "{host} refused the request. It says: Error code: 418"),
    ),
]


@pytest.mark.parametrize(("play", "ending"), STATUSES, ids=lambda value: getattr(value, "code", ""))
def test_an_error_answer_becomes_one_sentence(
    server: ModelServer, connect_to: Connect, play: Play, ending: RunFailed
) -> None:
    assistant = connect_to(server.url, add, key=KEY)
    server.plays(play, text("Here I am."))
    thread = Thread()
    host = server.url.split("/")[2]
    expected = RunFailed(ending.code, ending.text.format(host=host), ending.retry, ending.retry_after)
    assert fail(assistant, thread) == expected
    assert list(assistant.resume(thread))[-1] == RunCompleted()
    assert server.requests[-1]["input"] == [{"type": "message", "role": "user", "content": "Hello?"}]
    assert thread.messages[1:] == [thread.messages[-1]], "an attempt that said nothing leaves nothing"


def test_a_spent_quota_and_a_long_wait_are_reported_at_once(
    server: ModelServer, assistant: Assistant
) -> None:
    server.plays(error(429, "insufficient_quota"), error(429, "rate_limit_exceeded", retry_after="60"))
    thread = Thread()
    fail(assistant, thread)
    fail(assistant, thread)
    assert len(server.requests) == 2


def test_a_short_wait_is_retried_automatically(server: ModelServer, assistant: Assistant) -> None:
    server.plays(error(429, "rate_limit_exceeded", retry_after_ms="1"), text("Here I am."))
    assert list(assistant.run(Thread(), "Hello?"))[-1] == RunCompleted()


@pytest.mark.parametrize(
    "event",
    [
        {"type": "error", "code": "server_error", "message": "Oh.", "param": None, "sequence_number": 2},
        {"type": "error", "error": {"type": "x", "code": "server_error", "message": "Oh.", "param": None}},
        {"type": "response.failed", "response": {"error": {"code": "server_error", "message": "Oh."}}},
    ],
    ids=["flat", "nested", "failed"],
)
def test_an_error_inside_a_stream_is_understood_in_every_form(
    server: ModelServer, assistant: Assistant, event: dict[str, object]
) -> None:
    delta = {"type": "response.output_text.delta", "item_id": "m", "delta": "So f"}
    server.plays(Play(events=(delta, event)), text("Done."))
    thread = Thread()
    host = server.url.split("/")[2]
    assert fail(assistant, thread) == RunFailed(
        "server_error", f"{host} failed. Try again in a moment. It says: Oh.", retry=True
    )
    assert thread.messages[1].text == "So f"
    assert list(assistant.run(thread, "Go on"))[-1] == RunCompleted()


@pytest.mark.parametrize("how", ["close", "reset", "half"])
def test_an_answer_that_is_cut_off_is_interrupted(
    server: ModelServer, assistant: Assistant, how: str
) -> None:
    server.plays(cut(calls(call("add", a=1, b=1)), 7, how), text("Done."))  # type: ignore[arg-type]
    thread = Thread()
    if how == "half":
        server.closing.set()  # hang up instead of falling silent
    ending = fail(assistant, thread)
    server.closing.clear()
    assert (ending.code, ending.retry) == ("interrupted", True)
    assert thread.open_calls() == []
    assert list(assistant.run(thread, "Again"))[-1] == RunCompleted()


def test_an_answer_that_falls_silent_is_interrupted(server: ModelServer, connect_to: Connect) -> None:
    network = SilenceTransport()
    network.play = cut(text("Hello"), 5, "silence")
    assistant = connect_to(server.url, add, transport=network)
    server.plays(network.play)
    host = server.url.split("/")[2]
    assert fail(assistant, Thread()) == RunFailed(
        "timeout", f"{host} was silent for too long. Try again.", retry=True
    )


def test_an_unreachable_server_is_named(connect_to: Connect) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    assistant = connect_to(f"http://127.0.0.1:{port}/v1", add)
    assert fail(assistant, Thread()) == RunFailed(
        "unreachable",
        f"127.0.0.1:{port} cannot be reached. Check that the server is running and the address is correct.",
        retry=True,
    )


def test_a_web_page_in_place_of_the_api_is_recognised(server: ModelServer, connect_to: Connect) -> None:
    server.pages = True
    thread = Thread()
    assert fail(connect_to(server.url, add), thread) == RunFailed(
        "not_the_api",
        f"{server.url}/ returned a web page, not an API response. "
        "Check OPENAI_BASE_URL: it usually ends in /v1.",
    )


@pytest.mark.parametrize(
    "thread_id",
    [
        "conv_nowhere",
        "",
        "..",
        "../../etc/passwd",
        "' OR 1=1 --",
        "<script>",
        "x" * 10_000,
        "\x00",
        "conv/1?x#y",
    ],
)
def test_an_id_without_a_thread_is_unknown(assistant: Assistant, thread_id: str) -> None:
    with pytest.raises(UnknownThread):
        assistant.backend.load_thread(thread_id)  # type: ignore[attr-defined]


def test_a_thread_cannot_be_loaded_from_a_web_page(server: ModelServer, assistant: Assistant) -> None:
    server.pages = True
    with pytest.raises(ServerFailed, match="not an API response"):
        assistant.backend.load_thread("conv_1")  # type: ignore[attr-defined]


def test_the_key_is_in_no_log(
    server: ModelServer, connect_to: Connect, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG")
    server.plays(error(401, "invalid_api_key", f"Incorrect API key provided: {KEY}."), text("Hello."))
    assistant, thread = connect_to(server.url, add, key=KEY), Thread()
    fail(assistant, thread)
    assert list(assistant.resume(thread))[-1] == RunCompleted()
    assert caplog.records
    assert KEY not in caplog.text
