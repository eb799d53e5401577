"""Visitors who want more than the limits allow: they stop, hurry, or let the model call functions."""

import json
import threading
import time
from contextlib import AbstractContextManager, closing
from pathlib import Path

import pytest

from assistant.settings import DEFAULT_MAX_OUTPUT_TOKENS
from assistant.storage.database import Database
from tests.access.test_usage_store import totals
from tests.access.visitors import Visitor, crowd, served
from tests.servers.responses import ModelServer, call, calls, text
from tests.ui.page import Open, ask, session_of, shown
from tests.waiting import at_once

KEY = "sk-of-the-owner"
AT_LIMIT = "This page has reached its usage limit"


def public_page(folder: Path, server: ModelServer, limit: str) -> AbstractContextManager[str]:
    return served(folder, OPENAI_BASE_URL=server.url, OPENAI_API_KEY=KEY, ASSISTANT_LIMIT_ALL=limit)


def send_and_stop(visitor: Visitor, server: ModelServer) -> None:
    """Send a message, and stop the answer as soon as the request has arrived."""
    sent = len(server.requests)
    visitor.say("Hello")
    visitor.wait(lambda: len(server.requests) > sent or visitor.shows(AT_LIMIT))
    if not visitor.shows(AT_LIMIT):
        visitor.press("stop")
        visitor.wait(lambda: visitor.shows("Stopped"))


@pytest.mark.exhaustive
def test_who_stops_before_the_first_text_has_used_what_was_reserved(
    server: ModelServer, tmp_path: Path
) -> None:
    gate = threading.Event()
    server.plays(*[text("Never read.", gate=gate) for _ in range(12)])
    with public_page(tmp_path, server, "100 tokens/day") as address:
        for _ in range(12):
            with Visitor(address) as visitor:
                send_and_stop(visitor, server)
        gate.set()
    assert len(server.requests) == 1
    assert server.drop_script() == 11


@pytest.mark.exhaustive
@pytest.mark.parametrize(("limit", "most"), [(1_000, 1), (50_000, 3)])
def test_those_who_send_at_once_exceed_a_limit_by_one_response_at_most(
    server: ModelServer, tmp_path: Path, limit: int, most: int
) -> None:
    gate = threading.Event()
    server.plays(*[text("A short answer.", gate=gate) for _ in range(60)])
    with public_page(tmp_path, server, f"{limit} tokens/day") as address, crowd(address, 60) as visitors:

        def send(index: int) -> bool:
            visitor = visitors[index]
            visitor.say("x" * 3_000)
            visitor.wait(lambda: visitor.shows(AT_LIMIT) or visitor.shows("short answer") or gate.is_set())
            refused[index] = visitor.shows(AT_LIMIT)
            if sum(refused) == 60 - most:
                gate.set()
            visitor.wait(lambda: visitor.shows(AT_LIMIT) or visitor.shows("short answer"))
            return visitor.shows("short answer")

        refused = [False] * 60
        assert sum(at_once(60, send)) == most
    assert len(server.requests) == most
    # Each was reserved with its largest answer, so the last one was sent below the limit.
    assert (most - 1) * DEFAULT_MAX_OUTPUT_TOKENS < limit
    assert server.drop_script() == 60 - most


def test_functions_do_not_carry_an_answer_beyond_a_limit(server: ModelServer, open_page: Open) -> None:
    server.plays(calls(call("get_current_time", time_zone="UTC")), text("Never asked for."))
    page = open_page(OPENAI_BASE_URL=server.url, OPENAI_API_KEY=KEY, ASSISTANT_LIMIT_ALL="1 tokens/day")
    ask(page, "What time is it?")
    assert "the usage limit is reached" in shown(page)[1][1][-1][1]
    assert not session_of(page).thread.messages[-1].open_calls
    assert len(server.requests) == 1
    assert server.drop_script() == 1


@pytest.mark.exhaustive
@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({"ASSISTANT_LIMIT_ALL": "9 messages/day"}, None),
        ({"ASSISTANT_LIMIT_ALL": "9 tokens/day"}, DEFAULT_MAX_OUTPUT_TOKENS),
        ({"ASSISTANT_LIMIT_ALL": "9 tokens/day", "ASSISTANT_MAX_OUTPUT_TOKENS": "512"}, 512),
    ],
)
def test_where_tokens_are_limited_requests_limit_the_answer(
    server: ModelServer, open_page: Open, settings: dict[str, str], expected: int | None
) -> None:
    server.plays(text("A."))
    ask(open_page(OPENAI_BASE_URL=server.url, OPENAI_API_KEY=KEY, **settings), "Hello")
    assert server.requests[0].get("max_output_tokens") == expected


def test_instructions_and_functions_are_part_of_what_is_reserved(
    server: ModelServer, open_page: Open, tmp_path: Path
) -> None:
    server.plays(*[text("A short answer.", cut=0)] * 3)
    settings = {"ASSISTANT_LIMIT_ALL": "100000 tokens/day", "ASSISTANT_MAX_OUTPUT_TOKENS": "16"}
    ask(open_page(OPENAI_BASE_URL=server.url, OPENAI_API_KEY=KEY, **settings), "Hello")
    sent = len(json.dumps(server.requests[0]["tools"])) + len(server.requests[0]["instructions"])
    with closing(Database(f"sqlite:///{tmp_path}/threads.sqlite")) as database:
        assert totals(database, "day", time.time()).tokens >= sent / 4 + 16


def test_a_process_whose_clock_is_a_day_ahead_begins_no_new_day(
    server: ModelServer, open_page: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.plays(text("A."))
    page = open_page(OPENAI_BASE_URL=server.url, OPENAI_API_KEY=KEY, ASSISTANT_LIMIT_ALL="1 messages/day")
    ask(page, "One")
    real = time.time
    monkeypatch.setattr(time, "time", lambda: real() + 86_400)
    ask(page, "Two")
    assert AT_LIMIT in page.info[0].value
    assert len(server.requests) == 1
