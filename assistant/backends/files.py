"""Attachments in a server's words: whole where it takes them, and by name where it does not. Pure.

Not here: which files can be attached at all (``attachments.py``).

The one rule: what is kept as a note holds no file. A file is in the transcript, once; in notes stands its
digest, and it is put in again when a request is made.
"""

import base64
import re
from collections.abc import Collection
from typing import Any

from assistant.backends.stream_errors import status_of
from assistant.errors import BackendError, RequestRefused
from assistant.events import Note
from assistant.locale import N_
from assistant.messages import Attachment, Message, Part, Text
from assistant.settings import ProtocolName
from assistant.threads import Thread
from assistant.tools.results import replace_surrogates

Item = dict[str, Any]

_KEPT = "attachment:"
"""How the address of an attachment begins that is not here but in the transcript."""

_DATA = {"input_image": "image_url", "input_file": "file_data"}


def takes(protocol: ProtocolName, *, demo: bool = False) -> tuple[str, ...]:
    """The kinds of attachments, as ``attachments.EVERYTHING`` lists them, that can be sent at all.

    Of a server whose protocol is not known yet, or that has models of all sorts, that is every kind.
    """
    if demo or protocol == "assistants":
        return ("text",)
    return ("image", "text") if protocol == "agents" else ("image", "application", "text")


def content_of(
    parts: list[Part], by_name: Collection[str] = (), put_in: Collection[str] = ()
) -> str | list[Item]:
    """What a person's message says, for the Responses API; a text where there is nothing else.

    Those whose digest is in ``put_in`` the model finds by searching, and is told the names of.
    """
    if not any(isinstance(part, Attachment) for part in parts):
        return in_words(parts)
    content: list[Item] = []
    for part in parts:
        match part:
            case Attachment() if _is_named(part, put_in):
                words = f"[File {part.name}, which file search looks through]"
                content.append({"type": "input_text", "text": words})
            case Attachment() if part.is_text or _is_named(part, by_name):
                content.append({"type": "input_text", "text": words_for(part)})
            case Attachment() if part.is_image:
                content.append({"type": "input_image", "detail": "auto", "image_url": part.url})
            case Attachment():
                content.append({"type": "input_file", "filename": part.name, "file_data": part.url})
            case Text(text) if text:
                content.append({"type": "input_text", "text": replace_surrogates(text)})
    return content


def chat_content_of(parts: list[Part], by_name: Collection[str] = ()) -> str | list[Item]:
    """The same, for Chat Completions; a text wherever that can say it, for some servers take nothing else."""
    told: list[Item] = []
    words: list[Part] = []
    for part in parts:
        match part:
            case Attachment() if part.is_text or _is_named(part, by_name):
                words.append(part)
            case Attachment() if part.is_image:
                told.append({"type": "image_url", "image_url": {"url": part.url}})
            case Attachment():
                told.append({"type": "file", "file": {"filename": part.name, "file_data": part.url}})
            case Text():
                words.append(part)
    text = in_words(words)
    if not told:
        return text
    return [{"type": "text", "text": text}, *told] if text else told


def in_words(parts: list[Part], *, seen: bool = False) -> str:
    """What a person's message says in nothing but text; ``seen``: its images go with it."""
    texts = [
        words_for(part, seen=seen) if isinstance(part, Attachment) else replace_surrogates(part.text)
        for part in parts
        if isinstance(part, Text | Attachment)
    ]
    return "\n\n".join(text for text in texts if text)


def words_for(attachment: Attachment, *, seen: bool = False) -> str:
    """A text file as a block of code with its name; of anything else the name."""
    if attachment.is_image and seen:
        return f"[Image {attachment.name}]"
    if not attachment.is_text:
        what = "Image" if attachment.is_image else "File"
        return f"[{what} {attachment.name}, which cannot be shown to you]"
    text = attachment.content.decode("utf-8", "replace")
    fence = "`" * max(3, 1 + max(map(len, re.findall("`+", text)), default=0))
    return f"{attachment.name}:\n{fence}\n{text}\n{fence}"


def attachments_in(content: object) -> list[Attachment]:
    """Those whole attachments that a server's copy of a message still has."""
    found: list[Attachment] = []
    for part in content if isinstance(content, list) else []:
        if isinstance(part, dict) and (where := _DATA.get(str(part.get("type")))):
            data = re.fullmatch(r"data:([\w/+.-]+);base64,([A-Za-z0-9+/=]+)", str(part.get(where)))
            if data and _is_base64(data[2]):
                found.append(Attachment(str(part.get("filename") or "image"), data[1], data[2]))
    return found


def _is_base64(data: str) -> bool:
    try:
        base64.b64decode(data, validate=True)
    except ValueError:
        return False
    return True


# --- notes ------------------------------------------------------------------------------------------


def light(items: list[Item]) -> list[Item]:
    """The same items, as they are noted: a digest in the place of each file; of a picture nothing."""
    return [_changed(_without_picture(item), _to_digest) for item in items]


