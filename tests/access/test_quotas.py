"""The owner's key: who may use it, what is counted, and what the page says at a limit."""

import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from assistant.access.limits import UsageTotals, parse_limits
from assistant.access.quotas import QuotaGuard
from assistant.access.usage_store import UsageStore
from assistant.backends.connection.override import ConnectionOverride
from assistant.errors import LimitExceeded
from assistant.events import Usage
from assistant.settings import Settings
from assistant.storage.database import Database
from assistant.storage.store import Store
from tests.access.test_usage_store import totals
from tests.backends.test_transcription import TranscriptionServer
from tests.servers.responses import ModelServer, text
from tests.ui.page import Open, ask, chat_of, sent, session_of, shown

KEY = "sk-canary-of-the-owner"


@pytest.fixture
def store(database: str) -> Iterator[Store]:
    with closing(Store(database)) as store:
        yield store


def test_the_owners_key_is_restricted_unless_the_settings_say_who_may_use_it() -> None:
    base = Settings(api_key=KEY)
    assert base.restricted(True) is base
    assert base.restricted(False) == Settings()
    # A limit per user alone restricts nothing: a new session is a new user.
    per_user = Settings(api_key=KEY, limit_user=parse_limits("9 messages/minute"))
    assert per_user.restricted(False).demo
    for address in ("http://me:canary@here/v1", "http://here/v1?api-key=canary"):  # a key as well
        assert Settings(base_url=address).restricted(False) == Settings()
        assert Settings(base_url=address).restricted(True).base_url == address
    for named in (
        Settings(api_key=KEY, password="open sesame"),
        Settings(api_key=KEY, allowed=("*",)),
        Settings(api_key=KEY, limit_all=parse_limits("1 tokens/day")),
        Settings(base_url="http://here/v1"),
    ):
        assert named.restricted(False) is named


def test_a_public_page_with_a_key_and_nothing_else_runs_the_demo_and_says_so(
    server: ModelServer, open_page: Open
) -> None:
    page = open_page(OPENAI_BASE_URL=server.url, OPENAI_API_KEY=KEY)
    assert "nothing says who may use it" in page.info[0].value
    assert [each.key for each in page.button if "recording_" in str(each.key)], (
        "the sample recordings are there"
    )
    ask(page, 'calculate(expression="6*7")')
    assert server.requests == []
    page.button(key="open_connection").click().run()
    assert page.radio(key="connection").options == ["From .env", "Demo", "OpenAI"]
    assert KEY not in sent(page)
    assert "Test" in [each.label for each in page.button], "of the demo"


