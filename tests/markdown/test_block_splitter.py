"""Markdown that is being written is split into blocks that look like the whole text.

The judge is a CommonMark parser with the tables, footnotes and formulas that the page knows, too. A test in
the browser checks where the blocks stand on the page.
"""

import json
import random
import tarfile
from typing import Any

import pytest

from assistant.markdown.block_splitter import BlockSplitter
from tests.conftest import need
from tests.paths import ROOT

DOWNLOADS = ROOT / ".ci" / "downloads"

HARD = [
    "A paragraph.\n\nAnother one\nof two lines.",
    "# Heading\n\nText\n\n## Another\n\n\n\nText",
    "- a\n- b\n\n  more of b\n\n- c\n\nNot in the list",
    "1. a\n\n   ```\n   code\n\n   code\n   ```\n\n2. b\n\nEnd",
    "```python\nx = 1\n\n\ny = 2\n```\n\nAfter",
    "~~~\n```\n\n~~~\n\nAfter",
    "    indented\n\n    code\n\nAfter",
    "| a | b |\n|---|---|\n| 1 | 2 |\n\nAfter",
    "> quoted\n\n> again\n\nAfter\n\n> lazy\ncontinuation\n\nEnd",
    "$$\nx\n\ny\n$$\n\nAfter $a$ and $$b$$.",
    "[a link][one]\n\nText\n\n[one]: https://example.com\n\nEnd",
    "A note[^1].\n\nText\n\n[^1]: The note.\n\nEnd",
    "<div>\n\ntext\n\n</div>\n\nAfter\n\nEnd",
    "<!-- a comment\n\nthat goes on -->\n\nAfter",
    "**bold** begins.\n\n***\n\n1986. A year\n\n- \n\n* * *\n\nEnd",
    "Setext\n===\n\nAnother\n---\n\nEnd",
    "\n\n\nBegins late\n\n \n\t\nEnd\n\n\n",
    "日本語の段落。\n\n第二段落。\n\n- 一\n- 二\n\n終わり",
    "A line\u2028with separators\x0b\x0c\x85 in it.\n\nEnd",
]


def parser() -> Any:
    try:
        from markdown_it import MarkdownIt
        from mdit_py_plugins.dollarmath import dollarmath_plugin
        from mdit_py_plugins.footnote import footnote_plugin
    except ImportError:
        need(False, "a Markdown parser (.ci/requirements.txt)")
    markdown = MarkdownIt("commonmark").enable("table").enable("strikethrough")
    return markdown.use(footnote_plugin).use(dollarmath_plugin)


def blocks_of(text: str, cuts: list[int], min_chars: int) -> list[str]:
    """Return the blocks of a text that arrives in pieces which end at these positions."""
    blocks, found = BlockSplitter(min_chars), [""]
    for start, end in zip([0, *cuts], [*cuts, len(text)], strict=True):
        for piece in blocks.feed(text[start:end]):
            if piece is None:
                found.append("")
            else:
                found[-1] += piece
    found[-1] += blocks.flush()
    return found


def check_texts(texts: list[str], times: int, seed: int) -> int:
    """Check the texts and random combinations of them, cut at random; return the number of blocks."""
    judge, random_, count = parser(), random.Random(seed), 0
    for number in range(times):
        text = texts[number] if number < len(texts) else "\n\n".join(random_.choices(texts, k=3))
        min_chars = random_.choice([0, 0, 5, 20, 60])
        cuts = sorted(random_.sample(range(len(text) + 1), min(len(text), random_.randrange(12))))
        blocks = blocks_of(text, cuts, min_chars)
        assert "".join(blocks) == text
        assert "".join(map(judge.render, blocks)) == judge.render(text), (text, blocks, cuts)
        count += len(blocks)
    return count


@pytest.mark.exhaustive
def test_the_blocks_look_like_the_whole_text() -> None:
    assert check_texts(HARD, 1000, seed=1) > 2000


@pytest.mark.exhaustive
def test_the_blocks_of_every_commonmark_example_look_like_the_whole_text() -> None:
    """The specification's examples come with the source of a parser; ``.ci/run`` downloads it."""
    found = sorted(DOWNLOADS.glob("markdown_it_py-*.tar.gz"))
    need(found, "the source of markdown-it-py")
    with tarfile.open(found[-1]) as archive:
        member = next(name for name in archive.getnames() if name.endswith("commonmark.json"))
        file = archive.extractfile(member)
        assert file is not None
        examples = [example["markdown"] for example in json.load(file)]
    assert len(examples) > 600
    assert check_texts(examples, 20_000, seed=2) > 25_000


def test_a_block_ends_only_before_a_paragraph_a_heading_a_table_or_a_fence() -> None:
    text = (
        "One\n\nTwo\n\n- a\n\nThree\n\n> q\n\n# Four\n\n$$x$$\n\n```\ncode\n```\n\n| a |\n|-|\n\n---\n\nFive"
    )
    assert blocks_of(text, [], 0) == [
        "One\n\n",
        "Two\n\n- a\n\n",
        "Three\n\n> q\n\n",
        "# Four\n\n$$x$$\n\n",
        "```\ncode\n```\n\n",
        "| a |\n|-|\n\n---\n\n",
        "Five",
    ]


def test_a_block_has_a_minimum_length() -> None:
    assert blocks_of("One\n\nTwo\n\nThree", [], 8) == ["One\n\nTwo\n\n", "Three"]


def test_the_beginning_of_a_line_is_held_back_until_it_is_clear() -> None:
    blocks = BlockSplitter(0)
    assert list(blocks.feed("One\n\n*")) == ["One\n\n"]
    assert list(blocks.feed("*bold**")) == [None, "**bold**"]
    assert list(blocks.feed("\n\n-")) == ["\n\n"]
    assert blocks.flush() == "-"
    assert list(blocks.feed("- -\n\nTwo")) == ["- -\n\n", None, "Two"]


@pytest.mark.exhaustive
def test_every_character_of_a_long_text_is_yielded_once() -> None:
    text = "A paragraph of some words.\n\n" * 20_000
    assert "".join(blocks_of(text, list(range(7, len(text), 7)), 200)) == text
