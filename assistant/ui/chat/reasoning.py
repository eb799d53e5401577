"""The collapsed block that shows what a model discloses of its reasoning."""

from streamlit.delta_generator import DeltaGenerator

from assistant.markdown.block_splitter import BlockSplitter
from assistant.markdown.sanitizer import MarkdownSanitizer
from assistant.ui.chat.footer import in_time
from assistant.ui.language import _
from assistant.ui.streamlit_private import Expander


class ReasoningBlock:
    """The quiet block that holds what a model shows of its reasoning."""

    def __init__(self, key: str) -> None:
        self._expander = Expander(key, f":shimmer[{_('Reasoning')}]", "compact")
        self._body = self._expander.body.container()
        self._prose, self._blocks = MarkdownSanitizer(), BlockSplitter()
        self._block: DeltaGenerator | None = None  # the one that grows
        self._text = ""  # of that block

    def add(self, text: str) -> None:
        for piece in self._blocks.feed(self._prose.feed(text)):
            self._draw(piece)

    def end(self, seconds: float | None) -> None:
        for piece in self._blocks.feed(self._prose.flush()):
            self._draw(piece)
        self._draw(self._blocks.flush())
        took = _("Reasoning")
        if seconds:
            took = _("Reasoned for {time}", time=in_time(max(1.0, seconds), tenths=False))
        self._expander.update(took, "complete")

    def _draw(self, piece: str | None) -> None:
        if piece is None:
            self._block, self._text = None, ""
        elif piece:
            self._block = self._block or self._body.empty()
            self._text += piece
            self._block.markdown(self._text)
