"""The chunks of one streamed chat completion, translated into events of a run. Pure functions.

Servers differ most in how they stream calls (see ``test_stream.py``), so an id, a name or an index is used
where there is one, and none is required. Only ``StreamError``, ``Incomplete`` and ``MissingFinalEvent`` are
ever raised.
"""

import json
from collections.abc import Generator, Iterable
from dataclasses import dataclass, field

from assistant.backends.body import DONE
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
from assistant.backends.responses.hosted import MAX_CITATIONS, parse_citation
from assistant.backends.responses.written_calls import expand_call, function_name, is_wrapper
from assistant.backends.stream_errors import MissingFinalEvent, StreamError, incomplete
from assistant.events import (
    Citation,
    Event,
    ReasoningDelta,
    RefusalDelta,
    RoundEnded,
    TextDelta,
    ToolCall,
    ToolCallDelta,
    Usage,
)
from assistant.threads import unguessable_id


def read_completion(chunks: Iterable[object]) -> Generator[Event, None, list[ToolCall]]:
    """Yield the events of a completion and return its calls.

    Raises:
        StreamError: The server reported an error.
        Incomplete: The server ended the completion early, at a limit.
        MissingFinalEvent: The chunks ended without a finish reason and without ``[DONE]``.
    """
    reader = _CompletionReader()
    for chunk in chunks:
        if chunk == DONE:
            reader.finish_reason = reader.finish_reason or "stop"
            break
        if isinstance(chunk, dict):
            yield from reader.feed(chunk)
    return (yield from reader.finish())


@dataclass(slots=True)
class _CallDraft:
    """A call that is being streamed."""

    call_id: str  # ours: the server's own id, or a random one if that is missing or taken
    index: object
    server_id: str = ""
    name: str = ""
    arguments: str = ""

    def has_valid_arguments(self) -> bool:
        """Return whether the arguments are complete JSON, so that the next piece belongs to another call."""
        try:
            json.loads(self.arguments)
        except (ValueError, RecursionError):
            return False
        return True


@dataclass(slots=True)
class _CompletionReader:
    """The state of one completion."""

    finish_reason: str = ""
    model: str = ""
    usage: Usage | None = None
    drafts: list[_CallDraft] = field(default_factory=list)
    think_tags: "_ThinkTagSplitter" = field(default_factory=lambda: _ThinkTagSplitter())
    surrogates: SurrogateBuffer = field(default_factory=SurrogateBuffer)
    text_chars: int = 0
    has_said_something: bool = False
    annotations: list[JsonObject] = field(default_factory=list)  # that came before the text
    sources: dict[str, JsonObject] = field(default_factory=dict)  # of the whole answer, by address
    cited: set[Citation] = field(default_factory=set)

    def feed(self, chunk: JsonObject) -> Generator[Event, None, None]:
        """Yield the events of one chunk."""
        if error := chunk.get("error") or (chunk if chunk.get("object") == "error" else None):
            raise stream_error(error)
        self.model = text_at(chunk, "model") or self.model
        usage = object_at(chunk, "usage") or object_at(object_at(chunk, "x_groq"), "usage")
        self.usage = usage_of(usage) or self.usage
        self._add_sources(chunk)
        choice = next((each for each in objects_at(chunk, "choices") if not each.get("index")), None)
        if choice is None:
            return
        if choice.get("error"):
            raise stream_error(choice["error"])
        delta = object_at(choice, "delta")
        if not self.has_said_something and not any(delta.get(name) for name in _SPEECH):
            # Some servers send a whole message although a stream was requested; some, beside the deltas.
            delta = object_at(choice, "message") or delta
        self.has_said_something |= any(delta.get(name) for name in _SPEECH)
        content = delta.get("content")
        if text := _text(delta.get("reasoning_content") or delta.get("reasoning")) or _thinking(content):
            yield ReasoningDelta(text)
        if isinstance(content, dict):  # Cloudflare, where JSON was requested
            content = arguments_of({"arguments": content})
        if text := self.surrogates.feed("text", _text(content)):
            for event in self.think_tags.feed(text):
                self.text_chars += len(event.text) if isinstance(event, TextDelta) else 0
                yield event
        yield from self._cite(objects_at(delta, "annotations"))
        if text := _text(delta.get("refusal")):
            yield RefusalDelta(text)
        for piece in objects_at(delta, "tool_calls"):
            yield from self._feed_call(piece)
        self.finish_reason = text_at(choice, "finish_reason") or self.finish_reason

    def _cite(self, annotations: list[JsonObject]) -> Generator[Event, None, None]:
        """Yield the sources, each once, as soon as there is text."""
        for annotation in annotations:
            # OpenAI has the fields in an object of their own, and others beside the type.
            fields = object_at(annotation, "url_citation") or annotation
            self.annotations.append({**fields, "type": annotation.get("type")})
        while self.text_chars and self.annotations:
            citation = parse_citation(self.annotations.pop(0), self.text_chars)
            if citation and citation not in self.cited and len(self.cited) < MAX_CITATIONS:
                self.cited.add(citation)
                yield citation

    def _add_sources(self, chunk: JsonObject) -> None:
        """Add the sources that some servers list beside the choices, repeatedly (Perplexity, xAI)."""
        cited = chunk.get("citations")
        urls = [{"url": url} for url in cited if isinstance(url, str)] if isinstance(cited, list) else []
        for source in urls + objects_at(chunk, "search_results"):
            self.sources[text_at(source, "url")] = {**source, "type": "url_citation"}

    def finish(self) -> Generator[Event, None, list[ToolCall]]:
        """Yield the last events and return the calls."""
        yield from self.think_tags.flush()
        cited = {citation.url for citation in self.cited}
        yield from self._cite([source for url, source in self.sources.items() if url not in cited])
        match self.finish_reason:
            case "":
                raise MissingFinalEvent
            case "length" | "model_length":
                raise incomplete("length")
            case "content_filter" | "insufficient_system_resource":  # the second one is DeepSeek's
                raise incomplete(self.finish_reason)
            case "error":
                raise StreamError("", "It gave no reason.")
        written = [
            ToolCall(draft.call_id, draft.name, draft.arguments) for draft in self.drafts if draft.name
        ]
        calls = [call for each in written for call in expand_call(each)]
        yield from calls
        yield RoundEnded(self.model, self.usage)
        return calls

    def _feed_call(self, piece: JsonObject) -> Generator[Event, None, None]:
        """Add a piece of a call: name and id are set once, arguments are appended."""
        function, custom = object_at(piece, "function"), object_at(piece, "custom")  # custom: takes free text
        name, server_id = text_at(function or custom, "name"), text_at(piece, "id")
        draft = self._draft(piece.get("index"), server_id, name)
        draft.server_id, draft.name = draft.server_id or server_id, draft.name or name
        text = arguments_of(function) or text_at(custom, "input")
        if text and text == draft.arguments:
            return  # a repetition of the complete arguments
        draft.arguments += text
        if not is_wrapper(draft.name):
            yield ToolCallDelta(draft.call_id, function_name(draft.name), text)

    def _draft(self, index: object, server_id: str, name: str) -> _CallDraft:
        """Return the call of a piece: the newest with its index, unless it is clearly a new call."""
        draft = next((draft for draft in reversed(self.drafts) if draft.index == index), None)
        if draft is None and index is None and self.drafts and not server_id and not name:
            draft = self.drafts[-1]
        if draft is not None:
            has_other_id = server_id and draft.server_id and server_id != draft.server_id
            has_other_name = name and draft.name and not server_id and draft.has_valid_arguments()
            if not (has_other_id or has_other_name):
                return draft
        used_ids = {draft.call_id for draft in self.drafts}
        call_id = server_id if server_id and server_id not in used_ids else unguessable_id("call")
        self.drafts.append(_CallDraft(call_id, index))
        return self.drafts[-1]


