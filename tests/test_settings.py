"""Settings: which source wins, what counts as not set, and which values are refused."""

from collections.abc import Mapping
from dataclasses import FrozenInstanceError
from typing import Any

import pytest

from assistant.access.limits import Limit
from assistant.errors import SettingsError
from assistant.settings import INSTRUCTIONS, Settings
from tests.environment import VARIABLES
from tests.paths import ROOT


def refusal(variables: Mapping[str, Any]) -> str:
    with pytest.raises(SettingsError) as caught:
        Settings.load(variables)
    assert caught.value.__cause__ is None
    return str(caught.value)


def test_without_variables_settings_have_defaults_and_the_demo_answers() -> None:
    for settings in (Settings(), Settings.load(), Settings.load({}), Settings.load({"OTHER": "x"}, {})):
        assert settings == Settings(
            api_key="",
            base_url="",
            model="gpt-6-luna",
            name="Trip planner",
            instructions=INSTRUCTIONS,
            max_rounds=10,
            tool_timeout=30.0,
            database_url="",
            background=False,
        )
        assert settings.demo


def test_every_variable_sets_its_setting() -> None:
    variables = {
        "OPENAI_API_KEY": "sk-test",
        "OPENAI_BASE_URL": "http://localhost:11434/v1",
        "OPENAI_ORG_ID": "org-1",
        "OPENAI_PROJECT_ID": "proj-1",
        "OPENAI_CUSTOM_HEADERS": "X-Team: travel",
        "OPENAI_MODEL": "llama",
        "OPENAI_REASONING_EFFORT": "LOW",
        "OPENAI_AGENT_ID": "agent_1",
        "OPENAI_ASSISTANT_ID": "asst_1",
        "ASSISTANT_PROTOCOL": "Chat",
        "ASSISTANT_NAME": "旅行",
        "ASSISTANT_INSTRUCTIONS": "Be brief.\nBe kind.",
        "ASSISTANT_MAX_ROUNDS": "3",
        "ASSISTANT_TOOL_TIMEOUT": "1.5",
        "ASSISTANT_CONTEXT_TOKENS": "4096",
        "ASSISTANT_DATABASE_URL": "sqlite://",
        "ASSISTANT_RETENTION": "30 Days",
        "ASSISTANT_FAULTS": "cut:5",
        "ASSISTANT_TRANSCRIBE_MODEL": "whisper",
        "ASSISTANT_RESPONSES_TRANSPORT": "websocket",
        "ASSISTANT_BACKGROUND": "1",
        "ASSISTANT_HOSTED_TOOLS": "web_search,mcp:wiki=https://example.com/mcp ,",
        "ASSISTANT_PASSWORD": "open sesame",
        "ASSISTANT_ALLOWED": "Ada@Example.org, @example.com",
        "ASSISTANT_LOCAL_TOKEN": "a-token-of-the-owner",
        "ASSISTANT_LIMIT_USER": "9 messages/minute",
        "ASSISTANT_LIMIT_ALL": "500000 tokens/day",
        "ASSISTANT_BUDGET": " ",  # not set: it fits neither this server nor its tools
        "ASSISTANT_MAX_OUTPUT_TOKENS": "4000",
        "ASSISTANT_MAX_ANSWERS": "50",
        "ASSISTANT_LOG": "JSON",
        "ASSISTANT_AUDIT_LOG": "stderr",
        "ASSISTANT_INSPECTOR": "Off",
        "ASSISTANT_MAP_TILES": "1",
        "ASSISTANT_METRICS_PORT": "9100",
    }
    assert list(variables) == list(VARIABLES)
    assert Settings.load(variables) == Settings(
        api_key="sk-test",
        base_url="http://localhost:11434/v1",
        organization="org-1",
        project="proj-1",
        headers="X-Team: travel",
        model="llama",
        effort="low",
        agent_id="agent_1",
        assistant_id="asst_1",
        protocol="chat",
        name="旅行",
        instructions="Be brief.\nBe kind.",
        max_rounds=3,
        tool_timeout=1.5,
        context=4096,
        database_url="sqlite://",
        retention=30 * 86_400,
        faults="cut:5",
        transcribe_model="whisper",
        background=True,
        responses_transport="websocket",
        hosted_tools="web_search, mcp:wiki=https://example.com/mcp",
        password="open sesame",
        allowed=("ada@example.org", "@example.com"),
        local_token="a-token-of-the-owner",
        limit_user=(Limit(9, "messages", "minute"),),
        limit_all=(Limit(500_000, "tokens", "day"),),
        max_output_tokens=4000,
        max_answers=50,
        log="json",
        audit_log="stderr",
        inspector="off",
        map_tiles=True,
        metrics_port=9100,
    )


