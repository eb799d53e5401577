"""What a chat changes of its requests, as it arrives at a server of each protocol, and what follows from a refusal."""

import json
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from typing import Any

import pytest

from assistant import Assistant, Thread, Toolbox
from assistant.backends.assistants.backend import Assistants
from assistant.backends.chat_completions.backend import ChatCompletions
from assistant.backends.client import connect
from assistant.backends.options.fields import PROTOCOL_OPTIONS
from assistant.backends.responses.backend import Responses
from assistant.events import Event, Note, RunCompleted, RunFailed, ToolResult
from assistant.request_options import RequestOptions
from assistant.settings import Settings
from assistant.tools.hosted import HostedTool
from tests.backends.conversation import fail
from tests.conftest import add
from tests.servers.assistants import ASSISTANT, AssistantsServer
from tests.servers.chat_completions import ChatServer
from tests.servers.responses import Json, ModelServer, call, calls, error, text

SCHEMA = {
    "type": "object",
    "properties": {"city": {"type": "string"}},
    "required": ["city"],
    "additionalProperties": False,
}
OPTIONS = RequestOptions(
    model="other",
    effort="high",
    summary="detailed",
    verbosity="low",
    max_output_tokens=50,
    tool_choice="required",
    parallel_calls=False,
    service_tier="flex",
    text_format="json_schema",
    schema=json.dumps(SCHEMA),
    instructions="Be rude.",
)


@pytest.fixture
def clients() -> Iterator[ExitStack]:
    with ExitStack() as clients:
        yield clients


@pytest.fixture
def chat(clients: ExitStack) -> ChatServer:
    return clients.enter_context(ChatServer())


@pytest.fixture
def assistants(clients: ExitStack) -> AssistantsServer:
    return clients.enter_context(AssistantsServer())


def responses_to(server: ModelServer, clients: ExitStack, **settings: Any) -> Assistant:
    client = clients.enter_context(connect(Settings(base_url=server.url)))
    settings = {"model": "m", "instructions": "Be brief.", "effort": "low", **settings}
    return Assistant(Responses(client, **settings), Toolbox(add, fail))


def chat_to(server: ChatServer, clients: ExitStack, **settings: Any) -> Assistant:
    client = clients.enter_context(connect(Settings(base_url=server.url)))
    settings = {"model": "m", "instructions": "Be brief.", "effort": "low", **settings}
    return Assistant(ChatCompletions(client, **settings), Toolbox(add, fail))


def assistants_to(server: AssistantsServer, clients: ExitStack, **settings: Any) -> Assistant:
    client = clients.enter_context(connect(Settings(base_url=server.url, api_key="sk-test-key")))
    return Assistant(Assistants(client, assistant_id=ASSISTANT, **settings), Toolbox(add, fail))


def ask(assistant: Assistant, options: RequestOptions, thread: Thread | None = None) -> list[Event]:
    thread = thread or Thread()
    thread.options = options
    return list(assistant.run(thread, "Hi"))


def without(body: Json, *names: str) -> Json:
    return {name: value for name, value in body.items() if name not in names}


def notes(events: list[Event]) -> list[str]:
    return [str(event.text) for event in events if isinstance(event, Note)]


# --- what is sent -----------------------------------------------------------------------------------


def test_responses_get_every_option(server: ModelServer, clients: ExitStack) -> None:
    server.plays(text("{}"), text("Hello."))
    assistant = responses_to(server, clients, max_output=99)
    assert ask(assistant, OPTIONS)[-1] == RunCompleted()
    assert ask(assistant, RequestOptions())[-1] == RunCompleted()
    changed, settings = (without(body, "conversation", "input", "tools") for body in server.requests)
    assert changed == {
        "model": "other",
        "stream": True,
        "instructions": "Be rude.",
        "max_output_tokens": 50,
        "reasoning": {"effort": "high", "summary": "detailed"},
        "text": {
            "verbosity": "low",
            "format": {"type": "json_schema", "name": "answer", "schema": SCHEMA, "strict": True},
        },
        "tool_choice": "required",
        "parallel_tool_calls": False,
        "service_tier": "flex",
    }
    assert settings == {
        "model": "m",
        "stream": True,
        "instructions": "Be brief.",
        "max_output_tokens": 99,
        "reasoning": {"effort": "low", "summary": "auto"},
    }


