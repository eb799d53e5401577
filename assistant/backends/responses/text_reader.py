"""Read the texts of one streamed response: its answer, commentary, refusals, sources and reasoning. Pure: no requests.

A text may come in deltas, whole at its end, in the finished item, or in several of these; it is yielded once.
"""

from collections.abc import Generator
from dataclasses import replace

from assistant.backends.json_access import JsonObject, SurrogateBuffer, join_surrogates, objects_at, text_at
from assistant.backends.responses.hosted import MAX_CITATIONS, parse_citation
from assistant.backends.responses.items import item_keys
from assistant.events import (
    Citation,
    CommentaryDelta,
    Event,
    ReasoningDelta,
    RefusalDelta,
    TextBreak,
    TextDelta,
)


class TextReader:
    """The state of the texts of one response while its events arrive."""

    def __init__(self) -> None:
        self._block: object = None  # the text block of the last text
        self._block_texts: list[str] = []  # the texts of that block so far
        self._shown_blocks: set[object] = set()
        self._shown_items: set[object] = set()  # the keys of their messages; None for one without
        self._reasoning_blocks: set[object] = set()
        self._reasoning_items: set[object] = set()  # the keys of their items; None for one without
        self._commentary: set[object] = set()  # the keys of messages that are not the answer
        self._buffer = SurrogateBuffer()
        self._cited: set[tuple[object, str, Citation]] = set()

    @property
    def has_text(self) -> bool:
        """Whether a text was yielded."""
        return bool(self._shown_blocks)

    @property
    def has_reasoning(self) -> bool:
        """Whether reasoning was yielded."""
        return bool(self._reasoning_blocks)

    def begin_message(self, event: JsonObject, item: JsonObject) -> None:
        """Note that a message begins."""
        self._note_phase(item, event)
        if self._block is not None:
            self._block = "new message"  # also if the server gives it the index of the one before

    def delta(self, event: JsonObject, text: object) -> Generator[Event, None, None]:
        """Yield a piece of a text."""
        block = _block(event)
        if not (delta := self._buffer.feed(block, text)):
            return
        if block != self._block:
            if self._block is not None:
                yield TextBreak()
            self._block, self._block_texts = block, []
        self._block_texts.append(delta)
        keys = set(item_keys(event) or [None])
        self._shown_blocks.add(block)
        self._shown_items |= keys
        if str(event.get("type")).startswith("response.refusal"):
            yield RefusalDelta(delta)
        else:
            yield CommentaryDelta(delta) if self._commentary & keys else TextDelta(delta)

    def whole_text(self, event: JsonObject, text: object) -> Generator[Event, None, None]:
        """Yield a whole text, unless its deltas were yielded, whatever item they named; or what they left out."""
        if not isinstance(text, str):
            return
        if _block(event) not in self._shown_blocks and not self._is_current_text(text):
            yield from self.delta(event, text)
        else:
            yield from self._rest_of_text(event, text)

    def message(self, event: JsonObject, item: JsonObject) -> Generator[Event, None, None]:
        """Yield a complete message, unless a part of it was yielded already."""
        content = item.get("content")
        parts = [part for part in content if isinstance(part, dict)] if isinstance(content, list) else []
        texts = [text_at(part, "refusal") or text_at(part, "text") for part in parts]
        place = {"item_id": item.get("id"), "output_index": event.get("output_index")}
        self._note_phase(item, place)
        is_shown = self._shown_items & {*item_keys(place), None}
        if is_shown or self._is_current_text("".join(texts)):
            for part in parts[-1:]:
                kind = "refusal" if part.get("type") == "refusal" else "output_text"
                last = {"type": f"response.{kind}.done", "content_index": len(parts) - 1, **place}
                yield from self._rest_of_text(last, texts[-1])
                yield from self.cite(last, objects_at(part, "annotations"))
            return
        for index, (part, text) in enumerate(zip(parts, texts, strict=True)):
            kind = "refusal" if part.get("type") == "refusal" else "output_text"
            done = {"type": f"response.{kind}.done", "content_index": index, **place}
            yield from self.delta(done, text)
            yield from self.cite(done, objects_at(part, "annotations"))

    def cite(self, event: JsonObject, annotations: list[JsonObject]) -> Generator[Event, None, None]:
        """Yield the sources of the current text, each once."""
        for annotation in annotations:
            citation = parse_citation(annotation, sum(map(len, self._block_texts)))
            if citation is None or self._block != _block(event) or len(self._cited) >= MAX_CITATIONS:
                continue
            # A citation that came before its text is repeated with the text, at another position.
            place = repr((annotation.get("index"), annotation.get("end_index")))
            keys = {(self._block, "", citation), (self._block, place, replace(citation, at=0))}
            if not keys & self._cited:
                yield citation
            self._cited |= keys

    def reasoning(self, event: JsonObject) -> Generator[Event, None, None]:
        """Yield a piece of the reasoning, after an empty line if it begins another part of it."""
        block = (_item_key(event), _index(event, "summary_index"))
        if text := self._buffer.feed(block, event.get("delta")):
            known = not self._reasoning_blocks or block in self._reasoning_blocks
            self._reasoning_blocks.add(block)
            self._reasoning_items |= set(item_keys(event) or [None])
            yield ReasoningDelta(text if known else "\n\n" + text)

    def reasoning_item(self, event: JsonObject, item: JsonObject) -> Generator[Event, None, None]:
        """Yield the reasoning in a finished item, unless a part of it was yielded already."""
        place = {"item_id": item.get("id"), "output_index": event.get("output_index")}
        if self._reasoning_items & {*item_keys(place), None}:
            return
        for index, part in enumerate(objects_at(item, "summary") or objects_at(item, "content")):
            yield from self.reasoning({"summary_index": index, "delta": part.get("text"), **place})

    def _note_phase(self, item: JsonObject, event: JsonObject) -> None:
        """Record whether a message is commentary; one without a key is the newest."""
        keys = {*item_keys({"item_id": item.get("id"), **event}), None}
        if item.get("phase") == "commentary":
            self._commentary |= keys
        else:
            self._commentary -= keys

    def _rest_of_text(self, event: JsonObject, text: str) -> Generator[Event, None, None]:
        """Yield the end of the current text that its deltas left out."""
        text, streamed = join_surrogates(text), "".join(self._block_texts)
        if _block(event) == self._block and text.startswith(streamed):
            self._buffer.discard(self._block)
            yield from self.delta(event, text[len(streamed) :])

    def _is_current_text(self, text: str) -> bool:
        return join_surrogates(text) == "".join(self._block_texts)


def _item_key(event: JsonObject) -> object:
    """Return the key of an event's item; its index if possible: some servers change the id in every event."""
    return item_keys(event)[-1] if item_keys(event) else None


def _index(event: JsonObject, name: str) -> int | None:
    value = event.get(name)
    return value if isinstance(value, int) else None


def _block(event: JsonObject) -> object:
    """Return the key of an event's text block."""
    return "text", _item_key(event), _index(event, "content_index")
