"""The figures and the rating of an answer; and the status of a call and its progress."""

import json
import threading
import tomllib
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from assistant import Thread, Toolbox, functions, tool
from assistant.errors import FunctionError
from assistant.events import (
    Event,
    ReasoningDelta,
    ReasoningEnded,
    RoundEnded,
    RoundStarted,
    RunCompleted,
    TextDelta,
    Usage,
)
from assistant.messages import Feedback, Message, RunStats
from assistant.parts import Reasoning, Text
from assistant.runs.registry import RunRegistry
from assistant.runs.run import Run
from assistant.storage.json_export import export_json, import_json
from assistant.storage.serialization import message_as_json, message_from_json
from assistant.storage.store import Store
from assistant.tools.progress import MAX_PROGRESS_CHARS, progress, progress_listener
from assistant.ui.chat.messages.stats import format_duration, full_stats, short_stats
from tests.conftest import Connect
from tests.paths import ROOT
from tests.servers.responses import ModelServer, reasoning, text
from tests.servers.responses import calls as response
from tests.stored import load_stored

EFFORT = RunStats("gpt-6-luna", 2, Usage(1000, 800, 204, 64), 3.21)


def rated() -> Message:
    return Message("assistant", [Text("Hi.")], RunCompleted(), EFFORT, Feedback(False, "Too short"))


# --- effort -----------------------------------------------------------------------------------------


def test_the_tokens_of_all_responses_are_added_up() -> None:
    message = Message("assistant")
    for event in (
        RoundEnded("luna-1", Usage(10, 2, 5, 1)),
        RoundEnded("", None),
        RoundEnded("luna-2", Usage(1, 1, 1, 1)),
    ):
        message.add(event)
    assert message.stats == RunStats("luna-2", 3, Usage(11, 3, 6, 2))


@pytest.mark.parametrize(
    ("usage", "shown"),
    [
        ({"input_tokens": 0, "output_tokens": 0, "total_tokens": 0}, "test-model · 0.1 s"),
        ({"input_tokens": 1, "output_tokens": 0}, "test-model · 0.1 s · 1 token"),
        ({"input_tokens": 1000, "output_tokens": 1}, "test-model · 0.1 s · 1,001 tokens"),
    ],
)
def test_tokens_are_shown_where_the_server_counts_them(
    server: ModelServer, connect_to: Connect, usage: dict[str, int], shown: str
) -> None:
    server.plays(text("Hi.", details={"usage": usage, "model": "test-model"}))
    thread = Thread()
    list(connect_to(server.url).run(thread, "Hi"))
    stats = replace(thread.messages[-1].stats, seconds=0.1)
    assert short_stats(stats).replace("\\", "") == shown
    assert bool(full_stats(stats)) == shown.endswith(("token", "tokens"))


def test_statistics_and_feedback_do_not_affect_equality() -> None:
    assert rated() == Message("assistant", [Text("Hi.")], RunCompleted())
    assert Reasoning("Hm.", 4.0) == Reasoning("Hm.")


def test_a_run_measures_its_answer_and_its_reasoning(server: ModelServer, connect_to: Connect) -> None:
    item = reasoning("Hm.")
    server.plays(response(item, *text("Hello.").items))
    assistant, thread = connect_to(server.url), Thread()
    run = RunRegistry().start(thread, lambda: assistant.run(thread, "Hi"))
    events = [event for batch in run.follow() for event in batch]
    assert run.join(10)
    [ended] = [event for event in events if isinstance(event, ReasoningEnded)]
    assert events.index(ended) < events.index(next(each for each in events if isinstance(each, TextDelta)))
    answer = thread.messages[-1]
    assert answer == Message("assistant", [Reasoning("Hm."), Text("Hello.")], RunCompleted())
    assert answer.stats.rounds == 1
    thought = answer.parts[0]
    assert isinstance(thought, Reasoning)
    assert thought.seconds == ended.seconds
    assert answer.stats.seconds is not None
    assert 0 < ended.seconds <= answer.stats.seconds < 10
    assert ReasoningEnded(0.0) in list(answer.events())  # drawn again as it was drawn live


