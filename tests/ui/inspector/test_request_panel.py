"""The parameters of this chat's requests: marked, kept with the chat, refused with a word, and reset."""

from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from assistant.request_options import RequestOptions
from assistant.ui import keys
from assistant.ui.inspector.request_panel import LABELS
from tests.servers.responses import ModelServer
from tests.ui.page import Open, ask, open_inspector, session_of
from tests.variants import quick_first_row


@pytest.fixture
def panel(open_page: Open, local_visitor: None) -> AppTest:
    """The page of a local visitor with the tab open."""
    return open_panel(open_page())


def open_panel(page: AppTest) -> AppTest:
    open_inspector(page).segmented_control(key=keys.INSPECTOR_TAB).set_value("request").run()
    assert not page.exception
    return page


def widget(page: AppTest, name: str) -> Any:
    [found] = [each for each in page.main if getattr(each, "key", "") == keys.request_option(name)]
    return found


def words(elements: Any) -> list[str]:
    """Return the texts of elements without Markdown escapes."""
    return [each.value.replace("\\", "") for each in elements]


def options_of(page: AppTest) -> RequestOptions:
    return session_of(page).thread.options


def test_what_differs_is_marked_and_reset(panel: AppTest) -> None:
    assert widget(panel, "verbosity").label == "Verbosity"
    widget(panel, "verbosity").set_value("low").run()
    widget(panel, "tool_choice").set_value("none").run()
    assert options_of(panel) == RequestOptions(verbosity="low", tool_choice="none")
    assert widget(panel, "verbosity").label == "**Verbosity** · changed"
    assert "**2 parameters differ from the settings**" in [each.value for each in panel.markdown]
    panel.button(key=keys.REQUEST_RESET).click().run()
    assert options_of(panel) == RequestOptions()
    assert (widget(panel, "verbosity").value, widget(panel, "verbosity").label) == ("", "Verbosity")


@pytest.mark.exhaustive
def test_the_panel_shows_the_chat_that_is_open(panel: AppTest) -> None:
    widget(panel, "verbosity").set_value("low").run()
    ask(panel, "Hello")
    panel.button(key=keys.NEW_CHAT).click().run()
    assert (widget(panel, "verbosity").value, options_of(panel)) == ("", RequestOptions())


@pytest.mark.parametrize(
    ("name", "value", "option", "expected"),
    quick_first_row(
        ("max_output_tokens", 500, "max_output_tokens", 500),
        ("model", " gpt-6-sol ", "model", "gpt-6-sol"),
        ("parallel_calls", "off", "parallel_calls", False),
        ("functions", ["get_weather"], "functions", ("get_weather",)),
        ("functions", [], "functions", ()),
        ("instructions", "Be rude.", "instructions", "Be rude."),
        ("instructions", "", "instructions", ""),
        ("cache_diagnostics", True, "cache_diagnostics", True),
    ),
)
def test_each_widget_changes_its_option_and_back(
    panel: AppTest, name: str, value: Any, option: str, expected: Any
) -> None:
    before = widget(panel, name).value
    widget(panel, name).set_value(value).run()
    assert not panel.exception
    assert getattr(options_of(panel), option) == expected
    widget(panel, name).set_value(before).run()
    assert options_of(panel) == RequestOptions()


@pytest.mark.exhaustive
def test_what_cannot_be_sent_stays_in_the_field_with_a_word(panel: AppTest) -> None:
    widget(panel, "text_format").set_value("json_schema").run()
    assert "Until there is a schema, the answer is text." in [each.value for each in panel.caption]
    widget(panel, "schema").set_value('{"type": "object"}').run()
    widget(panel, "schema").set_value("{city}").run()
    [problem] = words(panel.error)
    assert "The schema is not JSON. Line 1, column 2" in problem
    assert "The last valid value is still sent." in problem
    assert widget(panel, "schema").value == "{city}"
    assert options_of(panel).schema == '{"type": "object"}'
    widget(panel, "schema").set_value("{}").run()
    assert not panel.error
    assert options_of(panel).schema == "{}"


def test_a_megabyte_of_instructions_is_not_sent_and_not_lost(panel: AppTest) -> None:
    widget(panel, "instructions").set_value("x" * 1_000_000).run()
    [problem] = words(panel.error)
    assert "The instructions have 1,000,000 characters. At most 200,000 are sent" in problem
    assert len(widget(panel, "instructions").value) == 1_000_000
    assert options_of(panel) == RequestOptions()


def test_a_refusal_stands_at_its_parameter(panel: AppTest) -> None:
    widget(panel, "service_tier").set_value("ultrafast").run()
    ask(panel, "Hello")
    panel.run()
    [refusal] = words(panel.warning)
    assert "Refused by the server and left out: The service tier 'ultrafast' is not available" in refusal
    widget(panel, "service_tier").set_value("flex").run()
    assert not panel.warning


def test_a_visitor_sees_what_only_the_owner_changes(open_page: Open, server: ModelServer) -> None:
    page = open_page(
        OPENAI_BASE_URL=server.url,
        OPENAI_API_KEY="sk-test-key",
        ASSISTANT_LIMIT_ALL="9 messages/minute",
        ASSISTANT_INSTRUCTIONS="The secret of this page.",
    )
    page = open_panel(page)
    disabled = [name for name in LABELS if name != "schema" and widget(page, name).disabled]
    assert disabled == ["model", "service_tier", "effort", "instructions"]
    assert widget(page, "instructions").value == ""
    assert "Only the owner of this page changes what is greyed out." in [each.value for each in page.caption]


def test_an_agent_has_parameters_of_its_own(panel: AppTest, open_page: Open) -> None:
    page = open_panel(open_page(OPENAI_API_KEY="sk-test-key", OPENAI_AGENT_ID="agent_1"))
    assert "An agent has its own model, instructions and parameters on the server." in [
        each.value for each in page.caption
    ]


@pytest.mark.usefixtures("local_visitor")
def test_the_header_names_the_model_that_answers_this_chat(open_page: Open) -> None:
    page = open_panel(open_page(OPENAI_API_KEY="sk-test-key"))
    widget(page, "model").set_value("gpt-6-sol").run()
    assert any("Answers by gpt-6-sol over Responses" in each for each in words(page.caption))
    changed = ":material/tune: 1 request parameter of this chat differs from the settings."
    assert changed in words(page.caption)
    page.button(key=keys.REQUEST_RESET).click().run()
    assert changed not in words(page.caption)


# --- what the next request holds ---------------------------------------------------------------------


def about(page: AppTest) -> int:
    [found] = [each for each in words(page.markdown) if each.startswith("**Next request**")]
    return int(found.partition("about ")[2].partition(" tokens (estimate)")[0].replace(",", ""))


@pytest.mark.exhaustive
def test_the_next_request_is_estimated_by_its_parts_and_counted_on_demand(panel: AppTest) -> None:
    before = about(panel)
    panel.text_input(key=keys.REQUEST_MESSAGE).set_value("What is the weather in Oslo? " * 100).run()
    assert 600 < about(panel) - before < 800
    assert not any("The server counts" in each for each in words(panel.caption))
    panel.button(key=keys.REQUEST_COUNT).click().run()
    [counted] = [each for each in words(panel.caption) if "The server counts" in each]
    tokens = int(counted.removeprefix("The server counts ").removesuffix(" tokens.").replace(",", ""))
    assert 0.7 < tokens / about(panel) < 1.4
    assert session_of(panel).history == []
    panel.text_input(key=keys.REQUEST_MESSAGE).set_value("Hello").run()
    assert not any("The server counts" in each for each in words(panel.caption))
