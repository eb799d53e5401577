"""Attachments as a server is sent them: as files where it accepts them, else by name.

A file is stored once, in the transcript. The items that a backend stores hold its digest instead; the file is
put back when a request is sent.
"""

import base64
import re
from collections.abc import Callable, Collection
from contextlib import suppress

from assistant.backends.json_access import JsonObject, objects_at
from assistant.backends.plain_text import attachment_text, parts_as_text
from assistant.backends.stream_errors import status_of
from assistant.errors import BackendError, RequestRefused
from assistant.events import Note
from assistant.locale import N_
from assistant.messages import Message
from assistant.parts import Attachment, Part, Text
from assistant.settings import ProtocolName
from assistant.texts import replace_surrogates
from assistant.threads import Thread

_DIGEST_PREFIX = "attachment:"  # the beginning of what stands in the place of a data URL

_DATA_FIELDS = {"input_image": "image_url", "input_file": "file_data"}


def accepted_kinds(protocol: ProtocolName, *, demo: bool = False) -> tuple[str, ...]:
    """Return the kinds of attachments, as in ``uploads.ALL_KINDS``, that a protocol can carry.

    A model that does not accept one of them refuses it later.
    """
    if demo or protocol == "assistants":
        return ("text",)
    return ("image", "text") if protocol == "agents" else ("image", "application", "text")


# --- messages ---------------------------------------------------------------------------------------


def responses_content(
    parts: list[Part], named_only: Collection[str] = (), searchable: Collection[str] = ()
) -> str | list[JsonObject]:
    """Return the content of a user's message for the Responses API; a string if it has no attachments.

    Attachments with a digest in ``searchable`` are found by file search, so that only their names are sent.
    """
    if not any(isinstance(part, Attachment) for part in parts):
        return parts_as_text(parts)
    content: list[JsonObject] = []
    for part in parts:
        match part:
            case Attachment() if _is_listed(part, searchable):
                text = f"[File {part.name}, which file search looks through]"
                content.append({"type": "input_text", "text": text})
            case Attachment() if part.is_text or _is_listed(part, named_only):
                content.append({"type": "input_text", "text": attachment_text(part)})
            case Attachment() if part.is_image:
                content.append({"type": "input_image", "detail": "auto", "image_url": part.url})
            case Attachment():
                content.append({"type": "input_file", "filename": part.name, "file_data": part.url})
            case Text(text) if text:
                content.append({"type": "input_text", "text": replace_surrogates(text)})
    return content


def chat_content(parts: list[Part], named_only: Collection[str] = ()) -> str | list[JsonObject]:
    """Return the content of a user's message for Chat Completions; preferably a string."""
    files: list[JsonObject] = []
    texts: list[Part] = []
    for part in parts:
        match part:
            case Attachment() if part.is_text or _is_listed(part, named_only):
                texts.append(part)
            case Attachment() if part.is_image:
                files.append({"type": "image_url", "image_url": {"url": part.url}})
            case Attachment():
                files.append({"type": "file", "file": {"filename": part.name, "file_data": part.url}})
            case Text():
                texts.append(part)
    text = parts_as_text(texts)
    if not files:
        return text
    return [{"type": "text", "text": text}, *files] if text else files


def _is_listed(attachment: Attachment, digests: Collection[str]) -> bool:
    return bool(digests) and attachment.digest in digests  # a digest takes time


def parse_attachments(content: object) -> list[Attachment]:
    """Return the attachments whose bytes are in a server's copy of a message."""
    found: list[Attachment] = []
    for part in content if isinstance(content, list) else []:
        if isinstance(part, dict) and (field := _DATA_FIELDS.get(str(part.get("type")))):
            data = re.fullmatch(r"data:([\w/+.-]+);base64,([A-Za-z0-9+/=]+)", str(part.get(field)))
            with suppress(ValueError):
                if data and base64.b64decode(data[2], validate=True):
                    found.append(Attachment(str(part.get("filename") or "image"), data[1], data[2]))
    return found


# --- stored items -----------------------------------------------------------------------------------


def strip_files(items: list[JsonObject]) -> list[JsonObject]:
    """Return the items as they are stored: with digests in place of files, and without generated images."""
    return [_replace_files(_without_images(item), _to_digest) for item in items]


def restore_files(
    items: list[JsonObject], thread: Thread, named_only: Collection[str] = ()
) -> list[JsonObject]:
    """Return stored items as they are sent, with the files of the thread."""
    attachments: dict[str, Attachment] = {}

    def restore(part: JsonObject, field: str) -> JsonObject:
        digest = str(part.get(field)).removeprefix(_DIGEST_PREFIX)
        if digest == part.get(field):
            return part
        if not attachments:
            attachments.update(
                (attachment.digest, attachment)
                for message in thread.messages
                for attachment in message.attachments
            )
        if digest not in attachments:
            return {"type": "input_text", "text": "[A file that is not there any more]"}
        if digest in named_only:
            return {"type": "input_text", "text": attachment_text(attachments[digest])}
        return {**part, field: attachments[digest].url}

    return [_replace_files(_image_as_text(item), restore) for item in items]


