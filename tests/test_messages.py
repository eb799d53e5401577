"""Messages are a fold of events, and give events that fold to the same message."""

from collections.abc import Iterable
from typing import Any

import pytest

from assistant.events import (
    CommentaryDelta,
    Ending,
    Event,
    Note,
    ReasoningDelta,
    RefusalDelta,
    RoundEnded,
    RoundStarted,
    RunCompleted,
    RunFailed,
    RunPaused,
    RunStopped,
    TextBreak,
    TextDelta,
    ThreadOpened,
    ToolCall,
    ToolCallDelta,
    ToolResult,
    Usage,
)
from assistant.messages import Message
from assistant.parts import Call, Reasoning, Refusal, Remark, Text
from assistant.threads import Thread
from assistant.tools.results import stopped_result


def fold(events: Iterable[Event]) -> Message:
    message = Message("assistant")
    for event in events:
        message.add(event)
    return message


ENDINGS: list[Ending] = [
    RunCompleted(),
    RunPaused(),
    RunStopped("user", "Stopped."),
    RunFailed("server_error", "It failed.", retry=True, retry_after=2.0),
]
DONE = RunCompleted()
CALL = ToolCall("c1", "look", '{"city": "Oslo"}')
RESULT = ToolResult("c1", "sunny")


# --- folding ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("events", "parts"),
    [
        ([], []),
        ([ThreadOpened("t1")], []),
        ([RoundStarted(1)], []),
        ([RoundStarted(1), RoundEnded("gpt", Usage(1, 2, 3, 4))], []),
        ([TextBreak()], []),
        ([TextDelta("Good "), TextDelta("day.")], [Text("Good day.")]),
        ([TextDelta("One."), TextBreak(), TextDelta("Two."), TextDelta("!")], [Text("One."), Text("Two.!")]),
        ([TextBreak(), TextBreak(), TextDelta("One."), TextBreak()], [Text("One.")]),
        ([RefusalDelta("I "), RefusalDelta("won't.")], [Refusal("I won't.")]),
        ([ReasoningDelta("Hm"), ReasoningDelta(".")], [Reasoning("Hm.")]),
        ([ReasoningDelta("Hm."), TextBreak(), ReasoningDelta("So.")], [Reasoning("Hm."), Reasoning("So.")]),
        (
            [ReasoningDelta("Hm."), TextDelta("A"), ReasoningDelta("B"), TextDelta("C")],
            [Reasoning("Hm."), Text("A"), Reasoning("B"), Text("C")],
        ),
        ([TextDelta("A"), Note("Rebuilt."), TextDelta("B")], [Text("A"), Remark("Rebuilt."), Text("B")]),
        ([Note("A"), Note("A")], [Remark("A"), Remark("A")]),
        (
            [RoundStarted(1), TextDelta("A"), RoundEnded(), RoundStarted(2), TextDelta("B"), RoundEnded()],
            [Text("A"), Text("B")],
        ),
        (
            [RoundStarted(1), RefusalDelta("A"), RoundEnded(), RoundStarted(2), RefusalDelta("B")],
            [Refusal("A"), Refusal("B")],
        ),
    ],
)
def test_events_become_parts_in_their_order(events: list[Event], parts: list[Any]) -> None:
    assert fold(events) == Message("assistant", parts)


def test_a_call_is_drafted_then_final_then_answered() -> None:
    steps: list[tuple[Event, Call]] = [
        (ToolCallDelta("c1", "look", ""), Call("c1", "look", "", 1, complete=False)),
        (ToolCallDelta("c1", "look", '{"ci'), Call("c1", "look", '{"ci', 1, complete=False)),
        (ToolCallDelta("c1", "look", 'ty"'), Call("c1", "look", '{"city"', 1, complete=False)),
        (CALL, Call("c1", "look", '{"city": "Oslo"}', 1)),
        (RoundEnded(), Call("c1", "look", '{"city": "Oslo"}', 1)),
        (RESULT, Call("c1", "look", '{"city": "Oslo"}', 1, result=RESULT)),
        (ToolResult("c1", "a second result"), Call("c1", "look", '{"city": "Oslo"}', 1, result=RESULT)),
    ]
    message = fold([RoundStarted(1)])
    for event, call in steps:
        message.add(event)
        assert message.parts == [call]
    assert message.calls == [steps[-1][1]]


def test_simultaneous_drafts_do_not_mix() -> None:
    message = fold(
        [
            RoundStarted(1),
            ToolCallDelta("c1", "look", "{"),
            ToolCallDelta("c2", "find", "["),
            ToolCallDelta("c1", "look", "}"),
            ToolCallDelta("c2", "find", "]"),
        ]
    )
    assert message.parts == [
        Call("c1", "look", "{}", 1, complete=False),
        Call("c2", "find", "[]", 1, complete=False),
    ]
    assert message.calls == []


