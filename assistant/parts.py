"""The parts of a message: text, attachments, reasoning, calls …"""

import base64
import hashlib
from dataclasses import dataclass, field
from typing import Annotated

from assistant.events import Citation, Decision, HostedCall, ToolResult
from assistant.tagged_union import TaggedUnion
from assistant.texts import FILE_TOKENS


@dataclass(frozen=True, slots=True)
class Text:
    """Text of the user, as typed, or Markdown of the model; ``round`` is 0 where it is not known."""

    text: str
    round: int = field(default=0, compare=False)


@dataclass(frozen=True, slots=True)
class Refusal:
    """The model's reason for refusing to answer."""

    text: str
    round: int = field(default=0, compare=False)


@dataclass(frozen=True, slots=True)
class Commentary:
    """Markdown that the model wrote while it worked, apart from its answer."""

    text: str
    round: int = field(default=0, compare=False)


@dataclass(frozen=True, slots=True)
class Reasoning:
    """What the model disclosed of its reasoning, and how long it took; comparisons ignore the time."""

    text: str
    seconds: float | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class Remark:
    """A note to the user about the thread itself."""

    text: str


@dataclass(frozen=True, slots=True, repr=False)
class Attachment:
    """An image or a file that the user attached; ``data`` is its bytes in base64.

    ``media_type`` is detected from the bytes, see ``uploads.py``.
    """

    name: str
    media_type: str
    data: str

    def __repr__(self) -> str:
        return f"Attachment({self.name!r}, {self.media_type!r}, {len(self.data)} characters)"

    @property
    def is_image(self) -> bool:
        return self.media_type.startswith("image/")

    @property
    def is_text(self) -> bool:
        """Whether it can be sent to any model, as text."""
        return self.media_type == "text/plain"

    @property
    def content(self) -> bytes:
        return base64.b64decode(self.data)

    @property
    def url(self) -> str:
        """The attachment as a data URL (RFC 2397)."""
        return f"data:{self.media_type};base64,{self.data}"

    @property
    def digest(self) -> str:
        """A short hash that identifies the bytes."""
        return hashlib.sha256(self.data.encode()).hexdigest()[:24]


@dataclass(frozen=True, slots=True)
class Call:
    """A function call and, once there is one, its result.

    ``complete`` is false while the model is writing the call, and stays false if the round does not end well:
    such a call is never run, and the server does not know it. ``arguments`` are the model's, even if the
    user's ``decision`` replaces them. ``server`` is the name of the remote server that runs the call, if
    there is one, and ``program`` the id of the program that made it. A call in the ``background`` is complete, and
    runs, even if its round does not end well.
    """

    call_id: str
    name: str
    arguments: str
    round: int
    complete: bool = True
    result: ToolResult | None = None
    decision: Annotated[Decision, TaggedUnion] | None = None
    server: str = field(default="", metadata={"sparse": True})
    background: bool = field(default=False, metadata={"sparse": True})
    program: str = field(default="", metadata={"sparse": True})


Part = Text | Attachment | Refusal | Commentary | Reasoning | Remark | Call | HostedCall | Citation


FILE_CHARS_PER_TOKEN = 4
"""How much of a PDF file, in base64, counts as a token: its text is compressed, its pictures are not."""


def model_text(part: Part) -> str:
    """Return the text of a part that a model reads: what was said, a text file, a call with its output; else ""."""
    match part:
        case Attachment() if part.is_text:
            return part.content.decode("utf-8", "replace")
        case Text(text) | Refusal(text) | Commentary(text) | Reasoning(text):
            return text
        case Call(_, name, arguments, result=result):
            return name + arguments + (result.output if result else "")
    return ""


def file_tokens(part: Part) -> int:
    """Return about how many tokens an image or a PDF file has; 0 for a part whose text is counted."""
    match part:
        case Attachment() if part.is_image:
            return FILE_TOKENS
        case Attachment(data=data) if not part.is_text:
            return max(FILE_TOKENS, len(data) // FILE_CHARS_PER_TOKEN)
    return 0
