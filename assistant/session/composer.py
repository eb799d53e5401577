"""The next message, as far as the user has written it."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from assistant.parts import Attachment


@dataclass(frozen=True, slots=True)
class Draft:
    """Text that returns to the input, and why."""

    text: str
    reason: str


@dataclass(slots=True)
class Composer:
    """What waits to be sent. Nothing is lost when an error occurs: it returns here.

    Attributes:
        draft: Text that returns to the input.
        attachments: Files for the next message.
        problems: Why other files were refused, or audio was not transcribed.
        audio: Audio that could not be transcribed yet.
        transcript: Text of audio that does not fit the input.
    """

    draft: Draft | None = None
    attachments: list[Attachment] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    audio: bytes | None = None
    transcript: str = ""

    def restore(self, text: str, reason: str = "", attachments: Iterable[Attachment] = ()) -> None:
        """Return a message that was not sent to the input."""
        self.draft = Draft(text, reason)
        self.attachments = list(attachments) or self.attachments

    def take_draft(self) -> Draft | None:
        """Return the text that goes back into the input, once."""
        draft, self.draft = self.draft, None
        return draft

    def clear(self) -> None:
        """Remove attachments and transcript after sending; audio without a transcript stays."""
        self.attachments, self.problems, self.transcript = [], [], ""

    def detach(self, number: int) -> None:
        """Remove an attachment."""
        del self.attachments[number]
        self.problems = []