def test_an_unfinished_draft_is_dropped_when_its_round_ends_well() -> None:
    written: list[Event] = [
        RoundStarted(1),
        TextDelta("A"),
        ToolCallDelta("c1", "look", "{"),
        ToolCallDelta("c2", "look", "{"),
        TextDelta("B"),
    ]
    draft = Call("c2", "look", "{", 1, complete=False)
    assert fold(written).parts[2] == draft
    ended = fold([*written, CALL, RoundEnded()])
    assert ended.parts == [Text("A"), Call("c1", "look", '{"city": "Oslo"}', 1), Text("B")]


def test_a_draft_of_a_round_that_did_not_end_well_stays_and_has_no_result() -> None:
    message = fold([RoundStarted(1), ToolCallDelta("c1", "look", "{"), RESULT, ENDINGS[3]])
    assert message == Message("assistant", [Call("c1", "look", "{", 1, complete=False)], ENDINGS[3])
    message.add_result(RESULT)
    assert message.parts == [Call("c1", "look", "{", 1, complete=False)]


def test_results_are_assigned_by_id_in_any_order() -> None:
    message = fold(
        [
            RoundStarted(1),
            ToolCall("c1", "look", "1"),
            ToolCall("c2", "look", "2"),
            RoundEnded(),
            ToolResult("c2", "two"),
            ToolResult("c3", "nobody asked"),
            ToolResult("c1", "one"),
        ]
    )
    assert message.parts == [
        Call("c1", "look", "1", 1, result=ToolResult("c1", "one")),
        Call("c2", "look", "2", 1, result=ToolResult("c2", "two")),
    ]


def test_the_same_id_in_a_later_round_is_another_call() -> None:
    again = ToolResult("c1", "rainy")
    message = fold(
        [
            RoundStarted(1),
            CALL,
            RoundEnded(),
            RESULT,
            RoundStarted(2),
            ToolCallDelta("c1", "look", "{}"),
            ToolCall("c1", "look", "{}"),
            RoundEnded(),
            again,
        ]
    )
    assert message.parts == [
        Call("c1", "look", '{"city": "Oslo"}', 1, result=RESULT),
        Call("c1", "look", "{}", 2, result=again),
    ]


@pytest.mark.parametrize("ending", ENDINGS)
def test_nothing_is_added_after_the_ending(ending: Ending) -> None:
    message = fold([RoundStarted(1), TextDelta("A"), CALL, RoundEnded(), ending])
    before = Message("assistant", [Text("A"), Call("c1", "look", '{"city": "Oslo"}', 1)], ending)
    late: list[Event] = [TextDelta("B"), TextBreak(), RESULT, Note("N"), RoundStarted(2), CALL, *ENDINGS]
    for event in late:
        message.add(event)
        assert message == before


def test_a_result_may_be_added_after_the_ending() -> None:
    message = fold([RoundStarted(1), CALL, RoundEnded(), ENDINGS[2]])
    message.add_result(RESULT)
    assert message.calls == [Call("c1", "look", '{"city": "Oslo"}', 1, result=RESULT)]
    message.add_result(ToolResult("c1", "a second result"))
    assert message.calls == [Call("c1", "look", '{"city": "Oslo"}', 1, result=RESULT)]


# --- asking a message -----------------------------------------------------------------------------------


def test_a_message_of_the_user_has_its_text_and_an_ending() -> None:
    message = Message.from_user("Hi **you**\n")
    assert message == Message("user", [Text("Hi **you**\n")], DONE)
    assert message.text == "Hi **you**\n"
    assert not message.is_empty


def test_characters_that_cannot_be_sent_are_replaced_in_a_message_of_the_user() -> None:
    message = Message.from_user("a\0b\x1bc\x7fd\ud83de\tf\r\ng🏨")
    assert message.text == "a\ufffdb\ufffdc\ufffdd\ufffde\tf\r\ng🏨"


def test_the_text_contains_all_text_blocks_and_nothing_else() -> None:
    message = fold(
        [
            ReasoningDelta("Hm."),
            TextDelta("A"),
            RoundStarted(2),
            CALL,
            TextDelta("B"),
            RefusalDelta("No."),
            Note("N"),
        ]
    )
    assert message.text == "A\n\nB"
    assert fold([]).text == ""


@pytest.mark.parametrize(
    ("message", "empty"),
    [
        (fold([]), True),
        (fold([ENDINGS[3]]), True),
        (fold([RoundStarted(1), RoundEnded(), DONE]), True),
        (fold([RoundStarted(1), ToolCallDelta("c1", "look", ""), RoundEnded(), DONE]), True),
        (fold([RoundStarted(1), ToolCallDelta("c1", "look", "")]), False),
        (fold([TextDelta("A")]), False),
        (fold([Note("Rebuilt."), DONE]), False),
        (Message.from_user(""), False),
        (Message("user"), False),
    ],
)
def test_an_answer_without_content_is_empty(message: Message, empty: bool) -> None:
    assert message.is_empty is empty


# --- there and back -------------------------------------------------------------------------------------


def says_itself_again(events: list[Event]) -> None:
    message = fold(events)
    again = fold(message.events())
    assert again == message
    assert list(again.events()) == list(message.events())


