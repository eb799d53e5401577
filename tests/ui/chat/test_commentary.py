"""Commentary of the model is drawn apart from its answer."""

from tests.servers.responses import ModelServer, call, calls, message
from tests.ui.page import Open, ask, session_of


def test_commentary_is_quiet_and_looks_the_same_when_it_is_drawn_again(
    server: ModelServer, open_page: Open
) -> None:
    working = {**message("I compute `it` first."), "phase": "commentary"}
    compacted = {"id": "cmp_1", "type": "compaction", "encrypted_content": "x"}
    server.plays(
        calls(working, call("calculate", expression="6*7")),
        calls({**message("It is **42**."), "phase": "final_answer"}, compacted),
    )
    page = ask(open_page(OPENAI_BASE_URL=server.url), "6*7?")
    for _ in range(2):
        answer = page.chat_message[-1]
        captions = [each.value for each in answer.caption]
        assert captions[0] == "I compute `it` first."
        assert "The server shortened the earlier conversation for the model\\." in captions
        assert "It is **42**." in [each.value for each in answer.markdown]
        page.run()
    assert session_of(page).history[-1].text == "It is **42**."
