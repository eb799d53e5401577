"""Whose money: limits, what is counted against them, and what a person is told."""

import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from assistant import Thread
from assistant.access.limits import Limit, Reached, Spent, name_of, parse, reached
from assistant.access.metering import with_metering
from assistant.access.usage_store import UsageStore
from assistant.backends.connection.override import ConnectionOverride
from assistant.backends.transcription import open_voice
from assistant.errors import RequestRefused, SettingsError
from assistant.events import (
    Event,
    RoundEnded,
    RoundStarted,
    RunCompleted,
    RunFailed,
    RunStopped,
    TextDelta,
    Usage,
)
from assistant.messages import Message, Text
from assistant.settings import Settings
from assistant.storage.store import Store
from assistant.ui.quotas import QuotaGuard, restrict_credentials
from tests.backends.test_transcription import EarServer
from tests.servers.responses import ModelServer, text
from tests.ui.page import Open, ask, sent, shown

DAY = 1_795_392_000.0  # a midnight of UTC
KEY = "sk-canary-of-the-owner"


# --- the rules --------------------------------------------------------------------------------------


def test_limits_are_written_as_one_reads_them() -> None:
    assert parse("20 messages/minute, 500000 tokens/day,5 USD/day") == (
        Limit(20, "messages", "minute"),
        Limit(500_000, "tokens", "day"),
        Limit(5, "USD", "day"),
    )
    assert parse("1 Message / Day, 0.25 usd/minute,") == (
        Limit(1, "messages", "day"),
        Limit(0.25, "USD", "minute"),
    )
    assert parse("") == ()


@pytest.mark.parametrize(
    "words",
    ["many", "5", "0 messages/day", "-1 messages/day", "5 messages", "5 messages/hour", "1e9 tokens/day",
     "nan USD/day", "5 EUR/day", "5,000 tokens/day", "9" * 99 + " tokens/day", "5 messages/day; 3 USD/day",
     "٣ messages/day"],
)  # fmt: skip
def test_what_is_no_limit_is_refused_with_an_example(words: str) -> None:
    with pytest.raises(SettingsError) as caught:
        Settings.load({"ASSISTANT_LIMIT_ALL": words})
    assert str(caught.value) == (
        f"ASSISTANT_LIMIT_ALL is {words!r}. Write limits such as 20 messages/minute, 500000 tokens/day, "
        "5 USD/day."
    )


@pytest.mark.parametrize(
    "variables",
    [{"OPENAI_MODEL": "my-model"}, {"OPENAI_BASE_URL": "http://here/v1"}, {"OPENAI_AGENT_ID": "agent_1"}],
)
def test_a_limit_in_usd_needs_a_known_price(variables: dict[str, str]) -> None:
    with pytest.raises(SettingsError, match="Set tokens instead"):
        Settings.load({"ASSISTANT_LIMIT_ALL": "5 USD/day", **variables})
    assert Settings.load({"ASSISTANT_LIMIT_ALL": "5 USD/day"}).limit_all
    assert Settings.load({"ASSISTANT_LIMIT_ALL": "5 tokens/day", **variables}).limit_all


def test_of_the_limits_that_are_reached_the_last_to_open_is_named() -> None:
    limits = parse("2 messages/minute, 10 tokens/day, 1 USD/day")
    spent = {"minute": Spent(1), "day": Spent(1, 9, 0.99)}
    moment = DAY + 3600 + 61
    assert reached(limits, spent, moment, everybody=False) is None  # type: ignore[arg-type]
    spent["minute"] = Spent(2)
    found = reached(limits, spent, moment, everybody=False)  # type: ignore[arg-type]
    assert found == Reached(limits[0], False, DAY + 3600 + 120)
    spent["day"] = Spent(2, 10, 0.99)
    found = reached(limits, spent, moment, everybody=True)  # type: ignore[arg-type]
    assert found == Reached(limits[1], True, DAY + 86_400)


def test_periods_have_names_in_utc() -> None:
    assert [name_of("day", DAY - 1), name_of("day", DAY)] == ["2026-11-22", "2026-11-23"]
    assert name_of("minute", DAY + 60) == "2026-11-23T00:01"


