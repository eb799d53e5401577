"""Everything on the wire is valid for the SDK's types: requests, events and objects, over every protocol.

The requests are ours. The events and objects are those of the test servers and of the demo, which claim to be like the
real servers.
"""

import re
from collections.abc import Iterator
from functools import cache
from typing import Any
from urllib.parse import urlsplit

import pytest
from openai.types import chat, conversations, responses
from openai.types.beta import (
    AgentSession,
    AgentSessionEvent,
    AgentSessionItem,
    AssistantStreamEvent,
    thread_create_params,
    threads,
)
from openai.types.beta import Thread as ServerThread
from openai.types.beta.agents import session_create_params, sessions
from openai.types.beta.threads import run_create_params, run_submit_tool_outputs_params
from openai.types.chat import completion_create_params
from openai.types.responses import response_create_params
from pydantic import TypeAdapter

from assistant import Assistant, Thread, Toolbox, functions
from assistant.backends.client import connect
from assistant.backends.responses.backend import Responses
from assistant.demo import DemoTransport
from assistant.events import CallApproved, RunCompleted
from assistant.recordings.recording import Exchange
from assistant.settings import Settings
from assistant.tools.hosted import parse_hosted_tools
from assistant.transports.live_recording import LiveRecording
from assistant.transports.recorder import record_run
from tests.backends.conversation import TOOLS, hold_conversation
from tests.backends.kinds import KINDS
from tests.servers.request_types import problem_with
from tests.variants import quick_first

# By method and path: the type of the body that is sent, and of each event or the object that comes back.
TYPES: dict[str, tuple[Any, Any]] = {
    "POST /responses": (response_create_params.ResponseCreateParams, responses.ResponseStreamEvent),
    "POST /conversations": (conversations.ConversationCreateParams, conversations.Conversation),
    "POST /conversations/_": (conversations.ConversationUpdateParams, conversations.Conversation),
    "POST /conversations/_/items": (conversations.ItemCreateParams, conversations.ConversationItemList),
    "GET /conversations/_/items": (None, conversations.ConversationItemList),
    "POST /chat/completions": (completion_create_params.CompletionCreateParams, chat.ChatCompletionChunk),
    "POST /agents/sessions": (
        session_create_params.SessionCreateParamsNonStreaming
        | session_create_params.SessionCreateParamsStreaming,
        AgentSessionEvent,
    ),
    "GET /agents/sessions/_": (None, AgentSession),
    "GET /agents/sessions/_/events": (None, AgentSessionEvent),
    "GET /agents/sessions/_/items": (None, list[AgentSessionItem]),
    "GET /agents/sessions/_/turns": (None, list[sessions.Turn]),
    "POST /agents/sessions/_/events": (sessions.EventCreateParams, None),
    "POST /threads": (thread_create_params.ThreadCreateParams, ServerThread),
    "GET /threads/_": (None, ServerThread),
    "POST /threads/_/messages": (threads.MessageCreateParams, threads.Message),
    "GET /threads/_/messages": (None, list[threads.Message]),
    "GET /threads/_/runs": (None, list[threads.Run]),
    "GET /threads/_/runs/_": (None, threads.Run),
    "POST /threads/_/runs": (run_create_params.RunCreateParams, AssistantStreamEvent),
    "POST /threads/_/runs/_/submit_tool_outputs": (
        run_submit_tool_outputs_params.RunSubmitToolOutputsParams,
        AssistantStreamEvent,
    ),
}


@cache
def adapter(kind: Any) -> TypeAdapter[Any]:
    return TypeAdapter(kind)


def address(exchange: Exchange) -> str:
    """Return the method and the path, with ``_`` for each id."""
    path = urlsplit(exchange.request.url).path.removeprefix("/v1").removeprefix("/beta")
    return f"{exchange.request.method} {re.sub('/[a-z]+_[^/]+(?=/|$)(?<!submit_tool_outputs)', '/_', path)}"


def check(recordings: list[LiveRecording]) -> Iterator[str]:
    """Yield the address of each exchange whose request, events and object are valid."""
    for exchange in (each for recording in recordings for each in recording.exchanges()):
        place, body = address(exchange), exchange.request.body or {}
        sent, received = TYPES[place]
        if place.endswith("submit_tool_outputs"):
            body |= {"thread_id": "in the path"}  # the type has it, too
        if sent is not None:
            assert problem_with(body, sent) == "", place
        for event in exchange.events:
            if event.data != "[DONE]":
                named = {"event": event.event, "data": event.data}
                adapter(received).validate_python(named if received is AssistantStreamEvent else event.data)
        if exchange.body and exchange.response and exchange.response.status == 200 and received is not None:
            found = exchange.body.body
            adapter(received).validate_python(found["data"] if str(received).startswith("list") else found)
        yield place


@pytest.mark.parametrize("name", quick_first(KINDS, 2))
def test_the_wire_of_a_conversation_is_valid(name: str) -> None:
    with KINDS[name].server() as server, connect(Settings(base_url=server.url)) as client:
        _, recordings = hold_conversation(server, Assistant(KINDS[name].backend(client), Toolbox(*TOOLS)))
    assert len(list(check(recordings))) >= 13


DEMO = [
    "Hello",
    "What's the weather in Tokyo and Paris, and then a hotel in the warmer one?",
    'calculate("1/0")',
    "Search the web for Kyoto",
    "Count the primes with Python",
    "Paint the sea",
    "Ask the library about Oslo",
]


def test_the_wire_of_the_demo_is_valid() -> None:
    hosted = parse_hosted_tools(
        "web_search, code_interpreter, image_generation, mcp:library=https://example.com/mcp"
    )
    with connect(Settings(), DemoTransport(pace=0)) as client:
        backend = Responses(client, model="demo", hosted=hosted)
        assistant, thread, recordings = Assistant(backend, Toolbox.from_package(functions)), Thread(), []
        for words in DEMO:
            recordings.append(LiveRecording())
            assert list(record_run(assistant.run(thread, words), recordings[-1]))
        recordings.append(LiveRecording())
        approval = [CallApproved(call.call_id) for call in thread.open_calls()]
        assert list(record_run(assistant.decide(thread, approval), recordings[-1]))[-1] == RunCompleted()
    assert len(list(check(recordings))) >= 8
