"""The events of one streamed run, translated into the application's events. Pure functions.

No field is required (the names of the events: ``openai.types.beta.AssistantStreamEvent``). Only
``StreamError``, ``Incomplete``, ``RunEnded`` and ``MissingFinalEvent`` are ever raised.
"""

from collections.abc import Container, Generator, Iterable
from dataclasses import dataclass, field, replace

from assistant.backends.agents.missing_functions import missing_function_notes
from assistant.backends.json_access import (
    JsonObject,
    SurrogateBuffer,
    arguments_of,
    object_at,
    objects_at,
    stream_error,
    text_at,
    usage_of,
)
from assistant.backends.responses.hosted import hosted_call, parse_citation
from assistant.backends.stream_errors import MissingFinalEvent, StreamError, incomplete
from assistant.events import (
    Event,
    HostedCall,
    HostedDelta,
    RefusalDelta,
    RoundEnded,
    TextBreak,
    TextDelta,
    ToolCall,
    ToolCallDelta,
)


class RunEnded(Exception):
    """The server ended the run before its answer was complete: it ``expired`` or was ``cancelled``."""

    def __init__(self, status: str) -> None:
        super().__init__(status)
        self.status = status


@dataclass(slots=True)
class RunProgress:
    """What is known of a run so far."""

    missing_functions: list[str]  # the functions that were noted as missing; grows
    run_id: str = ""
    newest_item: str = ""  # the id of the last message that the run wrote
    calls: list[ToolCall] = field(default_factory=list)  # what the run waits for after its round
    has_ended: bool = False  # whether the round is over


def read_run(
    events: Iterable[tuple[str, JsonObject]], progress: RunProgress, toolbox: Container[str]
) -> Generator[Event, None, None]:
    """Translate a run's named events until its round is over, and update ``progress``.

    Raises:
        StreamError: The server reported an error, or the run failed.
        Incomplete: The run reached a limit.
        RunEnded: The run expired or was cancelled.
        MissingFinalEvent: The events ended before the round.
    """
    reader = _RunReader(progress, toolbox)
    for name, data in events:
        yield from reader.feed(name or _event_name(data), data)
        if progress.has_ended:
            return
    raise MissingFinalEvent


def _event_name(data: JsonObject) -> str:
    """Return the name of an event that came without one, from the object in it."""
    kind, status = text_at(data, "object"), text_at(data, "status")
    return kind if kind.endswith(".delta") or not status else f"{kind}.{status}"


