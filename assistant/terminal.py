"""One turn in a terminal: the same assistant, settings and events as on the page, for scripts and CI.

Not here: anything of Streamlit. The thread is not kept; a recording of the run can be.

The one rule: the answer's text alone goes to standard output, so that it can be piped; all else goes to
standard error. With ``--json`` every event goes to standard output instead, a JSON object in each line.
"""

import argparse
import json
import math
import os
import re
import sys
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import closing, suppress
from dataclasses import asdict, fields
from pathlib import Path
from typing import TextIO

from dotenv import dotenv_values

from assistant import functions
from assistant.backends import open_backend
from assistant.errors import FunctionError, SettingsError
from assistant.events import (
    Citation,
    Event,
    HostedCall,
    Note,
    RefusalDelta,
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
from assistant.recordings.recording import Recording, RecordingError
from assistant.recordings.requests import prompt_of
from assistant.runs.loop import STOPPED, Assistant
from assistant.runs.replay import replay_assistant
from assistant.settings import Settings
from assistant.threads import Thread
from assistant.tools.fault_injection import with_faults
from assistant.tools.toolbox import Toolbox
from assistant.transports.fault_spec import parse_faults
from assistant.transports.live_recording import LiveRecording
from assistant.transports.recorder import record_run

COMPLETED, FAILED, USAGE, LIMITED, PAUSED, INTERRUPTED, UNHEARD = 0, 1, 2, 3, 4, 130, 141
"""The exit statuses. The last two are those of a process that Ctrl-C or a closed pipe has ended."""

LINE_LENGTH = 200
"""Characters of arguments or of an output in a line of standard error."""

DEMO = "The built-in demo answers, a stand-in without a model. Set OPENAI_API_KEY to connect one."

Show = Callable[[Event], None]

_UNPRINTABLE = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]")


def main(arguments: Sequence[str], environment: Mapping[str, str]) -> int:
    """Do what the command line asks for; gives the exit status."""
    for stream in (sys.stdin, sys.stdout, sys.stderr):
        with suppress(AttributeError):  # there is none, or somebody has put something else in its place
            stream.reconfigure(errors="replace")  # type: ignore[union-attr]
    asked = _parser().parse_args(arguments)
    try:
        played = Recording.from_lines(asked.replay.read_text("utf-8")) if asked.replay else None
        prompt = _prompt(asked.prompt, played)
        assistant = replay_assistant(played, speed=math.inf) if played else _assistant(environment)
        file = asked.record.open("w", encoding="utf-8") if asked.record else None
    except (SettingsError, FunctionError, _UsageError) as error:
        return _refuse(str(error))
    except UnicodeDecodeError:
        return _refuse(f"{asked.replay} is not a recording: it is not text.")
    except RecordingError as error:
        return _refuse(f"{asked.replay} is not a recording. {error}")
    except OSError as error:
        return _refuse(f"{error.filename} cannot be used: {error.strerror}.")
    thread, recording = Thread(), LiveRecording()
    show = _show_as_json if asked.json else _Printer(sys.stdout, thread).show
    try:
        return _answer(record_run(assistant.run(thread, prompt), recording), show)
    finally:
        if file:
            with file:
                file.write(recording.as_lines())


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m assistant",
        description="Ask once, and see the answer as it is written. Settings are those of the page.",
        epilog=f"Exit status: {COMPLETED} completed, {FAILED} failed, {USAGE} wrong usage or settings, "
        f"{LIMITED} stopped by a limit, {PAUSED} paused for a person's decision, {INTERRUPTED} interrupted.",
    )
    parser.add_argument("prompt", nargs="?", help="what to say; - or nothing reads it from standard input")
    parser.add_argument("--json", action="store_true", help="print every event, a JSON object in each line")
    parser.add_argument("--record", type=Path, metavar="FILE", help="write a recording of the run")
    parser.add_argument(
        "--replay",
        type=Path,
        metavar="FILE",
        help="replay a recording, without a key and without running its functions",
    )
    return parser


class _UsageError(Exception):
    """There is nothing to do with what was given; the text says what is missing."""


def _prompt(given: str | None, played: Recording | None) -> str:
    """What is said: as an argument, in the recording, or through standard input."""
    if given is None and played:
        prompt = prompt_of(played)
    elif given == "-" or (given is None and not sys.stdin.isatty()):
        prompt = sys.stdin.read()
    else:
        prompt = given or ""
    if not prompt.strip():
        raise _UsageError("There is no prompt. Give one as an argument, or through standard input.")
    return prompt.strip()