class _ThinkTagSplitter:
    """Separates reasoning from the answer in text that begins with ``<think>`` … ``</think>``."""

    OPEN, CLOSE = "<think>", "</think>"

    def __init__(self) -> None:
        self._handle = self._at_start  # the handler of the next piece
        self._pending = ""  # may be the beginning of a tag

    def feed(self, text: str) -> Generator[Event, None, None]:
        """Yield the reasoning and the text in the next piece."""
        text, self._pending = self._pending + text, ""
        yield from self._handle(text)

    def flush(self) -> Generator[Event, None, None]:
        """Yield what was held back as the possible beginning of a tag."""
        if self._pending:
            is_reasoning = self._handle == self._in_reasoning
            yield ReasoningDelta(self._pending) if is_reasoning else TextDelta(self._pending)

    def _at_start(self, text: str) -> Generator[Event, None, None]:
        start = text.lstrip()
        if start.startswith(self.OPEN):
            self._handle = self._in_reasoning
            yield from self._in_reasoning(start.removeprefix(self.OPEN).lstrip("\n"))
        elif self.OPEN.startswith(start):
            self._pending = text
        else:
            self._handle = self._in_answer
            yield TextDelta(text)

    def _in_reasoning(self, text: str) -> Generator[Event, None, None]:
        reasoning, closed, after = text.partition(self.CLOSE)
        if not closed:
            lengths = range(len(self.CLOSE) - 1, 0, -1)
            pending = next((length for length in lengths if text.endswith(self.CLOSE[:length])), 0)
            reasoning, self._pending = text[: len(text) - pending], text[len(text) - pending :]
        if reasoning:
            yield ReasoningDelta(reasoning)
        if closed:
            self._handle = self._before_answer
            yield from self._before_answer(after)

    def _before_answer(self, text: str) -> Generator[Event, None, None]:
        """Skip the empty lines between the reasoning and the answer."""
        if text := text.lstrip():
            self._handle = self._in_answer
            yield TextDelta(text)

    def _in_answer(self, text: str) -> Generator[Event, None, None]:
        yield TextDelta(text)


_SPEECH = ("content", "tool_calls", "refusal", "reasoning_content", "reasoning")
"""The fields of a delta, or of a message, with what the model says."""


def _thinking(content: object) -> str:
    """Return the reasoning in content that is a list of parts (Mistral's magistral models)."""
    parts = content if isinstance(content, list) else []
    return "".join(
        _text(part.get("thinking"))
        for part in parts
        if isinstance(part, dict) and part.get("type") == "thinking"
    )


def _text(content: object) -> str:
    """Return content as text: a string, or a list of parts with texts."""
    if isinstance(content, str):
        return content
    parts = content if isinstance(content, list) else []
    return "".join(
        part["text"] for part in parts if isinstance(part, dict) and isinstance(part.get("text"), str)
    )
