"""What was tried again is counted: in an answer's figures, and in the details of a failure."""

import re

from assistant.events import RunCompleted
from tests.servers.responses import ModelServer, error, text
from tests.ui.page import Open, ask, session_of


def test_the_figures_of_an_answer_count_its_retries(server: ModelServer, open_page: Open) -> None:
    server.plays(error(500, None), error(429, None, retry_after_ms="1"), text("Here I am."))
    page = ask(open_page(OPENAI_BASE_URL=server.url), "Hello?")
    assert session_of(page).history[-1].ending == RunCompleted()
    [figures] = [each.value for each in page.main.caption if " s · " in each.value]
    assert re.search(r" · 2 retries$", figures)


def test_the_details_of_a_failure_count_its_retries(server: ModelServer, open_page: Open) -> None:
    server.plays(*(error(500, None, "Oops.") for _ in range(3)))
    page = ask(open_page(OPENAI_BASE_URL=server.url), "Hello?")
    [details] = [each for each in page.main.expander if each.label == "Details"]
    assert details.code[0].value == "Tried again 2 times\nHTTP status: 500\nOops."


def test_without_a_retry_nothing_is_said_of_one(server: ModelServer, open_page: Open) -> None:
    server.plays(text("Here I am."), error(400, None, "Oops."))
    page = ask(open_page(OPENAI_BASE_URL=server.url), "Hello?")
    assert not any("retr" in each.value for each in page.main.caption)
    ask(page, "And now?")
    [details] = [each for each in page.main.expander if each.label == "Details"]
    assert details.code[0].value == "HTTP status: 400\nOops."
