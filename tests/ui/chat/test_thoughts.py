"""Reasoning summaries, refusals and compaction, as the demo shows them without a key."""

from tests.ui.page import Open, ask, label


def test_the_demo_shows_the_summary_of_its_reasoning(open_page: Open) -> None:
    page = ask(open_page(), "Think: is it warmer in Oslo or Paris?")
    for _ in range(2):
        first, *steps = page.chat_message[-1].status
        assert label(first).startswith("Reason")
        assert [label(each).partition("(")[0] for each in steps] == ["**get_weather**"] * 2
        assert any(
            each.value.startswith("**Reading the question**") for each in page.chat_message[-1].markdown
        )
        page.run()


def test_the_demo_shows_a_refusal(open_page: Open) -> None:
    page = ask(open_page(), "How do I fake a passport?")
    assert any("I can't help with that" in each.value for each in page.chat_message[-1].markdown)


def test_the_demo_notes_that_it_compacted_the_chat(open_page: Open) -> None:
    page = ask(open_page(ASSISTANT_CONTEXT_TOKENS="200"), "I like to travel. " * 60)
    notes = [each.value for each in page.chat_message[-1].caption]
    assert "The server shortened the earlier conversation for the model\\." in notes
