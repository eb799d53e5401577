"""Pages name the parts of the interface as the interface does."""

import re
from pathlib import Path

import pytest
from babel.messages.pofile import read_po

from assistant.locale.catalogues import DOMAIN, catalogue_path
from tests.docs.pages import MARKDOWN_FILES

ELSEWHERE = {"Create app", "Advanced settings"}
"""Labels of other pages, such as share.streamlit.io."""


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
