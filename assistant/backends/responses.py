"""The Responses API, with Conversations where the server has them and with the whole history where not.

Not here: the loop (``run.py``), what the events of a stream mean (``responses_stream.py``).

The one rule: what the server has not heard is found in the transcript, and is noted as heard only after a
response ended well. So an attempt that failed needs no undoing: the next one finds the same again.

``thread.raw["responses"]`` holds: ``conversation`` (its id, or None: the server keeps nothing), ``items``
(everything the server has heard and said, verbatim, in order), ``owed`` (the ids of calls it waits for),
``heard`` (how many messages, and parts of the last of them, it knows), ``asking`` (true from a request
until it ended well: the server's memory is uncertain).
"""

import time
from collections.abc import Generator, Iterator
from typing import Any, Literal, cast
from weakref import WeakKeyDictionary

import httpx2
import openai
from openai import Omit, OpenAI, Stream, omit

from ..errors import BackendError, Interrupted, RequestRefused, UnknownThread
from ..events import Event, Outcome, RunCompleted, ThreadOpened, ToolCall, ToolResult
from ..execute import is_error_output, stopped
from ..messages import Call, Message, Part, Reasoning, Refusal, Text
from ..threads import Thread
from ..tools import Toolbox
from .client import failure, hang_up, host, not_the_api, translated
from .responses_stream import Answer, Item, NoEnding, StreamError, read

LOCK_DELAYS = (0.5, 1.0, 2.0, 4.0)
"""Seconds before each new try on a conversation in which another response is being written."""


