"""The command line: one turn with the same assistant, settings and events as on the page.

Standard output has the answer's text and nothing else, so that it can be piped; calls and notes go to
standard error. With ``--json`` standard output has every event, one JSON object per line. The thread is not
stored; ``--record`` writes a recording of the run. ``demo`` as the first argument serves the demo instead,
``end-sessions`` ends sessions of the page, and ``backup`` copies its database.
"""

import argparse
import json
import math
import os
import re
import sys
import tomllib
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import asdict, fields
from pathlib import Path
from typing import TextIO

from dotenv import dotenv_values

from assistant import functions
from assistant.access.sessions import EVERYONE, end_sessions, parse_entries
from assistant.backends import open_backend
from assistant.errors import FunctionError, QuotaError, SettingsError, StoreError
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
from assistant.observability.audit import AuditLog, Visitor
from assistant.recordings.recording import Recording, RecordingError
from assistant.recordings.requests import prompt_of
from assistant.runs.assistant import Assistant
from assistant.runs.replay import replay_assistant
from assistant.runs.run import STOPPED, Run
from assistant.settings import Settings
from assistant.storage.backup import back_up
from assistant.storage.database import Database, default_url, existing_url
from assistant.threads import Thread
from assistant.tools.fault_injection import with_faults
from assistant.tools.toolbox import Toolbox
from assistant.transports.fault_spec import parse_faults
from assistant.transports.live_recording import LiveRecording
from assistant.transports.recorder import record_run

COMPLETED, FAILED, USAGE, STOPPED_EARLY, PAUSED, INTERRUPTED, BROKEN_PIPE = 0, 1, 2, 3, 4, 130, 141
"""The exit statuses; the last two are 128 plus the number of SIGINT or SIGPIPE."""

ROOT = Path(__file__).parent.parent

MAX_LINE_CHARS = 200  # maximum length of a line on standard error

DEMO_NOTICE = "Demo mode: scripted replies, no model. Set OPENAI_API_KEY to connect to a model."

ShowEvent = Callable[[Event], None]

_UNPRINTABLE = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]")


def main(arguments: Sequence[str], environment: Mapping[str, str]) -> int:
    """Run the command line and return the exit status."""
    for stream in (sys.stdin, sys.stdout, sys.stderr):
        with suppress(AttributeError):  # the stream is missing or replaced
            stream.reconfigure(errors="replace")  # type: ignore[union-attr]
    if arguments[:1] == ["demo"]:
        from assistant.demo import server  # not loaded otherwise

        return server.main(arguments[1:])
    if arguments[:1] == ["end-sessions"]:
        return _end_sessions(arguments[1:], environment)
    if arguments[:1] == ["backup"]:
        return _back_up(arguments[1:], environment)
    options = _parser().parse_args(arguments)
    try:
        replayed = Recording.from_lines(options.replay.read_text("utf-8")) if options.replay else None
        prompt = _prompt(options.prompt, replayed)
        settings = Settings() if replayed else _settings(environment)
        assistant = replay_assistant(replayed, speed=math.inf) if replayed else _assistant(settings)
        file = options.record.open("w", encoding="utf-8") if options.record else None
    except (SettingsError, FunctionError, _UsageError) as error:
        return _usage_error(str(error))
    except UnicodeDecodeError:
        return _usage_error(f"{options.replay} is not a recording: it is not text.")
    except RecordingError as error:
        return _usage_error(f"{options.replay} is not a recording. {error}")
    except OSError as error:
        return _usage_error(f"{error.filename} cannot be used: {error.strerror}.")
    thread, recording = Thread(), LiveRecording()
    show = _print_json if options.json else _Printer(sys.stdout, thread).show
    try:
        with _within_budget(settings, assistant.run(thread, prompt), assistant.toolbox) as run:
            return _show_run(record_run(run, recording), show)
    except (QuotaError, StoreError) as error:
        print(_one_line(str(error)), file=sys.stderr)
        return STOPPED_EARLY
    finally:
        if file:
            with file:
                file.write(recording.as_lines())


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m assistant",
        description="Send one message and print the answer as it streams in. Settings are as on the page.",
        epilog=f"Exit status: {COMPLETED} completed, {FAILED} failed, {USAGE} wrong usage or settings, "
        f"{STOPPED_EARLY} stopped by a limit, {PAUSED} paused for approval, {INTERRUPTED} interrupted. "
        "python -m assistant demo serves the built-in demo over HTTP, python -m assistant end-sessions ends sessions "
        "of the page, and python -m assistant backup copies its database; see their --help.",
    )
    parser.add_argument("prompt", nargs="?", help="the message; - or nothing reads it from standard input")
    parser.add_argument("--json", action="store_true", help="print every event, one JSON object per line")
    parser.add_argument("--record", type=Path, metavar="FILE", help="write a recording of the run")
    parser.add_argument(
        "--replay", type=Path, metavar="FILE", help="replay a recording, without a key and without functions"
    )
    return parser


