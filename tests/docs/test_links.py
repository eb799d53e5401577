"""Links lead to existing pages and headings, and every file that a page names exists."""

import re
from pathlib import Path

import pytest

from tests.docs.pages import MARKDOWN_FILES, PAGES
from tests.paths import ROOT

OTHER_TEXTS = [
    *(ROOT / "deploy").glob("*.*"),
    *(
        ROOT / name
        for name in ("requirements.txt", ".streamlit/config.toml", "Dockerfile", "tests/bench/README.md")
    ),
]
SOURCE_FILES = {path.name for folder in ("assistant", "tests") for path in (ROOT / folder).rglob("*.py")}
RETIRED_WORDS = {
    *(
        "door",
        "keeper",
        "ledger",
        "nobody",
        "prose",
        "shelf",
        "somebody",
        "tape",
        "tapes",
        "unheard",
        "wallet",
    ),
    *("whoever", "whom"),
}


def anchors(page: Path) -> set[str]:
    """Return the anchors that GitHub gives to a page's headings."""
    text = re.sub(r"^ *```.*?^ *```", "", page.read_text("utf-8"), flags=re.MULTILINE | re.DOTALL)
    headings = re.findall(r"^#+ (.*)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", MARKDOWN_FILES, ids=lambda page: page.name)
def test_every_link_has_a_target(page: Path) -> None:
    written = re.sub(r"^ *```.*?^ *```", "", page.read_text("utf-8"), flags=re.MULTILINE | re.DOTALL)
    for target in re.findall(r"\]\(([^)\s]+)\)", written):
        if target.startswith("https://"):
            continue
        path, _, anchor = target.partition("#")
        found = (page.parent / path).resolve() if path else page
        assert found.exists(), target
        assert found.is_relative_to(ROOT.resolve()), target
        assert not anchor or anchor in anchors(found), target


@pytest.mark.parametrize("page", [*MARKDOWN_FILES, *OTHER_TEXTS], ids=lambda page: page.name)
def test_files_that_a_page_names_exist(page: Path) -> None:
    text = page.read_text("utf-8")
    for name in re.findall(r"`((?:assistant|tests|docs)/[\w/.]+)`", text):
        assert (ROOT / name).exists(), name
    for name in re.findall(r"(?<![\w/.>-])[\w/.]*\w\.py\b", text):
        folders = (ROOT, ROOT / "assistant", page.parent)
        assert any((folder / name).exists() for folder in folders) or name in SOURCE_FILES, name


@pytest.mark.parametrize("page", [*MARKDOWN_FILES, *OTHER_TEXTS], ids=lambda page: page.name)
def test_pages_use_standard_terms(page: Path) -> None:
    words = {word.lower() for word in re.findall(r"[A-Za-z]+", page.read_text("utf-8"))}
    assert words & RETIRED_WORDS <= ({"tape"} if page.name == "CHANGELOG.md" else set())


def test_every_page_is_linked_from_how_it_works() -> None:
    first = (ROOT / "docs" / "how-it-works.md").read_text("utf-8")
    assert {page.name for page in PAGES} == {"how-it-works.md", *re.findall(r"\]\(([\w-]+\.md)", first)}


def test_the_changelog_starts_with_the_unreleased_changes() -> None:
    versions = re.findall(r"^## (.*)$", (ROOT / "CHANGELOG.md").read_text("utf-8"), re.MULTILINE)
    assert versions[0] == "[Unreleased]"
