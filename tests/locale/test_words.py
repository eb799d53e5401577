"""The interface in two languages: nothing is shown that cannot be said in both."""

import ast
import re
import string
from collections.abc import Iterator
from pathlib import Path

import pytest
import streamlit as st

from assistant.locale import words
from assistant.locale.retold_ja import RETOLD
from assistant.locale.words import language, retell, say
from assistant.locale.words_ja import JAPANESE
from assistant.transports.replay import shipped
from tests.paths import ROOT
from tests.ui.page import Open

PACKAGE = ROOT / "assistant"
SHOWN = [
    ROOT / "streamlit_app.py",
    PACKAGE / "access" / "auth.py",
    PACKAGE / "locale" / "words.py",
    *sorted((PACKAGE / "ui").rglob("*.py")),
]
CODE = [path for path in PACKAGE.rglob("*.py") if not path.name.endswith("_ja.py")]

ELEMENTS = {
    *("badge", "button", "caption", "chat_input", "checkbox", "date_input", "datetime_input"),
    *("download_button", "error", "expander", "file_uploader", "header", "html", "info"),
    *("link_button", "markdown", "multiselect", "number_input", "pills", "popover", "progress"),
    *("radio", "segmented_control", "select_slider", "selectbox", "slider", "spinner", "subheader"),
    *("success", "text", "text_area", "text_input", "title", "toast", "toggle", "warning", "write"),
}
WORDS = {"label", "help", "placeholder", "alt", "text", "body", "title"}
"""The arguments of an element that are read by people."""
NO_WORDS = re.compile(
    r":material/\w+:|:(small|gray|red|green|orange|shimmer|blue)(?=\[)|https?://\S+|\(JSON\)"
)
NAMES = {"Assistant", "Markdown"}
"""What is the same in every language."""


def calls(path: Path) -> Iterator[ast.Call]:
    return (node for node in ast.walk(ast.parse(path.read_text("utf-8"))) if isinstance(node, ast.Call))


def said_in(path: Path) -> Iterator[str]:
    """What a file says through ``say`` and ``later``, or has ``ui/door.py`` say."""
    for node in calls(path):
        match node:
            case ast.Call(ast.Name("say" | "later" | "Words"), [ast.Constant(words), *_]):
                yield str(words)


