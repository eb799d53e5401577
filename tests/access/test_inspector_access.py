"""What a stranger sees in the inspector: not the source of functions, the instructions and the server's address."""

import sys
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from assistant import functions
from tests.servers.responses import ModelServer, call, calls, text
from tests.ui.page import Open, ask, recording_of, sent, session_of

INSTRUCTIONS = "Canary: never sell below 12 EUR"
SOURCE = '''
from assistant import tool

TOKEN = "canary-token-of-the-owner"


@tool
def canary_price() -> str:
    """Return a price."""
    return "12" if TOKEN else ""
'''


@pytest.fixture
def public(open_page: Open, server: ModelServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Open:
    """Open the page of an owner whose function has a token in its module."""
    (folder := tmp_path / "functions").mkdir()
    (folder / "canary.py").write_text(SOURCE)
    monkeypatch.setattr(functions, "__path__", [*functions.__path__, str(folder)])
    monkeypatch.delitem(sys.modules, f"{functions.__name__}.canary", raising=False)

    def opened(**settings: str) -> AppTest:
        server.plays(calls(call("canary_price")), text("12 EUR."))
        page = open_page(OPENAI_BASE_URL=server.url, ASSISTANT_INSTRUCTIONS=INSTRUCTIONS, **settings)
        return ask(page, "What does it cost?")

    return opened


def open_tab(page: AppTest, tab: str) -> AppTest:
    page.toggle(key="inspector").set_value(True).run()
    page.segmented_control(key="inspector_tab").set_value(tab).run()
    assert not page.exception
    return page


@pytest.mark.exhaustive
def test_a_stranger_sees_no_source_no_instructions_and_no_address(public: Open, server: ModelServer) -> None:
    page = open_tab(public(), "run")
    assert server.requests[0]["instructions"] == INSTRUCTIONS
    assert page.segmented_control(key="inspector_tab").options == ["Run log", "Request", "Functions"]
    seen = sent(page)
    for position in range(len(recording_of(page).entries())):
        page.session_state["inspector_tab"] = "run"
        page.run()
        seen += sent(page) + recording_of(page).as_lines().splitlines()[position + 1]
    seen += sent(open_tab(page, "functions"))
    page.session_state["inspector_tab"] = "code"  # as a message of a client of its own
    seen += sent(page.run())
    for secret in ("canary-token", "never sell", server.url):
        assert secret not in seen
    assert "canary_price" in seen


@pytest.mark.exhaustive
def test_a_recording_without_instructions_and_address_is_replayed(public: Open) -> None:
    page = open_tab(public(), "run")
    page.segmented_control(key="inspector_view").set_value("Recording").run()
    page.segmented_control(key="inspector_speed").set_value("instant").run()
    page.button(key="inspector_replay").click().run()
    page.run()
    assert session_of(page).history[-1].text == "12 EUR."


@pytest.mark.exhaustive
@pytest.mark.parametrize("who", ["localhost", "all"])
def test_what_the_code_shows_is_for_localhost_or_for_all_if_a_setting_says_so(
    public: Open, server: ModelServer, monkeypatch: pytest.MonkeyPatch, who: str
) -> None:
    monkeypatch.setattr("assistant.ui.page.local_access.is_localhost", lambda _: who == "localhost")
    page = open_tab(public(**({"ASSISTANT_INSPECTOR": "all"} if who == "all" else {})), "code")
    code = "\n".join(each.value for each in page.code)
    assert "canary-token" in code
    assert INSTRUCTIONS in code
    assert server.url in code


def test_a_setting_hides_the_inspector_from_everyone(public: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("assistant.ui.page.local_access.is_localhost", lambda _: True)
    page = public(ASSISTANT_INSPECTOR="off")
    page.session_state["inspector"] = True  # as a message of a client of its own
    page.run()
    assert not [each for each in page.toggle if each.key == "inspector"]
    assert "inspector_tab" not in sent(page)
    assert not [each for each in page.button if str(each.key).endswith("-events")]
