"""Export a thread as JSON, and import it again.

An imported thread is complete and valid, or it is refused with one sentence.
"""

import json
from contextlib import suppress
from typing import Any

from assistant.errors import ThreadImportError
from assistant.json_values import count_values, is_too_deep
from assistant.locale import N_
from assistant.messages import Message
from assistant.parts import Call
from assistant.request_options import RequestOptions
from assistant.storage.serialization import (
    branches_as_json,
    branches_from_json,
    message_as_json,
    message_from_json,
    options_as_json,
    options_from_json,
)
from assistant.threads import Branches, Thread
from assistant.uploads import is_valid_attachment

FORMAT = "assistant-thread"
VERSION = 1

MAX_IMPORT_CHARS = 50_000_000

MAX_IMPORT_VALUES = 2_000_000
"""Maximum number of JSON values, and of commas in texts, in a chat to import."""

MAX_IMPORT_MESSAGES = 10_000


def export_json(thread: Thread, title: str) -> str:
    """Return the whole thread as ASCII, one line per message.

    format         "assistant-thread"
    version        1; readers refuse a higher one
    title          the thread's title
    messages       the open branch, oldest first (``serialization.py``)
    options        what the chat's requests change of the settings; left out where that is nothing
    branches       the closed branches; left out where there are none
    backend_state  the backend's data, for inspection: it is not imported; left out where it is nested too deeply
    """
    messages = ",\n".join(_line(message_as_json(message)) for message in thread.messages)
    lines = [
        f'"format": {_line(FORMAT)}',
        f'"version": {_line(VERSION)}',
        f'"title": {_line(title)}',
        f'"messages": [\n{messages}\n]',
    ]
    if options := options_as_json(thread.options):
        lines.append(f'"options": {_line(options)}')
    if thread.branches:
        values = ({**value, "backend_state": {}} for value in branches_as_json(thread.branches))
        branches = ",\n".join(map(_line, values))
        lines.append(f'"branches": [\n{branches}\n]')
    with suppress(RecursionError):
        lines.append(f'"backend_state": {_line(thread.backend_state)}')
    return "{\n" + ",\n".join(lines) + "\n}\n"


def _line(value: Any) -> str:
    """Return the value as standard JSON: infinities and NaN become null."""
    try:
        return json.dumps(value, allow_nan=False)
    except ValueError:
        return json.dumps(json.loads(json.dumps(value), parse_constant=lambda _: None))


def import_json(text: str) -> tuple[Thread, str]:
    """Return a new thread with the messages and branches of an exported one, and its title.

    It has no id and no backend state: its next message starts a conversation in which the server receives the
    whole history.

    Raises:
        ThreadImportError: The text is not an exported thread of this version.
    """
    if len(text) > MAX_IMPORT_CHARS:
        raise ThreadImportError(N_("This file is too large. A chat to import may have up to 50 MB."))
    if count_values(text) > MAX_IMPORT_VALUES:
        raise ThreadImportError(N_("This file has too many values to be imported as a chat."))
    try:
        value = json.loads(text.removeprefix("\ufeff"))
    except ValueError as error:
        raise ThreadImportError(N_("This file is not JSON.")) from error
    except RecursionError as error:
        raise ThreadImportError(N_("This file is nested too deeply to be a chat.")) from error
    if is_too_deep(value):
        raise ThreadImportError(N_("This file is nested too deeply to be a chat."))
    if not isinstance(value, dict) or value.get("format") != FORMAT:
        raise ThreadImportError(N_("This file is not a chat that was exported from this application."))
    version, title, messages = value.get("version"), value.get("title"), value.get("messages")
    if type(version) is int and version > VERSION:
        raise ThreadImportError(N_("This chat was exported by a later version of this application."))
    if type(version) is not int or version != VERSION or not isinstance(title, str):
        raise ThreadImportError(N_("This chat is damaged: its version or its title is missing."))
    if not isinstance(messages, list):
        raise ThreadImportError(N_("This chat is damaged: its messages are missing."))
    if len(messages) > MAX_IMPORT_MESSAGES:
        raise ThreadImportError(
            N_(
                "This chat is too long. A chat to import may have up to {max:,} messages.",
                max=MAX_IMPORT_MESSAGES,
            )
        )
    thread = Thread(messages=[_message(message, number) for number, message in enumerate(messages, 1)])
    thread.options = _options(value.get("options") or {})
    thread.branches = _branches(value.get("branches") or [], len(thread.messages))
    return thread, title


def _message(value: Any, number: int) -> Message:
    try:
        message = message_from_json(value)
    except ValueError as error:
        raise _damaged(number) from error
    if not _is_consistent(message):
        raise _damaged(number)
    return message


def _options(value: Any) -> RequestOptions:
    try:
        return options_from_json(value)
    except ValueError as error:
        text = N_("This chat is damaged: the parameters of its requests cannot be read.")
        raise ThreadImportError(text) from error


def _damaged(number: int) -> ThreadImportError:
    return ThreadImportError(N_("This chat is damaged: its message {number} cannot be read.", number=number))


def _branches(values: Any, length: int) -> Branches:
    try:
        branches = branches_from_json([{**value, "backend_state": {}} for value in values], length)
    except (TypeError, ValueError) as error:
        raise ThreadImportError(N_("This chat is damaged: its branches cannot be read.")) from error
    for branch in Thread(branches=branches).all_branches():
        if not all(map(_is_consistent, branch.messages)):
            raise ThreadImportError(N_("This chat is damaged: a message in its branches cannot be read."))
    return branches


def _is_consistent(message: Message) -> bool:
    """Return whether results fit their calls, attachments are the user's, and a user's message has ended."""
    if message.role == "user":
        is_valid = message.ending is not None and all(map(is_valid_attachment, message.attachments))
    else:
        is_valid = not message.attachments
    return is_valid and all(
        item is None or (call.complete and item.call_id == call.call_id)
        for call in message.parts
        if isinstance(call, Call)
        for item in (call.result, call.decision)
    )