def test_chat_completions_get_what_they_have(chat: ChatServer, clients: ExitStack) -> None:
    chat.plays(text("{}"))
    assert ask(chat_to(chat, clients), OPTIONS)[-1] == RunCompleted()
    schema = {"name": "answer", "schema": SCHEMA, "strict": True}
    assert without(chat.requests[0], "messages", "tools") == {
        "model": "other",
        "stream": True,
        "stream_options": {"include_usage": True},
        "max_completion_tokens": 50,
        "reasoning_effort": "high",
        "verbosity": "low",
        "response_format": {"type": "json_schema", "json_schema": schema},
        "tool_choice": "required",
        "parallel_tool_calls": False,
        "service_tier": "flex",
    }
    assert chat.requests[0]["messages"][0] == {"role": "system", "content": "Be rude."}


def test_assistants_get_what_they_have(assistants: AssistantsServer, clients: ExitStack) -> None:
    assistants.plays(text("{}"))
    assert ask(assistants_to(assistants, clients), OPTIONS)[-1] == RunCompleted()
    [run] = [request for request in assistants.requests if "assistant_id" in request]
    schema = {"name": "answer", "schema": SCHEMA, "strict": True}
    assert run == {
        "assistant_id": ASSISTANT,
        "stream": True,
        "model": "other",
        "instructions": "Be rude.",
        "reasoning_effort": "high",
        "max_completion_tokens": 50,
        "response_format": {"type": "json_schema", "json_schema": schema},
        "tool_choice": "required",
        "parallel_tool_calls": False,
    }


def test_every_option_is_of_a_protocol() -> None:
    names = set(RequestOptions.__slots__)
    assert PROTOCOL_OPTIONS["responses"] == names
    assert all(options <= names for options in PROTOCOL_OPTIONS.values())


def test_empty_instructions_and_no_summary_are_choices(server: ModelServer, clients: ExitStack) -> None:
    server.plays(text("Hello."))
    ask(responses_to(server, clients, effort=""), RequestOptions(instructions="", summary="none"))
    assert not {"instructions", "reasoning"} & server.requests[0].keys()


@pytest.mark.parametrize(
    ("options", "choice"),
    [
        (RequestOptions(functions=("add",)), ("auto", ["add"])),
        (RequestOptions(functions=("add", "gone"), tool_choice="required"), ("required", ["add"])),
        (RequestOptions(functions=("add", "fail")), None),
        (RequestOptions(functions=(), tool_choice="required"), "none"),
        (RequestOptions(functions=("add",), tool_choice="none"), "none"),
    ],
)
def test_responses_keep_the_functions_that_are_not_allowed_in_the_cached_prompt(
    server: ModelServer, clients: ExitStack, options: RequestOptions, choice: Any
) -> None:
    server.plays(text("Hello."))
    ask(responses_to(server, clients), options)
    assert [tool["name"] for tool in server.requests[0]["tools"]] == ["add", "fail"]
    if isinstance(choice, tuple):
        mode, names = choice
        tools = [{"type": "function", "name": name} for name in names]
        choice = {"type": "allowed_tools", "mode": mode, "tools": tools}
    assert server.requests[0].get("tool_choice") == choice


def test_the_servers_own_tools_stay_allowed(server: ModelServer, clients: ExitStack) -> None:
    server.plays(text("Hello."))
    hosted = [HostedTool("web_search"), HostedTool("mcp", "https://example.org", "wiki")]
    ask(responses_to(server, clients, hosted=hosted), RequestOptions(functions=()))
    tools = [{"type": "web_search"}, {"type": "mcp", "server_label": "wiki"}]
    assert server.requests[0]["tool_choice"] == {"type": "allowed_tools", "mode": "auto", "tools": tools}


def test_chat_completions_lack_the_functions_that_are_not_allowed(
    chat: ChatServer, clients: ExitStack
) -> None:
    chat.plays(text("Hello."), text("Hello."))
    assistant = chat_to(chat, clients)
    ask(assistant, RequestOptions(functions=("add",)))
    ask(assistant, RequestOptions(functions=(), tool_choice="required", parallel_calls=False))
    assert [tool["function"]["name"] for tool in chat.requests[0]["tools"]] == ["add"]
    assert not {"tools", "tool_choice", "parallel_tool_calls"} & chat.requests[1].keys()