def _without_picture(item: Item) -> Item:
    """The item without a picture that a tool of the server's own has made."""
    match item.get("type"):
        case "image_generation_call":
            return {name: value for name, value in item.items() if name != "result"}
        case "code_interpreter_call" if isinstance(item.get("outputs"), list):
            texts = [each for each in item["outputs"] if isinstance(each, dict) and "logs" in each]
            return {**item, "outputs": texts}
    return item


def whole(items: list[Item], thread: Thread, by_name: Collection[str] = ()) -> list[Item]:
    """The items that were noted so, as they are sent."""
    files: dict[str, Attachment] = {}

    def restored(part: Item, where: str) -> Item:
        digest = str(part.get(where)).removeprefix(_KEPT)
        if digest == part.get(where):
            return part
        if not files:
            files.update((each.digest, each) for message in thread.messages for each in message.attachments)
        if digest not in files:
            return {"type": "input_text", "text": "[A file that is not there any more]"}
        if digest in by_name:
            return {"type": "input_text", "text": words_for(files[digest])}
        return {**part, where: files[digest].url}

    return [_changed(_as_text(item), restored) for item in items]


def _as_text(item: Item) -> Item:
    """A picture that is not there any more, as it can be told again; any other item as it is."""
    if item.get("type") != "image_generation_call":
        return item
    shown = replace_surrogates(str(item.get("revised_prompt") or ""))
    words = f"[A picture was made here and shown to the user. {shown}]"
    return {"type": "message", "role": "assistant", "content": words}


def _to_digest(part: Item, where: str) -> Item:
    prefix, _, data = str(part.get(where)).partition(";base64,")
    if not prefix.startswith("data:"):
        return part
    return {**part, where: _KEPT + Attachment("", "", data).digest}


def _changed(item: Item, change: Any) -> Item:
    content = item.get("content")
    if not isinstance(content, list) or not any(_is_data(part) for part in content):
        return item
    return {
        **item,
        "content": [change(part, _DATA[part["type"]]) if _is_data(part) else part for part in content],
    }


def _is_data(part: object) -> bool:
    return isinstance(part, dict) and part.get("type") in _DATA


# --- refusals ---------------------------------------------------------------------------------------


def told_by_name(thread: Thread, by_name: list[str], refusal: BackendError, *, all_told: bool) -> Note | None:
    """What to say when attachments are told by their names from now on, as ``by_name`` then lists them.

    Those of the last message if it has any; else, where ``all_told``, those of the earlier ones: another
    server may have taken them. None if the refusal is about something else, or there are none.
    """
    if not _is_about_attachments(refusal):
        return None
    asked = [message for message in thread.messages if message.role == "user"]
    found = _whole_ones(asked[-1:], by_name) or (_whole_ones(asked, by_name) if all_told else [])
    words = _server_words(refusal)
    images, files = _IMAGES_NAMED.search(words), _FILES_NAMED.search(words)
    if bool(images) != bool(files):
        found = [each for each in found if each.is_image == bool(images)] or found
    if not found:
        return None
    by_name += [each.digest for each in found]
    names = ", ".join(dict.fromkeys(each.name for each in found))
    if not isinstance(refusal, RequestRefused):
        return Note(N_("The server did not take {names}: the model is told of it by name only.", names=names))
    return Note(
        N_(
            "The server did not take {names}: the model is told of it by name only. {why}",
            names=names,
            why=refusal.text,
        )
    )


def _whole_ones(messages: list[Message], by_name: Collection[str]) -> list[Attachment]:
    attached = [each for message in messages for each in message.attachments if not each.is_text]
    return [each for each in attached if not _is_named(each, by_name)]


def _is_named(attachment: Attachment, by_name: Collection[str]) -> bool:
    return bool(by_name) and attachment.digest in by_name


_ABOUT = re.compile(
    r"image|vision|multi-?modal|mmproj|modalit|(?<![a-z])files?\b|file_data|pdf|media type|data ur[il]"
    r"|base64|too large|content.{0,80}(string|text|type)",
    re.IGNORECASE | re.DOTALL,
)
"""How servers say that they do not take it: OpenAI, llama.cpp, vLLM, Ollama, LM Studio and OpenRouter."""

_IMAGES_NAMED = re.compile(r"image|vision|mmproj", re.IGNORECASE)
_FILES_NAMED = re.compile(r"(?<![a-z])file|pdf", re.IGNORECASE)
"""Where one of these is named, and not the other, it is that one."""

_STATUSES = (0, 400, 404, 413, 415, 422, 500, 501)  # 0: the response failed after it had begun


def _server_words(refusal: BackendError) -> str:
    """What the server said: our own sentence may leave it out."""
    return f"{refusal.code} {refusal.__cause__ or refusal}"


def _is_about_attachments(refusal: BackendError) -> bool:
    status = status_of(refusal)
    if refusal.code == "context_length_exceeded" or status not in _STATUSES:
        return False
    words = _server_words(refusal)
    return status in (413, 415) or (
        bool(_ABOUT.search(words)) and (status != 404 or "support" in words.lower())
    )
