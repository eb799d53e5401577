"""Every snippet on the pages runs as it is."""

import ast
import json
import re
import shlex
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from assistant import cli
from assistant.cli import common
from assistant.settings import Settings
from assistant.ui import keys
from tests.docs.pages import PAGES, Snippet, snippets, snippets_in
from tests.environment import VARIABLES
from tests.paths import ROOT

NEED_A_SERVER = (
    "Before",
    "After: Responses and Conversations, with the SDK alone",
    "After: the Agents API, with the SDK alone",
    "Bring your threads",
)


@snippets_in("python")
def test_a_python_snippet_runs(
    snippet: Snippet, run_snippet: Callable[[Snippet], Any], tmp_path: Path
) -> None:
    if snippet.heading in NEED_A_SERVER:
        ast.parse(snippet.code)  # test_guide.py runs it with a server
    elif "import streamlit" in snippet.code:
        script = tmp_path / "page.py"
        script.write_text(snippet.code, "utf-8")
        page = AppTest.from_file(str(script), default_timeout=20).run()
        page = page.chat_input(key=keys.PROMPT).set_value('calculate(expression="6*7")').run()
        assert [message.name for message in page.chat_message] == ["user", "assistant"]
        assert not page.exception
    else:
        run_snippet(snippet)


@snippets_in("json")
def test_a_json_snippet_is_valid(snippet: Snippet) -> None:
    json.loads(snippet.code)


@snippets_in("sh")
def test_a_command_runs(
    snippet: Snippet,
    clean_environment: None,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    subprocess.run(["bash", "-n"], input=snippet.code, text=True, check=True, timeout=10)
    if snippet.heading == "Backup and restore":
        return  # tests/deploy/test_backup.py runs it with a database
    monkeypatch.setattr(common, "dotenv_values", lambda path: {})  # who develops may have a key in it
    for line in snippet.code.splitlines():
        arguments = shlex.split(line)
        settings = dict(
            arguments.pop(0).split("=", 1) for word in arguments.copy() if re.match("[A-Z_]+=", word)
        )
        if not arguments:  # as in ``.env``
            assert settings.keys() <= VARIABLES.keys()
            assert Settings.load(settings) != Settings()
            continue
        if arguments[0] == "docker":
            assert (ROOT / "Dockerfile").is_file()  # its steps are taken in test_container.py
            continue
        assert arguments[:2] == ["python", "-m"]
        if arguments[2] == "assistant":
            status = cli.main(arguments[3:], settings)
            assert status == (common.FAILED if settings else common.COMPLETED)
            assert settings or capsys.readouterr().out
        else:
            assert (arguments[2], (ROOT / arguments[3]).is_file()) == ("pytest", True)


def test_every_snippet_has_a_tested_language() -> None:
    assert {item.language for item in snippets()} == {"python", "json", "jsonl", "sh", "text", "mermaid"}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_a_page_is_read_in_five_minutes(page: Path) -> None:
    text = re.sub(r"^ *```.*?^ *```", "", page.read_text("utf-8"), flags=re.MULTILINE | re.DOTALL)
    assert len(text.split()) < 5 * 260  # words per minute of reading
