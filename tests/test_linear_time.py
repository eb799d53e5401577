"""Every scanner of text from outside takes time in proportion to the length of the text.

A model, a file or a visitor chooses the text, so a quadratic scanner is a way to stop the server. The inputs
repeat short fragments of what the scanners look for. Growth is judged by the ratio of two sizes, so a slow
machine changes nothing.
"""

import random
import time
from collections.abc import Callable, Iterator
from contextlib import suppress

import pytest

from assistant.demo.replies.calls import plan_written_calls
from assistant.demo.replies.questions import plan_question
from assistant.events import Citation
from assistant.json_values import parse_json
from assistant.markdown.block_splitter import BlockSplitter
from assistant.markdown.escape import escape_markdown
from assistant.markdown.links import markdown_url, url_host
from assistant.markdown.sanitizer import MarkdownSanitizer
from assistant.messages import Message
from assistant.parts import Text
from assistant.recordings.redaction import redact_url, secrets_of
from assistant.recordings.requests import api_path, protocol_at
from assistant.storage.markdown_export import export_markdown
from assistant.storage.search import normalize
from assistant.texts import estimate_tokens, one_line, replace_unsendable
from assistant.threads import Thread
from assistant.tools.arguments import valid_arguments
from assistant.tools.view_checks import ViewError, validate_diagram
from assistant.transports import sse
from assistant.ui.chat.citations import Marks, Sources
from assistant.ui.page.accessibility import first_sentence
from assistant.ui.sidebar.thread_menu import plain_title
from assistant.uploads import attach, base_name

SMALL, LARGE = 4_000, 64_000
"""Lengths of the inputs. Time in proportion grows by 16, n·√n by 64, the square by 256."""

MAX_GROWTH = 40

# What the scanners look for, and what stands between.
MARKDOWN = (
    *(
        "\\(",
        "\\)",
        "\\[",
        "\\]",
        "$",
        "$$",
        "$$$",
        "\\",
        "\\\\",
        "\\$",
        "^",
        "_",
        "{",
        "5",
        "a",
        "aaaa",
        "ab ",
    ),
    *(
        "`",
        "``",
        "```",
        "~",
        "~~~",
        "```mermaid\n",
        "```\n",
        "![",
        "[",
        "]",
        "](",
        "!",
        "(",
        ")",
        "<",
        ">",
        '"',
        "'",
    ),
    *(
        "\n",
        "\n\n",
        " ",
        "    ",
        "\t",
        "\x0b",
        "\u00a0",
        "\r",
        "- ",
        "1. ",
        "> ",
        "| ",
        "#",
        "-",
        "*",
        "+ ",
        "[ ] ",
    ),
    *(
        ":",
        "::",
        ":red[",
        ":a:",
        "://",
        "http://h/",
        "www.",
        "&",
        "&#",
        "<script",
        "<!--",
        ":::",
        "[a](b)",
        "。",
        ".",
    ),
)
LINES = ("data:", "data: ", "event:", ":", "\n", "\r", "\r\n", "a", "{", " ", "\x00", "\u2028")
JSON = (
    "{",
    "}",
    "[",
    "]",
    '"',
    "\\",
    ":",
    ",",
    "1",
    "-",
    "e",
    "\\u",
    "\\ud800",
    '{"a":',
    "[[",
    " ",
    "null",
    "NaN",
)
URLS = (
    *("/", "?", "&", "=", "#", ":", "@", "%", "%2", "[", "]", ".", "a", "key=", "http://", "//", ";"),
    *("/responses", "/chat/completions", "/threads/", "/agents", "\n", "\\", "é", "xn--"),
)
TALK = (
    *(
        "f(",
        "get_weather(",
        ")",
        '"',
        "“",
        "'",
        ",",
        "=",
        "[",
        "]",
        "{",
        "}",
        "\\",
        "（",
        "）",
        "a",
        "A",
        "é",
        " ",
        "\n",
        "-",
    ),
    *(
        "in Oslo",
        "In ",
        "for ",
        "and ",
        "weather",
        "hotel",
        "1+",
        "*",
        "2",
        ".",
        "?",
        "、",
        "天気",
        "ア",
        "の",
        "2026-01-01",
    ),
)


def feed(pieces: Iterator[str]) -> None:
    """Draw a text as the page does, in these pieces."""
    sanitizer, splitter = MarkdownSanitizer(), BlockSplitter()
    for piece in pieces:
        list(splitter.feed(sanitizer.feed(piece)))
    list(splitter.feed(sanitizer.flush()))
    splitter.flush()


def cut(text: str, length: int) -> Iterator[str]:
    return (text[at : at + length] for at in range(0, len(text), length))