class _RunReader:
    """The state of one run's stream."""

    def __init__(self, progress: RunProgress, toolbox: Container[str]) -> None:
        self._progress = progress
        self._toolbox = toolbox
        self._block: object = None  # the text block of the last text
        self._streamed: set[str] = set()  # the ids of the messages of which text was streamed
        self._drafts: dict[object, tuple[str, str]] = {}  # place -> (call id, name) of a call being written
        self._server_calls: dict[object, str] = {}  # place -> id of a call that the server runs
        self._lengths: dict[object, int] = {}  # the characters of each text block so far
        self._buffer = SurrogateBuffer()
        self._is_filtered = False

    def feed(self, name: str, data: JsonObject) -> Generator[Event, None, None]:
        """Translate one event."""
        match name.removeprefix("thread."):
            case "message.created" | "message.in_progress":
                self._progress.newest_item = text_at(data, "id") or self._progress.newest_item
            case "message.delta":
                yield from self._text(data, objects_at(object_at(data, "delta"), "content"))
            case "message.completed" | "message.incomplete":
                yield from self._message(data)
            case "run.step.delta":
                details = object_at(object_at(data, "delta"), "step_details")
                for position, call in enumerate(objects_at(details, "tool_calls")):
                    place = text_at(data, "id"), text_at(call, "index") or str(position)
                    yield from self._draft(place, call)
                    yield from self._server_call(place, call)
            case "run.step.completed" | "run.step.failed" | "run.step.cancelled" | "run.step.expired":
                yield from self._finished_calls(data, name.endswith("completed"))
            case "run.created" | "run.queued" | "run.in_progress":
                self._progress.run_id = text_at(data, "id") or self._progress.run_id
                yield from self._note_missing(objects_at(data, "tools"))
            case "run.requires_action":
                yield from self._calls(data)
                yield from self._end(data)
            case "run.completed":
                yield from self._end(data)
            case "run.incomplete":
                self._progress.has_ended = True
                reason = text_at(object_at(data, "incomplete_details"), "reason")
                raise incomplete("content_filter" if self._is_filtered else reason)
            case "run.failed":
                self._progress.has_ended = True
                raise stream_error(object_at(data, "last_error"))
            case "run.expired" | "run.cancelled":
                self._progress.has_ended = True
                raise RunEnded(name.removeprefix("thread.run."))
            case "error":
                raise stream_error(object_at(data, "error") or data)

    def _text(self, message: JsonObject, content: list[JsonObject]) -> Generator[Event, None, None]:
        message_id = text_at(message, "id")
        self._progress.newest_item = message_id or self._progress.newest_item
        for position, part in enumerate(content):
            value, refusal = object_at(part, "text").get("value"), part.get("refusal")
            block = (message_id, text_at(part, "index") or str(position))
            text = self._buffer.feed(block, refusal if value is None else value)
            if not text:
                continue
            if self._block not in (None, block):
                yield TextBreak()
            self._block = block
            self._streamed.add(message_id)
            self._lengths[block] = self._lengths.get(block, 0) + len(text)
            yield TextDelta(text) if value is not None else RefusalDelta(text)
            yield from self._cite(self._lengths[block], objects_at(object_at(part, "text"), "annotations"))

    def _message(self, message: JsonObject) -> Generator[Event, None, None]:
        """Translate a complete message, unless its text was streamed."""
        reason = text_at(object_at(message, "incomplete_details"), "reason")
        self._is_filtered |= reason == "content_filter"
        if text_at(message, "id") not in self._streamed:
            content = message.get("content")
            parts = [{"text": {"value": content}}] if isinstance(content, str) else []
            yield from self._text(message, parts or objects_at(message, "content"))

    def _draft(self, place: object, call: JsonObject) -> Generator[Event, None, None]:
        if call.get("type", "function") != "function":
            return
        function = object_at(call, "function")
        if (call_id := text_at(call, "id")) and place not in self._drafts:
            self._drafts[place] = (call_id, text_at(function, "name"))
        text = self._buffer.feed(place, function.get("arguments"))
        if place in self._drafts and (call_id or text):
            yield ToolCallDelta(*self._drafts[place], text)

    def _server_call(self, place: object, call: JsonObject) -> Generator[Event, None, None]:
        """Yield the beginning of a code interpreter's call, and the pieces of its code."""
        if call.get("type") != "code_interpreter":
            return
        if place not in self._server_calls:
            self._server_calls[place] = text_at(call, "id") or f"hosted_{len(self._server_calls) + 1}"
            yield HostedCall(self._server_calls[place], "code_interpreter")
        if text := self._buffer.feed(place, object_at(call, "code_interpreter").get("input")):
            yield HostedDelta(self._server_calls[place], text)

    def _finished_calls(self, step: JsonObject, ended_well: bool) -> Generator[Event, None, None]:
        """Yield what the server's tools did in a step."""
        for position, call in enumerate(objects_at(object_at(step, "step_details"), "tool_calls")):
            code, search = object_at(call, "code_interpreter"), object_at(call, "file_search")
            place = text_at(step, "id"), str(position)
            call_id = self._server_calls.get(place) or text_at(call, "id")
            call_id = self._server_calls[place] = call_id or f"hosted_{len(self._server_calls) + 1}"
            match call.get("type"):
                case "code_interpreter":
                    item = {"type": "code_interpreter_call", "code": code.get("input"), **code}
                case "file_search":
                    found = [
                        {"filename": each.get("file_name"), "text": text_at(content, "text")}
                        for each in objects_at(search, "results")
                        for content in objects_at(each, "content") or [{}]
                    ]
                    item = {"type": "file_search_call", "results": found}
                case _:
                    continue
            yield replace(hosted_call(item), call_id=call_id, state="done" if ended_well else "failed")

    def _cite(self, length: int, annotations: list[JsonObject]) -> Generator[Event, None, None]:
        """Yield the sources of a text of which so many characters have come."""
        for annotation in annotations:
            kind, end = text_at(annotation, "type"), annotation.get("end_index")
            citation = parse_citation(
                {**object_at(annotation, kind), "type": kind, "index": end, "end_index": end}, length
            )
            if citation:
                yield citation

    def _note_missing(self, tools: list[JsonObject]) -> Iterable[Event]:
        names = [text_at(object_at(tool, "function"), "name") for tool in tools]
        return missing_function_notes(names, self._toolbox, self._progress.missing_functions)

    def _calls(self, run: JsonObject) -> Generator[Event, None, None]:
        self._progress.run_id = text_at(run, "id") or self._progress.run_id
        yield from self._note_missing(_required_calls(run))
        calls = calls_of(run)
        if not calls:
            raise StreamError("", "The run waits for functions that it does not name.")
        for call in calls:
            self._progress.calls.append(call)
            yield call

    def _end(self, run: JsonObject) -> Generator[Event, None, None]:
        self._progress.run_id = text_at(run, "id") or self._progress.run_id
        yield RoundEnded(text_at(run, "model"), usage_of(object_at(run, "usage")))
        self._progress.has_ended = True


def calls_of(run: JsonObject) -> list[ToolCall]:
    """Return the calls that a run waits for."""
    calls: dict[str, ToolCall] = {}
    for item in _required_calls(run):
        function, call_id = object_at(item, "function"), text_at(item, "id")
        if call_id:  # a call without an id cannot be answered
            calls.setdefault(call_id, ToolCall(call_id, text_at(function, "name"), arguments_of(function)))
    return list(calls.values())


def _required_calls(run: JsonObject) -> list[JsonObject]:
    action = object_at(run, "required_action")
    return objects_at(object_at(action, "submit_tool_outputs"), "tool_calls")
