"""The messages of the sources, and the catalogue that translates them.

``python -m tests.locale.catalogue`` updates the catalogue: it adds new messages, removes those that are no
longer used, and prints what has no translation yet.
"""

import ast
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from babel.messages.catalog import Catalog
from babel.messages.pofile import read_po, write_po

from assistant.locale.catalogues import DOMAIN, catalogue_path
from assistant.recordings.recording import sample_files, sample_title
from tests.source_tree import PAGE, modules, nodes, relative

SOURCES = [PAGE, *modules()]
STARTED = datetime(2026, 11, 29, tzinfo=UTC)

Message = str | tuple[str, str]
"""A template, or its singular and its plural."""


def extracted() -> Iterator[tuple[Message, str]]:
    """Yield every message, and where it comes from."""
    for path in SOURCES:
        for message in messages(path):
            yield message, relative(path)
    for recording in sample_files():
        yield sample_title(recording), "assistant/recordings"


def messages(path: Path) -> Iterator[Message]:
    """The messages of one file. Unlike Babel's own extractor, this finds those within f-strings in Python
    3.11, too."""
    for node in nodes(path):
        match node:
            case ast.Call(ast.Name("_" | "N_"), [ast.Constant(str(template)), *_]):
                yield template
            case ast.Call(ast.Name("ngettext" | "N_plural"), [ast.Constant(one), ast.Constant(many), *_]):
                yield str(one), str(many)
            case ast.Call(ast.Name("tool"), _, keywords):
                for each in keywords:
                    if each.arg in ("doing", "status") and isinstance(each.value, ast.Constant):
                        yield str(each.value.value)


def read(language: str) -> Catalog:
    """Return the catalogue of this language."""
    with catalogue_path(language).open("rb") as file:
        return read_po(file, locale=language)


def update(language: str) -> Catalog:
    """Write the messages of the sources into the catalogue, keep their translations, and return it."""
    old = read(language) if catalogue_path(language).exists() else Catalog(language)
    new = Catalog(language, project=DOMAIN, version="1", creation_date=STARTED, revision_date=STARTED)
    new.header_comment = new.msgid_bugs_address = new.last_translator = new.language_team = ""
    for message, name in extracted():
        known = old.get(message)
        new.add(message, known.string if known else None, locations=[(name, 1)])
    new.fuzzy = False
    write(new)
    return new


def write(catalogue: Catalog) -> None:
    with catalogue_path(str(catalogue.locale)).open("wb") as file:
        write_po(file, catalogue, width=110, sort_by_file=True, include_lineno=False)


if __name__ == "__main__":
    missing = [message.id for message in update("ja") if message.id and not any(message.string or ())]
    print(*missing, f"{len(missing)} without a translation", sep="\n")
