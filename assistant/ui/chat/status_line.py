"""The line below an unfinished answer: what it does, and how far it is."""

from streamlit.delta_generator import DeltaGenerator

from assistant.markdown.escape import escape_markdown
from assistant.ui.page.accessibility import announce


class StatusLine:
    """Draws a status in ``place``, and announces it when it changes; an empty text draws nothing.

    Attributes:
        text: What the answer does now.
        share: The completed share of it, 0 to 1, if that is known.
    """

    def __init__(self, place: DeltaGenerator) -> None:
        self._place = place
        self.text = ""
        self.share: float | None = None
        self._drawn: tuple[str, float | None] = "", None

    def set(self, text: str, share: float | None = None) -> None:
        """Change the status; ``draw`` shows it."""
        self.text, self.share = text, share

    def draw(self) -> None:
        """Draw the status if it has changed."""
        share = self.share if self.text else None
        if (self.text, share) == self._drawn:
            return
        if self.text != self._drawn[0]:
            announce(self.text)
        self._drawn = self.text, share
        text = f":shimmer[{escape_markdown(self.text)} …]"
        if share is not None:
            self._place.progress(share, text)
        elif self.text:
            self._place.markdown(text)
        else:
            self._place.empty()

    def end(self, caption: str = "") -> None:
        """Remove the status; with a ``caption`` (Markdown), leave that in its place."""
        self.text = ""
        if caption:
            self._drawn = "", None
            self._place.caption(caption)

    def replace(self) -> DeltaGenerator:
        """Return a container in place of the status."""
        self.text, self._drawn = "", ("", None)
        return self._place.container()
