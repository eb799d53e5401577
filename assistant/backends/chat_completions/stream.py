"""Reads the chunks of one streamed chat completion, as they come off the wire, into events of a run.

Not here: requests and history (``chat.py``). Pure: dictionaries in, events out.

The one rule: nothing a server may send can raise anything but our own errors. The servers differ most in how
they stream calls (``test_chat_completions.py``), so an id, a name or an index is used where it is there, and
none is relied on.
"""

import json
from collections.abc import Generator, Iterable
from dataclasses import dataclass, field
from typing import Any

from assistant.backends.json_access import Pieces, count_at, object_at, text_at, whole
from assistant.backends.stream_errors import NoEnding, StreamError, at_token_limit, filtered
from assistant.events import (
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
from assistant.transports.sse import events

Chunk = dict[str, Any]

DONE = "[DONE]"
"""What a server says last, in place of a chunk."""


def chunks_of(body: Iterable[bytes]) -> Generator[object, None, None]:
    """The chunks in a streamed answer, then ``DONE`` if the server says it."""
    for _, data in events(body):
        yield DONE if data.strip() == DONE else json.loads(data)


def read(chunks: Iterable[object]) -> Generator[Event, None, list[ToolCall]]:
    """Say a completion's chunks as events of a run, and return its calls.

    Raises:
        StreamError: The server said that it failed.
        Incomplete: The server cut the answer off, at a limit.
        NoEnding: The chunks ran out, without a reason to finish and without ``[DONE]``.
    """
    reader = _Reader()
    for chunk in chunks:
        if chunk == DONE:
            reader.finish = reader.finish or "stop"
            break
        if isinstance(chunk, dict):
            yield from reader.take(chunk)
    return (yield from reader.end())


@dataclass(slots=True)
class _Slot:
    """A call that is being written."""

    call_id: str
    index: object
    id: str = ""
    name: str = ""
    arguments: str = ""

    def is_whole(self) -> bool:
        """Whether the arguments are complete, so that what comes next is another call."""
        try:
            json.loads(self.arguments)
        except (ValueError, RecursionError):
            return False
        return True


@dataclass(slots=True)
class _Reader:
    """What has been seen of one completion so far."""

    finish: str = ""
    model: str = ""
    usage: Usage | None = None
    slots: list[_Slot] = field(default_factory=list)
    thought: "_Thought" = field(default_factory=lambda: _Thought())
    pieces: Pieces = field(default_factory=Pieces)

    def take(self, chunk: Chunk) -> Generator[Event, None, None]:
        if chunk.get("error"):
            raise _failure(chunk["error"])
        self.model = text_at(chunk, "model") or self.model
        if isinstance(usage := chunk.get("usage"), dict):
            self.usage = _usage(usage)
        choices = chunk.get("choices")
        choice = choices[0] if isinstance(choices, list) and choices else None
        if not isinstance(choice, dict):
            return
        # Some answer whole where a stream was asked for.
        delta = object_at(choice, "delta") or object_at(choice, "message")
        thought = delta.get("reasoning_content") or delta.get("reasoning")
        if text := _words(thought):
            yield ReasoningDelta(text)
        if text := self.pieces.take("text", _words(delta.get("content"))):
            yield from self.thought.tell(text)
        if text := _words(delta.get("refusal")):
            yield RefusalDelta(text)
        pieces = delta.get("tool_calls")
        for piece in pieces if isinstance(pieces, list) else []:
            if isinstance(piece, dict):
                yield from self._write(piece)
        self.finish = text_at(choice, "finish_reason") or self.finish

    def end(self) -> Generator[Event, None, list[ToolCall]]:
        yield from self.thought.end()
        if not self.finish:
            raise NoEnding
        if self.finish == "length":
            raise at_token_limit()
        if self.finish == "content_filter":
            raise filtered()
        if self.finish == "error":
            raise StreamError("", "It gave no reason.")
        calls = [ToolCall(slot.call_id, slot.name, slot.arguments) for slot in self.slots if slot.name]
        yield from calls
        yield RoundEnded(self.model, self.usage)
        return calls

    def _write(self, piece: Chunk) -> Generator[Event, None, None]:
        """Take a piece of a call: a name and an id are set, arguments are appended."""
        function = object_at(piece, "function")
        name, own_id, arguments = text_at(function, "name"), text_at(piece, "id"), function.get("arguments")
        slot = self._slot(piece.get("index"), own_id, name)
        slot.id, slot.name = slot.id or own_id, slot.name or name
        if arguments is not None and not isinstance(arguments, str):
            arguments = json.dumps(arguments, ensure_ascii=False)
        text = whole(arguments or "")
        if text and text == slot.arguments:
            return  # all of it once more: no arguments go on like that
        slot.arguments += text
        yield ToolCallDelta(slot.call_id, slot.name, text)

    def _slot(self, index: object, own_id: str, name: str) -> _Slot:
        """The call that a piece belongs to: the newest of its index, unless it is plainly another one."""
        slot = next((each for each in reversed(self.slots) if each.index == index), None)
        if slot is None and index is None and self.slots and not own_id and not name:
            slot = self.slots[-1]
        if slot is not None:
            another_id = own_id and slot.id and own_id != slot.id
            another_name = name and slot.name and not own_id and slot.is_whole()
            if not (another_id or another_name):
                return slot
        taken = {each.call_id for each in self.slots}
        call_id = own_id if own_id and own_id not in taken else unguessable_id("call")
        self.slots.append(_Slot(call_id, index))
        return self.slots[-1]


class _Thought:
    """Tells reasoning from answer where a server leaves both in the text: ``<think>`` … ``</think>``."""

    OPEN, CLOSE = "<think>", "</think>"

    def __init__(self) -> None:
        self._tell = self._before
        self._held = ""  # may be the beginning of a tag

    def tell(self, text: str) -> Generator[Event, None, None]:
        text, self._held = self._held + text, ""
        yield from self._tell(text)

    def end(self) -> Generator[Event, None, None]:
        if self._held:
            yield ReasoningDelta(self._held) if self._tell == self._inside else TextDelta(self._held)

    def _before(self, text: str) -> Generator[Event, None, None]:
        """The beginning of it all, which alone may be reasoning."""
        start = text.lstrip()
        if start.startswith(self.OPEN):
            self._tell = self._inside
            yield from self._inside(start.removeprefix(self.OPEN).lstrip("\n"))
        elif self.OPEN.startswith(start):
            self._held = text
        else:
            self._tell = self._after
            yield TextDelta(text)

    def _inside(self, text: str) -> Generator[Event, None, None]:
        thought, closed, rest = text.partition(self.CLOSE)
        if not closed:
            lengths = range(len(self.CLOSE) - 1, 0, -1)
            held = next((length for length in lengths if text.endswith(self.CLOSE[:length])), 0)
            thought, self._held = text[: len(text) - held], text[len(text) - held :]
        if thought:
            yield ReasoningDelta(thought)
        if closed:
            self._tell = self._between
            yield from self._between(rest)

    def _between(self, text: str) -> Generator[Event, None, None]:
        """After the reasoning, where servers leave empty lines."""
        if text := text.lstrip():
            self._tell = self._after
            yield TextDelta(text)

    def _after(self, text: str) -> Generator[Event, None, None]:
        yield TextDelta(text)


def _failure(error: object) -> StreamError:
    if not isinstance(error, dict):
        return StreamError("", str(error))
    return StreamError(text_at(error, "code") or text_at(error, "type"), text_at(error, "message"))


def _usage(usage: Chunk) -> Usage:
    return Usage(
        input=count_at(usage, "prompt_tokens"),
        cached=count_at(object_at(usage, "prompt_tokens_details"), "cached_tokens"),
        output=count_at(usage, "completion_tokens"),
        reasoning=count_at(object_at(usage, "completion_tokens_details"), "reasoning_tokens"),
    )


def _words(content: object) -> str:
    """A text, in whichever form it comes: some send a list of parts."""
    if isinstance(content, str):
        return content
    parts = content if isinstance(content, list) else []
    return "".join(
        part["text"] for part in parts if isinstance(part, dict) and isinstance(part.get("text"), str)
    )