@pytest.mark.parametrize(
    ("protocol", "needed"), [("agents", "OPENAI_AGENT_ID"), ("assistants", "OPENAI_ASSISTANT_ID")]
)
def test_a_protocol_that_needs_an_id_is_refused_without_it(protocol: str, needed: str) -> None:
    with pytest.raises(SettingsError) as caught:
        Settings.load({"ASSISTANT_PROTOCOL": protocol})
    assert str(caught.value) == f"ASSISTANT_PROTOCOL is {protocol}, which needs {needed}."
    assert Settings.load({"ASSISTANT_PROTOCOL": protocol, needed: "x"}).protocol == protocol


@pytest.mark.parametrize(
    ("value", "background"), [("yes", True), ("TRUE", True), ("off", False), ("0", False)]
)
def test_a_flag_is_one_or_zero_or_a_synonym(value: str, background: bool) -> None:
    assert Settings.load({"ASSISTANT_BACKGROUND": value}).background is background


def test_the_first_source_of_a_variable_wins() -> None:
    settings = Settings.load(
        {"ASSISTANT_NAME": "first"},
        {"ASSISTANT_NAME": "second", "OPENAI_MODEL": "second"},
        {"ASSISTANT_NAME": "third", "OPENAI_MODEL": "third", "ASSISTANT_MAX_ROUNDS": 3},
    )
    assert (settings.name, settings.model, settings.max_rounds) == ("first", "second", 3)


@pytest.mark.parametrize("blank", ["", " ", "\t\n", None])
def test_a_blank_value_counts_as_not_set(blank: str | None) -> None:
    assert Settings.load(dict.fromkeys(VARIABLES, blank)) == Settings()
    assert Settings.load({"OPENAI_MODEL": blank}, {"OPENAI_MODEL": "second"}).model == "second"


def test_whitespace_around_a_value_is_ignored() -> None:
    settings = Settings.load({"OPENAI_API_KEY": " sk-test\n", "ASSISTANT_MAX_ROUNDS": " 3 "})
    assert (settings.api_key, settings.max_rounds) == ("sk-test", 3)


def test_a_number_may_be_given_as_a_number() -> None:
    settings = Settings.load({"ASSISTANT_MAX_ROUNDS": 3, "ASSISTANT_TOOL_TIMEOUT": 0.5})
    assert (settings.max_rounds, settings.tool_timeout) == (3, 0.5)


@pytest.mark.parametrize(
    ("variables", "demo"),
    [
        ({}, True),
        ({"OPENAI_MODEL": "x"}, True),
        ({"OPENAI_API_KEY": "sk-test"}, False),
        ({"OPENAI_BASE_URL": "http://localhost/v1"}, False),
    ],
)
def test_the_demo_answers_where_no_server_is_configured(variables: dict[str, str], demo: bool) -> None:
    assert Settings.load(variables).demo is demo


def test_settings_are_frozen_and_hashable() -> None:
    settings = Settings.load({"OPENAI_API_KEY": "sk-test"})
    with pytest.raises(FrozenInstanceError):
        settings.model = "other"  # type: ignore[misc]
    assert {settings: 1}[Settings(api_key="sk-test")] == 1


# --- the key ----------------------------------------------------------------------------------------


def test_the_key_is_not_printed() -> None:
    settings = Settings.load({"OPENAI_API_KEY": "sk-secret"})
    assert "secret" not in repr(settings) + str(settings) + f"{settings}"


@pytest.mark.parametrize(
    "key",
    ["sk secret", "sk-\nsecret", "sk\tsecret", "sk-sécret", "“sk-secret”", '"sk-secret"', "'sk-secret'",
     "sk-secret\x00", "sk-\x7fsecret", "sk-secret\u200b", "Bearer sk-secret", {"secret": 1}],
)  # fmt: skip
def test_a_key_with_a_typo_is_refused_without_showing_it(key: Any) -> None:
    assert refusal({"OPENAI_API_KEY": key}) == (
        "OPENAI_API_KEY contains a space or another character that no key contains. Copy the key again, "
        "in one piece and without quotes."
    )


