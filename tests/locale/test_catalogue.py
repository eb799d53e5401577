"""The catalogue has every message of the sources, and no other."""

import ast
import re
import string
from collections.abc import Iterator
from pathlib import Path
from typing import cast

from assistant.locale import LANGUAGES
from tests.locale import catalogue
from tests.source_tree import PACKAGE, PAGE, nodes, relative

JAPANESE = {message.id: message.string for message in catalogue.read("ja") if message.id}
DRAWING = [PAGE, *(PACKAGE / "ui").rglob("*.py")]

ELEMENTS = {
    *("badge", "button", "caption", "chat_input", "checkbox", "date_input", "datetime_input"),
    *("download_button", "error", "expander", "file_uploader", "header", "html", "info"),
    *("link_button", "markdown", "menu_button", "multiselect", "number_input", "pills", "popover"),
    *("progress", "radio", "segmented_control", "select_slider", "selectbox", "slider", "spinner"),
    *("status", "subheader", "success", "text", "text_area", "text_input", "title", "toast", "toggle"),
    *("warning", "write", "dialog", "metric"),
}
TEXTS = {"label", "help", "placeholder", "alt", "text", "body", "title"}
"""The arguments of an element that the user reads."""
NOT_TEXT = re.compile(
    r":material/\w+:|:(small|gray|red|green|orange|shimmer|blue)(?=\[)|https?://\S+|\(JSON\)"
)
NAMES = {"Assistant", "Markdown"}
"""What is the same in every language."""


def strings(message: object) -> list[str]:
    """Return a text, or a singular and a plural, as a list."""
    return [message] if isinstance(message, str) else [str(text) for text in cast("tuple[str]", message)]


def placeholders(template: str) -> list[tuple[str, str]]:
    return sorted((name, spec or "") for _, name, spec, _ in string.Formatter().parse(template) if name)


def test_the_catalogue_has_the_messages_of_the_sources_and_no_others() -> None:
    messages = {message for message, _ in catalogue.extracted()}
    assert (messages - set(JAPANESE), set(JAPANESE) - messages) == (set(), set())


def test_every_message_is_translated() -> None:
    assert [message for message, translation in JAPANESE.items() if not all(strings(translation))] == []


def test_every_language_has_a_catalogue() -> None:
    folders = {path.name for path in (PACKAGE / "locale").iterdir() if path.is_dir()}
    assert folders - {"__pycache__"} == set(LANGUAGES) - {"en"}


def test_a_translation_has_the_placeholders_of_its_message() -> None:
    for message, translation in JAPANESE.items():
        templates = strings(message)
        for template in templates + strings(translation):
            assert placeholders(template) == placeholders(templates[-1]), message


LETTERS = re.compile(r"[\u3040-\u30ff\u4e00-\u9fff]")
WITHOUT_LETTERS = {
    "the Responses API",
    ", ",
    "{status}: {progress}",
    "{count} ms",
    "{model} over {protocol}",
    "{model} at {address}",
}


def test_japanese_has_full_width_punctuation() -> None:
    for message, translation in JAPANESE.items():
        for text in strings(translation):
            words = re.sub(r"`[^`]*`", "", text)
            assert LETTERS.search(words) or message in WITHOUT_LETTERS, message
            # Full-width marks next to Japanese letters, and none of the half-width ones.
            assert not re.search(r"[\u3040-\u30ff\u4e00-\u9fff][,.!?:;()]", words), text
            assert not re.search(r"[,.!?:;][\u3040-\u30ff\u4e00-\u9fff]", words), text


def test_a_message_is_a_literal() -> None:
    """An f-string, a sum or a formatted text cannot be extracted."""
    wrong = [
        f"{relative(path)}:{call.lineno}"
        for path in catalogue.SOURCES
        for call in calls(path)
        if isinstance(call.func, ast.Name)
        and call.func.id in ("_", "N_", "ngettext", "N_plural")
        and isinstance(call.args[0], ast.JoinedStr | ast.BinOp)
    ]
    assert wrong == []


def test_no_element_shows_text_in_one_language_only() -> None:
    assert [text for path in DRAWING for text in untranslated_texts(path)] == []


def untranslated_texts(path: Path) -> Iterator[str]:
    for call in calls(path):
        if not isinstance(call.func, ast.Attribute) or call.func.attr not in ELEMENTS:
            continue
        if isinstance(call.func.value, ast.Name) and call.func.value.id == "log":
            continue
        texts = [*call.args[:1], *(keyword.value for keyword in call.keywords if keyword.arg in TEXTS)]
        yield from (f"{relative(path)}:{call.lineno} {text}" for each in texts for text in untranslated(each))


def calls(path: Path) -> Iterator[ast.Call]:
    return (node for node in nodes(path) if isinstance(node, ast.Call))


def untranslated(node: ast.expr) -> Iterator[str]:
    """English words in an argument that will be shown as they are."""
    match node:
        case ast.Constant(str(text)):
            left = NOT_TEXT.sub("", text)
            if re.search(r"[A-Za-z]{2,}", left) and text not in NAMES and "_" not in left:
                yield text
        case ast.JoinedStr(values):
            for value in values:
                if isinstance(value, ast.Constant):
                    yield from untranslated(value)
        case ast.IfExp(_, first, second):
            yield from untranslated(first)
            yield from untranslated(second)
        case ast.BinOp(left, _, right) | ast.BoolOp(_, [left, right]):
            yield from untranslated(left)
            yield from untranslated(right)
