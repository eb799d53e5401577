"""The owner's budget: no response is requested that could cost more than what is left of it."""

import json
import random
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import closing, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

import assistant.settings
from assistant import Assistant, Thread, Toolbox, functions
from assistant.access.limits import Limit, UsageTotals, parse_budget, parse_limits
from assistant.access.metering import Meter
from assistant.access.quotas import QuotaGuard
from assistant.access.usage_store import UsageStore
from assistant.application import Application
from assistant.backends.client import connect
from assistant.backends.connection.override import ConnectionOverride
from assistant.backends.responses.backend import Responses
from assistant.errors import BudgetError, LimitExceeded, SettingsError
from assistant.events import (
    CONNECTION_LOST,
    Event,
    RetryScheduled,
    RoundEnded,
    RoundStarted,
    RunCompleted,
    RunStopped,
    Usage,
)
from assistant.messages import Message
from assistant.parts import Attachment
from assistant.recordings.costs import cost_of
from assistant.session import ChatSession
from assistant.settings import Settings
from assistant.storage.database import Database
from assistant.texts import MAX_INPUT_TOKENS
from tests.access.test_usage_store import totals
from tests.environment import remove_settings
from tests.paths import ROOT
from tests.servers.loopback import LoopbackServer, QuietHandler
from tests.servers.responses import ModelServer, call, calls, sse_event, text
from tests.ui.page import Open, ask, session_of, shown
from tests.waiting import at_once, until

KEY = "sk-of-the-owner"
LUNA = "gpt-6-luna"
MONTH_START = datetime(2026, 12, 1, tzinfo=UTC).timestamp()


@pytest.fixture
def opened(database: str) -> Iterator[Database]:
    with closing(Database(database)) as opened:
        yield opened


@pytest.fixture
def at_list_prices(server: ModelServer, monkeypatch: pytest.MonkeyPatch) -> ModelServer:
    """The server takes OpenAI's place, whose prices are known."""
    monkeypatch.setattr(assistant.settings, "OPENAI_URL", server.url)
    return server


def spent(database: Database) -> float:
    return totals(database, "day", time.time()).dollars


# --- the setting --------------------------------------------------------------------------------------


def test_budgets_are_parsed() -> None:
    assert parse_budget("20 USD/month, 2.5 usd / Day") == (
        Limit(20, "USD", "month", is_budget=True),
        Limit(2.5, "USD", "day", is_budget=True),
    )
    assert str(parse_budget("20 USD/month")[0]) == "20 USD/month"


@pytest.mark.parametrize(
    "value", ["20", "0 USD/month", "20 USD", "20 EUR/month", "5 USD/minute", "9 tokens/day"]
)
def test_anything_else_is_refused_with_an_example(value: str) -> None:
    with pytest.raises(SettingsError) as caught:
        Settings.load({"ASSISTANT_BUDGET": value})
    expected = f"ASSISTANT_BUDGET is {value!r}. Set an amount of USD per day or month, such as 20 USD/month."
    assert str(caught.value) == expected


@pytest.mark.parametrize(
    "variables",
    [
        {"OPENAI_MODEL": "my-model"},
        {"OPENAI_MODEL": "gpt-4o-search-preview"},
        {"OPENAI_BASE_URL": "http://here/v1"},
        {"OPENAI_AGENT_ID": "agent_1"},
    ],
)
def test_a_budget_needs_a_model_whose_responses_have_a_maximum_price(variables: dict[str, str]) -> None:
    with pytest.raises(SettingsError, match="Set OPENAI_MODEL to a model with a list price"):
        Settings.load({"ASSISTANT_BUDGET": "5 USD/day", **variables})


def test_a_budget_excludes_tools_that_cost_more_than_tokens() -> None:
    with pytest.raises(SettingsError, match="Remove one of them"):
        Settings.load({"ASSISTANT_BUDGET": "5 USD/day", "ASSISTANT_HOSTED_TOOLS": "web_search"})


# --- what is counted ----------------------------------------------------------------------------------


def test_a_response_is_allowed_only_if_its_maximum_is_left(opened: Database) -> None:
    usage, budget = UsageStore(opened, lambda: MONTH_START), parse_budget("1 USD/month")
    usage.reserve("ada", UsageTotals(dollars=0.7), (), budget)
    with pytest.raises(LimitExceeded) as caught:
        usage.reserve("bob", UsageTotals(dollars=0.31), (), budget)
    assert (caught.value.scope, caught.value.limit) == ("budget", "1 USD/month")
    usage.reserve("bob", UsageTotals(dollars=0.29), (), budget)
    with pytest.raises(BudgetError, match=r"up to 1\.5 USD here, more than the whole budget of 1 USD/month"):
        usage.reserve("bob", UsageTotals(dollars=1.5), (), budget)


