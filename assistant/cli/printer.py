"""Print a run: as text for people, or as JSON."""

import json
from dataclasses import asdict, fields
from typing import TextIO

from assistant.cli.common import UNPRINTABLE, print_error
from assistant.events import (
    Citation,
    CommentaryDelta,
    Event,
    HostedCall,
    Note,
    RefusalDelta,
    RetryScheduled,
    RoundStarted,
    RunCompleted,
    RunFailed,
    RunPaused,
    RunStopped,
    TextBreak,
    TextDelta,
    ToolCall,
    ToolResult,
)
from assistant.threads import Thread


def print_json(event: Event) -> None:
    """Print the event as one line of JSON."""
    names = {field.name for field in fields(event) if field.metadata.get("recorded", True)}  # without files
    values = {name: value for name, value in asdict(event).items() if name in names}
    print(json.dumps({"event": type(event).__name__, **values}), flush=True)


class Printer:
    """Prints a run for people to read."""

    def __init__(self, output: TextIO, thread: Thread) -> None:
        self._output = output
        self._thread = thread
        self._last_kind: type[Event] | None = None  # of the last text: an answer or a refusal
        self._needs_break = False
        self._in_line = False

    def show(self, event: Event) -> None:
        """Print the event if it is worth a line."""
        match event:
            case TextDelta(text) | RefusalDelta(text) | CommentaryDelta(text):
                self._print_text(type(event), text)
            case RoundStarted(resumed=resumed):
                self._needs_break = not resumed
            case TextBreak():
                self._needs_break = True
            case ToolCall(_, name, arguments):
                self._print_line(f"call {name} {arguments}")
            case ToolResult(call_id, output, outcome, detail, seconds):
                names_by_id = {call.call_id: call.name for call in self._thread.messages[-1].calls}
                duration = "" if seconds is None else f" ({seconds:.3f} s)"
                text = detail if outcome == "failed" and detail else output
                self._print_line(f"{outcome} {names_by_id.get(call_id, call_id)}{duration} {text}")
            case HostedCall(_, kind, name, arguments, output, "done" | "failed" as state):
                self._print_line(f"{state} {name or kind} {arguments} {output}")
            case Citation(_, title, url):
                self._print_line(f"source {title} {url}")
            case Note(text) | RetryScheduled(reason=text):
                self._print_line(text)
            case RunPaused():
                names = ", ".join(call.name for call in self._thread.messages[-1].undecided_calls)
                self._print_line(f"Paused for approval of {names}, which only the page can ask for.")
            case RunStopped(_, text) | RunFailed(_, text):
                self._print_line(text)
            case RunCompleted():
                self._end_line()

    def _print_text(self, kind: type[Event], text: str) -> None:
        if not text:
            return
        if self._last_kind and (self._needs_break or kind is not self._last_kind):
            self._end_line()
            self._output.write("\n")
        self._last_kind, self._needs_break = kind, False
        self._in_line = not text.endswith("\n")
        self._output.write(UNPRINTABLE.sub("\ufffd", text))
        self._output.flush()

    def _print_line(self, text: str) -> None:
        self._end_line()
        print_error(text)

    def _end_line(self) -> None:
        if self._in_line:
            self._in_line = False
            self._output.write("\n")
            self._output.flush()