def test_a_function_that_is_not_allowed_does_not_run_whatever_the_server_does(
    server: ModelServer, clients: ExitStack
) -> None:
    server.plays(calls(call("fail", why="so"), call("add", a=1, b=2)), text("Hello."))
    events = ask(responses_to(server, clients), RequestOptions(functions=("add",)))
    results = sorted((each.outcome, each.output) for each in events if isinstance(each, ToolResult))
    assert [outcome for outcome, _ in results] == ["done", "unknown"]
    assert "There is no function 'fail'. Available functions: add." in results[1][1]


def test_options_that_a_thread_may_not_change_are_the_settings(
    server: ModelServer, clients: ExitStack
) -> None:
    server.plays(text("Hello."))
    assistant = responses_to(server, clients)
    assistant.fixed_options = {"model", "instructions"}
    ask(assistant, OPTIONS)
    body = server.requests[0]
    assert (body["model"], body["instructions"], body["service_tier"]) == ("m", "Be brief.", "flex")


def test_a_schema_that_strict_mode_cannot_express_is_sent_as_it_is(
    server: ModelServer, clients: ExitStack
) -> None:
    server.plays(text("{}"))
    schema = {"type": "object", "properties": {"n": {"type": "number", "multipleOf": 2}}}
    ask(responses_to(server, clients), RequestOptions(text_format="json_schema", schema=json.dumps(schema)))
    assert server.requests[0]["text"]["format"] == {
        "type": "json_schema",
        "name": "answer",
        "schema": schema,
        "strict": False,
    }


def test_each_request_is_compared_with_the_response_before_it(
    server: ModelServer, clients: ExitStack
) -> None:
    server.plays(calls(call("add", a=1, b=2)), text("3."), text("Hello."))
    assistant, thread = responses_to(server, clients), Thread()
    ask(assistant, RequestOptions(cache_diagnostics=True), thread)
    ask(assistant, RequestOptions(cache_diagnostics=True), thread)
    compared = [
        body.get("prompt_cache_options", {}).get("comparison_response_id") for body in server.requests
    ]
    assert compared[0] is None
    assert len({each for each in compared[1:] if each and each.startswith("resp_")}) == 2


# --- what a server refuses --------------------------------------------------------------------------

REFUSALS = [
    ("verbosity", "low", "text.verbosity", "Unsupported value: 'low' is not supported with the 'm' model."),
    ("service_tier", "flex", "service_tier", "Flex is not available for this service tier."),
    ("effort", "max", "reasoning.effort", "Unsupported value: 'max' is not supported with the 'm' model."),
    ("summary", "concise", "reasoning.summary", "Unsupported value: 'concise' is not supported."),
    ("parallel_calls", True, "parallel_tool_calls", "Unsupported parameter."),
    ("tool_choice", "required", "tool_choice", "Unsupported value."),
    ("text_format", "json_object", "text.format", "'text.format' of type 'json_object' is not supported."),
    ("max_output_tokens", 64_000, "max_output_tokens", "max_output_tokens is too large."),
]


def refusal(param: str, message: str) -> Any:
    body = {"error": {"message": message, "type": "invalid_request_error", "param": param, "code": None}}
    return replace(error(400, None, message), body=body)


@pytest.mark.parametrize(
    ("option", "value", "param", "message"), REFUSALS, ids=[each[0] for each in REFUSALS]
)
def test_a_refused_option_is_left_out_from_then_on_and_the_server_is_quoted(
    server: ModelServer, clients: ExitStack, option: str, value: Any, param: str, message: str
) -> None:
    server.plays(refusal(param, message), text("Hello."), text("Hello."), text("Hello."))
    assistant = responses_to(server, clients)
    options: RequestOptions = replace(RequestOptions(), **{option: value})
    assert assistant.backend.refusals(assistant.toolbox, options) == {}  # type: ignore[attr-defined]
    events = ask(assistant, options)
    assert (events[-1], len(notes(events))) == (RunCompleted(), 1)
    again = ask(assistant, options)
    assert (again[-1], notes(again)) == (RunCompleted(), [])
    ask(assistant, RequestOptions())
    refused, *others = (without(body, "conversation", "input") for body in server.requests)
    assert others[0] == others[1] == others[2] != refused
    reasons = assistant.backend.refusals(assistant.toolbox, options)  # type: ignore[attr-defined]
    assert reasons == {option: message}


