"""The sources of an answer: their marks in its text, their list below it, and files that can be fetched.

Not here: which text they belong to (``messages.py``).

The one rule: a mark goes through what every text of a model goes through, and a title is shown as text.
"""

import re
from collections.abc import Callable

import streamlit as st

from assistant.errors import BackendError
from assistant.events import Citation
from assistant.markdown.escape import escape_markdown
from assistant.markdown.links import markdown_url, url_host
from assistant.ui.chat.views import offer
from assistant.ui.language import _, translate
from assistant.uploads import image_type

Fetch = Callable[[str, str], bytes]
"""Fetches a file by the ids of its container and of itself."""


class Sources:
    """The sources of one answer, numbered as they come."""

    def __init__(self, key: str, fetch: Fetch | None = None) -> None:
        self._key, self._fetch = key, fetch
        self._found: dict[tuple[str, str], Citation] = {}

    def mark(self, citation: Citation) -> str:
        """The mark of a source, in Markdown; it is read as the model's text is."""
        known = (citation.url, citation.file_id)
        self._found.setdefault(known, citation)
        number = list(self._found).index(known) + 1
        address = markdown_url(citation.url)
        # A narrow space: right after a bracket it would be taken for a part of that link.
        return "\u202f" + (f"[\\[{number}\\]]({address})" if address else f"\\[{number}\\]")

    def draw(self) -> None:
        """Draw all of them, each with the host that it leads to."""
        if not self._found:
            return
        with st.container(key=self._key, gap="xsmall"):
            lines = [f"{number}. {_line(each)}" for number, each in enumerate(self._found.values(), 1)]
            st.caption(f"{_('Sources')}\n\n" + "\n".join(lines))
            made = [each for each in self._found.values() if each.container]
            for number, each in enumerate(made):
                _offer_file(each, f"{self._key}-{number}", self._fetch)


def _line(citation: Citation) -> str:
    title = escape_markdown(" ".join(citation.title.split()))
    if address := markdown_url(citation.url):
        host = escape_markdown(url_host(citation.url))
        return f"[{title or host}]({address}) · {host}"
    return title or escape_markdown(citation.file_id or citation.url)


_OPEN = frozenset("`~|$\\")
"""After these a mark might become a part of what they begin or end."""

_WORD = re.compile(r"[^\W\u2e80-\uffff]*")


class Marks:
    """Puts the marks of sources into a text that comes in pieces, each at the end of a word."""

    def __init__(self, sources: Sources) -> None:
        self._sources = sources
        self._tail = ""
        self._waiting = ""

    def feed(self, text: str) -> str:
        """The next piece of the text, with the marks that waited for it."""
        if not text:
            return ""
        self._tail = text[-1]
        if self._waiting:
            end = _WORD.match(text).end()  # type: ignore[union-attr]  # it matches nothing as well
            if end < len(text):
                return text[:end] + self.flush() + text[end:]
        return text

    def cite(self, citation: Citation) -> str:
        """The mark of a source, if it need not wait for the end of a word."""
        mark = self._sources.mark(citation)
        if self._tail in _OPEN:
            return ""
        self._waiting += mark
        return "" if _WORD.match(self._tail)[0] else self.flush()  # type: ignore[index]

    def flush(self) -> str:
        """The marks that wait, where the text goes no further."""
        waiting, self._waiting = self._waiting, ""
        return waiting


def _offer_file(citation: Citation, key: str, fetch: Fetch | None) -> None:
    """Offer a file that a tool made; it is fetched when a person asks for it."""
    name = " ".join(citation.title.split()) or "file"
    if fetch is None:
        return
    if not st.button(
        _("Fetch {name}", name=escape_markdown(name)), key=key, icon=":material/cloud_download:"
    ):
        return
    try:
        data = fetch(citation.container, citation.file_id)
    except BackendError as error:
        st.error(escape_markdown(_("Could not fetch {name}. {why}", name=name, why=translate(error.text))))
        return
    if image_type(data):
        st.image(data, alt=name)
    offer(data, name, key)
