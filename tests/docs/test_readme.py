"""The READMEs: their code runs, both languages have the same content, and the pictures exist."""

import ast
import re
import textwrap
from collections.abc import Callable
from types import ModuleType

import pytest

from assistant import Tool, Toolbox
from assistant.demo import transport as demo
from assistant.tools.lint import lint
from tests.environment import VARIABLES, remove_settings
from tests.paths import ROOT

ENGLISH, JAPANESE = ((ROOT / name).read_text("utf-8") for name in ("README.md", "README.ja.md"))
PICTURES = ["answer.gif", "chat.ja.png", "chat.png", "phone.png"]
PATTERNS = {  # headings: only their levels
    "settings": r"^\| `([A-Z_]+)` \|",
    "pages": r"\]\((docs/[\w.#-]+)\)",
    "headings": r"^(#+) ",
    "pictures": r"(\.github/[\w.]+\.\w+)\b",
}


def blocks(text: str) -> list[tuple[str, str]]:
    """The blocks of code: language and content."""
    return re.findall(r"^```(\w*)\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)


def running_text(text: str) -> str:
    """Return the text without code and tables."""
    return re.sub(r"^```.*?^```$|^\|[^\n]*$", "", text, flags=re.MULTILINE | re.DOTALL)


def python(holds: str) -> str:
    [code] = [code for language, code in blocks(ENGLISH) if language == "python" and holds in code]
    return code


# --- what is shown ----------------------------------------------------------------------------------


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], ModuleType]:
    """Return a function that runs code as a module, with nothing configured."""
    remove_settings(monkeypatch)
    monkeypatch.setattr(demo, "SECONDS_PER_TOKEN", 0)

    def run_module(code: str) -> ModuleType:
        module = ModuleType("readme")
        monkeypatch.setitem(__import__("sys").modules, "readme", module)
        exec(compile(code, "README.md", "exec"), module.__dict__)
        return module

    return run_module


def test_the_first_function_is_strict_and_has_no_warnings(run: Callable[[str], ModuleType]) -> None:
    [function] = [value for value in vars(run(python("@tool"))).values() if isinstance(value, Tool)]
    assert (function.strict, lint(Toolbox(function)), function("JPY")) == (True, [], 0.0061)


def test_the_snippet_without_a_page_prints_a_whole_run(
    run: Callable[[str], ModuleType], capsys: pytest.CaptureFixture[str]
) -> None:
    run(python("Thread()")).assistant.backend.close()
    assert capsys.readouterr().out.splitlines()[-1] == "RunCompleted()"


def test_the_loop_is_the_one_in_the_code() -> None:
    def lines(code: str) -> str:
        return ast.unparse(ast.parse(textwrap.dedent(code)))

    source = (ROOT / "assistant" / "runs" / "loop.py").read_text("utf-8")
    [loop] = [
        node
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.For) and "max_rounds" in ast.unparse(node.iter)
    ]
    assert ast.unparse(loop) in lines(python("RoundStarted"))


def test_the_commands_are_these() -> None:
    install = "python3 -m venv .venv && .venv/bin/pip install -r requirements.txt"
    assert [code.splitlines() for language, code in blocks(ENGLISH) if language == "sh"] == [
        [install, ".venv/bin/streamlit run streamlit_app.py"],
        [f"{install} && .venv/bin/python -m pytest"],
    ]


def test_the_readme_is_read_in_five_minutes() -> None:
    assert len(running_text(ENGLISH).split()) < 5 * 280


# --- two languages ----------------------------------------------------------------------------------


def test_the_blocks_of_code_are_the_same_in_both_languages() -> None:
    assert blocks(JAPANESE) == blocks(ENGLISH)


@pytest.mark.parametrize("what", PATTERNS)
def test_both_languages_have_the_same_structure(what: str) -> None:
    ours, theirs = (re.findall(PATTERNS[what], text, re.MULTILINE) for text in (JAPANESE, ENGLISH))
    if what == "pictures":
        assert set(ours) | set(theirs) == {f".github/{name}" for name in (*PICTURES, "pictures.py")}
    elif what == "pages":
        assert sorted(set(ours)) == sorted(set(theirs))
    else:
        assert ours == theirs


def test_the_table_of_connections_is_the_same_in_both_languages() -> None:
    def named(text: str) -> list[list[str]]:
        rows = re.findall(r"^\| (?!`)(.*OPENAI_.*) \|$", text, re.MULTILINE)
        return [re.findall(r"`([^`]+)`", row) for row in rows]

    assert named(JAPANESE) == named(ENGLISH)
    assert len(named(ENGLISH)) == 5


def test_the_japanese_settings_have_the_same_values() -> None:
    rows = dict(re.findall(r"^\| `([A-Z_]+)` \| (.*) \|$", JAPANESE, re.MULTILINE))
    for name, english in VARIABLES.items():
        for value in re.findall(r"[\w.-]*\d[\w.-]*[\w]|\d+|\w+:\w[\w:]*|https?://[\w:/]+", english):
            assert value.rstrip(".") in rows[name], (name, value)


def test_each_language_links_to_the_other() -> None:
    assert ("[日本語](README.ja.md)" in ENGLISH, "[English](README.md)" in JAPANESE) == (True, True)


# --- pictures ---------------------------------------------------------------------------------------


def test_the_pictures_exist_and_are_small() -> None:
    sizes = {path.name: path.stat().st_size for path in (ROOT / ".github").glob("*.[gp][in][fg]")}
    assert sorted(sizes) == PICTURES
    animation = sizes.pop("answer.gif")
    assert animation < 1_500_000
    assert {name: size for name, size in sizes.items() if size > 200_000} == {}