@pytest.mark.parametrize(
    "events",
    [
        [],
        [RefusalDelta("a"), TextBreak(), RefusalDelta("b")],
        [CommentaryDelta("a"), TextBreak(), CommentaryDelta("b"), TextDelta("c")],
        [RoundStarted(1), ReasoningDelta("a"), RoundStarted(2), ReasoningDelta("b")],
        [TextDelta("a"), ToolCallDelta("c1", "look", ""), TextDelta("b"), RoundEnded()],
        [TextDelta(""), TextBreak(), TextDelta(""), Note(""), TextDelta("")],
        [RoundStarted(2), CALL, RESULT, RoundStarted(1), CALL, RoundStarted(2), CALL, RESULT],
        [CALL, RESULT, CALL, ToolCallDelta("c1", "look", "x"), DONE],
    ],
)
def test_the_events_of_a_message_fold_to_an_equal_message(events: list[Event]) -> None:
    says_itself_again(events)


@pytest.mark.exhaustive
def test_any_events_fold_to_a_message_whose_events_fold_to_it() -> None:
    hypothesis = pytest.importorskip("hypothesis", reason="needs hypothesis; see .ci/run")
    from hypothesis import strategies as st

    words = st.sampled_from(["a", "b", "", "\n\n", "京"])
    ids = st.sampled_from(["c1", "c2", "c3"])
    anything = st.one_of(
        st.builds(TextDelta, words),
        st.builds(RefusalDelta, words),
        st.builds(ReasoningDelta, words),
        st.builds(CommentaryDelta, words),
        st.builds(Note, words),
        st.sampled_from([TextBreak(), RoundEnded(), ThreadOpened("t1")]),
        st.builds(RoundStarted, st.integers(0, 3)),
        st.builds(ToolCallDelta, ids, words, words),
        st.builds(ToolCall, ids, words, words),
        st.builds(ToolResult, ids, words),
    )
    ended = st.tuples(st.lists(anything, max_size=25), st.lists(st.sampled_from(ENDINGS), max_size=1))
    check = hypothesis.given(ended.map(lambda halves: halves[0] + halves[1]))(says_itself_again)
    hypothesis.settings(max_examples=200, deadline=None, database=None)(check)()


def test_the_events_of_an_answer_keep_their_order() -> None:
    events: list[Event] = [
        ReasoningDelta("Hm."),
        TextDelta("Let me see."),
        RoundStarted(1),
        CALL,
        RESULT,
        RoundStarted(2),
        ToolCall("c2", "look", "{}"),
        ToolCallDelta("c3", "look", "{"),
        TextDelta("Sunny."),
        TextBreak(),
        TextDelta("Anything else?"),
        Note("Rebuilt."),
        ENDINGS[2],
    ]
    assert list(fold(events).events()) == events


# --- threads ----------------------------------------------------------------------------------------------


def test_a_new_thread_is_empty() -> None:
    thread = Thread()
    assert (thread.id, thread.messages, thread.backend_state, thread.open_calls()) == ("", [], {}, [])
    assert Thread() != Thread()


def _interrupted() -> Thread:
    """Return a thread with an answered and an open call, then a draft and an open call in the next answer."""
    first = fold([RoundStarted(1), CALL, ToolCall("c2", "find", "{}"), RoundEnded(), RESULT, ENDINGS[2]])
    second = fold([RoundStarted(1), ToolCall("c3", "look", ""), ToolCallDelta("c4", "look", "{"), ENDINGS[3]])
    return Thread("t1", [Message.from_user("Hi"), first, Message.from_user("Go on"), second])


def close_calls(thread: Thread) -> None:
    for call in thread.open_calls():
        thread.add_result(stopped_result(call.call_id))


def test_open_calls_are_final_and_have_no_result() -> None:
    assert _interrupted().open_calls() == [Call("c2", "find", "{}", 1), Call("c3", "look", "", 1)]


def test_open_calls_are_closed_and_nothing_else_changes() -> None:
    thread = _interrupted()
    close_calls(thread)
    assert thread.open_calls() == []
    assert [message.parts for message in thread.messages] == [
        [Text("Hi")],
        [
            Call("c1", "look", '{"city": "Oslo"}', 1, result=RESULT),
            Call("c2", "find", "{}", 1, result=stopped_result("c2")),
        ],
        [Text("Go on")],
        [Call("c3", "look", "", 1, result=stopped_result("c3")), Call("c4", "look", "{", 1, complete=False)],
    ]
    assert [message.ending for message in thread.messages] == [DONE, ENDINGS[2], DONE, ENDINGS[3]]


def test_an_id_open_in_two_answers_is_closed_in_both() -> None:
    thread = Thread(messages=[fold([CALL, DONE]), fold([CALL, DONE])])
    close_calls(thread)
    assert thread.open_calls() == []


def test_a_thread_without_open_calls_is_not_changed() -> None:
    thread = Thread(messages=[Message.from_user("Hi")])
    close_calls(thread)
    assert thread.messages == [Message.from_user("Hi")]
