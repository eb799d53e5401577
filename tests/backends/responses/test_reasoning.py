"""Summaries of the model's reasoning: requested, and left out where the server refuses them."""

from collections.abc import Callable, Iterator

import pytest

from assistant import Assistant, Thread, Toolbox
from assistant.backends.client import connect
from assistant.backends.responses.backend import Responses
from assistant.events import Event, Note, RunCompleted, RunFailed
from assistant.parts import Reasoning
from assistant.settings import Settings
from tests.conftest import add
from tests.servers.responses import ModelServer, Play, calls, error, message, reasoning, text

UNVERIFIED = "Your organization must be verified to generate reasoning summaries."
Create = Callable[[str], Assistant]


@pytest.fixture
def create(server: ModelServer) -> Iterator[Create]:
    with connect(Settings(base_url=server.url)) as client:
        yield lambda effort: Assistant(Responses(client, model="m", effort=effort), Toolbox(add))


def notes(events: list[Event]) -> list[str]:
    return [str(event.text) for event in events if isinstance(event, Note)]


@pytest.mark.parametrize(
    ("effort", "sent"),
    [("", {"summary": "auto"}), ("low", {"effort": "low", "summary": "auto"}), ("none", {"effort": "none"})],
)
def test_summaries_are_requested(
    server: ModelServer, create: Create, effort: str, sent: dict[str, str]
) -> None:
    server.plays(calls(reasoning("Hm."), message("Yes.")))
    thread = Thread()
    assert list(create(effort).run(thread, "Why?"))[-1] == RunCompleted()
    assert server.requests[0]["reasoning"] == sent
    assert thread.messages[-1].parts[0] == Reasoning("Hm.")


@pytest.mark.parametrize("effort", ["", "low"])
@pytest.mark.parametrize(
    "refusal",
    [
        pytest.param(error(400, "unsupported_value", UNVERIFIED), id="OpenAI"),
        pytest.param(error(400, None, "Unsupported parameter: 'reasoning.summary'"), id="no reasoning"),
        pytest.param(error(400, None, "does not support parameters: ['reasoning_effort']"), id="gateway"),
        pytest.param(error(422, None, "reasoning: extra fields not permitted"), id="unknown field"),
        pytest.param(
            error(500, None, "reasoning_summary: unhashable type 'dict'", x_should_retry="false"), id="broken"
        ),
    ],
)
def test_refused_summaries_are_left_out_from_then_on_and_noted_once(
    server: ModelServer, create: Create, effort: str, refusal: Play
) -> None:
    server.plays(refusal, text("Yes."), text("Sure."))
    assistant, thread = create(effort), Thread()
    events = list(assistant.run(thread, "Why?"))
    assert events[-1] == RunCompleted()
    assert len(notes(events)) == 1
    assert refusal.body["error"]["message"] in notes(events)[0]
    assert [request.get("reasoning", {}).get("effort", "") for request in server.requests[1:]] == [effort]
    again = list(assistant.run(Thread(), "Sure?"))
    assert (again[-1], notes(again)) == (RunCompleted(), [])
    assert ["summary" in request.get("reasoning", {}) for request in server.requests] == [True, False, False]


@pytest.mark.parametrize("effort", ["", "low"])
def test_a_refusal_that_only_mentions_reasoning_is_not_about_the_summaries(
    server: ModelServer, create: Create, effort: str
) -> None:
    words = "Item 'rs_1' of type 'reasoning' was provided without its required following item."
    server.plays(error(400, "invalid_request_error", words), text("Yes."))
    assistant = create(effort)
    refused = list(assistant.run(Thread(), "Why?"))
    assert isinstance(refused[-1], RunFailed)
    assert notes(refused) == []
    assert list(assistant.run(Thread(), "Why?"))[-1] == RunCompleted()
    assert ["summary" in request["reasoning"] for request in server.requests] == [True, True]


def test_a_refused_effort_is_left_out_with_the_whole_parameter(server: ModelServer, create: Create) -> None:
    words = "Unsupported parameter: 'reasoning.effort' is not supported with this model."
    server.plays(error(400, "unsupported_parameter", words), text("Yes."))
    assert list(create("low").run(Thread(), "Why?"))[-1] == RunCompleted()
    assert "reasoning" not in server.requests[1]


def test_an_effort_that_a_gateway_refuses_under_another_name_is_left_out(
    server: ModelServer, create: Create
) -> None:
    refusal = error(400, None, "The model does not support parameters: ['reasoning_effort']")
    server.plays(refusal, refusal, text("Yes."))
    assert list(create("low").run(Thread(), "Why?"))[-1] == RunCompleted()
    assert [request.get("reasoning") for request in server.requests] == [
        {"effort": "low", "summary": "auto"},
        {"effort": "low"},
        None,
    ]
