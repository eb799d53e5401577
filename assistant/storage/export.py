"""A thread as something to take away: Markdown to read, JSON to bring back, a script to run again. Pure.

Not here: buttons and files (the page), or what messages look like as JSON (``transcript.py``).

The one rule: what a model, a function or a file says stays text. It leaves no fence it was put in, runs in
no script, and comes back as whole messages or as one sentence.
"""

import json
import re
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import fields, is_dataclass
from types import UnionType
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from assistant.attachments import is_sound
from assistant.events import (
    CallAnswered,
    CallApproved,
    Citation,
    HostedCall,
    RunCompleted,
    RunFailed,
    RunPaused,
    RunStopped,
)
from assistant.messages import UNSENDABLE, Attachment, Call, Message, Reasoning, Refusal, Remark, Text
from assistant.storage.serialization import (
    branches_as_json,
    branches_from_json,
    message_as_json,
    message_from_json,
)
from assistant.threads import Branches, Thread

FORMAT = "assistant-thread"
VERSION = 1

MOST_CHARACTERS = 50_000_000
"""The longest text that ``from_json`` reads."""

_LINE_END = re.compile(r"\r\n|\r|\n")
_FENCE = re.compile(r"(`{3,})[^`]*$|(~{3,})")
_OPENER = re.compile(r"[\s>*+\-\d.)]*(?:```|~~~|<[A-Za-z/!?])")


# --- Markdown ---------------------------------------------------------------------------------------


def as_markdown(thread: Thread, title: str) -> str:
    """The thread to be read: who said what, every call with its arguments, its output and its time.

    Texts stand as they are, but one that might leave something open, such as a code block without an end,
    is quoted: it would swallow what comes after it.
    """
    blocks = [f"# {_plain(title)}"]
    for message in thread.messages:
        blocks.append("## Person" if message.role == "user" else "## Assistant")
        blocks += _blocks(message)
    return UNSENDABLE.sub("\ufffd", "\n\n".join(blocks) + "\n")


def _blocks(message: Message) -> Iterator[str]:
    for part in message.parts:
        match part:
            case Text(text):
                yield text if _ends_with_itself(text) else _quoted(text)
            case Attachment(name, kind):
                yield f"**Attached** {_code(name)} ({_code(kind)})"
            case Refusal(text):
                yield _quoted(f"**Refused:** {text}")
            case Reasoning(text):
                yield _quoted(f"**Reasoning:** {text}")
            case Remark(text):
                yield _quoted(f"**Note:** {text}")
            case Call():
                yield from _call_blocks(part)
            case HostedCall(_, kind, name, asked, output, state):
                yield f"**Tool of the server** {_code(name or kind)} ({state})"
                yield from (_fenced(text) for text in (asked, output) if text)
            case Citation(_, title, url):
                yield _quoted(f"**Source:** {_plain(title)}{f' {_code(url)}' if url else ''}")
    match message.ending:
        case RunStopped(_, text):
            yield _quoted(f"**Ended early:** {text}")
        case RunFailed(code, text):
            yield _quoted(f"**Failed** ({_code(code)}): {text}")
        case RunPaused():
            yield _quoted("**Paused:** it waits for a decision.")
        case None:
            yield _quoted("**Not ended:** the answer was still being written.")
        case RunCompleted():
            pass


def _call_blocks(call: Call) -> Iterator[str]:
    result = call.result
    state = "no result" if call.asked else "never run: the answer ended while it was being written"
    if result is not None:
        state = result.outcome if result.seconds is None else f"{result.outcome}, {result.seconds:.2f} s"
    yield f"**Call** {_code(call.name)} ({state})"
    yield _fenced(call.arguments)
    match call.decision:
        case CallApproved(_, arguments) if arguments:
            yield "**Arguments** that the person put in their place"
            yield _fenced(arguments)
        case CallAnswered():
            yield "The person answered in the function's place."
    if result is not None:
        yield f"**Output** of {_code(call.name)}"
        yield _fenced(result.output)
        if result.detail:
            yield "**Detail**, which the model was not given"
            yield _fenced(result.detail)
        for view in result.views:
            yield f"**Shown** to the person: {view.kind}{f' {_code(view.name)}' if view.name else ''}"


def _fenced(text: str) -> str:
    """The text in a code block whose fence is longer than any run of backticks inside."""
    fence = "`" * max(3, _longest_run(text) + 1)
    return f"{fence}{'json' if _is_json(text) else 'text'}\n{text}\n{fence}"


def _quoted(text: str) -> str:
    """The text in a block quote, whose end ends whatever was opened inside."""
    return "\n".join(f"> {line}" if line else ">" for line in _LINE_END.split(text))


def _code(text: str) -> str:
    """The text on one line, as code inside a sentence."""
    line = " ".join(text.split())
    ticks = "`" * (_longest_run(line) + 1)
    space = " " if not line or line[0] == "`" or line[-1] == "`" else ""
    return f"{ticks}{space}{line}{space}{ticks}"


def _plain(text: str) -> str:
    """The text on one line, meaning nothing in Markdown or HTML."""
    return re.sub(r"([\\`*_\[\]<>#&|~])", r"\\\1", " ".join(text.split()))


def _longest_run(text: str) -> int:
    return max((len(run) for run in re.findall("`+", text)), default=0)


def _is_json(text: str) -> bool:
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return False
    return True