def test_the_time_of_a_continued_answer_is_added() -> None:
    thread = Thread("conv_1", [Message.from_user("Hi"), Message("assistant", stats=RunStats(seconds=100.0))])

    events = (event for event in (RoundStarted(1), TextDelta("Hello."), RunCompleted()))
    live = RunRegistry().start(thread, lambda: Run(thread, thread.messages[-1], events))
    assert live.join(10)
    seconds = thread.messages[-1].stats.seconds
    assert seconds is not None
    assert 100 < seconds < 110


@pytest.mark.parametrize(
    ("events", "parts"),
    [
        ([ReasoningEnded(1.0)], []),
        ([ReasoningDelta("A"), TextDelta("B"), ReasoningEnded(2.0)], [("A", 2.0), ("B", None)]),
        (
            [ReasoningDelta("A"), ReasoningEnded(2.0), RoundStarted(2), ReasoningDelta("B")],
            [("A", 2.0), ("B", None)],
        ),
    ],
)
def test_the_time_of_reasoning_belongs_to_the_newest(events: list[Event], parts: list[Any]) -> None:
    message = Message("assistant")
    for event in events:
        message.add(event)
    blocks = [part for part in message.parts if isinstance(part, Text | Reasoning)]
    assert [(part.text, getattr(part, "seconds", None)) for part in blocks] == parts


# --- stored with the thread ---------------------------------------------------------------------------


def test_statistics_and_feedback_are_stored() -> None:
    again = message_from_json(json.loads(json.dumps(message_as_json(rated()))))
    assert (again, again.stats, again.feedback) == (rated(), EFFORT, Feedback(False, "Too short"))


def test_a_message_without_statistics_is_stored_without_them() -> None:
    stored = {
        "role": "assistant",
        "parts": [{"type": "Reasoning", "text": "Hm."}],
        "ending": {"type": "RunCompleted"},
    }
    message = message_from_json(stored)
    assert (message.stats, message.feedback) == (RunStats(), None)
    assert message_as_json(message) == stored


def test_feedback_is_exported_and_imported() -> None:
    thread, _ = import_json(export_json(Thread("conv_1", [Message.from_user("Hi"), rated()]), "Hi"))
    assert (thread.messages[1].stats, thread.messages[1].feedback) == (EFFORT, Feedback(False, "Too short"))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("stats", None),
        ("stats", {"text": "x"}),
        ("stats", {"seconds": "long"}),
        ("stats", {"seconds": 1e300}),
        ("stats", {"usage": {"input": "1"}}),
        ("feedback", {"good": "yes"}),
        ("feedback", 1),
    ],
)
def test_a_file_with_invalid_statistics_is_refused(name: str, value: Any) -> None:
    written = json.loads(export_json(Thread("conv_1", [Message.from_user("Hi"), rated()]), "Hi"))
    written["messages"][1][name] = value
    with pytest.raises(ValueError, match="This chat is damaged: its message 2 cannot be read"):
        import_json(json.dumps(written))


# --- in words ---------------------------------------------------------------------------------------


def test_the_footer_shows_the_statistics() -> None:
    assert short_stats(EFFORT) == "gpt\\-6\\-luna · 3.2 s · 1,204 tokens"
    assert full_stats(EFFORT) == (
        "1,000 tokens in, 800 of them cached; 204 out, 64 of them reasoning in 2 responses"
    )
    assert (short_stats(RunStats()), full_stats(RunStats())) == ("", "")
    assert short_stats(RunStats(seconds=0.04)) == "0.0 s"
    assert short_stats(RunStats("**x** [a](http://b)", 1)) == "\\*\\*x\\*\\* \\[a\\]\\(http\\://b\\)"


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(None, ""), (0, "0.0 s"), (9.94, "9.9 s"), (9.96, "10 s"), (59.7, "1 min 0 s"), (125.2, "2 min 5 s")],
)
def test_a_duration_is_formatted(seconds: float | None, words: str) -> None:
    assert format_duration(seconds) == words


