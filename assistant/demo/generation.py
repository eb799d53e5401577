"""A response that is being generated at the pace of a model, and the stream of its events.

A response is decided before its first event is sent; streaming only delays it. A stream that is closed early ends
its generation, which stores nothing; in background mode the generation goes on. A response is stored before its
last event is sent, so that the client can continue from it as soon as it has read the event.
"""

import json
import threading
import time
from collections.abc import Callable, Iterator, Sequence

import httpx2

from assistant.demo.items import CALL_TYPES, Json
from assistant.demo.stream_events import stream_events

HOSTED_TOOL_TOKENS = 30
"""Duration of a web search or a partial image, in tokens."""

_DELAYED = (".delta", ".partial_image", "web_search_call.completed")
_FINAL = ("response.completed", "response.incomplete")


class Generation:
    """The generation of one response, with the items that led to it."""

    def __init__(self, response: Json, items: Sequence[Json], pace: float, store: Callable[[], None]) -> None:
        """``response`` is complete, ``pace`` is in seconds per token, and ``store`` is called when it ends well."""
        self.response = response
        self.items = list(items)
        self.cancelled = threading.Event()
        self.is_complete = False
        self.chars = 0
        """The length of the prompt."""
        self._begun = response | {
            "status": "in_progress",
            "output": [],
            **dict.fromkeys(("completed_at", "incomplete_details", "usage")),
        }
        self._pace, self._store = pace, store
        self._began = time.monotonic()

    @property
    def is_running(self) -> bool:
        """Whether the response is neither complete nor cancelled."""
        return not self.is_complete and not self.cancelled.is_set()

    @property
    def kept_output(self) -> list[Json]:
        """The output that later requests continue from; calls of a response that was cut off are dropped."""
        output: list[Json] = self.response["output"]
        if self.response["status"] == "completed":
            return output
        return [item for item in output if item["type"] not in (*CALL_TYPES, "program")]

    def as_json(self) -> Json:
        """Return the response object as it is now."""
        if self.is_complete:
            return self.response
        return self._begun | {"status": "cancelled" if self.cancelled.is_set() else "in_progress"}

    def events(self) -> Iterator[tuple[float, Json]]:
        """Yield every event with the time at which it is due."""
        due = self._began
        for number, event in enumerate(stream_events(self._begun, self.response)):
            if event["type"].endswith(_DELAYED):
                due += self._pace * (1 if event["type"].endswith(".delta") else HOSTED_TOOL_TOKENS)
            yield due, event | {"sequence_number": number}

    def complete(self) -> None:
        """Store the response, unless it has ended."""
        if self.is_running:
            self.is_complete = True
            self._store()

    def interrupt(self, items: int) -> None:
        """End the response early, after so many output items, because the user steers it; store it."""
        ending = {"status": "incomplete", "incomplete_details": {"reason": "steered"}, "completed_at": None}
        self.response = self.response | ending | {"output": self.response["output"][:items]}
        self.complete()

    def complete_if_due(self) -> None:
        """Complete a response in background mode, which needs no reader, when its time has come."""
        if self.is_running and max(due for due, _ in self.events()) <= time.monotonic():
            self.complete()


class EventStream(httpx2.SyncByteStream):
    """The server-sent events of a generation after the event with the number ``after``."""

    def __init__(self, generation: Generation, lock: threading.Lock, after: int = -1) -> None:
        self._generation, self._lock, self._after = generation, lock, after

    def __iter__(self) -> Iterator[bytes]:
        for event in self.events():
            yield f"event: {event['type']}\ndata: {json.dumps(event)}\n\n".encode()
            if event["type"] in _FINAL:
                yield b"data: [DONE]\n\n"

    @property
    def response(self) -> Json:
        """The response object, as it is at its end."""
        return self._generation.response

    def interrupt(self, items: int) -> Json:
        """End the response early, after so many output items, and return it; its last event is not sent."""
        with self._lock:
            self._generation.interrupt(items)
        return self._generation.response

    def events(self) -> Iterator[Json]:
        """Yield each event when it is due; the last one completes the response."""
        generation = self._generation
        for due, event in generation.events():
            if event["sequence_number"] <= self._after:
                continue
            if (seconds := due - time.monotonic()) > 0:
                generation.cancelled.wait(seconds)
            with self._lock:
                if generation.cancelled.is_set():
                    return
                if event["type"] in _FINAL:
                    generation.complete()
            yield event

    def close(self) -> None:
        if not self._generation.is_complete and not self._generation.response["background"]:
            self._generation.cancelled.set()
