"""Why a run cost what it did: tokens, the first difference from the request before, and the server's diagnostics."""

import pytest
from streamlit.testing.v1 import AppTest

from assistant.request_options import RequestOptions
from assistant.ui import keys
from tests.ui.page import Open, ask, open_inspector, session_of


@pytest.fixture
def page(open_page: Open) -> AppTest:
    """The demo's page with the inspector's view of costs open."""
    page = open_inspector(open_page())
    ask_and_wait(page, "Hello")
    page.segmented_control(key=keys.INSPECTOR_VIEW).set_value("Cost").run()
    return page


def ask_and_wait(page: AppTest, words: str) -> None:
    """Send words, and draw the page when the answer is complete: its recording is not live any more."""
    ask(page, words)
    if run := session_of(page).live_run:
        assert run.join(10)
    page.run()


def texts(page: AppTest) -> str:
    """Return what the page says, without Markdown escapes."""
    return "\n".join(each.value for each in [*page.markdown, *page.caption]).replace("\\", "")


@pytest.mark.exhaustive
def test_the_first_request_shows_its_tokens(page: AppTest) -> None:
    assert "**Request 1** · Demo · free; $0.00" in texts(page)
    assert "nothing to compare it with" in texts(page)
    assert "list prices in genai-prices" in texts(page)


def test_a_request_that_continues_the_one_before_says_so(page: AppTest) -> None:
    session_of(page).change_options(RequestOptions(cache_diagnostics=True))
    ask_and_wait(page, "Hello again")
    assert "It begins with the whole request before it" in texts(page)
    assert "The server says: it found the request before in its cache." in texts(page)
    assert not page.code


@pytest.mark.exhaustive
def test_the_first_difference_is_marked(page: AppTest) -> None:
    session_of(page).change_options(RequestOptions(cache_diagnostics=True, instructions="You are rude."))
    ask_and_wait(page, "Hello again")
    assert "is in **the instructions**, after" in texts(page)
    assert "From there on, nothing can come from the cache." in texts(page)
    [code] = page.code
    before, now, mark = code.value.split("\n")
    place = mark.index("^")
    assert (before[:place].removeprefix("- "), now[place:]) == (now[:place].removeprefix("+ "), "rude.")
    assert "The server says: the input has changed; about" in texts(page)