# --- the counts -------------------------------------------------------------------------------------


@pytest.fixture
def store(database: str) -> Iterator[Store]:
    store = Store(database)
    yield store
    store.close()


def test_each_has_room_of_their_own_and_all_of_them_together(store: Store) -> None:
    now = [DAY]
    usage_store = UsageStore(store, lambda: now[0])
    each, together = parse("2 messages/minute"), parse("3 messages/minute")
    assert [usage_store.admit("ada", each, together) for _ in range(2)] == [None, None]
    opens = DAY + 60
    assert usage_store.admit("ada", each, together) == Reached(each[0], False, opens)
    assert usage_store.admit("bob", each, together) is None
    assert usage_store.admit("bob", each, together) == Reached(together[0], True, opens)
    assert usage_store.spent()["day"] == Spent(3), "what was refused is not counted"
    now[0] = opens
    assert usage_store.admit("ada", each, together) is None
    assert (usage_store.spent()["minute"], usage_store.spent()["day"]) == (Spent(1), Spent(4))


def test_tokens_and_usd_of_a_day_are_room_again_at_midnight(store: Store) -> None:
    now = [DAY + 3600]
    usage_store = UsageStore(store, lambda: now[0])
    limits = parse("100 tokens/day, 0.5 USD/day")
    usage_store.charge("ada", 60, 0.1)
    assert usage_store.admit("ada", limits, ()) is None
    usage_store.charge("ada", 60, 0.1)
    assert usage_store.admit("ada", limits, ()) == Reached(limits[0], False, DAY + 86_400)
    assert usage_store.admit("bob", limits, ()) is None
    usage_store.charge("bob", 1, 0.5)
    assert usage_store.admit("bob", limits, ()) == Reached(limits[1], False, DAY + 86_400)
    now[0] = DAY + 86_400
    assert usage_store.admit("ada", limits, limits) is None
    assert usage_store.spent("ada")["day"] == Spent(1)


def test_no_message_too_many_is_let_through_by_several_processes_at_once(store: Store, database: str) -> None:
    limits, admitted = parse("25 messages/day"), []
    everybody = threading.Barrier(8)

    def ask_often() -> None:
        with closing(Store(database)) as other:  # as another process has it
            usage_store = UsageStore(other)
            everybody.wait()
            for _ in range(10):
                admitted.append(usage_store.admit("ada", limits, ()) is None)
                usage_store.charge("ada", 7, 0.0)

    askers = [threading.Thread(target=ask_often) for _ in range(8)]
    for asker in askers:
        asker.start()
    for asker in askers:
        asker.join()
    assert (admitted.count(True), admitted.count(False)) == (25, 55)
    assert UsageStore(store).spent("ada")["day"] == Spent(25, 560)


def test_minutes_that_are_over_and_days_long_over_are_forgotten(store: Store) -> None:
    now = [DAY]
    usage_store = UsageStore(store, lambda: now[0])
    for _ in range(3):
        usage_store.admit("ada", (), ())
        now[0] += 60
    with store.alone(1) as connection:
        assert connection.exec_driver_sql("SELECT count(*) FROM spent").scalar() == 4
    now[0] += 40 * 86_400
    usage_store.admit("bob", (), ())
    with store.alone(1) as connection:
        assert connection.exec_driver_sql("SELECT count(*) FROM spent WHERE who = 'ada'").scalar() == 0


# --- what an answer takes ---------------------------------------------------------------------------

ENDED = RoundEnded("gpt-6-luna", Usage(input=100, output=20))