def tool_with(status: str) -> Any:
    @tool(status=status)
    def look(city: str, days: int | None = None, tags: list[str] | None = None, more: Any = None) -> str:
        """Look."""
        return city

    return look


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ('{"city": "Oslo", "days": 3}', "Looking at Oslo for 3 days"),
        ('{"city": "  Oslo \\n\\u0000 Bergen ", "days": 3}', "Looking at Oslo Bergen for 3 days"),
        ('{"city": "{days} {0}", "days": 3}', "Looking at {days} {0} for 3 days"),
        ('{"city": "\\\\1\\\\g<0>", "days": 3}', "Looking at \\1\\g<0> for 3 days"),
        ('{"city": "' + "x" * 99 + '", "days": 3}', f"Looking at {'x' * 39}… for 3 days"),
        ('{"city": "a\\ud800b", "days": 3}', "Looking at a b for 3 days"),
        ('{"city": ["Oslo", "Rome"], "days": 0}', "Looking at Oslo, Rome for 0 days"),
        ('{"city": "Oslo"}', "Running look"),
        ('{"city": "Oslo", "days": null}', "Running look"),
        ('{"city": {"a": 1}, "days": 3}', "Running look"),
        ('{"city": [1, 2], "days": 3}', "Running look"),
        ('{"city": "", "days": 3}', "Running look"),
        ("", "Running look"),
        ("[]", "Running look"),
        ("nonsense", "Running look"),
        ("[" * 200_000, "Running look"),
    ],
)
def test_a_status_contains_any_arguments(arguments: str, words: str) -> None:
    assert tool_with("Looking at {city} for {days} days").status_text(arguments) == words


def test_a_function_without_a_status_is_running() -> None:
    assert tool_with("").status_text('{"city": "Oslo"}') == "Running look"


def test_a_status_with_an_unknown_placeholder_is_refused() -> None:
    with pytest.raises(FunctionError, match=r"look: there is no parameter 'town' for {town} in 'status'\.$"):
        tool_with("Looking at {town}")


def test_every_example_function_has_a_status() -> None:
    assert all(each.status for each in Toolbox.from_package(functions).values())


# --- progress ---------------------------------------------------------------------------------------


def test_progress_is_reported_on_its_own_thread_only() -> None:
    reports: list[tuple[str, float | None]] = []
    other = threading.Thread(target=progress, args=["elsewhere"])
    with progress_listener(lambda text, share: reports.append((text, share))):
        progress("3 of 10", 0.3)
        other.start()
        other.join(10)
    progress("after")
    assert reports == [("3 of 10", 0.3)]


@pytest.mark.parametrize(
    ("text", "share", "expected"),
    [
        ("  a\n\x00b\ud800 ", None, ("a b", None)),
        ("x" * 1000, 2, ("x" * (MAX_PROGRESS_CHARS - 1) + "…", 1.0)),
        (12, -1, ("12", 0.0)),
        ("", float("nan"), ("", None)),
        ("", float("inf"), ("", 1.0)),
        ("", 10**400, ("", 1.0)),
        ("", "half", ("", None)),
        ("", True, ("", 1.0)),
    ],
)
def test_invalid_progress_is_corrected(text: Any, share: Any, expected: tuple[str, float | None]) -> None:
    reports: list[tuple[str, float | None]] = []
    with progress_listener(lambda text, share: reports.append((text, share))):
        progress(text, share)
    assert reports == [expected]


# --- on a page --------------------------------------------------------------------------------------


