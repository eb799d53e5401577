"""What identifies the owner goes to the owner's server, and nowhere else."""

import pytest

from assistant.backends.client import connect
from assistant.backends.connection.override import ConnectionOverride
from assistant.settings import Settings
from tests.servers.responses import ModelServer, Play, text

OWN = {
    "OPENAI_ORG_ID": "org-canary",
    "OPENAI_PROJECT_ID": "proj-canary",
    "OPENAI_CUSTOM_HEADERS": "X-Team: team-canary\nApi-Key: key-canary",
}


@pytest.fixture
def owners(server: ModelServer, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """The settings of an owner with a server, in the environment, where the SDK finds them too."""
    for name, value in OWN.items():
        monkeypatch.setenv(name, value)
    return Settings.load({**OWN, "OPENAI_API_KEY": "sk-canary", "OPENAI_BASE_URL": server.url})


def ask(settings: Settings) -> None:
    with connect(settings) as client:
        # A copy takes its headers from the environment again.
        client.with_options(timeout=9).responses.create(model="m", input="Hi", stream=True).close()


def canaries(server: ModelServer) -> int:
    return sum("canary" in value for headers in server.headers for value in headers.values())


def test_the_owners_server_gets_the_owners_headers(server: ModelServer, owners: Settings) -> None:
    server.plays(text("Hi."))
    ask(owners)
    assert canaries(server) == len(["the key", "organization", "project", "X-Team", "Api-Key"])


def test_an_address_that_a_visitor_typed_gets_only_the_visitors_key(owners: Settings) -> None:
    with ModelServer() as other:
        other.plays(text("Hi."))
        ask(ConnectionOverride(base_url=other.url, api_key="sk-visitor").settings(owners))
        assert other.headers[-1]["authorization"] == "Bearer sk-visitor"
        assert canaries(other) == 0


def test_a_redirect_to_another_origin_gets_nothing_of_the_owners(
    server: ModelServer, owners: Settings
) -> None:
    with ModelServer() as other:
        server.plays(Play(status=307, headers=(("location", f"{other.url}/responses"),)))
        other.plays(text("Hi."))
        ask(owners)
        assert len(other.requests) == 1
        assert canaries(other) == 0


def test_a_visitor_who_may_not_use_the_owners_key_gets_nothing_of_the_connection(owners: Settings) -> None:
    assert owners.restricted(False) == Settings()
