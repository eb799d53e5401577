"""Export a thread as Markdown to read.

Whatever a model, a function or a file says stays text: it cannot break out of its block.
"""

import re
from collections.abc import Iterator

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
from assistant.json_values import parse_json
from assistant.messages import Message
from assistant.parts import Attachment, Call, Commentary, Reasoning, Refusal, Remark, Text
from assistant.texts import replace_unsendable
from assistant.threads import Thread

_LINE_END = re.compile(r"\r\n|\r|\n")
_FENCE = re.compile(r"(`{3,})[^`]*$|(~{3,})")
_OPENER = re.compile(r"[\s>*+\-\d.)]*(?:```|~~~|<[A-Za-z/!?])")


def export_markdown(thread: Thread, title: str) -> str:
    """Return the open branch as Markdown: all texts, and every call with its arguments, output and time.

    A text is inserted unchanged, unless it may leave something open, such as a code block without an end.
    Such a text is quoted, or it would swallow what follows.
    """
    blocks = [f"# {_escape(title)}"]
    for message in thread.messages:
        blocks.append("## User" if message.role == "user" else "## Assistant")
        blocks += _message_blocks(message)
    return replace_unsendable("\n\n".join(blocks) + "\n")


def _message_blocks(message: Message) -> Iterator[str]:
    for part in message.parts:
        match part:
            case Text(text):
                yield text if _is_closed(text) else _quoted(text)
            case Attachment(name, kind):
                yield f"**Attached** {_code(name)} ({_code(kind)})"
            case Refusal(text):
                yield _quoted(f"**Refused:** {text}")
            case Commentary(text):
                yield _quoted(text)
            case Reasoning(text):
                yield _quoted(f"**Reasoning:** {text}")
            case Remark(text):
                yield _quoted(f"**Note:** {text}")
            case Call():
                yield from _call_blocks(part)
            case HostedCall(_, kind, name, request, output, state):
                yield f"**Hosted tool** {_code(name or kind)} ({state})"
                yield from (_fenced(text) for text in (request, output) if text)
            case Citation(_, title, url):
                yield _quoted(f"**Source:** {_escape(title)}{f' {_code(url)}' if url else ''}")
    match message.ending:
        case RunStopped("steered", text):
            yield _quoted(text)
        case RunStopped(_, text):
            yield _quoted(f"**Ended early:** {text}")
        case RunFailed(code, text):
            yield _quoted(f"**Failed** ({_code(code)}): {text}")
        case RunPaused():
            yield _quoted("**Paused:** waiting for a decision.")
        case None:
            yield _quoted("**Unfinished:** the answer was still being written.")
        case RunCompleted():
            pass


def _call_blocks(call: Call) -> Iterator[str]:
    result = call.result
    state = "no result" if call.complete else "not run: the answer ended while the model was writing the call"
    if result is not None:
        state = result.outcome if result.seconds is None else f"{result.outcome}, {result.seconds:.2f} s"
    yield f"**Call** {_code(call.name)} ({state})"
    yield _fenced(call.arguments)
    match call.decision:
        case CallApproved(_, arguments) if arguments:
            yield "**Arguments** changed by the user"
            yield _fenced(arguments)
        case CallAnswered():
            yield "The user provided the result."
    if result is not None:
        yield f"**Output** of {_code(call.name)}"
        yield _fenced(result.output)
        if result.detail:
            yield "**Detail** (not sent to the model)"
            yield _fenced(result.detail)
        for view in result.views:
            yield f"**Shown** to the user: {view.kind}{f' {_code(view.name)}' if view.name else ''}"


def _fenced(text: str) -> str:
    """Return the text in a code block whose fence is longer than any run of backticks inside."""
    fence = "`" * max(3, _longest_run(text) + 1)
    return f"{fence}{'text' if parse_json(text) is None else 'json'}\n{text}\n{fence}"


def _quoted(text: str) -> str:
    """Return the text as a block quote, whose end closes whatever the text leaves open."""
    return "\n".join(f"> {line}" if line else ">" for line in _LINE_END.split(text))


def _code(text: str) -> str:
    """Return the text as inline code on one line."""
    line = " ".join(text.split())
    ticks = "`" * (_longest_run(line) + 1)
    space = " " if not line or line[0] == "`" or line[-1] == "`" else ""
    return f"{ticks}{space}{line}{space}{ticks}"


def _escape(text: str) -> str:
    """Return the text on one line, escaped for Markdown and HTML."""
    return re.sub(r"([\\`*_\[\]<>#&|~])", r"\\\1", " ".join(text.split()))


def _longest_run(text: str) -> int:
    return max((len(run) for run in re.findall("`+", text)), default=0)


def _is_closed(text: str) -> bool:
    """Return whether the text certainly leaves no code block and no HTML open.

    Only fences at the start of a line are certain. Others depend on the lists and quotes around them.
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
