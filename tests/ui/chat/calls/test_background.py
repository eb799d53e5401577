"""A background call is drawn beside the text, and what follows from its result below it."""

from assistant.tools.background import background_jobs
from tests.servers.responses import ModelServer, background_call, calls, message, text
from tests.ui.page import Open, ask, session_of


def test_a_background_call_and_its_follow_up_look_the_same_when_drawn_again(
    server: ModelServer, open_page: Open
) -> None:
    server.plays(
        calls(background_call("search_fares", "oslo", city="Oslo"), message("Pack *a hat*.")),
        text("It costs €140."),
    )
    page = ask(open_page(OPENAI_BASE_URL=server.url), "Fares to Oslo?")
    for _ in range(2):
        answer = page.chat_message[-1]
        paragraphs = [each.value for each in answer.markdown]
        assert paragraphs[-2:] == ["Pack *a hat*.", "It costs €140."] or paragraphs[:2] == [
            "Pack *a hat*.",
            "It costs €140.",
        ]
        assert "Continued with the result of search\\_fares\\." in [each.value for each in answer.caption]
        page.run()
    session = session_of(page)
    [call] = session.history[-1].calls
    assert call.result is not None
    assert call.call_id not in background_jobs(session.thread)