class Responses:
    """A backend for servers that speak the Responses API."""

    def __init__(self, client: OpenAI, *, model: str, instructions: str = "") -> None:
        self._client = client
        self._model = model
        self._instructions = instructions
        self._requests: WeakKeyDictionary[Thread, _Request] = WeakKeyDictionary()

    def close(self) -> None:
        """Let go of the connections."""
        self._client.close()

    def cancel(self, thread: Thread) -> None:
        """Hang up on the server if it is answering this thread; see ``run.Backend``."""
        request = self._requests.pop(thread, None)
        if request is not None:
            request.cancel()

    def stream(self, thread: Thread, toolbox: Toolbox) -> Generator[Event, None, list[ToolCall]]:
        """One response to the thread as it stands; see ``run.Backend``."""
        state = _state(thread)
        yield from self._open(thread, state)
        if state["asking"]:
            self._reconcile(thread, state)
        delays = iter(LOCK_DELAYS)
        while True:
            state["asking"] = True
            unheard = _unheard(thread, state)
            try:
                answer = yield from self._ask(thread, state, unheard, toolbox)
                break
            except RequestRefused as refusal:
                # What the server keeps is not what we think: an answer that we left is still being
                # written there, or was kept after all. Look again, and then say only what is missing.
                delay = next(delays, None)
                if delay is None or not state["conversation"] or not _out_of_step(refusal):
                    raise
                time.sleep(delay)
                self._reconcile(thread, state)
        state["items"] += unheard + answer.items
        state["owed"] = [call.call_id for call in answer.calls]
        state["heard"] = _everything(thread)
        state["asking"] = False
        return answer.calls

    def recall(self, thread_id: str) -> Thread:
        """The thread that the server keeps under this id, with its history.

        Raises:
            UnknownThread: There is none by this id.
        """
        if not 0 < len(thread_id) <= 512 or not thread_id.isprintable() or thread_id.strip(".") == "":
            raise UnknownThread("This is not the id of a thread.", code="unknown_thread")
        with translated(self._client):
            try:
                items = list(self._listed(thread_id, "asc"))
            except (openai.NotFoundError, openai.BadRequestError, ValueError) as error:
                raise UnknownThread(
                    f"{host(self._client)} has no thread by this id.", code="unknown_thread"
                ) from error
        thread = Thread(thread_id, messages_of(items))
        answered = {item.get("call_id") for item in items if item.get("type") == "function_call_output"}
        state = _state(thread)
        state["conversation"] = thread_id
        state["items"] = items
        state["owed"] = [
            item["call_id"]
            for item in items
            if item.get("type") == "function_call" and item["call_id"] not in answered
        ]
        state["heard"] = _everything(thread)
        return thread

    def _open(self, thread: Thread, state: dict[str, Any]) -> Generator[Event, None, None]:
        """Begin a conversation, where the server has conversations."""
        if state["conversation"] or state["items"] or state["stateless"]:
            return
        try:
            with translated(self._client):
                made: Any = self._client.conversations.create()
        except BackendError as error:
            if not isinstance(error.__cause__, openai.APIStatusError) or (
                error.__cause__.status_code not in (404, 405, 501)
            ):
                raise
            state["stateless"] = True  # a server without conversations: it is told everything each time
            return
        conversation = getattr(made, "id", None)
        if not isinstance(conversation, str) or not conversation:
            raise not_the_api(self._client)
        yield ThreadOpened(conversation)
        state["conversation"] = conversation

    def _ask(
        self, thread: Thread, state: dict[str, Any], unheard: list[Item], toolbox: Toolbox
    ) -> Generator[Event, None, Answer]:
        request: dict[str, Any] = {"model": self._model, "tools": _tools(toolbox)}
        if self._instructions:
            request["instructions"] = self._instructions
        if state["conversation"]:
            request |= {"conversation": state["conversation"], "input": unheard}
        else:
            request["input"] = state["items"] + unheard
        under_way = self._requests[thread] = _Request()
        create = self._client.responses.with_streaming_response.create
        try:
            with translated(self._client), create(**request, stream=True) as response:
                under_way.answered_by(response.http_response)
                if "text/html" in response.headers.get("content-type", ""):
                    raise not_the_api(self._client)
                # Plain dictionaries instead of the SDK's objects: faithful to be sent back, tolerant of
                # what no model foresees, and several times cheaper to make.
                events = cast("Stream[object]", response.parse(to=Stream[object]))
                return (yield from read(events))
        except StreamError as error:
            raise failure(error.code, error, self._client) from error
        except NoEnding as error:
            raise Interrupted(
                f"{host(self._client)} stopped in the middle of the answer.",
                code="interrupted",
                retry=True,
            ) from error

    def _reconcile(self, thread: Thread, state: dict[str, Any]) -> None:
        """Bring the notes about a conversation up to what the server really keeps (protocols: §2)."""
        if not state["conversation"]:
            return
        news = self._news(state)
        state["items"] += news
        answered = {item.get("call_id") for item in news if item.get("type") == "function_call_output"}
        asked = [item["call_id"] for item in news if item.get("type") == "function_call"]
        state["owed"] = [call_id for call_id in state["owed"] + asked if call_id not in answered]
        state["heard"] = _heard_with(news, thread, state["heard"])

    def _news(self, state: dict[str, Any]) -> list[Item]:
        """The conversation's items that came after those we know of, oldest first."""
        known = {item["id"] for item in state["items"] if item.get("id")}
        answered = {item.get("call_id") for item in state["items"] if _is_output(item)}
        news: list[Item] = []
        with translated(self._client):
            for item in self._listed(state["conversation"], "desc"):
                if item.get("id") in known or (_is_output(item) and item.get("call_id") in answered):
                    break
                news.append(item)
        return news[::-1]

    def _listed(self, conversation: str, order: Literal["asc", "desc"]) -> Iterator[Item]:
        """A conversation's items as the server sent them, page after page."""
        after: str | Omit = omit
        while True:
            answer = self._client.conversations.items.with_raw_response.list(
                conversation, order=order, limit=100, after=after
            )
            try:
                page: Any = answer.http_response.json()
            except ValueError:
                page = None
            items = page.get("data") if isinstance(page, dict) else None
            if not isinstance(items, list):
                raise not_the_api(self._client)
            for item in items:
                # A null that came is not always allowed to go back (protocols: §0, rule 4).
                yield {name: value for name, value in item.items() if value is not None}
            if not items or not page.get("has_more"):
                return
            after = page.get("last_id") or items[-1]["id"]


class _Request:
    """A request under way, which another thread may cancel at any moment."""

    def __init__(self) -> None:
        self._response: httpx2.Response | None = None
        self._cancelled = False

    def answered_by(self, response: httpx2.Response) -> None:
        self._response = response
        if self._cancelled:
            hang_up(response)

    def cancel(self) -> None:
        self._cancelled = True
        if self._response is not None:
            hang_up(self._response)


def _state(thread: Thread) -> dict[str, Any]:
    empty = {
        "conversation": None,
        "stateless": False,
        "items": [],
        "owed": [],
        "heard": [0, 0],
        "asking": False,
    }
    return cast("dict[str, Any]", thread.raw.setdefault("responses", empty))


