"""The READMEs: what they show runs as it stands, the two languages say the same, and the pictures are there.

Not here: their links (``test_docs.py``), or that every setting is named (``test_house.py``).

The one rule: what stands in both languages is compared, so that none of them falls behind.
"""

import ast
import re
import textwrap
from collections.abc import Callable
from types import ModuleType

import pytest

from assistant import Tool, Toolbox
from assistant.demo import transport as demo
from assistant.settings import VARIABLES
from assistant.tools.lint import lint
from tests.paths import ROOT

ENGLISH, JAPANESE = ((ROOT / name).read_text("utf-8") for name in ("README.md", "README.ja.md"))
PICTURES = ["answer.gif", "chat.ja.png", "chat.png", "phone.png"]
READ_FROM = {  # the headings, without their words
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
    """Runs a piece of code as a module of its own, with nothing set."""
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(demo, "SECONDS_PER_TOKEN", 0)

    def ran(code: str) -> ModuleType:
        made = ModuleType("readme")
        monkeypatch.setitem(__import__("sys").modules, "readme", made)
        exec(compile(code, "README.md", "exec"), made.__dict__)
        return made

    return ran


def test_the_function_to_begin_with_is_strict_and_leaves_nothing_to_say(
    run: Callable[[str], ModuleType],
) -> None:
    [offered] = [each for each in vars(run(python("@tool"))).values() if isinstance(each, Tool)]
    assert (offered.strict, lint(Toolbox(offered)), offered("JPY")) == (True, [], 0.0061)


def test_the_snippet_without_a_page_answers(
    run: Callable[[str], ModuleType], capsys: pytest.CaptureFixture[str]
) -> None:
    run(python("Thread()")).assistant.backend.close()
    assert capsys.readouterr().out.splitlines()[-1] == "RunCompleted()"


def test_the_loop_is_the_one_that_runs() -> None:
    def lines(code: str) -> str:
        return ast.unparse(ast.parse(textwrap.dedent(code)))

    source = (ROOT / "assistant" / "runs" / "loop.py").read_text("utf-8")
    [loop] = [
        node
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.For) and "max_rounds" in ast.unparse(node.iter)
    ]
    assert ast.unparse(loop) in lines(python("RoundStarted"))


def test_the_commands_are_few_and_known() -> None:
    install = "python3 -m venv .venv && .venv/bin/pip install -r requirements.txt"
    assert [code.splitlines() for language, code in blocks(ENGLISH) if language == "sh"] == [
        [install, ".venv/bin/streamlit run streamlit_app.py"],
        [f"{install} && .venv/bin/python -m pytest"],
    ]


def test_it_is_read_in_five_minutes() -> None:
    assert len(running_text(ENGLISH).split()) < 5 * 280


# --- two languages ----------------------------------------------------------------------------------


def test_the_blocks_of_code_are_the_same_in_both_languages() -> None:
    assert blocks(JAPANESE) == blocks(ENGLISH)


@pytest.mark.parametrize("what", READ_FROM)
def test_both_languages_have_the_same(what: str) -> None:
    ours, theirs = (re.findall(READ_FROM[what], each, re.MULTILINE) for each in (JAPANESE, ENGLISH))
    if what == "pictures":
        assert set(ours) | set(theirs) == {f".github/{name}" for name in (*PICTURES, "pictures.py")}
    elif what == "pages":
        assert sorted(set(ours)) == sorted(set(theirs))
    else:
        assert ours == theirs


def test_a_table_names_the_same_things_in_both_languages() -> None:
    def named(text: str) -> list[list[str]]:
        rows = re.findall(r"^\| (?!`)(.*OPENAI_.*) \|$", text, re.MULTILINE)
        return [re.findall(r"`([^`]+)`", row) for row in rows]

    assert named(JAPANESE) == named(ENGLISH)
    assert len(named(ENGLISH)) == 5


def test_the_japanese_settings_name_the_same_values() -> None:
    rows = dict(re.findall(r"^\| `([A-Z_]+)` \| (.*) \|$", JAPANESE, re.MULTILINE))
    for name, english in VARIABLES.items():
        for value in re.findall(r"[\w.-]*\d[\w.-]*[\w]|\d+|\w+:\w[\w:]*|https?://[\w:/]+", english):
            assert value.rstrip(".") in rows[name], (name, value)


def test_each_leads_to_the_other() -> None:
    assert ("[日本語](README.ja.md)" in ENGLISH, "[English](README.md)" in JAPANESE) == (True, True)


# --- pictures ---------------------------------------------------------------------------------------


def test_the_pictures_are_there_and_small() -> None:
    sizes = {path.name: path.stat().st_size for path in (ROOT / ".github").glob("*.[gp][in][fg]")}
    assert sorted(sizes) == PICTURES
    assert {name: size for name, size in sizes.items() if size > 200_000} == {
        "answer.gif": sizes["answer.gif"]
    }
    assert sizes["answer.gif"] < 1_500_000