@pytest.mark.parametrize("key", ["sk-proj-aZ_09", "ollama", "x", "a+b/c=", "eyJh.eyJz.c2ln", "key:1@2", "-"])
def test_a_key_of_any_format_is_accepted(key: str) -> None:
    assert Settings.load({"OPENAI_API_KEY": key}).api_key == key


def test_a_key_in_place_of_the_url_is_not_shown() -> None:
    assert refusal({"OPENAI_BASE_URL": "sk-secret"}) == (
        "OPENAI_BASE_URL is a key. Set a URL with its scheme, such as http://localhost:11434/v1, "
        "or leave it out."
    )


# --- addresses and numbers --------------------------------------------------------------------------


@pytest.mark.parametrize(
    "address",
    ["localhost", "localhost:11434/v1", "api.openai.com/v1", "http://", "http:/x", "//host/v1", "http:///v1",
     "ftp://host/v1", "http://host:0/v1", "http://host:99999", "http://host:port", "http://[::1/v1",
     "http://my host/v1", "http://ho\nst/v1", "http://host/v1 # mine", "http://ho\u200bst", "x", "?"],
)  # fmt: skip
def test_anything_but_a_url_is_refused(address: str) -> None:
    assert refusal({"OPENAI_BASE_URL": address}) == (
        f"OPENAI_BASE_URL is {address!r}. Set a URL with its scheme, such as http://localhost:11434/v1, "
        "or leave it out."
    )


@pytest.mark.parametrize(
    "address",
    ["http://localhost:11434/v1", "https://api.openai.com/v1/", "http://[::1]:8000/v1", "HTTP://HOST/v1",
     "http://10.0.0.1", "https://host/v1?api-version=1", "http://bücher.example/v1"],
)  # fmt: skip
def test_a_url_is_used_unchanged(address: str) -> None:
    assert Settings.load({"OPENAI_BASE_URL": address}).base_url == address


@pytest.mark.parametrize(
    "value", ["0", "101", "-1", "many", "1.5", "3.0", "1e1", "0x10", "nan", "1 2", "9" * 5000, 0, 2.0, False]
)
def test_an_invalid_number_of_rounds_is_refused(value: Any) -> None:
    assert refusal({"ASSISTANT_MAX_ROUNDS": value}) == (
        f"ASSISTANT_MAX_ROUNDS is {str(value)!r}. Set a whole number from 1 to 100."
    )


@pytest.mark.parametrize(("value", "rounds"), [("1", 1), ("100", 100), ("007", 7), (10, 10)])
def test_a_number_of_rounds_within_its_limits_is_accepted(value: Any, rounds: int) -> None:
    assert Settings.load({"ASSISTANT_MAX_ROUNDS": value}).max_rounds == rounds


@pytest.mark.parametrize(
    "value", ["0", "-1", "3600.1", "nan", "inf", "-inf", "1e9", "soon", "30s", "1,5", 0, 0.0, False]
)
def test_an_invalid_timeout_is_refused(value: Any) -> None:
    assert refusal({"ASSISTANT_TOOL_TIMEOUT": value}) == (
        f"ASSISTANT_TOOL_TIMEOUT is {str(value)!r}. Set a number of seconds, more than 0 and at most 3600."
    )


@pytest.mark.parametrize(("value", "seconds"), [("0.001", 0.001), ("3600", 3600.0), ("1e1", 10.0), (5, 5.0)])
def test_a_timeout_within_its_limits_is_accepted(value: Any, seconds: float) -> None:
    assert Settings.load({"ASSISTANT_TOOL_TIMEOUT": value}).tool_timeout == seconds


# --- the example file -------------------------------------------------------------------------------


def test_the_example_file_lists_every_variable_in_order_under_its_explanation() -> None:
    lines = ROOT.joinpath(".env.example").read_text().splitlines()
    pairs = [line.removeprefix("# ") for line in lines if line]
    assert pairs == [line for name, explanation in VARIABLES.items() for line in (explanation, f"{name}=")]


def test_the_explanations_name_the_defaults() -> None:
    default = Settings()
    for name, value in [
        ("OPENAI_MODEL", default.model),
        ("ASSISTANT_NAME", default.name),
        ("ASSISTANT_MAX_ROUNDS", default.max_rounds),
        ("ASSISTANT_TOOL_TIMEOUT", f"{default.tool_timeout:g}"),
    ]:
        assert VARIABLES[name].endswith(f"({value}).")
