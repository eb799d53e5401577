"""Attachments: which files go with a message, and in what words the others are turned away. Pure.

Not here: how a server is told of them (``backends/attached.py``), the page's part (``ui/attachments.py``).

The one rule: a file is what its bytes are, whatever its name or a browser says; and each one is either
taken whole or refused in one sentence that names it.
"""

import base64
import binascii
import re
from collections.abc import Collection, Iterable

from assistant.locale import N_
from assistant.messages import UNSENDABLE, Attachment

MEGABYTE = 1_000_000

MOST = 10
"""How many go with one message."""

MOST_BYTES = 10 * MEGABYTE
"""The largest one."""

MOST_BYTES_IN_ALL = 20 * MEGABYTE
"""All of one message together: a request may have 50 MB (OpenAI's guide to file inputs), and base64 is a
third longer than what it stands for."""

MOST_CHARACTERS = 200_000
"""The longest text file, for all of it is read at once, as a part of the message."""

PDF = "application/pdf"
TEXT = "text/plain"

EVERYTHING = ("image", "application", "text")
"""The kinds of type there are: images, PDF files, and text, which every model reads."""

KINDS = N_("PNG, JPEG, WebP and GIF images, PDF files, and text files of any kind")

THIS_CONNECTION = N_("this connection")

_IMAGE_SIGNATURES = (
    (re.compile(rb"\x89PNG\r\n\x1a\n"), "image/png"),
    (re.compile(rb"\xff\xd8\xff"), "image/jpeg"),
    (re.compile(rb"RIFF....WEBP", re.DOTALL), "image/webp"),
    (re.compile(rb"GIF8[79]a"), "image/gif"),
)


def attach(
    files: Iterable[tuple[str, bytes]],
    already: Collection[Attachment] = (),
    *,
    takes: Collection[str] = EVERYTHING,
    taker: str = THIS_CONNECTION,
) -> tuple[list[Attachment], list[str]]:
    """These files, by name and bytes, as attachments; and for each that is none, a sentence why.

    ``already`` are those that the message has; ``takes`` are the kinds of type that ``taker`` can be sent.
    """
    attached: list[Attachment] = []
    refused: list[str] = []
    room, places = MOST_BYTES_IN_ALL - sum(len(each.data) * 3 // 4 for each in already), MOST - len(already)
    for given, content in files:
        name = plain_name(given)
        kind = type_of(content)
        if not content:
            refused.append(N_("{name} is empty.", name=name))
        elif kind is None:
            refused.append(N_("{name} cannot be read by a model. What can: {kinds}.", name=name, kinds=KINDS))
        elif kind.split("/")[0] not in takes:
            what = N_("PDF files") if kind == PDF else N_("images")
            refused.append(
                N_("{name} is not attached: {taker} takes no {kind}.", name=name, taker=taker, kind=what)
            )
        elif kind == TEXT and len(text := _decoded(content) or "") > MOST_CHARACTERS:
            refused.append(
                N_(
                    "{name} is too long: it has {length:,} characters, and at most {most:,} can be read as a part "
                    "of a message.",
                    name=name,
                    length=len(text),
                    most=MOST_CHARACTERS,
                )
            )
        elif len(content) > MOST_BYTES:
            refused.append(
                N_(
                    "{name} is too large: it has {size}, at most {most}.",
                    name=name,
                    size=_size(len(content)),
                    most=_size(MOST_BYTES),
                )
            )
        elif len(attached) >= places:
            refused.append(
                N_("{name} is one too many: at most {most} files go with a message.", name=name, most=MOST)
            )
        elif len(content) > room:
            refused.append(
                N_(
                    "{name} is too much: all files of a message may have {most} together.",
                    name=name,
                    most=_size(MOST_BYTES_IN_ALL),
                )
            )
        else:
            room -= len(content)
            if kind == TEXT:
                content = text.encode()
            attached.append(Attachment(name, kind, base64.b64encode(content).decode()))
    return attached, refused


def type_of(content: bytes) -> str | None:
    """What these bytes are, of the types that can be attached; None for any other."""
    if kind := image_type(content):
        return kind
    if content.startswith(b"%PDF-"):
        return PDF
    return None if _decoded(content) is None else TEXT


def image_type(content: bytes) -> str:
    """Return the MIME type of a PNG, JPEG, WebP or GIF image by its signature, else ""."""
    return next((kind for signature, kind in _IMAGE_SIGNATURES if signature.match(content)), "")


def plain_name(name: str) -> str:
    """The file's name without its folders, on one line, and not too long."""
    last = re.split(r"[/\\]", name)[-1]
    line = " ".join(UNSENDABLE.sub("\ufffd", last).split()) or "file"
    return line if len(line) <= 80 else f"{line[:60]}…{line[-19:]}"


def is_valid_attachment(attachment: Attachment) -> bool:
    """Whether an attachment that came from outside is one that could have been made here."""
    try:
        content = base64.b64decode(attachment.data, validate=True)
    except (binascii.Error, ValueError):
        return False
    return (
        type_of(content) == attachment.media_type
        and base64.b64encode(content).decode() == attachment.data
        and plain_name(attachment.name) == attachment.name
        and 0 < len(content) <= MOST_BYTES
    )


def _decoded(content: bytes) -> str | None:
    """The text that these bytes are, if they are one."""
    encoding = "utf-16" if content[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig"
    try:
        text = content.decode(encoding)
    except UnicodeDecodeError:
        return None
    return None if "\0" in text else UNSENDABLE.sub("\ufffd", text)


def _size(count: int) -> str:
    return f"{count / MEGABYTE:.1f} MB".replace(".0 MB", " MB")