def test_what_was_refused_for_one_model_and_value_is_tried_with_another(
    server: ModelServer, clients: ExitStack
) -> None:
    server.plays(refusal("text.verbosity", "No."), text("Hello."), text("Hello."), text("Hello."))
    assistant = responses_to(server, clients)
    ask(assistant, RequestOptions(verbosity="low"))
    ask(assistant, RequestOptions(verbosity="high"))
    ask(assistant, RequestOptions(verbosity="low", model="other"))
    sent = [body.get("text", {}).get("verbosity") for body in server.requests]
    assert sent == ["low", None, "high", "low"]


def test_the_settings_limit_stays_when_a_chats_own_is_refused(
    server: ModelServer, clients: ExitStack
) -> None:
    server.plays(refusal("max_output_tokens", "No."), text("Hello."), refusal("max_output_tokens", "No."))
    assistant = responses_to(server, clients, max_output=99)
    assert ask(assistant, RequestOptions(max_output_tokens=50))[-1] == RunCompleted()
    assert isinstance(ask(assistant, RequestOptions())[-1], RunFailed)
    assert [body["max_output_tokens"] for body in server.requests] == [50, 99, 99]


def test_what_only_this_message_rules_out_is_tried_again(server: ModelServer, clients: ExitStack) -> None:
    message = "Input messages must contain the word 'json' to use 'text.format' of type 'json_object'."
    server.plays(refusal("input", message), text("Hello."), text("{}"))
    assistant = responses_to(server, clients)
    events = ask(assistant, RequestOptions(text_format="json_object"))
    assert notes(events) == [f"The server did not accept text.format for this message: {message}"]
    ask(assistant, RequestOptions(text_format="json_object"))
    assert ["text" in body for body in server.requests] == [True, False, True]


def test_a_model_that_has_none_of_this_still_answers(server: ModelServer, clients: ExitStack) -> None:
    refused = [
        refusal(param, f"Unsupported parameter: '{param}' is not supported with this model.")
        for param in (
            "reasoning.effort",
            "reasoning.summary",
            "text.verbosity",
            "text.format",
            "tool_choice",
            "parallel_tool_calls",
            "service_tier",
        )
    ]
    server.plays(*refused, refusal("reasoning.effort", "Nor the effort of the settings."), text("Hello."))
    assistant = responses_to(server, clients)
    events = ask(assistant, replace(OPTIONS, max_output_tokens=0))
    assert events[-1] == RunCompleted()
    assert (
        not {"reasoning", "text", "tool_choice", "parallel_tool_calls", "service_tier"}
        & server.requests[-1].keys()
    )


def test_chat_completions_leave_out_what_is_refused(chat: ChatServer, clients: ExitStack) -> None:
    words = "Unsupported value: 'verbosity' does not support 'low' with this model."
    chat.plays(refusal("verbosity", words), text("Hello."), text("Hello."))
    assistant = chat_to(chat, clients)
    assert ask(assistant, RequestOptions(verbosity="low"))[-1] == RunCompleted()
    assert ask(assistant, RequestOptions(verbosity="low"))[-1] == RunCompleted()
    assert [body.get("verbosity") for body in chat.requests] == ["low", None, None]
    options = RequestOptions(verbosity="low")
    reasons = assistant.backend.refusals(assistant.toolbox, options)  # type: ignore[attr-defined]
    assert reasons == {"verbosity": words}


def test_assistants_leave_out_what_is_refused(assistants: AssistantsServer, clients: ExitStack) -> None:
    assistants.plays(
        refusal("reasoning_effort", "Unsupported parameter: 'reasoning_effort'."), text("Hello.")
    )
    events = ask(assistants_to(assistants, clients), RequestOptions(effort="low"))
    assert (events[-1], len(notes(events))) == (RunCompleted(), 1)
    runs = [request for request in assistants.requests if "assistant_id" in request]
    assert [run.get("reasoning_effort") for run in runs] == ["low", None]