def test_a_month_is_one_of_the_calendar_in_utc(opened: Database) -> None:
    now = [MONTH_START]
    usage, budget = UsageStore(opened, lambda: now[0]), parse_budget("1 USD/month")
    usage.reserve("ada", UsageTotals(dollars=0.6), (), budget)
    now[0] += 30 * 86_400 + 86_399  # 31 December, the last second
    usage.reserve("ada", UsageTotals(dollars=0.3), (), budget)
    with pytest.raises(LimitExceeded) as caught:
        usage.reserve("ada", UsageTotals(dollars=0.2), (), budget)
    assert (caught.value.resets_at, caught.value.wait_seconds) == (now[0] + 1, 1)
    now[0] += 1
    usage.reserve("ada", UsageTotals(dollars=0.9), (), budget)


def guard(database: Database, model: str = LUNA, budget: str = "20 USD/month") -> QuotaGuard:
    return QuotaGuard("ada", (), parse_budget(budget), model, UsageStore(database), 1_000)


def maximum(database: Database, thread: Thread) -> float:
    """Return what is reserved for a response to this thread, in tokens of input."""
    before = totals(database, "day", time.time()).tokens
    Meter(guard(database), thread, "").admit()
    return totals(database, "day", time.time()).tokens - before - 1_000


def test_every_byte_may_be_a_token(opened: Database) -> None:
    short = maximum(opened, Thread(messages=[Message.from_user("")]))
    assert maximum(opened, Thread(messages=[Message.from_user("!?" * 500 + "日本")])) >= short + 1_006


@pytest.mark.parametrize(
    ("media_type", "tokens"), [("application/pdf", MAX_INPUT_TOKENS), ("image/png", 50_000)]
)
def test_a_file_counts_as_the_largest_one(opened: Database, media_type: str, tokens: int) -> None:
    thread = Thread(messages=[Message.from_user("", [Attachment("a file", media_type, "AAAA")])])
    assert tokens <= maximum(opened, thread) <= MAX_INPUT_TOKENS


def test_reasoning_that_only_the_server_has_counts(opened: Database) -> None:
    message = Message("assistant")
    for event in (RoundStarted(1), RoundEnded(LUNA, Usage(input=1, output=30_000)), RunCompleted()):
        message.add(event)
    assert maximum(opened, Thread(messages=[message])) >= 30_000


def test_what_is_written_to_the_cache_is_counted_at_its_price(opened: Database) -> None:
    quota = guard(opened)
    quota.settle(quota.reserve(Usage()), Usage(100_000, 20_000, 10_000, cache_written=50_000), LUNA)
    real = cost_of(LUNA, input=100_000, cached=20_000, written=50_000, output=10_000)
    assert spent(opened) == pytest.approx(real)


def test_a_request_whose_connection_was_lost_counts_beside_its_retry(opened: Database) -> None:
    thread = Thread(messages=[Message.from_user("Hello")])
    meter = Meter(guard(opened), thread, "")
    meter.admit()
    once = spent(opened)
    events: list[Event] = [
        RoundStarted(1),
        RetryScheduled(1, 2, 0.0, "Too many requests."),
        RetryScheduled(2, 2, 0.0, CONNECTION_LOST),
        RoundEnded(LUNA, Usage(input=10, output=5)),
        RunCompleted(),
    ]
    assert list(meter.measure(event for event in events)) == events
    assert spent(opened) == pytest.approx(once + (cost_of(LUNA, input=10, output=5) or 0))


def test_a_retry_that_the_budget_does_not_allow_is_not_made(opened: Database) -> None:
    meter = Meter(guard(opened, budget="0.001 USD/day"), Thread(messages=[Message.from_user("Hello")]), "")
    meter.admit()
    events: list[Event] = [RoundStarted(1), RetryScheduled(1, 2, 0.0, CONNECTION_LOST), RunCompleted()]
    seen = list(meter.measure(event for event in events))
    assert seen == [RoundStarted(1), RunStopped("usage_limit", "Stopped: the usage limit is reached.")]


def test_a_response_without_reported_usage_counts_as_it_was_reserved(opened: Database) -> None:
    meter = Meter(guard(opened), Thread(messages=[Message.from_user("Hello")]), "")
    meter.admit()
    reserved = spent(opened)
    list(meter.measure(event for event in (RoundStarted(1), RoundEnded(LUNA, None), RunCompleted())))
    assert spent(opened) == reserved > 0


def test_a_resumed_response_counts_because_it_may_be_requested_anew(opened: Database) -> None:
    meter = Meter(guard(opened), Thread(messages=[Message.from_user("Hello")]), "")
    run = meter.measure(event for event in [RoundStarted(1, resumed=True)])
    assert next(run) == RoundStarted(1, resumed=True)
    assert spent(opened) > 0


