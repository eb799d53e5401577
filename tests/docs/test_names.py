"""Pages name the parts of the interface and of the code as these are named."""

import re
from functools import cache
from pathlib import Path

import pytest
from babel.messages.pofile import read_po

from assistant.locale.catalogues import DOMAIN, catalogue_path
from tests.docs.pages import MARKDOWN_FILES
from tests.downloads import DOWNLOADS
from tests.paths import ROOT

ELSEWHERE = {"Create app", "Advanced settings"}
"""Labels of other pages, such as share.streamlit.io."""

FOREIGN = {"ssh", "azure", "mcpr_1"}
"""Words in code font that stand for nothing in the project."""

CODE_FOLDERS = ("assistant", "tests", "deploy", ".streamlit", ".ci")


def interface_texts() -> set[str]:
    """Every English text of the interface, without icons and placeholders."""
    with catalogue_path("ja").open("rb") as file:
        messages = [message.id for message in read_po(file, domain=DOMAIN)]
    texts = [each for ids in messages for each in ([ids] if isinstance(ids, str) else ids)]
    return {re.sub(r":material/\w+:|\s*\(?\{\w+\}\)?", "", text).strip() for text in texts}


@pytest.mark.parametrize("page", MARKDOWN_FILES, ids=lambda page: page.name)
def test_labels_in_italics_are_texts_of_the_interface(page: Path) -> None:
    written = re.sub(r"^ *```.*?^ *```", "", page.read_text("utf-8"), flags=re.MULTILINE | re.DOTALL)
    labels = re.findall(r"(?<![*\w])\*([A-Z][^*]*)\*(?![*\w])", " ".join(written.split()))
    assert {*labels} - interface_texts() <= ELSEWHERE


@cache
def words_of_the_code() -> set[str]:
    """Every word in the project's code and configuration, and every file name."""
    files = [path for folder in CODE_FOLDERS for path in (ROOT / folder).rglob("*") if path.is_file()]
    files = [path for path in files if DOWNLOADS not in path.parents]
    known = {word for path in files for word in re.findall(r"\w+", path.name)}
    for path in [*files, ROOT / "streamlit_app.py"]:
        if path.name != "test_names.py" and path.suffix in (".py", ".toml", ".yaml", ".cfg", ".js", ""):
            known |= set(re.findall(r"\w+", path.read_text("utf-8")))
    return known


@pytest.mark.parametrize("page", MARKDOWN_FILES, ids=lambda page: page.name)
def test_names_in_code_font_exist(page: Path) -> None:
    written = re.sub(r"^ *```.*?^ *```", "", page.read_text("utf-8"), flags=re.MULTILINE | re.DOTALL)
    names = {
        name for code in re.findall(r"`([^`\n]+)`", written) for name in re.findall(r"[A-Za-z_]\w+", code)
    }
    names = {name for name in names if not name.endswith("_")}  # the beginning of a name
    assert names - words_of_the_code() <= FOREIGN