def _assistant(environment: Mapping[str, str]) -> Assistant:
    """The assistant that the settings ask for, found where the page finds them."""
    settings = Settings.load(environment, dotenv_values(Path(__file__).parent.with_name(".env")))
    toolbox = Toolbox.from_package(functions)
    try:
        toolbox = with_faults(toolbox, parse_faults(settings.faults))
    except ValueError as error:
        raise SettingsError(f"ASSISTANT_FAULTS cannot be used. {error}") from None
    if settings.demo:
        print(DEMO, file=sys.stderr)
    return Assistant(
        open_backend(settings), toolbox, max_rounds=settings.max_rounds, tool_timeout=settings.tool_timeout
    )


def _refuse(text: str) -> int:
    print(_on_one_line(text), file=sys.stderr)
    return USAGE


def _answer(run: Generator[Event, None, None], show: Show) -> int:
    """Show the run to its end; gives the exit status."""
    status = COMPLETED
    try:
        with closing(run) as events:
            for event in events:
                show(event)
                match event:
                    case RunFailed():
                        status = FAILED
                    case RunStopped():
                        status = LIMITED
                    case RunPaused():
                        status = PAUSED
    except KeyboardInterrupt:
        show(STOPPED)
        return INTERRUPTED
    except BrokenPipeError:
        # Nobody reads any more. Else Python would complain once more when it ends.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return UNHEARD
    return status


def _show_as_json(event: Event) -> None:
    kept = {each.name for each in fields(event) if each.metadata.get("recorded", True)}  # no files
    said = {name: value for name, value in asdict(event).items() if name in kept}
    print(json.dumps({"event": type(event).__name__, **said}), flush=True)


class _Printer:
    """Prints a run as it goes on, for a person to read."""

    def __init__(self, answer: TextIO, thread: Thread) -> None:
        self._answer = answer
        self._thread = thread
        self._kind: type[Event] | None = None  # of the text that was said last
        self._break = False
        self._in_line = False

    def show(self, event: Event) -> None:
        """Print what there is to print of the next event."""
        match event:
            case TextDelta(text) | RefusalDelta(text):
                self._say(type(event), text)
            case RoundStarted(resumed=resumed):
                self._break = not resumed
            case TextBreak():
                self._break = True
            case ToolCall(_, name, arguments):
                self._remark(f"call {name} {arguments}")
            case ToolResult(call_id, output, outcome, detail, seconds):
                names = {call.call_id: call.name for call in self._thread.messages[-1].calls}
                took = "" if seconds is None else f" ({seconds:.3f} s)"
                words = detail if outcome == "failed" and detail else output
                self._remark(f"{outcome} {names.get(call_id, call_id)}{took} {words}")
            case HostedCall(_, kind, name, asked, output, "done" | "failed" as state):
                self._remark(f"{state} {name or kind} {asked} {output}")
            case Citation(_, title, url):
                self._remark(f"source {title} {url}")
            case Note(text):
                self._remark(text)
            case RunPaused():
                waiting = ", ".join(call.name for call in self._thread.open_calls())
                self._remark(f"Paused: a person has to decide on {waiting}. The page can ask one.")
            case RunStopped(_, text) | RunFailed(_, text):
                self._remark(text)
            case RunCompleted():
                self._end_line()

    def _say(self, kind: type[Event], text: str) -> None:
        if not text:
            return
        if self._kind and (self._break or kind is not self._kind):
            self._end_line()
            self._answer.write("\n")
        self._kind, self._break = kind, False
        self._in_line = not text.endswith("\n")
        self._answer.write(_UNPRINTABLE.sub("\ufffd", text))
        self._answer.flush()

    def _remark(self, text: str) -> None:
        self._end_line()
        print(_on_one_line(text), file=sys.stderr, flush=True)

    def _end_line(self) -> None:
        if self._in_line:
            self._in_line = False
            self._answer.write("\n")
            self._answer.flush()


def _on_one_line(text: str) -> str:
    line = _UNPRINTABLE.sub("\ufffd", " ".join(text.split()))
    return line if len(line) <= LINE_LENGTH else f"{line[:LINE_LENGTH]} …"