def _tools(toolbox: Toolbox) -> list[Item]:
    return [
        {
            "type": "function",
            "name": tool.name,
            "description": tool.description,
            "parameters": tool.parameters,
            "strict": tool.strict,
        }
        for tool in toolbox.values()
    ]


def _unheard(thread: Thread, state: dict[str, Any]) -> list[Item]:
    """What the server must be told, as items: the results it waits for, then what was said since."""
    results = {call.call_id: call.result for message in thread.messages for call in message.calls}
    items = [_output(results.get(call_id) or stopped(call_id)) for call_id in state["owed"]]
    messages, parts = state["heard"]
    for index, message in enumerate(thread.messages[max(0, messages - 1) :], max(0, messages - 1)):
        items += _items(message, message.parts[parts:] if index < messages else message.parts)
    return items


def _items(message: Message, parts: list[Part]) -> list[Item]:
    """A person's text, or what an answer had said before it was interrupted."""
    text = "\n\n".join(part.text for part in parts if isinstance(part, Text | Refusal) and part.text)
    return [{"type": "message", "role": message.role, "content": text}] if text else []


def _output(result: ToolResult) -> Item:
    return {"type": "function_call_output", "call_id": result.call_id, "output": result.output}


def _is_output(item: Item) -> bool:
    return item.get("type") == "function_call_output"


def _everything(thread: Thread) -> list[int]:
    """The mark after all that is in the thread now."""
    return [len(thread.messages), len(thread.messages[-1].parts) if thread.messages else 0]


def _heard_with(news: list[Item], thread: Thread, heard: list[int]) -> list[int]:
    """The mark after those messages of the transcript that turn up among the conversation's news."""
    for item in news:
        role = item.get("role")
        for index in range(heard[0], len(thread.messages)):
            message = thread.messages[index]
            if message.ending is None:
                continue  # the answer being asked for now
            if message.role == role and (role == "assistant" or message.text == _said(item)):
                heard = [index + 1, len(message.parts)]
                break
    return heard


def _out_of_step(refusal: RequestRefused) -> bool:
    """Whether the server's conversation is not in the state we took it to be in (protocols: §2, §4)."""
    words = str(refusal)
    return refusal.code == "conversation_locked" or any(
        sign in words for sign in ("No tool output found", "No tool call found", "Duplicate item")
    )


def _said(item: Item) -> str:
    content = item.get("content")
    if isinstance(content, str):
        return content
    parts = content if isinstance(content, list) else []
    return "\n\n".join(
        str(part.get("text") or part.get("refusal") or "") for part in parts if isinstance(part, dict)
    )


def messages_of(items: list[Item]) -> list[Message]:
    """The transcript that a conversation's items tell: the messages and calls, rounds as they were.

    Items that are nothing to a reader, or of an unknown type or role, are passed over.
    """
    messages: list[Message] = []
    rounds, after_output = 0, True
    for item in items:
        kind, role = item.get("type"), item.get("role")
        if kind == "message" and role == "user":
            messages.append(Message.from_person(_said(item)))
            rounds, after_output = 0, True
        elif kind in ("message", "reasoning", "function_call", "function_call_output"):
            if kind == "message" and role != "assistant":
                continue
            if not messages or messages[-1].role == "user":
                messages.append(Message("assistant", ending=RunCompleted()))
            message = messages[-1]
            if kind == "function_call":
                rounds, after_output = rounds + after_output, False
                message.parts.append(
                    Call(
                        str(item.get("call_id")),
                        str(item.get("name")),
                        str(item.get("arguments") or ""),
                        rounds,
                    )
                )
            elif kind == "function_call_output":
                after_output = True
                output = item.get("output")
                text = output if isinstance(output, str) else _said({"content": output})
                outcome: Outcome = "failed" if is_error_output(text) else "done"
                message.answer(ToolResult(str(item.get("call_id")), text, outcome))
            elif kind == "reasoning":
                if text := _said({"content": item.get("summary")}):
                    message.parts.append(Reasoning(text))
            else:
                message.parts += _parts(item)
    return messages


def _parts(item: Item) -> list[Part]:
    content = item.get("content")
    if isinstance(content, str):
        return [Text(content)]
    return [
        Refusal(str(part["refusal"])) if part.get("type") == "refusal" else Text(str(part.get("text") or ""))
        for part in (content if isinstance(content, list) else [])
        if isinstance(part, dict)
    ]