def _end_sessions(arguments: Sequence[str], environment: Mapping[str, str]) -> int:
    """End sessions in the database of the page, and return the exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m assistant end-sessions",
        description="End the sessions that users of the page have opened until now: they have to log in again.",
    )
    parser.add_argument(
        "users",
        nargs="*",
        help="addresses, domains such as @example.com, or ids of signed-in users as in the audit log",
    )
    parser.add_argument(
        "--all", action="store_true", help="of all users, also of those with a shared password"
    )
    options = parser.parse_args(arguments)
    if options.all == bool(options.users):
        return _usage_error("Say whose sessions end: users, or --all.")
    try:
        entries = (EVERYONE,) if options.all else parse_entries(options.users)
        settings = _settings(environment)
        database = Database(existing_url(settings.database_url or default_url(ROOT)))
        end_sessions(database, entries)
        database.close()
    except ValueError as error:
        return _usage_error(f"{error} is no address, no domain and no id of a user.")
    except (SettingsError, StoreError) as error:
        return _usage_error(str(error))
    print(f"Ended in {database.name}: {'all sessions' if options.all else ', '.join(entries)}")
    try:
        who = Visitor(user="command line")
        AuditLog(settings.audit_log).write(
            "sessions_ended", who, users=list(entries) if options.users else ["*"]
        )
    except OSError as error:
        print(f"The audit log cannot be written: {error.strerror}.", file=sys.stderr)
    return COMPLETED


def _back_up(arguments: Sequence[str], environment: Mapping[str, str]) -> int:
    """Copy the database of the page to a file, and return the exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m assistant backup",
        description="Copy the SQLite database of the page to a new file, also while the page runs.",
    )
    parser.add_argument("file", type=Path)
    options = parser.parse_args(arguments)
    try:
        settings = _settings(environment)
        back_up(settings.database_url or default_url(ROOT), options.file)
    except (SettingsError, StoreError) as error:
        return _usage_error(str(error))
    print(f"Backed up to {options.file}.")
    return COMPLETED


def _settings(environment: Mapping[str, str]) -> Settings:
    """Return the settings as on the page: from the environment, Streamlit's secrets and ``.env``."""
    secrets: dict[str, object] = {}
    for folder in (ROOT, Path.home()):
        with suppress(OSError):
            secrets = tomllib.loads((folder / ".streamlit/secrets.toml").read_text("utf-8")) | secrets
    return Settings.load(environment, secrets, dotenv_values(ROOT / ".env"))


class _UsageError(Exception):
    """The arguments are incomplete; the text says what is missing."""


def _prompt(argument: str | None, replayed: Recording | None) -> str:
    """Return the message: the argument, the recorded prompt or standard input."""
    if argument is None and replayed:
        prompt = prompt_of(replayed)
    elif argument == "-" or (argument is None and not sys.stdin.isatty()):
        prompt = sys.stdin.read()
    else:
        prompt = argument or ""
    if not prompt.strip():
        raise _UsageError("There is no prompt. Pass it as an argument or through standard input.")
    return prompt.strip()


@contextmanager
def _within_budget(settings: Settings, run: Run, toolbox: Toolbox) -> Iterator[Run]:
    """Yield the run, which is counted in the page's database and ends at the budget, where there is one.

    Raises:
        QuotaError: The budget does not allow it.
        StoreError: The database cannot be used.
    """
    if settings.demo or not settings.budget:
        yield run
        return
    from assistant.access.metering import Meter  # not loaded otherwise
    from assistant.access.quotas import QuotaGuard
    from assistant.access.usage_store import UsageStore

    with closing(Database(settings.database_url or default_url(ROOT))) as database:
        usage, limit = UsageStore(database), settings.output_limit
        quota = QuotaGuard("terminal", (), settings.budget, settings.model, usage, limit)
        schemas = json.dumps([tool.as_param() for tool in toolbox.values()])
        meter = Meter(quota, run.thread, settings.instructions + schemas)
        meter.admit()
        yield run.through(meter.measure)


def _assistant(settings: Settings) -> Assistant:
    """Return the assistant for these settings."""
    toolbox = Toolbox.from_package(functions)
    try:
        toolbox = with_faults(toolbox, parse_faults(settings.faults))
    except ValueError as error:
        raise SettingsError(f"ASSISTANT_FAULTS cannot be used. {error}") from None
    if settings.demo:
        print(DEMO_NOTICE, file=sys.stderr)
    return Assistant(
        open_backend(settings), toolbox, max_rounds=settings.max_rounds, tool_timeout=settings.tool_timeout
    )


def _usage_error(text: str) -> int:
    print(_one_line(text), file=sys.stderr)
    return USAGE


def _show_run(run: Generator[Event, None, None], show: ShowEvent) -> int:
    """Show the run to its end and return the exit status."""
    status = COMPLETED
    try:
        with closing(run) as events:
            for event in events:
                show(event)
                match event:
                    case RunFailed():
                        status = FAILED
                    case RunStopped() if not event.is_steered:
                        status = STOPPED_EARLY
                    case RunPaused():
                        status = PAUSED
    except KeyboardInterrupt:
        show(STOPPED)
        return INTERRUPTED
    except BrokenPipeError:
        # Otherwise Python reports the closed pipe again when it exits.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return BROKEN_PIPE
    return status


def _print_json(event: Event) -> None:
    names = {field.name for field in fields(event) if field.metadata.get("recorded", True)}  # without files
    values = {name: value for name, value in asdict(event).items() if name in names}
    print(json.dumps({"event": type(event).__name__, **values}), flush=True)


class _Printer:
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
        self._output.write(_UNPRINTABLE.sub("\ufffd", text))
        self._output.flush()

    def _print_line(self, text: str) -> None:
        self._end_line()
        print(_one_line(text), file=sys.stderr, flush=True)

    def _end_line(self) -> None:
        if self._in_line:
            self._in_line = False
            self._output.write("\n")
            self._output.flush()


def _one_line(text: str) -> str:
    line = _UNPRINTABLE.sub("\ufffd", " ".join(text.split()))
    return line if len(line) <= MAX_LINE_CHARS else f"{line[:MAX_LINE_CHARS]} …"