def test_a_model_without_a_known_price_and_a_voice_message_are_refused(opened: Database) -> None:
    for model in ("", "my-model", "gpt-4o-audio-preview"):
        with pytest.raises(BudgetError, match="The price of this model is not known"):
            guard(opened, model).reserve(Usage())
    with pytest.raises(BudgetError, match="voice messages"):
        guard(opened).reserve_audio(b"RIFF")
    assert totals(opened, "day", time.time()) == UsageTotals()


# --- the page -----------------------------------------------------------------------------------------


def test_the_budget_holds_for_the_owner_on_this_machine(
    at_list_prices: ModelServer, open_page: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = at_list_prices
    monkeypatch.setattr("assistant.ui.page.local_access.is_localhost", lambda _: True)
    server.plays(text("A.", cut=0, how="close"))
    page = open_page(OPENAI_BASE_URL=server.url, OPENAI_API_KEY=KEY, ASSISTANT_BUDGET="0.02 USD/month")
    assert not session_of(page).connection.can_transcribe
    assert session_of(page).connection.enabled_tools == ()
    monkeypatch.setattr("assistant.backends.requests.DELAYS", ())
    ask(page, "One")
    ask(page, "Two")
    assert "This page's budget does not allow another answer right now" in page.info[0].value
    assert page.chat_input(key="prompt").proto.value == "Two"
    assert [(each["service_tier"], each["max_output_tokens"]) for each in server.requests] == [
        ("default", 16_384)
    ]


def test_an_answer_ends_before_a_round_that_the_budget_does_not_allow(
    at_list_prices: ModelServer, open_page: Open
) -> None:
    server = at_list_prices
    usage = {"usage": {"input_tokens": 10_000, "output_tokens": 10_000, "total_tokens": 20_000}}
    server.plays(calls(call("get_current_time", time_zone="UTC"), details=usage), text("Never requested."))
    page = open_page(
        OPENAI_BASE_URL=server.url,
        OPENAI_API_KEY=KEY,
        ASSISTANT_LIMIT_ALL="9 messages/day",
        ASSISTANT_BUDGET="0.015 USD/month",
    )
    ask(page, "What time is it?")
    assert "the usage limit is reached" in shown(page)[1][1][-1][1]
    assert server.drop_script() == 1


@pytest.mark.exhaustive
def test_the_owners_key_at_another_address_or_with_another_model_is_within_the_budget(
    at_list_prices: ModelServer, open_page: Open
) -> None:
    server = at_list_prices
    page = open_page(
        OPENAI_BASE_URL=server.url,
        OPENAI_API_KEY=KEY,
        ASSISTANT_LIMIT_ALL="9 messages/day",
        ASSISTANT_BUDGET="0.5 USD/month",
    )
    for override in (
        ConnectionOverride(f"{server.url}/", KEY, LUNA),
        ConnectionOverride(server.url, KEY, "my-model"),
    ):
        session_of(page).connection.override = override
        ask(page, "Hello")
        assert "The price of this model is not known" in page.info[0].value
    assert server.requests == []
    session_of(page).connection.override = ConnectionOverride(server.url, KEY, "gpt-6-astra")
    ask(page, "Hello")
    assert "An answer may cost up to 0" in page.info[0].value, "as much as astra costs"
    server.plays(text("Hello."))
    session_of(page).connection.override = ConnectionOverride(server.url, "sk-of-a-visitor", "my-model")
    ask(page, "Hello")
    assert shown(page)[-1] == ("assistant", [("markdown", "Hello.")])
    assert "max_output_tokens" not in server.requests[0]


@pytest.mark.exhaustive
def test_a_test_of_the_owners_connection_is_counted(at_list_prices: ModelServer, open_page: Open) -> None:
    url = at_list_prices.url
    page = open_page(
        OPENAI_BASE_URL=url,
        OPENAI_API_KEY=KEY,
        ASSISTANT_LIMIT_ALL="9 messages/day",
        ASSISTANT_BUDGET="0.005 USD/day",
    )
    connection = session_of(page).connection
    connection.reserve_test(ConnectionOverride(url, KEY, LUNA))
    connection.reserve_test(ConnectionOverride(url, "sk-of-a-visitor", LUNA))
    with pytest.raises(LimitExceeded):
        connection.reserve_test(ConnectionOverride(url, KEY, LUNA))


def test_requests_leave_out_what_makes_their_cost_uncertain(server: ModelServer) -> None:
    settings = Settings(budget=parse_budget("1 USD/day"), responses_transport="websocket")
    assert not settings.uses_websocket
    server.plays(text("A."), text("B."))
    with connect(Settings(api_key=KEY, base_url=server.url)) as client:
        for bounded in (False, True):
            backend = Responses(client, model=LUNA, context=50_000, lacks=(), bounded=bounded)
            list(Assistant(backend, Toolbox.from_package(functions)).run(Thread(), "Hi"))
    free, bounded_request = server.requests
    assert "context_management" in free
    assert "context_management" not in bounded_request
    assert bounded_request["service_tier"] == "default"
    assert {tool["type"] for tool in bounded_request["tools"]} <= {"function", "custom"}


def test_limits_let_a_response_through_that_a_budget_would_not(opened: Database) -> None:
    usage = UsageStore(opened, lambda: MONTH_START)
    usage.reserve("ada", UsageTotals(dollars=0.9), (), parse_limits("1 USD/day"))
    usage.reserve("ada", UsageTotals(dollars=0.9), (), parse_limits("1 USD/day"))
    with pytest.raises(LimitExceeded) as caught:
        usage.reserve("ada", UsageTotals(dollars=0.9), (), parse_limits("1 USD/day"))
    assert caught.value.scope == "everyone"


# --- attacks ------------------------------------------------------------------------------------------

BUDGET = 0.8
PROCESSES, SENDS = 4, 50


class BillingServer(LoopbackServer):
    """Answers messages, and charges for each request as much as any server could.

    Every byte is a token. A response whose reader has gone costs as much as it could have become.
    """

    def __init__(self) -> None:
        super().__init__(_BillingHandler)
        self._lock = threading.Lock()
        self.bill = self.highest_bill = 0.0
        self.requests = 0

    def charge(self, dollars: float) -> None:
        with self._lock:
            self.bill += dollars
            self.highest_bill = max(self.bill, self.highest_bill)
            self.requests += dollars > 0


class _BillingHandler(QuietHandler):
    protocol_version = "HTTP/1.1"
    server: BillingServer

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        if not self.path.endswith("/responses"):
            self._send(200, {"id": f"conv_{id(body)}_{time.monotonic_ns()}", "object": "conversation"})
            return
        request = json.loads(body)
        largest = _price(len(body), request["max_output_tokens"])
        self.server.charge(largest)
        output = random.randrange(request["max_output_tokens"])
        usage: dict[str, Any] = {
            "input_tokens": len(body),
            "output_tokens": output,
            "total_tokens": len(body) + output,
        }
        usage["input_tokens_details"] = {"cached_tokens": 0, "cache_write_tokens": len(body)}
        play = text("A short answer.", details={"usage": usage})
        with suppress(ConnectionError):
            self.send_response(200)
            self.send_header("content-type", "text/event-stream")
            self.send_header("connection", "close")
            self.end_headers()
            for event in play.stream("resp_1", request):
                self.wfile.write(sse_event(event))
                self.wfile.flush()
                time.sleep(random.uniform(0, 0.01))
            self.server.charge(_price(len(body), output) - largest)

    def do_DELETE(self) -> None:
        self._send(200, {})


def _price(input_tokens: int, output: int) -> float:
    price = cost_of(LUNA, input=input_tokens, written=input_tokens, output=output)
    assert price is not None
    return price


def send_and_stop(folder: str, url: str, database: str) -> None:
    """Send many messages at once, as the owner, and stop every other answer: one of several processes.

    It prints how many of them the budget has not allowed.
    """
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(assistant.settings, "OPENAI_URL", url)
        remove_settings(patch)
        patch.setenv("OPENAI_BASE_URL", url)
        patch.setenv("OPENAI_API_KEY", KEY)
        patch.setenv("ASSISTANT_BUDGET", f"{BUDGET} USD/day")
        patch.setenv("ASSISTANT_DATABASE_URL", database)
        app = Application(Path(folder))
        app.configure({})

        def send(index: int) -> bool:
            session = ChatSession(app)
            session.connection.configure(is_localhost=True)
            session.submit("Hello!")
            if index % 2:
                time.sleep(random.uniform(0, 0.5))
                session.stop()
            until(lambda: not session.live_run, "the answer does not end", 60)
            return session.limit is not None

        print(sum(at_once(SENDS, send)))
        app.close()


@pytest.mark.exhaustive
def test_many_who_send_and_stop_in_several_processes_never_cost_more(database: str, tmp_path: Path) -> None:
    with closing(Database(database)) as opened, BillingServer() as server:
        script = f"from {__name__} import send_and_stop; send_and_stop(*__import__('sys').argv[1:])"
        command = [sys.executable, "-c", script, str(tmp_path), f"{server.url}/v1", database]
        processes = [subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE) for _ in range(PROCESSES)]
        refused = sum(int(process.communicate()[0]) for process in processes)
        counted = spent(opened)
    assert server.highest_bill <= counted <= BUDGET
    assert server.requests > 30
    assert 0 < refused <= PROCESSES * SENDS - server.requests
