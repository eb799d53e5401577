"""An answer that ended well without any text says so."""

from typing import Any

import pytest

from tests.servers.responses import ModelServer, Play, call, calls, reasoning, refusal, text
from tests.ui.page import Open, ask
from tests.variants import quick_first_row

EMPTY = "The model ended its answer without any text."


@pytest.mark.parametrize(
    ("plays", "is_empty"),
    [
        ([text("Hello.")], False),
        *quick_first_row(
            ([Play()], True),
            ([text("")], True),
            ([text(" \n")], True),
            ([calls(reasoning("Hm."))], True),
            ([calls(call("calculate", expression="6*7")), Play()], True),
            ([calls(*text("Wait.").items, call("calculate", expression="6*7")), Play()], True),
            ([refusal("No.")], False),
            ([calls(call("calculate", expression="6*7")), text("42")], False),
        ),
    ],
)
def test_an_answer_without_text_says_so(
    server: ModelServer, open_page: Open, plays: list[Any], is_empty: bool
) -> None:
    server.plays(*plays)
    page = ask(open_page(OPENAI_BASE_URL=server.url), "Hello?")
    answer = page.chat_message[1]
    assert (EMPTY in [each.value for each in answer.caption]) == is_empty
    page.run()
    assert (EMPTY in [each.value for each in page.chat_message[1].caption]) == is_empty
