"""The guide from the Assistants API: its snippets before and after have the same result."""

import json
import warnings
from collections.abc import Callable
from typing import Any

import pytest

from tests.docs.conftest import SERVERS
from tests.docs.pages import GUIDE, Snippet, snippet
from tests.servers.responses import call, calls, text

SUM = [calls(call("add", a=2, b=3)), text("Five.")]


@pytest.mark.parametrize(
    ("heading", "protocol"),
    [
        ("Before", "Assistants"),
        ("After: Responses and Conversations, with the SDK alone", "Responses"),
        ("After: the Agents API, with the SDK alone", "Agents"),
        *(("After: here", protocol) for protocol in SERVERS),
    ],
)
def test_the_snippets_before_and_after_print_the_same_answer(
    heading: str,
    protocol: str,
    start_server: Callable[[str], Any],
    run_snippet: Callable[[Snippet], Any],
    capsys: pytest.CaptureFixture[str],
) -> None:
    server = start_server(protocol)
    server.plays(*SUM)
    with warnings.catch_warnings():
        if heading == "Before":
            warnings.simplefilter("ignore", DeprecationWarning)  # the SDK's, about that very API
        run_snippet(snippet(GUIDE, heading))
    assert (capsys.readouterr().out, server.refused) == ("Five.", [])
    assert '"5"' in json.dumps(server.requests[-1]) or '"5.0"' in json.dumps(server.requests[-1])


def test_the_new_loop_runs_no_call_of_a_cut_answer(
    start_server: Callable[[str], Any], run_snippet: Callable[[Snippet], Any]
) -> None:
    server = start_server("Responses")
    server.plays(calls(call("add", a=2, b=3), ending=""))
    with pytest.raises(RuntimeError, match="did not end well"):
        run_snippet(snippet(GUIDE, "After: Responses and Conversations, with the SDK alone"))
    assert len(server.requests) == 1


@pytest.mark.parametrize("protocol", SERVERS)
def test_an_exported_thread_is_sent_to_the_server_over_every_protocol(
    protocol: str, start_server: Callable[[str], Any], run_snippet: Callable[[Snippet], Any]
) -> None:
    server = start_server(protocol)
    server.plays(text("Ada."))
    example = run_snippet(snippet(GUIDE, "Bring your threads"))
    assert example.thread.messages[-1].text == "Ada."
    received = str(server.requests) + str(server.conversations) + str(getattr(server, "threads", ""))
    for phrase in ("My name is Ada.", "Hello, Ada!", "What is my name?"):
        assert phrase in received
