"""The pages in ``docs/``: their snippets of code and their tables."""

import re
from dataclasses import dataclass
from functools import cache

import pytest

from tests.paths import ROOT

PAGES = sorted((ROOT / "docs").glob("*.md"))
MARKDOWN_FILES = [*PAGES, *sorted(ROOT.glob("*.md"))]


@dataclass(frozen=True)
class Snippet:
    """A block of code on a page, with the heading above it."""

    page: str
    heading: str
    line: int
    language: str
    code: str

    def __str__(self) -> str:
        return f"{self.page}:{self.line} {self.heading}"


@cache
def snippets() -> list[Snippet]:
    found: list[Snippet] = []
    for page in PAGES:
        heading, opened = "", None
        for number, line in enumerate(page.read_text("utf-8").splitlines(), 1):
            fence = re.fullmatch(r"( *)```(\w*)", line)
            if fence and opened is None:
                opened = (fence[2], number, len(fence[1]), list[str]())
            elif fence and opened is not None:
                language, began, _, lines = opened
                found.append(Snippet(page.name, heading, began, language, "\n".join(lines) + "\n"))
                opened = None
            elif opened is not None:
                opened[3].append(line[opened[2] :])
            elif line.startswith("#"):
                heading = line.lstrip("# ")
        assert opened is None, f"{page.name}: a block of code has no end"
    return found


def snippets_in(*languages: str) -> pytest.MarkDecorator:
    found = [item for item in snippets() if item.language in languages]
    return pytest.mark.parametrize("snippet", found, ids=str)


def snippet(page: str, heading: str, number: int = 0) -> Snippet:
    return [item for item in snippets() if (item.page, item.heading) == (page, heading)][number]


def rows(page: str, heading: str, number: int = 0) -> list[list[str]]:
    """Return the cells of a table under a heading, without its header row."""
    body = re.split(r"^#+ ", (ROOT / "docs" / page).read_text("utf-8"), flags=re.MULTILINE)
    section = next(part for part in body if part.startswith(f"{heading}\n"))
    table = re.findall(r"(?:^\|.*\n)+", section, re.MULTILINE)[number]
    lines = [line.replace(r"\|", "\0") for line in table.splitlines()[2:]]
    return [[cell.strip().replace("\0", "|") for cell in line.strip("|").split("|")] for line in lines]


def codes(cell: str) -> list[str]:
    return re.findall(r"`([^`]+)`", cell)


GUIDE = "from-the-assistants-api.md"