def _without_images(item: JsonObject) -> JsonObject:
    """Return the item without the images that a tool of the server has generated."""
    match item.get("type"):
        case "image_generation_call":
            return {name: value for name, value in item.items() if name != "result"}
        case "code_interpreter_call":  # its outputs are a required field; some servers send none
            return {**item, "outputs": [output for output in objects_at(item, "outputs") if "logs" in output]}
    return item


def _image_as_text(item: JsonObject) -> JsonObject:
    """Return a message in place of a generated image, which is no longer there; any other item as it is."""
    if item.get("type") != "image_generation_call":
        return item
    prompt = replace_surrogates(str(item.get("revised_prompt") or ""))
    text = f"[A picture was made here and shown to the user. {prompt}]"
    return {"type": "message", "role": "assistant", "content": text}


def _to_digest(part: JsonObject, field: str) -> JsonObject:
    prefix, _, data = str(part.get(field)).partition(";base64,")
    if not prefix.startswith("data:"):
        return part
    return {**part, field: _DIGEST_PREFIX + Attachment("", "", data).digest}


def _replace_files(item: JsonObject, replace: Callable[[JsonObject, str], JsonObject]) -> JsonObject:
    content = item.get("content")
    if not isinstance(content, list) or not any(_is_file(part) for part in content):
        return item
    replaced = [replace(part, _DATA_FIELDS[part["type"]]) if _is_file(part) else part for part in content]
    return {**item, "content": replaced}


def _is_file(part: object) -> bool:
    return isinstance(part, dict) and part.get("type") in _DATA_FIELDS


# --- refusals ---------------------------------------------------------------------------------------


def name_refused_attachments(
    thread: Thread, named_only: list[str], refusal: BackendError, *, resends_history: bool
) -> Note | None:
    """Add the digests of the refused attachments to ``named_only``, and return a note.

    Those are the attachments of the last message, if it has any; else, if the request ``resends_history``,
    those of the earlier messages, which another server may have accepted. Return None if the refusal is about
    something else.
    """
    if not _is_about_attachments(refusal):
        return None
    questions = [message for message in thread.messages if message.role == "user"]
    found = _sent_files(questions[-1:], named_only)
    if not found and resends_history:
        found = _sent_files(questions, named_only)
    message = _server_message(refusal)
    images, files = _IMAGES_NAMED.search(message), _FILES_NAMED.search(message)
    if bool(images) != bool(files):  # only one kind is named
        found = [attachment for attachment in found if attachment.is_image == bool(images)] or found
    if not found:
        return None
    named_only += [attachment.digest for attachment in found]
    names = ", ".join(dict.fromkeys(attachment.name for attachment in found))
    if not isinstance(refusal, RequestRefused):
        return Note(N_("The server rejected {names}. The model sees only the name.", names=names))
    text = N_(
        "The server rejected {names}. The model sees only the name. {why}", names=names, why=refusal.text
    )
    return Note(text)


def _sent_files(messages: list[Message], named_only: Collection[str]) -> list[Attachment]:
    attachments = [
        attachment for message in messages for attachment in message.attachments if not attachment.is_text
    ]
    return [attachment for attachment in attachments if not _is_listed(attachment, named_only)]


_ABOUT_ATTACHMENTS = re.compile(
    r"image|vision|multi-?modal|mmproj|modalit|(?<![a-z])files?\b|file_data|pdf|media type|data ur[il]"
    r"|base64|too large|content.{0,80}(string|text|type)",
    re.IGNORECASE | re.DOTALL,
)
"""How servers refuse attachments: OpenAI, llama.cpp, vLLM, Ollama, LM Studio and OpenRouter."""

_IMAGES_NAMED = re.compile(r"image|vision|mmproj", re.IGNORECASE)
_FILES_NAMED = re.compile(r"(?<![a-z])file|pdf", re.IGNORECASE)

_REFUSAL_STATUSES = (0, 400, 404, 413, 415, 422, 500, 501)  # 0: the response failed after it had begun


def _is_about_attachments(refusal: BackendError) -> bool:
    status = status_of(refusal)
    if refusal.code == "context_length_exceeded" or status not in _REFUSAL_STATUSES:
        return False
    message = _server_message(refusal)
    return status in (413, 415) or (
        bool(_ABOUT_ATTACHMENTS.search(message)) and (status != 404 or "support" in message.lower())
    )


def _server_message(refusal: BackendError) -> str:
    """Return the server's own message, which the text of the error may leave out."""
    return f"{refusal.code} {refusal.details.message if refusal.details else refusal}"