def split(text: str, length: int) -> None:
    splitter = BlockSplitter(min_chars=0)
    for piece in cut(text, length):
        list(splitter.feed(piece))
    splitter.flush()


def cite(text: str) -> None:
    marks = Marks(Sources("key", lambda *_: b""))
    for number, piece in enumerate(cut(text, 20)):
        marks.feed(piece)
        marks.cite(Citation(0, f"{number}", f"https://h/{number}"))
    marks.flush()


def export(text: str) -> None:
    export_markdown(Thread("id", [Message("assistant", [Text(text)])]), text)


def parse_events(text: str) -> None:
    data = text.encode()
    list(sse.events(data[at : at + 7] for at in range(0, len(data), 7)))


def diagram(text: str) -> None:
    for piece in cut(text, 8_000):
        with suppress(ViewError):
            validate_diagram(piece)


def say(text: str) -> None:
    plan_written_calls(text, {})
    for language in ("en", "ja"):
        plan_question(text, {}, language)


SCANNERS: dict[str, tuple[Callable[[str], object], tuple[str, ...]]] = {
    "Markdown at once": (lambda text: feed(iter([text])), MARKDOWN),
    "Markdown in pieces": (lambda text: feed(cut(text, 11)), MARKDOWN),
    "blocks at once": (lambda text: split(text, len(text)), MARKDOWN),
    "blocks in pieces": (lambda text: split(text, 11), MARKDOWN),
    "marks of sources": (cite, MARKDOWN),
    "escape": (escape_markdown, MARKDOWN),
    "first sentence": (first_sentence, MARKDOWN),
    "title": (plain_title, MARKDOWN),
    "export": (export, MARKDOWN),
    "one line": (lambda text: one_line(text, 99), MARKDOWN),
    "search": (normalize, MARKDOWN),
    "tokens": (estimate_tokens, MARKDOWN),
    "unsendable": (replace_unsendable, MARKDOWN),
    "file name": (base_name, URLS),
    "upload": (lambda text: attach([("a", text.encode())]), JSON),
    "diagram": (diagram, MARKDOWN),
    "events": (parse_events, LINES),
    "JSON": (parse_json, JSON),
    "arguments": (valid_arguments, JSON),
    "link": (markdown_url, URLS),
    "link at a host": (lambda text: url_host("http://" + text), URLS),
    "secrets": (lambda text: secrets_of("http://h/?" + text, {"cookie": text}), URLS),
    "redacted URL": (lambda text: redact_url("http://h/?" + text), URLS),
    "path": (api_path, URLS),
    "protocol": (lambda text: protocol_at("POST", "http://h/" + text, True), URLS),
    "demo": (say, TALK),
}


def seconds(scan: Callable[[str], object], text: str) -> float:
    began = time.thread_time()
    with suppress(ValueError):
        scan(text)
    return time.thread_time() - began


def growth(scan: Callable[[str], object], before: str, fragment: str, after: str) -> float:
    """Return how the time grows from the small to the large input; the smallest of up to four measurements."""

    def repeated(length: int) -> str:
        return before + fragment * (length // len(fragment)) + after

    smallest = float("inf")
    for _ in range(4):
        smallest = min(smallest, seconds(scan, repeated(LARGE)) / max(seconds(scan, repeated(SMALL)), 2e-4))
        if smallest < MAX_GROWTH:
            break
    return smallest


@pytest.mark.exhaustive
@pytest.mark.parametrize(
    ("name", "fragment", "after"),
    [
        ("Markdown at once", "\\(\n\n", ""),  # once 85 s for 128 kB
        ("Markdown at once", "\\[", "5"),
        ("blocks at once", "\x0b\n", "\n\n"),
        ("blocks in pieces", "- ", ""),
        ("marks of sources", "a", ""),
        ("path", "/x", ""),
    ],
)
def test_a_known_attack_takes_time_in_proportion(name: str, fragment: str, after: str) -> None:
    assert growth(SCANNERS[name][0], "a\n\n", fragment, after) < MAX_GROWTH


def test_a_row_of_backticks_is_announced_at_once() -> None:
    assert growth(lambda text: first_sentence(text[: len(text) // 40]), "", "`", "") < MAX_GROWTH


@pytest.mark.exhaustive
@pytest.mark.parametrize("name", SCANNERS)
def test_every_scanner_takes_time_in_proportion(name: str) -> None:
    scan, alphabet = SCANNERS[name]
    chance = random.Random(name)
    fragments = [*alphabet, *("".join(chance.choices(alphabet, k=chance.randint(2, 4))) for _ in range(60))]
    tries = [
        (chance.choice(("", "a\n\n", *alphabet)), each, chance.choice(("", *alphabet))) for each in fragments
    ]
    assert [each for each in tries if growth(scan, *each) >= MAX_GROWTH] == []