def _ends_with_itself(text: str) -> bool:
    """Whether it is certain that no code block and no HTML of this text goes on behind its end.

    Certain are fences at the very beginning of a line; all others depend on the lists and quotes around them.
    """
    fence = ""
    for line in _LINE_END.split(text):
        if fence:
            end = line.strip(" \t")
            if len(end) >= len(fence) and not end.strip(fence[0]) and re.match(" {0,3}[`~]", line):
                fence = ""
        elif opening := _FENCE.match(line):
            fence = opening[1] or opening[2]
        elif _OPENER.match(line):
            return False
    return not fence


# --- JSON -------------------------------------------------------------------------------------------


def as_json(thread: Thread, title: str) -> str:
    """The whole thread as plain ASCII, one line a message.

    format    "assistant-thread"
    version   1; a reader refuses a higher one
    title     the thread's title
    messages  what was said, oldest first; each is an object that names its ``type`` (``transcript.py``)
    branches  what else was said, in branches that are not open; left out where there are none
    backend_state  the backend's own notes and items, to be looked at: ``from_json`` does not bring them back;
              left out where they are nested too deeply to be written
    """
    messages = ",\n".join(_line(message_as_json(message)) for message in thread.messages)
    lines = [
        f'"format": {_line(FORMAT)}',
        f'"version": {_line(VERSION)}',
        f'"title": {_line(title)}',
        f'"messages": [\n{messages}\n]',
    ]
    if thread.branches:
        told = ({**each, "backend_state": {}} for each in branches_as_json(thread.branches))
        branches = ",\n".join(map(_line, told))
        lines.append(f'"branches": [\n{branches}\n]')
    with suppress(RecursionError):
        lines.append(f'"backend_state": {_line(thread.backend_state)}')
    return "{\n" + ",\n".join(lines) + "\n}\n"


def _line(value: Any) -> str:
    """The value as JSON that everybody can read: a number that JSON does not have becomes null."""
    try:
        return json.dumps(value, allow_nan=False)
    except ValueError:
        return json.dumps(json.loads(json.dumps(value), parse_constant=lambda _: None))


def from_json(text: str) -> tuple[Thread, str]:
    """The thread that ``as_json`` wrote, as a new one, and its title.

    It has no id, and a backend knows nothing of it: its next message begins a conversation, in which the
    server is told all that was said before.

    Raises:
        ValueError: It cannot be read; the text is a sentence for the person.
    """
    if len(text) > MOST_CHARACTERS:
        raise ValueError("This file is too large: a thread to be imported may have 50 MB.")
    try:
        try:
            value = json.loads(text.removeprefix("\ufeff"))
        except ValueError as error:
            raise ValueError("This file is not JSON.") from error
        if not isinstance(value, dict) or value.get("format") != FORMAT:
            raise ValueError("This file is not a thread that was exported from this application.")
        version, title, written = value.get("version"), value.get("title"), value.get("messages")
        if type(version) is int and version > VERSION:
            raise ValueError("This thread was exported by a later version of this application.")
        if type(version) is not int or version != VERSION or not isinstance(title, str):
            raise ValueError("This thread is damaged: its version or its title is missing.")
        if not isinstance(written, list):
            raise ValueError("This thread is damaged: its messages are missing.")
        thread = Thread(messages=[_message(each, number) for number, each in enumerate(written, 1)])
        thread.branches = _branches(value.get("branches") or [], len(thread.messages))
        return thread, title
    except RecursionError as error:
        raise ValueError("This file is nested too deeply to be a thread.") from error


def _message(written: Any, number: int) -> Message:
    """A message that is what the rest of this package takes every message to be."""
    try:
        message = message_from_json(written)
    except ValueError as error:
        raise ValueError(f"This thread is damaged: its message {number} cannot be read.") from error
    if not _fits(message, Message) or not _makes_sense(message):
        raise ValueError(f"This thread is damaged: its message {number} cannot be read.")
    return message


def _branches(written: Any, length: int) -> Branches:
    """Branches whose messages are what the rest of this package takes every message to be."""
    try:
        branches = branches_from_json([{**each, "backend_state": {}} for each in written], length)
    except (TypeError, ValueError) as error:
        raise ValueError("This thread is damaged: its branches cannot be read.") from error
    for branch in Thread(branches=branches).each_branch():
        if not all(_fits(message, Message) and _makes_sense(message) for message in branch.messages):
            raise ValueError("This thread is damaged: a message in its branches cannot be read.")
    return branches


def _makes_sense(message: Message) -> bool:
    """Whether results belong to their calls, files to a person, and the person's message has its end."""
    if message.attachments and (message.role == "assistant" or not all(map(is_sound, message.attachments))):
        return False
    calls = [part for part in message.parts if isinstance(part, Call)]
    return (message.role == "assistant" or message.ending is not None) and all(
        each is None or (call.asked and each.call_id == call.call_id)
        for call in calls
        for each in (call.result, call.decision)
    )


def _fits(value: Any, hint: Any) -> bool:
    """Whether a value is of the type that this hint names, all the way down."""
    kind, inner = get_origin(hint), get_args(hint)
    if kind in (Union, UnionType):
        return any(_fits(value, each) for each in inner)
    if kind is Literal:
        return isinstance(value, str) and value in inner
    if kind is list:
        return isinstance(value, list) and all(_fits(each, inner[0]) for each in value)
    if kind is tuple:
        return isinstance(value, tuple) and all(_fits(each, inner[0]) for each in value)
    if is_dataclass(hint):
        hints = get_type_hints(hint)
        return type(value) is hint and all(
            _fits(getattr(value, field.name), hints[field.name]) for field in fields(hint)
        )
    if hint is float:
        return type(value) in (int, float) and abs(value) < 1e18  # neither endless nor "not a number"
    return type(value) is hint