def page_with(path: Path) -> AppTest:
    """Return a page that shows the answer of a stored thread twice: as an older one, and as the newest."""

    def script(url: str) -> None:
        import streamlit as st

        from assistant.ui.chat.messages.actions import draw_answer_actions
        from tests.ui.page import chat_of

        if "chat" not in st.session_state:
            st.session_state.chat = chat_of([], url)
            st.session_state.chat.open("conv_1")
            st.session_state.chat.thread.messages[1] = st.session_state.chat.thread.messages[2]
        chat = st.session_state.chat
        draw_answer_actions(chat, 1)
        draw_answer_actions(chat, 2)

    store = Store(url := f"sqlite:///{path}/threads.sqlite")
    answer = Message("assistant", [Text("**Hi.**")], RunCompleted(), EFFORT)
    store.save(Thread("conv_1", [Message.from_user("Hi"), answer, answer]))
    store.close()
    return AppTest.from_function(script, args=(url,), default_timeout=20).run()


def stored_feedback(path: Path) -> Feedback | None:
    store = Store(f"sqlite:///{path}/threads.sqlite")
    thread = load_stored(store, "conv_1")
    store.close()
    return thread.messages[2].feedback


def test_a_rating_and_its_comment_are_saved_at_once_and_can_be_removed(tmp_path: Path) -> None:
    page = page_with(tmp_path)
    line = "gpt\\-6\\-luna · 3.2 s · 1,204 tokens"
    assert [each.value for each in page.caption] == [line, line]
    assert not page.text_input
    page.feedback(key="thumbs_2").set_value(1).run()
    assert stored_feedback(tmp_path) == Feedback(True)
    page.text_input(key="comment_2").set_value(" It *helped* ").run()
    assert stored_feedback(tmp_path) == Feedback(True, "It *helped*")
    assert page.run().caption[0].value == f"{line} · :material/thumb_up: It \\*helped\\*"
    page.feedback(key="thumbs_2").set_value(0).run()
    assert stored_feedback(tmp_path) == Feedback(False, "It *helped*")
    page.feedback(key="thumbs_2").set_value(None).run()
    assert stored_feedback(tmp_path) is None
    assert not page.text_input
    assert not page.exception


# --- the theme --------------------------------------------------------------------------------------


@pytest.mark.parametrize("appearance", ["light", "dark"])
def test_every_text_colour_has_enough_contrast(appearance: str) -> None:
    """Contrasts as WCAG 2.2 reckons them; Streamlit shows 60 % of the text's colour where it is quiet."""
    path = ROOT / ".streamlit" / "config.toml"
    theme = tomllib.loads(path.read_text(encoding="utf-8"))["theme"][appearance]
    for behind in (theme["backgroundColor"], theme["secondaryBackgroundColor"], theme["codeBackgroundColor"]):
        texts = {name: theme[name] for name in ("textColor", "linkColor")}
        texts["quiet"] = mixed(theme["textColor"], behind, 0.6)
        for name, colour in texts.items():
            assert contrast(colour, behind) >= 4.5, f"{name} {colour} on {behind}"
        assert contrast(theme["primaryColor"], behind) >= 3  # of what is no text
    assert contrast("#ffffff", theme["primaryColor"]) >= 4.5  # on buttons


def channels(colour: str) -> list[float]:
    return [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]


def mixed(colour: str, behind: str, share: float) -> str:
    pairs = zip(channels(colour), channels(behind), strict=True)
    return "#" + "".join(f"{round(255 * (one * share + other * (1 - share))):02x}" for one, other in pairs)


def contrast(one: str, other: str) -> float:
    def light(colour: str) -> float:
        red, green, blue = (
            each / 12.92 if each <= 0.04045 else ((each + 0.055) / 1.055) ** 2.4 for each in channels(colour)
        )
        return 0.2126 * red + 0.7152 * green + 0.0722 * blue

    dark, bright = sorted((light(one), light(other)))
    return (bright + 0.05) / (dark + 0.05)
