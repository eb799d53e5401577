"""A text of the model on its way to the page: sources marked, Markdown sanitized, split into blocks."""

from collections.abc import Iterable, Iterator

from assistant.events import Citation, Event, RefusalDelta, TextDelta
from assistant.markdown.block_splitter import BlockSplitter
from assistant.markdown.escape import escape_markdown
from assistant.markdown.sanitizer import MarkdownSanitizer
from assistant.ui.chat.citations import Marks, Sources
from assistant.ui.streamlit_private import Chunk, end_text_block


class TextBlocks:
    """One text; ``feed`` and ``flush`` yield the chunks to draw."""

    def __init__(self, sources: Sources, *, is_markdown: bool = True) -> None:
        self._marks, self._is_markdown = Marks(sources), is_markdown
        self._sanitizer, self._splitter = MarkdownSanitizer(), BlockSplitter()

    def feed(self, events: Iterable[Event]) -> Iterator[Chunk]:
        """Yield what can be drawn of these events."""
        text = ""
        for event in events:
            match event:
                case Citation():
                    text += self._marks.cite(event)
                case TextDelta(delta):
                    text += self._marks.feed(delta)
                case RefusalDelta(delta):
                    text += self._marks.feed(escape_markdown(delta))
        yield from self._split(self._sanitizer.feed(text) if self._is_markdown else text)

    def pause(self) -> Iterator[Chunk]:
        """Yield text that was held back only because of what might follow."""
        if text := self._splitter.flush():
            yield text

    def flush(self) -> Iterator[Chunk]:
        """Yield all text that was held back; the text has ended."""
        if marks := self._marks.flush():
            yield from self._split(self._sanitizer.feed(marks))
        yield from self._split(self._sanitizer.flush())
        yield from self.pause()

    def _split(self, text: str) -> Iterator[Chunk]:
        for piece in self._splitter.feed(text):
            yield end_text_block if piece is None else piece
