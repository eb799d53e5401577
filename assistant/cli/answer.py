"""Answer one message, or replay a recording."""

import argparse
import json
import math
import os
import sys
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from pathlib import Path

from assistant import functions
from assistant.backends import open_backend
from assistant.cli.common import (
    BROKEN_PIPE,
    COMPLETED,
    FAILED,
    INTERRUPTED,
    PAUSED,
    ROOT,
    STOPPED_EARLY,
    USAGE,
    load_settings,
    print_error,
    usage_error,
)
from assistant.cli.printer import Printer, print_json
from assistant.errors import FunctionError, QuotaError, SettingsError, StoreError
from assistant.events import Event, RunFailed, RunPaused, RunStopped
from assistant.recordings.recording import Recording, RecordingError
from assistant.recordings.requests import prompt_of
from assistant.runs.assistant import Assistant
from assistant.runs.replay import replay_assistant
from assistant.runs.run import STOPPED, Run
from assistant.settings import Settings
from assistant.storage.database import Database, default_url
from assistant.threads import Thread
from assistant.tools.fault_injection import with_faults
from assistant.tools.toolbox import Toolbox
from assistant.transports.fault_spec import parse_faults
from assistant.transports.live_recording import LiveRecording
from assistant.transports.recorder import record_run

DEMO_NOTICE = "Demo mode: scripted replies, no model. Set OPENAI_API_KEY to connect to a model."

ShowEvent = Callable[[Event], None]


def answer(arguments: Sequence[str], environment: Mapping[str, str]) -> int:
    """Answer the message in the arguments, print the answer, and return the exit status."""
    options = _parser().parse_args(arguments)
    try:
        replayed = Recording.from_lines(options.replay.read_text("utf-8")) if options.replay else None
        prompt = _prompt(options.prompt, replayed)
        settings = Settings() if replayed else load_settings(environment)
        assistant = replay_assistant(replayed, speed=math.inf) if replayed else _assistant(settings)
        file = options.record.open("w", encoding="utf-8") if options.record else None
    except (SettingsError, FunctionError, _UsageError) as error:
        return usage_error(str(error))
    except UnicodeDecodeError:
        return usage_error(f"{options.replay} is not a recording: it is not text.")
    except RecordingError as error:
        return usage_error(f"{options.replay} is not a recording. {error}")
    except OSError as error:
        return usage_error(f"{error.filename} cannot be used: {error.strerror}.")
    thread, recording = Thread(), LiveRecording()
    show = print_json if options.json else Printer(sys.stdout, thread).show
    try:
        with _within_budget(settings, assistant.run(thread, prompt), assistant.toolbox) as run:
            return _show_run(record_run(run, recording), show)
    except (QuotaError, StoreError) as error:
        print_error(str(error))
        return STOPPED_EARLY
    finally:
        if file:
            with file:
                file.write(recording.as_lines())


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m assistant",
        description="Send one message and print the answer as it streams in. Settings are as on the page.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog=f"""\
other commands, each with its own --help:
  demo          serve the built-in demo, to develop clients against it
  end-sessions  end sessions of the page
  backup        copy the page's database

exit status: {COMPLETED} completed, {FAILED} failed, {USAGE} wrong usage or settings, {STOPPED_EARLY} stopped by a limit,
  {PAUSED} paused for approval, {INTERRUPTED} interrupted""",
    )
    parser.add_argument("prompt", nargs="?", help="the message; - or nothing reads it from standard input")
    parser.add_argument("--json", action="store_true", help="print every event, one JSON object per line")
    parser.add_argument("--record", type=Path, metavar="FILE", help="write a recording of the run")
    parser.add_argument(
        "--replay", type=Path, metavar="FILE", help="replay a recording, without a key and without functions"
    )
    return parser


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