@pytest.mark.parametrize(
    ("events", "charged"),
    [
        ([RoundStarted(1), TextDelta("x"), ENDED, RunCompleted()], [(Usage(100, 0, 20), "gpt-6-luna")]),
        ([RoundStarted(1), ENDED, RoundStarted(2), ENDED], [(Usage(100, 0, 20), "gpt-6-luna")] * 2),
        ([RoundStarted(1), RunFailed("refused", "No.")], []),
        ([RoundStarted(1), TextDelta("日本"), RunFailed("cut", "")], [(Usage(input=4, output=2), "")]),
        ([RoundStarted(1), RunStopped("max_output_tokens", "")], [(Usage(input=4), "")]),
        ([RoundStarted(1), TextDelta("x"), RoundEnded("m", None)], [(Usage(input=4, output=1), "m")]),
        ([RunFailed("interrupted", "")], []),
    ],
)
def test_each_response_is_charged_as_it_ends_also_one_that_failed(
    events: list[Event], charged: list[Any]
) -> None:
    found: list[Any] = []
    thread = Thread(messages=[Message.from_user("Hello you!")])
    seen = list(with_metering((each for each in events), thread, lambda *each: found.append(each)))
    assert (seen, found) == (events, charged)


def test_an_answer_that_is_stopped_is_charged_by_what_was_said() -> None:
    found: list[Any] = []
    thread = Thread(messages=[Message.from_user("Hello"), Message("assistant", [Text("123456")])])
    events: list[Event] = [RoundStarted(1), TextDelta("123456"), ENDED]
    run = with_metering((each for each in events), thread, lambda *each: found.append(each))
    assert [next(run), next(run)] == [RoundStarted(1), TextDelta("123456")]
    run.close()
    assert found == [(Usage(input=4, output=2), "")]


# --- the page ---------------------------------------------------------------------------------------


def test_the_owners_key_is_used_for_whom_the_settings_name_alone() -> None:
    base = Settings(api_key=KEY)
    assert restrict_credentials(base, at_home=True) is base
    assert restrict_credentials(base, at_home=False) == Settings()
    each_alone = Settings(
        api_key=KEY, limit_person=parse("9 messages/minute")
    )  # a new session is a new person
    assert restrict_credentials(each_alone, at_home=False).demo
    for address in ("http://me:canary@here/v1", "http://here/v1?api-key=canary"):  # a key as well
        assert restrict_credentials(Settings(base_url=address), at_home=False) == Settings()
        assert restrict_credentials(Settings(base_url=address), at_home=True).base_url == address
    for named in (
        Settings(api_key=KEY, password="open sesame"),
        Settings(api_key=KEY, allowed=("*",)),
        Settings(api_key=KEY, limit_all=parse("1 tokens/day")),
        Settings(base_url="http://here/v1"),
    ):
        assert restrict_credentials(named, at_home=False) is named


def test_a_public_page_with_a_key_and_nothing_else_runs_the_demo_and_says_so(
    server: ModelServer, open_page: Open
) -> None:
    page = open_page(OPENAI_BASE_URL=server.url, OPENAI_API_KEY=KEY)
    assert "nothing says who may use it" in page.info[0].value
    assert [each.key for each in page.button if "tape_" in str(each.key)], "recorded tapes are there"
    ask(page, 'calculate(expression="6*7")')
    assert server.asked == []
    page.session_state["connection_panel"] = True
    page.run()
    assert page.radio(key="connection").options == ["As configured", "Demo", "OpenAI"]
    assert KEY not in sent(page)
    assert "Test" in [each.label for each in page.sidebar.button], "of the demo"