def texts_in(path: Path) -> Iterator[str]:
    """All texts in a file; each part of one that is filled in is ``{}``."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield _without_names(node.value)
        elif isinstance(node, ast.JoinedStr):
            yield "".join(str(each.value) if isinstance(each, ast.Constant) else "{}" for each in node.values)


def _without_names(template: str) -> str:
    return re.sub(r"\{\w+\}", "{}", template)


def parts_of(template: str) -> list[str]:
    return sorted(name for _, name, _, _ in string.Formatter().parse(template) if name is not None)


@pytest.mark.parametrize("path", SHOWN, ids=lambda path: path.name)
def test_all_that_the_page_says_can_be_said_in_japanese(path: Path) -> None:
    assert [each for each in said_in(path) if each not in JAPANESE] == []


def test_nothing_stands_in_the_table_that_nobody_says() -> None:
    said = {each for path in SHOWN for each in said_in(path)}
    kinds = {"table", "chart", "map", "image", "file", "diagram"}  # of views, said by their own names
    assert set(JAPANESE) - said == kinds


def test_what_is_told_again_is_what_the_package_says() -> None:
    said = {each for path in CODE for each in texts_in(path)}
    said |= {name.replace("_", " ") for name in shipped()}
    rate = {each for each in RETOLD if each.startswith("Too many requests")}  # put together of two
    assert {each for each in RETOLD if _without_names(each) not in said} == rate


@pytest.mark.parametrize("table", [JAPANESE, RETOLD], ids=["said", "retold"])
def test_a_translation_has_the_parts_of_its_sentence(table: dict[str, str]) -> None:
    without = {"{name} cannot be read by a model. What can: {kinds}.": ["kinds"]}
    without["{name} is not attached: {taker} takes no {kind}."] = ["kind"]
    for english, japanese in table.items():
        left_out = without.get(english, [])
        assert sorted(parts_of(japanese) + left_out) == parts_of(english), english


@pytest.mark.parametrize("table", [JAPANESE, RETOLD], ids=["said", "retold"])
def test_japanese_is_written_as_it_is_written(table: dict[str, str]) -> None:
    letters = re.compile(r"[\u3040-\u30ff\u4e00-\u9fff]")
    for english, japanese in table.items():
        words = re.sub(r"`[^`]*`", "", japanese)
        assert (
            letters.search(words)
            or english in (", ", "{doing}: {how_far}", "{count} ms", "{model} over {protocol}")
            or (english == "{model} at {address}")
        ), english
        # Full-width marks behind Japanese letters, and none of the half-width ones.
        assert not re.search(r"[\u3040-\u30ff\u4e00-\u9fff][,.!?;()]", words), japanese
        assert not re.search(r"[,.!?;][\u3040-\u30ff\u4e00-\u9fff]", words), japanese


@pytest.mark.parametrize("path", SHOWN, ids=lambda path: path.name)
def test_no_element_is_given_words_that_are_in_one_language_alone(path: Path) -> None:
    found = []
    for node in calls(path):
        if not isinstance(node.func, ast.Attribute) or node.func.attr not in ELEMENTS:
            continue
        if isinstance(node.func.value, ast.Name) and node.func.value.id == "log":
            continue
        given = [*node.args[:1], *(each.value for each in node.keywords if each.arg in WORDS)]
        found += [(node.lineno, each) for argument in given for each in _english(argument)]
    assert found == []


def _english(node: ast.expr) -> Iterator[str]:
    """The words that stand in an argument as they will be shown."""
    match node:
        case ast.Constant(str(text)):
            left = NO_WORDS.sub("", text)
            if re.search(r"[A-Za-z]{2,}", left) and text not in NAMES and "_" not in left:
                yield text
        case ast.JoinedStr(values):
            for each in values:
                if isinstance(each, ast.Constant):
                    yield from _english(each)
        case ast.IfExp(_, first, second):
            yield from _english(first)
            yield from _english(second)
        case ast.BinOp(left, _, right) | ast.BoolOp(_, [left, right]):
            yield from _english(left)
            yield from _english(right)


# --- which language -----------------------------------------------------------------------------------


def in_language(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setattr(words, "language", lambda: name)


def test_what_is_said_is_english_where_nothing_else_is_known() -> None:
    assert (language(), say("Stop"), say("{seconds} s", seconds=3)) == ("en", "Stop", "3 s")


@pytest.mark.parametrize(
    ("locale", "expected"),
    [("ja", "ja"), ("ja-JP", "ja"), ("JA-jp", "ja"), ("en-GB", "en"), ("de", "en"), ("", "en"), (None, "en")],
)
def test_the_browsers_language_decides(
    monkeypatch: pytest.MonkeyPatch, locale: str | None, expected: str
) -> None:
    monkeypatch.setattr(type(st.context), "locale", locale)
    assert language() == expected


def test_parts_that_somebody_wrote_are_put_in_as_they_are(monkeypatch: pytest.MonkeyPatch) -> None:
    in_language(monkeypatch, "ja")
    assert say("It is not deleted. {why}", why="{why} {0}") == "削除できませんでした。{why} {0}"
    assert say("{nobody} has translated this.") == "{nobody} has translated this."


def test_sentences_of_the_package_are_told_again_with_their_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    assert retell("Stopped.") == "Stopped."
    in_language(monkeypatch, "ja")
    told = {
        "Stopped.": "停止しました。",
        "{x} is empty.": "{x} は空です。",
        "Reading the forecast for {Oslo}": "{Oslo} の天気予報を調べています",
        "localhost refused the request. It says: no.\nNo {words}!": (
            "localhost がリクエストを拒否しました。サーバーの応答: no.\nNo {words}!"
        ),
        "Nobody has translated this {x}.": "Nobody has translated this {x}.",
        "": "",
    }
    assert {each: retell(each) for each in told} == told


def test_a_person_changes_the_language_and_nothing_else_changes(open_page: Open) -> None:
    page = open_page()
    page.chat_input(key="prompt").set_value("Hi").run()
    page.toggle(key="sandbox").set_value(True).run()
    page.segmented_control(key="inspector_view").set_value("Timing").run()
    address = page.query_params["thread"]
    assert page.button(key="new_chat").label == "New chat"
    page.segmented_control(key="language").set_value("ja").run()
    assert not page.exception
    assert page.button(key="new_chat").label == "新しいチャット"
    assert page.chat_input(key="prompt").placeholder == "メッセージを入力"
    assert page.segmented_control(key="inspector_view").value == "Timing"
    assert page.toggle(key="sandbox").value
    assert page.query_params["thread"] == address
    page.button(key="new_chat").click().run()
    assert page.button(key="new_chat").label == "新しいチャット"
    page.segmented_control(key="language").set_value("en").run()
    assert page.button(key="new_chat").label == "New chat"
