"""What a request asks for, and what a recording is about, read from its requests."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Literal, cast

from assistant.json_values import Json, get, objects, text
from assistant.recordings.entries import RequestEntry
from assistant.recordings.recording import Recording

Protocol = Literal["", "responses", "chat", "agents", "assistants"]
"""A protocol as ``ASSISTANT_PROTOCOL`` names it; "" where it is not known."""

CALL_KINDS = ("function_call", "custom_tool_call")
"""The types of items that call a function, with JSON arguments or with free text."""

REPLAY_PREFIX = "replay-"
"""What comes before the scheme of a replay's address."""

_API_PATH = re.compile(r".*(/(responses|chat/completions|conversations|threads|agents|models)(?=/|$).*)")
_ANSWER_PATH = re.compile(
    r"/(?P<responses>responses)|/(?P<chat>chat/completions)|/(?P<agents>agents/sessions)(/[^/]+/events)?"
    r"|/(?P<assistants>threads)/([^/]+/)?runs(/[^/]+/submit_tool_outputs)?"
)


# --- a recording ---


def prompt_of(recording: Recording) -> str:
    """Return the user's last message up to the first request for an answer.

    It is "" where there is none, as in a run that resumed an answer.
    """
    prompt = ""
    for exchange in recording.exchanges():
        messages = list(_user_messages(exchange.request.body))
        prompt = messages[-1] if messages else prompt
        if prompt and protocol_of_request(exchange.request):
            break
    return prompt


def protocol_of(recording: Recording) -> Protocol:
    """Return the protocol of the last request for an answer: before it, another one may have been tried."""
    protocols = (protocol_of_request(exchange.request) for exchange in reversed(recording.exchanges()))
    return next((protocol for protocol in protocols if protocol), "")


def base_url_of(recording: Recording) -> str:
    """Return the base URL of the recorded server; "" where there is no request."""
    for exchange in recording.exchanges():
        url = exchange.request.url
        return url.partition("?")[0].removesuffix(api_path(url)).removeprefix(REPLAY_PREFIX)
    return ""


def replay_url_of(recording: Recording) -> str:
    """Return the base URL of a replay: error messages name the server, but no real one has this address.

    So what a recording claims about a server's conversations is never used for a real server.
    """
    url = base_url_of(recording)
    return REPLAY_PREFIX + (url if "://" in url else "http://demo.invalid/v1")


def answer_request_of(recording: Recording) -> Json:
    """Return the body of the first request for an answer in its protocol; ``{}`` where there is none."""
    protocol = protocol_of(recording)
    for exchange in recording.exchanges():
        body = exchange.request.body
        if protocol and protocol_of_request(exchange.request) == protocol and isinstance(body, dict):
            return body
    return {}


# --- one request ---


def protocol_of_request(request: RequestEntry) -> Protocol:
    """Return the protocol of a request for an answer; "" for any other request."""
    return protocol_at(request.method, request.url, bool(request.body))


def protocol_at(method: str, url: str, has_body: bool) -> Protocol:
    """Return the protocol in which a request to this URL or path asks for an answer; "" if it does not."""
    path = api_path(url)
    found = _ANSWER_PATH.fullmatch(path)
    expected = ("GET", False) if path.endswith("/events") else ("POST", True)
    if not found or (method, has_body) != expected:
        return ""
    return cast(Protocol, next(name for name, value in found.groupdict().items() if value))


def api_path(url: str) -> str:
    """Return a URL's path without the part before the API's own path, such as ``/v1``."""
    path = url.partition("?")[0]
    found = _API_PATH.match(path.rpartition("://")[2])
    return found[1] if found else path


def split_url(url: str) -> tuple[str, str]:
    """Return a URL's host with its port, and its path."""
    host, slash, path = url.partition("?")[0].rpartition("://")[2].partition("/")
    return host, slash + path


@dataclass(slots=True)
class RequestSummary:
    """The calls and outputs in a request, by their call ids.

    ``has_history`` tells that the request carries the whole conversation, not only what is new.
    """

    calls: list[str] = field(default_factory=list)
    outputs: list[str] = field(default_factory=list)
    asks_model: bool = False
    has_history: bool = False
    cancels: bool = False


def summarize_request(request: RequestEntry) -> RequestSummary:
    """Return the calls and outputs in a request; calls without an id are left out."""
    summary, body = RequestSummary(), request.body
    if request.method != "POST":
        return summary
    match request.url.partition("?")[0].rpartition("/")[2]:
        case "responses":
            _add_items(summary, get(body, "input"))
            summary.asks_model = True
            summary.has_history = not get(body, "conversation") and not get(body, "previous_response_id")
        case "conversations" | "items":
            _add_items(summary, get(body, "items"))
        case "completions":
            for message in objects(get(body, "messages")):
                summary.calls += [text(call.get("id")) for call in objects(message.get("tool_calls"))]
                if message.get("role") == "tool":
                    summary.outputs.append(text(message.get("tool_call_id")))
            summary.asks_model = summary.has_history = True
        case "submit_tool_outputs" | "runs":
            outputs = objects(get(body, "tool_outputs"))
            summary.outputs = [text(output.get("tool_call_id")) for output in outputs]
            summary.asks_model = True
        case "events":
            for event in objects(get(body, "events")):
                kind = text(event.get("type"))
                summary.outputs += [text(event.get("call_id"))] if kind.endswith(".tool_result") else []
                summary.cancels |= kind.endswith(".cancel")
        case "cancel":
            summary.cancels = True
    summary.calls = [call_id for call_id in summary.calls if call_id]
    summary.outputs = [call_id for call_id in summary.outputs if call_id]
    return summary


def function_call_ids(items: Any) -> list[str]:
    """Return the ids of the calls of functions among items, except those in the background."""
    return _call_ids([item for item in objects(items) if item.get("async") is not True], "")


def background_call_ids(items: Any) -> list[str]:
    """Return the ids of the calls in the background among items: any later request may answer them."""
    return _call_ids([item for item in objects(items) if item.get("async") is True], "")


def _add_items(summary: RequestSummary, items: Any) -> None:
    summary.calls = function_call_ids(items)
    summary.outputs = _call_ids(items, "_output")


def _call_ids(items: Any, suffix: str) -> list[str]:
    kinds = [kind + suffix for kind in CALL_KINDS]
    return [text(item.get("call_id")) for item in objects(items) if item.get("type") in kinds]


def _user_messages(body: Any) -> Iterator[str]:
    """Yield the texts of the user in a request's body, wherever its protocol puts them."""
    if not isinstance(body, dict):
        return
    if isinstance(body.get("input"), str):
        yield body["input"]
    if body.get("role") == "user":
        content = body.get("content")
        parts = content if isinstance(content, list) else [{"text": content}]
        yield "".join(str(part["text"]) for part in parts if isinstance(part, dict) and part.get("text"))
    for name in ("input", "messages", "events"):
        for item in body[name] if isinstance(body.get(name), list) else []:
            yield from _user_messages(item)