def test_on_localhost_a_key_is_all_it_needs(
    server: ModelServer, open_page: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("assistant.ui.page.local_access.is_localhost", lambda _: True)
    server.plays(text("Hello."))
    page = ask(open_page(OPENAI_BASE_URL=server.url, OPENAI_API_KEY=KEY), "Hi")
    assert shown(page)[1] == ("assistant", [("markdown", "Hello.")])
    assert not page.info


@pytest.mark.exhaustive
def test_at_a_limit_the_page_says_so_and_keeps_the_message(server: ModelServer, open_page: Open) -> None:
    limits = {"ASSISTANT_LIMIT_USER": "1 messages/day", "ASSISTANT_LIMIT_ALL": "2 messages/day"}
    server.plays(text("A."), text("B."))
    first = ask(open_page(OPENAI_BASE_URL=server.url, OPENAI_API_KEY=KEY, **limits), "One")
    ask(first, "Two")
    assert [each.value.split("\\. Try again at 00\\:00, in ")[0] for each in first.info] == [
        "You have reached your usage limit"
    ]
    assert first.chat_input(key="prompt").proto.value == "Two"
    assert [each.value for each in first.toast] == ["Not sent. Your message is back in the input."]
    assert len(shown(first)) == 2
    first.button(key="regenerate_1").click().run()
    assert "reached your usage limit" in first.toast[0].value
    first.button(key="edit_0").click().run()
    first.text_area(key="edit_text_0").set_value("Other").run()
    first.button(key="save_0").click().run()
    assert "reached your usage limit" in first.toast[0].value
    assert first.text_area(key="edit_text_0").value == "Other"
    ask(open_page(), "One")  # another session is another user
    third = ask(open_page(), "One")
    assert "This page has reached its usage limit" in third.info[0].value
    assert len(server.requests) == 2


def test_tokens_are_counted_but_a_visitors_own_key_has_no_limits(
    server: ModelServer, open_page: Open, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    server.plays(text("A."), text("B."))
    page = ask(
        open_page(OPENAI_BASE_URL=server.url, OPENAI_API_KEY=KEY, ASSISTANT_LIMIT_ALL="1 tokens/day"), "One"
    )
    with closing(Database(f"sqlite:///{tmp_path}/threads.sqlite")) as database:
        assert totals(database, "day", time.time()).tokens > 0
    ask(page, "Two")
    assert "reached its usage limit" in page.info[0].value
    session_of(page).connection.override = ConnectionOverride(
        server.url, "sk-canary-of-a-visitor", "test-model"
    )
    ask(page, "Two")
    assert shown(page)[-1] == ("assistant", [("markdown", "B.")])
    assert [each.value for each in page.info] == []
    # Keys exist only in the memory of the process.
    stored = b"".join(file.read_bytes() for file in tmp_path.glob("threads.sqlite*"))
    assert b"Two" in stored
    assert b"canary" not in stored
    seen = sent(page) + caplog.text
    assert "canary" not in seen


def test_a_voice_recording_counts_as_a_message_and_by_its_length(store: Store) -> None:
    with TranscriptionServer() as ears:
        ears.responses = [(200, {"text": "Hello."})]
        session = chat_of([])
        session.connection.settings = Settings(base_url=ears.url, transcribe_model="ear")
        session.connection.quota = QuotaGuard(
            "visitor", (), parse_limits("1 messages/day"), "", UsageStore(store.database)
        )
        assert session.connection.transcribe(b"\x00" * 32_000) == "Hello."
        with pytest.raises(LimitExceeded):
            session.connection.transcribe(b"\x00" * 32_000)
        assert len(ears.requests) == 1
    assert totals(store.database, "day", time.time(), "visitor") == UsageTotals(1, 16)


def test_tokens_cost_what_their_model_or_else_the_configured_one_costs(store: Store) -> None:
    limits = parse_limits("100 USD/day")
    quota = QuotaGuard("ada", (), limits, "gpt-6-luna", UsageStore(store.database))  # 0.10, 0.01 and 0.50 USD
    reserved = quota.reserve(Usage())
    quota.settle(reserved, Usage(input=1_000_000, cached=500_000, output=100_000), "gpt-6-astra-2026-01-01")
    used = totals(store.database, "day", time.time(), "ada")
    assert (used.tokens, round(used.dollars, 9)) == (1_100_000, (5 + 0.5) * 2 + 5 * 1.5)
    quota = QuotaGuard("bob", (), limits, "gpt-6-luna", UsageStore(store.database))
    quota.settle(quota.reserve(Usage()), Usage(input=100_000, output=100_000), "unheard-of")
    used = totals(store.database, "day", time.time(), "bob")
    assert (used.tokens, round(used.dollars, 9)) == (200_000, 0.06)


def test_nothing_is_sent_when_usage_cannot_be_counted(
    server: ModelServer, open_page: Open, tmp_path: Path
) -> None:
    (tmp_path / "broken.sqlite").write_text("This is not a database. " * 100)
    page = open_page(
        OPENAI_BASE_URL=server.url,
        OPENAI_API_KEY=KEY,
        ASSISTANT_LIMIT_ALL="5 messages/day",
        ASSISTANT_DATABASE_URL=f"sqlite:///{tmp_path}/broken.sqlite",
    )
    ask(page, "Hi")
    assert "Usage cannot be counted right now" in page.info[0].value
    assert page.chat_input(key="prompt").proto.value == "Hi"
    assert server.requests == []