def test_at_home_a_key_is_all_it_needs(
    server: ModelServer, open_page: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("assistant.ui.sidebar.is_localhost", lambda: True)
    server.plays(text("Hello."))
    page = ask(open_page(OPENAI_BASE_URL=server.url, OPENAI_API_KEY=KEY), "Hi")
    assert shown(page)[1] == ("assistant", [("markdown", "Hello.")])
    assert not page.info


def test_a_limit_that_is_reached_is_told_kindly_and_nothing_typed_is_lost(
    server: ModelServer, open_page: Open
) -> None:
    limits = {"ASSISTANT_LIMIT_PERSON": "1 messages/day", "ASSISTANT_LIMIT_ALL": "2 messages/day"}
    server.plays(text("A."), text("B."))
    first = ask(open_page(OPENAI_BASE_URL=server.url, OPENAI_API_KEY=KEY, **limits), "One")
    ask(first, "Two")
    assert [each.value.split("\\. There is room again at 00\\:00, in ")[0] for each in first.info] == [
        "You have asked as much as one person may for now"
    ]
    assert first.chat_input(key="prompt").proto.value == "Two"
    assert [each.value for each in first.toast] == ["It is not asked yet: your message is back in the input."]
    assert len(shown(first)) == 2
    first.button(key="regenerate_1").click().run()
    assert "as much as one person may" in first.toast[0].value
    first.button(key="edit_0").click().run()
    first.text_area(key="edit_text_0").set_value("Other").run()
    first.button(key="save_0").click().run()
    assert "as much as one person may" in first.toast[0].value
    assert first.text_area(key="edit_text_0").value == "Other"
    ask(open_page(), "One")  # another session is another person
    third = ask(open_page(), "One")
    assert "All that may be spent here is spent for now" in third.info[0].value
    assert len(server.asked) == 2


def test_tokens_are_counted_and_a_key_of_ones_own_has_no_limits(
    server: ModelServer, open_page: Open, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    server.plays(text("A."), text("B."))
    page = ask(
        open_page(OPENAI_BASE_URL=server.url, OPENAI_API_KEY=KEY, ASSISTANT_LIMIT_ALL="1 tokens/day"), "One"
    )
    with closing(Store(f"sqlite:///{tmp_path}/threads.sqlite")) as store:
        assert UsageStore(store).spent()["day"].tokens > 0
    ask(page, "Two")
    assert "spent for now" in page.info[0].value
    page.session_state["choice"] = ConnectionOverride(server.url, "sk-canary-of-a-visitor", "test-model")
    ask(page, "Two")
    assert shown(page)[-1] == ("assistant", [("markdown", "B.")])
    assert [each.value for each in page.info] == []
    # Nobody's key is anywhere but in the memory of the process.
    kept = b"".join(file.read_bytes() for file in tmp_path.glob("threads.sqlite*"))
    assert b"Two" in kept
    assert b"canary" not in kept
    seen = sent(page) + caplog.text
    assert "canary" not in seen


def test_a_recording_counts_as_a_message_and_by_its_length(store: Store) -> None:
    with EarServer() as ears:
        ears.heard = [(200, {"text": "Hello."})]
        settings = Settings(base_url=ears.url, transcribe_model="ear", limit_all=parse("1 messages/day"))
        voice = QuotaGuard(settings, "visitor", store).counting(open_voice(settings))
        assert voice is not None
        assert voice.transcribe(b"\x00" * 32_000) == "Hello."
        with pytest.raises(RequestRefused, match="spent for now"):
            voice.transcribe(b"\x00" * 32_000)
    assert UsageStore(store).spent("visitor")["day"] == Spent(1, 16)


def test_tokens_cost_what_their_model_costs_or_the_one_that_was_set(store: Store) -> None:
    quota = QuotaGuard(Settings(limit_all=parse("1 USD/day")), "ada", store)  # gpt-6-luna: 0.10, 0.01, 0.50
    quota.charge(Usage(input=1_000_000, cached=500_000, output=100_000), "gpt-6-astra-2026-01-01")
    spent = UsageStore(store).spent("ada")["day"]
    assert (spent.tokens, round(spent.dollars, 9)) == (1_100_000, (5 + 0.5) * 2 + 5 * 1.5)
    quota = QuotaGuard(Settings(limit_all=parse("1 USD/day")), "bob", store)
    quota.charge(Usage(input=100_000, output=100_000), "unheard-of")
    spent = UsageStore(store).spent("bob")["day"]
    assert (spent.tokens, round(spent.dollars, 9)) == (200_000, 0.06)


def test_where_nothing_can_be_counted_nothing_is_spent(
    server: ModelServer, open_page: Open, tmp_path: Path
) -> None:
    (tmp_path / "broken.sqlite").write_text("This is no database. " * 100)
    page = open_page(
        OPENAI_BASE_URL=server.url,
        OPENAI_API_KEY=KEY,
        ASSISTANT_LIMIT_ALL="5 messages/day",
        ASSISTANT_DATABASE_URL=f"sqlite:///{tmp_path}/broken.sqlite",
    )
    ask(page, "Hi")
    assert "cannot be counted just now" in page.info[0].value
    assert page.chat_input(key="prompt").proto.value == "Hi"
    assert server.asked == []
