"""Images in Markdown: recognise one, and write it as a link that names its host."""

import html
import re
from dataclasses import dataclass
from urllib.parse import urlsplit

from assistant.markdown.escape import escape_markdown
from assistant.markdown.links import quote_url
from assistant.markdown.scan import MAX_SPAN_CHARS, Step, match_end

_BRACKETS = re.compile(r"\\.|[\[\]]|\n[ \t]*\n", re.DOTALL)
_PARENTHESES = re.compile(r"\\.|[()\s<]", re.DOTALL)
_GAP = re.compile(r"[ \t]*\n?[ \t]*")
_TITLES = {'"': r'"(?:[^"\\]|\\.)*', "'": r"'(?:[^'\\]|\\.)*", "(": r"\((?:[^()\\]|\\.)*"}
_TITLE = {first: re.compile(pattern, re.DOTALL) for first, pattern in _TITLES.items()}
_ESCAPED = re.compile(r"\\([!-/:-@\[-`{-~])")
_MAX_BRACKETS = 20


@dataclass(frozen=True, slots=True)
class Image:
    """An inline image: the length of its source, its description and its address."""

    length: int
    alt: str
    url: str

    @property
    def label(self) -> str:
        """The description and the host, escaped."""
        return " · ".join(escape_markdown(part) for part in (self.alt, _host_or_file(self.url)) if part)

    @property
    def link(self) -> str:
        """The image as a link."""
        return f"[{self.label}]({quote_url(self.url)})"


class ImageReader:
    """Reads what begins with ``!``; it remembers where no image begins, so that it searches the text once."""

    def __init__(self) -> None:
        self._none_before = 0  # the position in the text before which no image begins

    def read(self, text: str, at: int, ended: bool, offset: int, before: str) -> Step:
        """Read the image that begins here as a link, or the ``!`` as text if there is none.

        ``offset`` is where ``text`` begins in the whole text, ``before`` what stands before the ``!``.
        """
        if at + 1 == len(text):
            return (at + 1, "!") if ended else None
        if text[at + 1] != "[":
            return at + 1, "!"
        image: Image | None = None
        is_badge = False
        if offset + at >= self._none_before:
            window = text[at : at + MAX_SPAN_CHARS]
            try:
                image = parse_image(window)
                is_badge = (
                    image is not None
                    and before.endswith("[")
                    and window[image.length] + window[image.length + 1] == "]("
                )
            except IndexError:
                if len(window) < MAX_SPAN_CHARS and not ended:
                    return None
                if image is None:
                    self._none_before = offset + at + len(window)
        if image is None:
            return at + 1, "&#33;"
        return at + image.length, f"🖼 {image.label if is_badge else image.link}"


def parse_image(text: str) -> Image | None:
    """Return the image at the beginning of the text, which starts with ``![``; None if it is not an image.

    Raises:
        IndexError: More of the text is needed to tell.
    """
    close = _end_of_alt(text)
    if close is None or text[close + 1] != "(":
        return None
    at = match_end(_GAP, text, close + 2)
    if text[at] == "<":
        end = at = at + 1
        while text[end] != ">":
            if text[end] in "<\n":
                return None
            end += 2 if text[end] == "\\" else 1
        url, at = text[at:end], end + 1
    else:
        end = _end_of_url(text, at)
        url, at = text[at:end], end
    gap = match_end(_GAP, text, at)
    if gap > at and text[gap] in _TITLE:
        title = match_end(_TITLE[text[gap]], text, gap)
        if text[title] != {"(": ")"}.get(text[gap], text[gap]):
            return None
        gap = match_end(_GAP, text, title + 1)
    if text[gap] != ")":
        return None
    return Image(gap + 1, " ".join(_unescape(text[2:close]).split()), _unescape(url))


def _end_of_alt(text: str) -> int | None:
    """Return the position of the bracket that closes the description; None if there is none."""
    depth = 1
    for number, bracket in enumerate(_BRACKETS.finditer(text, 2)):
        depth += {"[": 1, "]": -1}.get(bracket[0], 0)
        if not depth:
            return bracket.start()
        if number > _MAX_BRACKETS or bracket[0][0] == "\n":
            return None
    raise IndexError


def _end_of_url(text: str, at: int) -> int:
    depth = 0
    for number, found in enumerate(_PARENTHESES.finditer(text, at)):
        depth += {"(": 1, ")": -1}.get(found[0], 0)
        if depth < 0 or found[0].isspace() or number > _MAX_BRACKETS:
            return found.start()
    raise IndexError


def _unescape(text: str) -> str:
    return html.unescape(_ESCAPED.sub(r"\1", text))


def _host_or_file(url: str) -> str:
    """Return the host that a browser would ask for the image; the file's name if there is no host."""
    try:
        parts = urlsplit(url.replace("\\", "/"))
        host = parts.hostname
    except ValueError:  # not an address for a browser either
        return "?"
    return host or (f"{parts.scheme}:" if parts.scheme else parts.path.rpartition("/")[2])
