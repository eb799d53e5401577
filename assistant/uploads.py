"""Accept uploaded files as attachments of a message.

The type of a file is found from its bytes, whatever its name or the browser says. Each file is attached as a
whole, or refused with one sentence that names it.
"""

import base64
import binascii
import re
from collections.abc import Collection, Iterable

from assistant.locale import N_
from assistant.parts import Attachment
from assistant.texts import replace_unsendable

MEGABYTE = 1_000_000

MAX_FILES = 10  # attachments of one message

MAX_FILE_BYTES = 10 * MEGABYTE

MAX_TOTAL_BYTES = 20 * MEGABYTE
"""All attachments of one message. A request may have 50 MB (OpenAI's guide to file inputs), and base64 makes
the bytes a third longer."""

MAX_TEXT_CHARS = 200_000  # length of a text file. The model reads all of it as a part of the message.

PDF = "application/pdf"
TEXT = "text/plain"

ALL_KINDS = ("image", "application", "text")  # the kinds of media types: images, PDF files and text

_TEXT_EXTENSIONS = (
    "adoc bat bib c cc cfg clj conf cpp cs csv dart diff dockerfile env ex exs f90 go gradle graphql groovy h hpp hs "
    "htm html ini ipynb java jl js json json5 jsonl jsx kt lisp log lua m make md mjs ml patch php pl plist "
    "properties proto ps1 py r rb rs rst rtf sass scala scss sh sql srt svg swift tex tf toml ts tsv tsx txt vb vtt "
    "vue xml yaml yml zig"
)
_FILE_TYPES = {
    "image": ("png", "jpg", "jpeg", "webp", "gif"),
    "application": ("pdf",),
    "text": ("text", *_TEXT_EXTENSIONS.split()),  # with everything that the browser takes for text
}


def file_types(kinds: Iterable[str]) -> list[str]:
    """Return what a file dialog offers for these kinds of ``ALL_KINDS``: extensions, and "text" for text/*."""
    return [file_type for kind in kinds for file_type in _FILE_TYPES[kind]]


THIS_CONNECTION = N_("this connection")

_SUPPORTED = N_("PNG, JPEG, WebP and GIF images, PDF files, and text files of any kind")

_IMAGE_SIGNATURES = (
    (re.compile(rb"\x89PNG\r\n\x1a\n"), "image/png"),
    (re.compile(rb"\xff\xd8\xff"), "image/jpeg"),
    (re.compile(rb"RIFF....WEBP", re.DOTALL), "image/webp"),
    (re.compile(rb"GIF8[79]a"), "image/gif"),
)


def attach(
    files: Iterable[tuple[str, bytes]],
    existing: Collection[Attachment] = (),
    *,
    accepted_kinds: Collection[str] = ALL_KINDS,
    recipient: str = THIS_CONNECTION,
) -> tuple[list[Attachment], list[str]]:
    """Return the files, given by name and content, as attachments, and a sentence for each refused file.

    ``existing`` are the attachments that the message already has; ``accepted_kinds`` are those of
    ``ALL_KINDS`` that the ``recipient`` accepts.
    """
    attachments: list[Attachment] = []
    problems: list[str] = []
    bytes_left = MAX_TOTAL_BYTES - sum(len(attachment.data) * 3 // 4 for attachment in existing)
    files_left = MAX_FILES - len(existing)
    for path, content in files:
        name, media_type = base_name(path), media_type_of(content)
        problem = _type_problem(name, content, media_type, accepted_kinds, recipient) or _size_problem(
            name, content, media_type
        )
        if problem is None and len(attachments) >= files_left:
            problem = N_(
                "{name} was not attached: a message can have up to {max} files.", name=name, max=MAX_FILES
            )
        if problem is None and len(content) > bytes_left:
            problem = N_(
                "{name} was not attached: the files of a message can have up to {max} together.",
                name=name,
                max=_megabytes(MAX_TOTAL_BYTES),
            )
        if problem is not None:
            problems.append(problem)
            continue
        bytes_left -= len(content)
        if media_type == TEXT:
            content = (_decode(content) or "").encode()
        attachments.append(Attachment(name, str(media_type), base64.b64encode(content).decode()))
    return attachments, problems


def _type_problem(
    name: str, content: bytes, media_type: str | None, accepted_kinds: Collection[str], recipient: str
) -> str | None:
    if not content:
        return N_("{name} is empty.", name=name)
    if media_type is None:
        return N_("{name} has an unsupported type. Supported: {kinds}.", name=name, kinds=_SUPPORTED)
    if media_type.split("/")[0] not in accepted_kinds:
        kind = N_("PDF files") if media_type == PDF else N_("images")
        return N_(
            "{name} was not attached: {recipient} does not accept {kind}.",
            name=name,
            recipient=recipient,
            kind=kind,
        )
    return None


def _size_problem(name: str, content: bytes, media_type: str | None) -> str | None:
    if media_type == TEXT and len(text := _decode(content) or "") > MAX_TEXT_CHARS:
        return N_(
            "{name} is too long: {length:,} characters. The maximum is {max:,}.",
            name=name,
            length=len(text),
            max=MAX_TEXT_CHARS,
        )
    if len(content) > MAX_FILE_BYTES:
        return N_(
            "{name} is too large: {size}. The maximum is {max}.",
            name=name,
            size=_megabytes(len(content)),
            max=_megabytes(MAX_FILE_BYTES),
        )
    return None


def media_type_of(content: bytes) -> str | None:
    """Return the media type of a file that can be attached, else None."""
    if media_type := image_type(content):
        return media_type
    if content.startswith(b"%PDF-"):
        return PDF
    return None if _decode(content) is None else TEXT


def image_type(content: bytes) -> str:
    """Return the media type of a PNG, JPEG, WebP or GIF image by its signature, else ""."""
    return next((kind for signature, kind in _IMAGE_SIGNATURES if signature.match(content)), "")


def base_name(path: str) -> str:
    """Return the name of a file without its folders, on one line of at most 80 characters."""
    last = re.split(r"[/\\]", path)[-1]
    name = " ".join(replace_unsendable(last).split()) or "file"
    return name if len(name) <= 80 else f"{name[:60]}…{name[-19:]}"


def is_valid_attachment(attachment: Attachment) -> bool:
    """Return whether an imported attachment could have been attached here."""
    try:
        content = base64.b64decode(attachment.data, validate=True)
    except (binascii.Error, ValueError):
        return False
    return (
        media_type_of(content) == attachment.media_type
        and base64.b64encode(content).decode() == attachment.data
        and base_name(attachment.name) == attachment.name
        and 0 < len(content) <= MAX_FILE_BYTES
    )


def _decode(content: bytes) -> str | None:
    """Return the text of a text file, else None."""
    encoding = "utf-16" if content[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig"
    try:
        text = content.decode(encoding)
    except UnicodeDecodeError:
        return None
    return None if "\0" in text else replace_unsendable(text)


def _megabytes(count: int) -> str:
    return f"{count / MEGABYTE:.1f} MB".replace(".0 MB", " MB")
