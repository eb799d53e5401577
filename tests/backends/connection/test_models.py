"""A server's list of models."""

import time
from datetime import date
from typing import Any

import pytest

from assistant.backends.connection.model_list import fetch_models
from assistant.backends.connection.models import ListedModel, parse_models, reasoning_efforts
from assistant.errors import Interrupted, ServerFailed
from tests.servers.listing import ClientFactory, ListingServer
from tests.variants import quick_first


def test_models_are_sorted_by_id_and_have_their_shutdown_day(
    server: ListingServer, client_for: ClientFactory
) -> None:
    assert fetch_models(client_for(server.url)) == [
        ListedModel("gpt-4o", date(2999, 1, 14)),
        ListedModel("gpt-6-luna"),
    ]


@pytest.mark.parametrize(
    ("body", "names"),
    [
        ({"object": "list", "data": []}, []),
        ({"object": "list", "data": None}, []),
        ({"models": [{"name": "qwen3:8b"}]}, ["qwen3:8b"]),
        ([{"id": "b"}, {"id": "a", "shutdown_date": "soon"}, {"id": "a"}], ["a", "b"]),
        ({"data": ["x", 3, None, {"id": ["y"]}, {"id": "z\x00"}, {"id": "l" * 999}, {"id": " "}]}, ["x"]),
        ({"data": [{"id": "a", "shutdown_date": 1790000000}]}, ["a"]),
        ({"data": [1, 2]}, None),
        ({"detail": "no"}, None),
        ({"data": "models"}, None),
        ("models", None),
        (None, None),
        (7, None),
    ],
)
def test_unusual_lists_are_parsed_as_far_as_possible(body: Any, names: list[str] | None) -> None:
    models = parse_models(body)
    assert (None if models is None else [model.id for model in models]) == names


@pytest.mark.parametrize("body", [b"<!doctype html><title>Hello</title>", b"[" * 100_000, {"detail": "no"}])
def test_anything_but_a_list_of_models_is_an_error(
    server: ListingServer, client_for: ClientFactory, body: Any
) -> None:
    server.body = body
    with pytest.raises(ServerFailed) as failed:
        fetch_models(client_for(server.url))
    assert failed.value.code == "not_the_api"


@pytest.mark.parametrize("trickles", quick_first([False, True]))
def test_a_list_that_never_arrives_is_an_error_in_time(
    server: ListingServer, client_for: ClientFactory, trickles: bool
) -> None:
    server.hangs_at, server.trickles = "/models", trickles
    started = time.monotonic()
    with pytest.raises(Interrupted) as late:
        fetch_models(client_for(server.url), 0.2)
    assert (late.value.code, time.monotonic() - started < 3) == ("timeout", True)


def test_a_snapshot_has_the_efforts_of_its_model() -> None:
    efforts = ("none", "low", "medium", "high", "xhigh", "max")
    assert reasoning_efforts("gpt-6-luna") == reasoning_efforts("gpt-6-luna-2026-09-22") == efforts
    assert reasoning_efforts("openai/gpt-6.1-terra") == reasoning_efforts("gpt-5.6-sol") == efforts
    assert reasoning_efforts("gpt-6.2-astra") == reasoning_efforts("gpt-6-astra") == efforts[1:]
    assert reasoning_efforts("gpt-6-lunatic") == reasoning_efforts("qwen3:8b") == reasoning_efforts("") == ()
