"""The connection that a user chooses instead of the configured one."""

import pytest

from assistant.backends.connection.model_list import fetch_models
from assistant.backends.connection.override import ConnectionOverride, display_host, form_text
from assistant.errors import RequestRefused
from assistant.settings import Settings
from tests.servers.listing import KEY, ClientFactory, ListingServer


def test_settings_for_another_server_are_reset() -> None:
    base = Settings(
        api_key="sk-owner",
        base_url="http://here/v1",
        model="a",
        agent_id="agent",
        assistant_id="asst",
        protocol="chat",
        name="Ours",
        max_rounds=3,
        context=99,
        background=True,
    )
    there = Settings(base_url="http://there/v1", model="b", name="Ours", max_rounds=3)
    assert ConnectionOverride("http://there/v1", "", "b").settings(base) == there
    assert ConnectionOverride(demo=True).settings(base) == Settings(model="a", name="Ours", max_rounds=3)
    assert ConnectionOverride(demo=True).settings(base).demo
    same = ConnectionOverride("http://here/v1", "sk-owner", "b").settings(base)
    assert (same.model, same.protocol, same.agent_id, same.context) == ("b", "chat", "agent", 99)


def test_the_key_is_not_shown() -> None:
    choice = ConnectionOverride("http://there/v1", KEY, "a", "low")
    assert repr(choice) == "ConnectionOverride(model='a', effort='low', demo=False)"
    assert KEY not in repr(choice.settings(Settings()))


@pytest.mark.parametrize(
    ("choice", "beginning"),
    [
        (ConnectionOverride(demo=True), ""),
        (ConnectionOverride("http://localhost:1234/v1"), ""),
        (ConnectionOverride("", KEY), ""),
        (ConnectionOverride(), "Enter your API key"),
        (ConnectionOverride("", "sk canary"), "The key contains a space"),
        (ConnectionOverride("http://h/v1", "sk-ключ"), "The key contains a space"),
        (ConnectionOverride("localhost:1234"), "This is not a valid address."),
        (ConnectionOverride(KEY), "This is not a valid address."),
        (ConnectionOverride("http://[::1"), "This is not a valid address."),
        (ConnectionOverride("http://h:99999/v1"), "This is not a valid address."),
        (ConnectionOverride("http://ü_.de/v1"), "This is not a valid address."),
        (
            ConnectionOverride(f"http://me:{KEY}@host/v1"),
            "Remove the user name and password from the address",
        ),
    ],
)
def test_invalid_input_is_reported_before_any_request(choice: ConnectionOverride, beginning: str) -> None:
    problem = choice.input_error()
    assert (problem.startswith(beginning), bool(problem)) == (True, bool(beginning))
    assert KEY not in problem


def test_errors_name_form_fields_and_not_the_key(server: ListingServer, client_for: ClientFactory) -> None:
    server.key = "another"
    with pytest.raises(RequestRefused) as refused:
        fetch_models(client_for(server.url))
    assert KEY not in f"{refused.value!r} {refused.value}"
    assert form_text(refused.value) == (
        f"{display_host(server.url)} does not accept the key. "
        "Check the key: it may be mistyped, expired or revoked."
    )
