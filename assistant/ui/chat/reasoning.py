"""What a model says beside its answer: its reasoning in a collapsed block, its commentary in gray."""

from streamlit.delta_generator import DeltaGenerator

from assistant.markdown.block_splitter import BlockSplitter
from assistant.markdown.sanitizer import MarkdownSanitizer
from assistant.ui.chat.messages.stats import format_duration
from assistant.ui.language import _
from assistant.ui.streamlit_private import Expander


class ReasoningBlock:
    """The block of one reasoning, drawn in the current container."""

    def __init__(self, key: str) -> None:
        self._expander = Expander(key, f":shimmer[{_('Reasoning')}]", "compact")
        self._text = GrowingText(self._expander.body.container())

    def add(self, text: str) -> None:
        """Draw more of the reasoning."""
        self._text.add(text)

    def end(self, seconds: float | None) -> None:
        """Draw the last of it, and how long it took."""
        self._text.end()
        title = _("Reasoning")
        if seconds:
            title = _("Reasoned for {time}", time=format_duration(max(1.0, seconds), tenths=False))
        self._expander.update(title, "complete")


class GrowingText:
    """Markdown of the model in a container of its own; ``quiet`` draws it small and gray."""

    def __init__(self, body: DeltaGenerator, *, quiet: bool = False) -> None:
        self._body, self._quiet = body, quiet
        self._sanitizer, self._splitter = MarkdownSanitizer(), BlockSplitter()
        self._block: DeltaGenerator | None = None  # the last one, which grows
        self._text = ""  # of the last block

    def add(self, text: str) -> None:
        """Draw more of the text."""
        for piece in self._splitter.feed(self._sanitizer.feed(text)):
            self._draw(piece)

    def end(self) -> None:
        """Draw the last of the text."""
        for piece in self._splitter.feed(self._sanitizer.flush()):
            self._draw(piece)
        self._draw(self._splitter.flush())

    def _draw(self, piece: str | None) -> None:
        if piece is None:
            self._block, self._text = None, ""
        elif piece:
            self._block = self._block or self._body.empty()
            self._text += piece
            draw = self._block.caption if self._quiet else self._block.markdown
            draw(self._text)
