"""Approval: a run pauses for the user's decisions and continues with them."""

import threading
from functools import partial
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from assistant import Assistant, Thread, Tool, Toolbox, functions, tool
from assistant.backends import open_backend
from assistant.demo import transport as demo
from assistant.events import (
    CallAnswered,
    CallApproved,
    CallDenied,
    Decision,
    Event,
    RoundStarted,
    RunCompleted,
    RunFailed,
    RunPaused,
    RunStopped,
    TextDelta,
    ToolCall,
    ToolCallDelta,
    ToolResult,
)
from assistant.messages import Message
from assistant.parts import Call, Text
from assistant.runs.autosave import Autosaver
from assistant.runs.registry import RunRegistry
from assistant.runs.run import INTERRUPTED, STOPPED
from assistant.settings import Settings
from assistant.storage.serialization import message_as_json, message_from_json
from assistant.storage.store import Store
from assistant.tools.arguments import changed_arguments
from assistant.tools.results import MAX_OUTPUT_CHARS, error_output
from tests.conftest import Connect, add
from tests.servers.responses import ModelServer, call, calls, error, text
from tests.stored import load_stored

CHANGED = 'The user changed the arguments to {"room": 3, "guest": "Bo"}.'
DENIED = "The user did not allow this call, so the function was not run."


class Bookings:
    """A function that needs approval, and the arguments of its calls."""

    def __init__(self) -> None:
        self.booked: list[tuple[int, str]] = []

        @tool(approval=True)
        def book(room: int, guest: str = "Ada") -> dict[str, Any]:
            """Book a room.

            Args:
                room: Its number.
                guest: Who comes.
            """
            if room == 13:
                raise ValueError("unlucky")
            self.booked.append((room, guest))
            return {"room": room, "guest": guest}

        self.book: Tool[..., Any] = book


@pytest.fixture
def bookings() -> Bookings:
    return Bookings()


@pytest.fixture
def assistant(server: ModelServer, connect_to: Connect, bookings: Bookings) -> Assistant:
    return connect_to(server.url, add, bookings.book)


def sent_outputs(server: ModelServer) -> list[Any]:
    return [item["output"] for item in server.requests[-1]["input"] if item["type"] == "function_call_output"]


def pause(server: ModelServer, assistant: Assistant, *items: Any) -> Thread:
    """Return a thread that waits for a decision on these calls."""
    server.plays(calls(*items))
    thread = Thread()
    assert list(assistant.run(thread, "Book"))[-1] == RunPaused()
    return thread


def go_on(assistant: Assistant, thread: Thread, *decisions: Decision) -> list[Event]:
    return [each for each in assistant.decide(thread, decisions) if not isinstance(each, ToolCallDelta)]


# --- a run pauses -----------------------------------------------------------------------------------


def test_calls_that_need_no_approval_run_and_then_the_run_pauses_for_the_others(
    server: ModelServer, assistant: Assistant, bookings: Bookings
) -> None:
    item, free = call("book", room=3), call("add", a=1, b=2)
    server.plays(calls(item, free))
    thread = Thread()
    events = list(assistant.run(thread, "Book"))
    assert events[-2:] == [ToolResult(free["call_id"], "3"), RunPaused()]
    assert thread.is_paused
    assert not thread.is_unfinished
    assert thread.open_calls() == [Call(item["call_id"], "book", '{"room": 3}', 1)]
    assert bookings.booked == []


def test_approve_all_also_pauses_for_unknown_functions(server: ModelServer, connect_to: Connect) -> None:
    thread = pause(
        server, connect_to(server.url, add, approve_all=True), call("add", a=1, b=2), call("fly", to="Rome")
    )
    assert [each.name for each in thread.open_calls()] == ["add", "fly"]


def test_without_approve_all_an_unknown_function_does_not_pause(
    server: ModelServer, assistant: Assistant
) -> None:
    server.plays(calls(call("fly")), text("No."))
    thread = Thread()
    assert list(assistant.run(thread, "Fly"))[-1] == RunCompleted()


def test_a_failed_round_does_not_pause(server: ModelServer, assistant: Assistant) -> None:
    server.plays(
        calls(
            call("book", room=3),
            ending="incomplete",
            details={"incomplete_details": {"reason": "max_output_tokens"}},
        )
    )
    thread = Thread()
    assert isinstance(list(assistant.run(thread, "Book"))[-1], RunStopped)
    assert thread.open_calls() == []


# --- the user decides -------------------------------------------------------------------------------


def test_an_approved_call_runs_and_the_same_answer_continues(
    server: ModelServer, assistant: Assistant, bookings: Bookings
) -> None:
    item = call("book", room=3)
    thread = pause(server, assistant, item)
    server.plays(text("Booked.", pieces=1))
    events = go_on(assistant, thread, CallApproved(item["call_id"]))
    assert events[:4] == [
        CallApproved(item["call_id"]),
        ToolResult(item["call_id"], '{"room":3,"guest":"Ada"}'),
        RoundStarted(2),
        TextDelta("Booked."),
    ]
    assert events[-1] == RunCompleted()
    assert (bookings.booked, sent_outputs(server), server.refused) == (
        [(3, "Ada")],
        ['{"room":3,"guest":"Ada"}'],
        [],
    )
    assert [message.role for message in thread.messages] == ["user", "assistant"]
    assert thread.messages[-1].ending == RunCompleted()


def test_a_call_with_changed_arguments_runs_and_the_model_learns_the_change(
    server: ModelServer, assistant: Assistant, bookings: Bookings
) -> None:
    item = call("book", room=2)
    thread = pause(server, assistant, item)
    server.plays(text("Booked."))
    events = go_on(assistant, thread, CallApproved(item["call_id"], '{"room":3,\n"guest":"Bo"}'))
    approved = CallApproved(item["call_id"], '{"room": 3, "guest": "Bo"}')
    assert events[0] == approved
    assert bookings.booked == [(3, "Bo")]
    assert sent_outputs(server) == [f'{CHANGED}\n\n{{"room":3,"guest":"Bo"}}']
    [stored] = thread.messages[-1].calls
    assert (stored.arguments, stored.decision) == ('{"room": 2}', approved)


@pytest.mark.parametrize(
    ("arguments", "outcome", "words"),
    [
        ('{"room": 13}', "failed", "The user changed the arguments to {\"room\": 13}. The function 'book' "),
        ('{"room": "x"}', "invalid", 'The user changed the arguments to {"room": "x"}. The arguments do '),
        ("{", "invalid", "The user changed the arguments to {. The arguments are not valid JSON"),
    ],
)
def test_an_error_with_changed_arguments_stays_an_error(
    server: ModelServer, assistant: Assistant, arguments: str, outcome: str, words: str
) -> None:
    item = call("book", room=2)
    thread = pause(server, assistant, item)
    server.plays(text("I see."))
    [result] = [
        each
        for each in go_on(assistant, thread, CallApproved(item["call_id"], arguments))
        if isinstance(each, ToolResult)
    ]
    assert result.outcome == outcome
    assert result.output.startswith(error_output(words)[:-2])


def test_a_denied_call_does_not_run_and_the_model_gets_the_reason(
    server: ModelServer, assistant: Assistant, bookings: Bookings
) -> None:
    first, second = call("book", room=3), call("book", room=4)
    thread = pause(server, assistant, first, second)
    server.plays(text("A pity."))
    decisions = CallDenied(first["call_id"], " Too dear. "), CallDenied(second["call_id"])
    events = go_on(assistant, thread, *decisions)
    assert events[:4] == [
        *decisions,
        ToolResult(first["call_id"], error_output(f"{DENIED} Reason: Too dear."), "denied"),
        ToolResult(second["call_id"], error_output(DENIED), "denied"),
    ]
    assert (bookings.booked, events[-1], server.refused) == ([], RunCompleted(), [])


@pytest.mark.parametrize("output", ["", "Room 5", '{"room": 5}', "\x00 \ud800 京都", "x" * 100_000])
def test_the_user_can_provide_the_result(
    server: ModelServer, assistant: Assistant, bookings: Bookings, output: str
) -> None:
    item = call("book", room=3)
    thread = pause(server, assistant, item)
    server.plays(text("Fine."))
    assert go_on(assistant, thread, CallAnswered(item["call_id"], output))[-1] == RunCompleted()
    assert sent_outputs(server)[0].startswith(output[:MAX_OUTPUT_CHARS].replace("\ud800", "?"))
    assert (bookings.booked, thread.messages[-1].calls[0].decision) == (
        [],
        CallAnswered(item["call_id"], output),
    )


def test_approved_calls_run_side_by_side_with_their_time_limits(
    server: ModelServer, connect_to: Connect
) -> None:
    both, gate = threading.Barrier(2, timeout=5), threading.Event()

    @tool(approval=True)
    def meet() -> str:
        """Wait for the other."""
        both.wait()
        return "met"

    @tool(approval=True, timeout=0.01)
    def wait() -> None:
        """Wait."""
        gate.wait(5)

    assistant = connect_to(server.url, meet, wait)
    items = [call("meet"), call("meet"), call("wait")]
    thread = pause(server, assistant, *items)
    server.plays(text("Fine."))
    events = go_on(assistant, thread, *(CallApproved(each["call_id"]) for each in items))
    gate.set()
    outcomes = [each.outcome for each in events if isinstance(each, ToolResult)]
    assert sorted(outcomes) == ["done", "done", "timeout"]


def test_undecided_calls_stay_open_and_the_run_pauses_again(
    server: ModelServer, assistant: Assistant, bookings: Bookings
) -> None:
    first, second = call("book", room=3), call("book", room=4)
    thread = pause(server, assistant, first, second)
    assert go_on(assistant, thread, CallApproved(first["call_id"]))[-1] == RunPaused()
    assert [each.call_id for each in thread.open_calls()] == [second["call_id"]]
    server.plays(text("Fine."))
    assert go_on(assistant, thread, CallApproved(second["call_id"]))[-1] == RunCompleted()
    assert (bookings.booked, len(server.requests)) == ([(3, "Ada"), (4, "Ada")], 2)


def test_a_second_decision_on_the_same_call_is_ignored(
    server: ModelServer, assistant: Assistant, bookings: Bookings
) -> None:
    first, second = call("book", room=3), call("book", room=4)
    thread = pause(server, assistant, first, second)
    both = CallApproved(first["call_id"]), CallDenied(first["call_id"])
    assert go_on(assistant, thread, *both)[-1] == RunPaused()
    assert go_on(assistant, thread, CallDenied(first["call_id"]), CallApproved("nobody"))[-1] == RunPaused()
    server.plays(text("Fine."))
    go_on(assistant, thread, CallDenied(second["call_id"]))
    before = message_as_json(thread.messages[-1])
    assert go_on(assistant, thread, CallApproved(second["call_id"])) == [RunCompleted()]
    assert (bookings.booked, message_as_json(thread.messages[-1])) == ([(3, "Ada")], before)


def test_a_decision_on_a_second_page_changes_nothing(
    server: ModelServer, assistant: Assistant, bookings: Bookings
) -> None:
    item = call("book", room=3)
    thread = pause(server, assistant, item)
    server.plays(text("Fine."))
    live = RunRegistry()
    for _ in range(2):
        run = live.start(thread, lambda: assistant.decide(thread, [CallApproved(item["call_id"])]))
        batches = list(run.follow())
        assert batches[-1][-1] == RunCompleted()
        assert run.join(5)
    assert (bookings.booked, len(server.requests)) == ([(3, "Ada")], 2)


# --- rounds -----------------------------------------------------------------------------------------


def test_a_pause_does_not_reset_the_number_of_rounds(
    server: ModelServer, connect_to: Connect, bookings: Bookings
) -> None:
    assistant = connect_to(server.url, bookings.book, max_rounds=2)
    first, second = call("book", room=3), call("book", room=4)
    thread = pause(server, assistant, first)
    server.plays(calls(second))
    assert go_on(assistant, thread, CallApproved(first["call_id"]))[-1] == RunPaused()
    ending = go_on(assistant, thread, CallApproved(second["call_id"]))[-1]
    assert ending == RunStopped("max_rounds", "Stopped after 2 rounds of function calls.")
    assert bookings.booked == [(3, "Ada"), (4, "Ada")]


def test_repeated_calls_end_the_run_across_pauses(
    server: ModelServer, assistant: Assistant, bookings: Bookings
) -> None:
    items = [call("book", room=3) for _ in range(4)]
    thread = pause(server, assistant, items[0])
    server.plays(*(calls(each) for each in items[1:]))
    endings = [go_on(assistant, thread, CallApproved(each["call_id"]))[-1] for each in items[:3]]
    assert endings[:2] == [RunPaused(), RunPaused()]
    assert endings[2] == RunStopped(
        "repeated_call", "Stopped: book was called again and again with the same arguments."
    )
    assert len(bookings.booked) == 3


def test_a_failure_after_the_decision_keeps_the_result(
    server: ModelServer, assistant: Assistant, bookings: Bookings
) -> None:
    item = call("book", room=3)
    thread = pause(server, assistant, item)
    server.plays(error(401, "invalid_api_key", x_should_retry="false"), text("Booked."))
    assert isinstance(go_on(assistant, thread, CallApproved(item["call_id"]))[-1], RunFailed)
    assert list(assistant.resume(thread))[-1] == RunCompleted()
    assert (bookings.booked, sent_outputs(server)) == ([(3, "Ada")], ['{"room":3,"guest":"Ada"}'])


# --- what ships with the project --------------------------------------------------------------------


def test_only_the_booking_example_needs_approval() -> None:
    asking = [each.name for each in Toolbox.from_package(functions).values() if each.approval]
    assert asking == ["book_hotel"]


@pytest.mark.parametrize("words", ['book(room=3, guest="Ada")', 'add(a=1, b=2)\nbook(room=3, guest="Ada")'])
def test_the_demo_pauses_and_continues(
    bookings: Bookings, words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(demo, "SECONDS_PER_TOKEN", 0)
    assistant = Assistant(open_backend(Settings(), demo.DemoTransport()), Toolbox(add, bookings.book))
    thread = Thread()
    assert list(assistant.run(thread, words))[-1] == RunPaused()
    [waiting] = thread.open_calls()
    assert go_on(assistant, thread, CallApproved(waiting.call_id))[-1] == RunCompleted()
    assert bookings.booked == [(3, "Ada")]
    assert list(assistant.run(thread, words))[-1] == RunPaused()
    [waiting] = thread.open_calls()
    assert go_on(assistant, thread, CallDenied(waiting.call_id))[-1] == RunCompleted()
    assert "not run, because you denied it" in thread.messages[-1].text
    assert bookings.booked == [(3, "Ada")]


# --- a pause is a state of the thread ---------------------------------------------------------------


def test_a_message_instead_of_a_decision_is_answered_and_nothing_runs(
    server: ModelServer, assistant: Assistant, bookings: Bookings
) -> None:
    item = call("book", room=3)
    thread = pause(server, assistant, item)
    server.plays(text("Of course."))
    assert list(assistant.run(thread, "Wait, which room?"))[-1] == RunCompleted()
    [result] = [each.result for each in thread.messages[1].calls]
    assert result is not None
    assert (result.outcome, thread.messages[1].ending) == ("skipped", STOPPED)
    assert (sent_outputs(server), bookings.booked, server.refused) == ([result.output], [], [])
    assert go_on(assistant, thread, CallApproved(item["call_id"])) == [RunCompleted()]
    assert bookings.booked == []


def test_a_pause_survives_the_process(
    server: ModelServer, connect_to: Connect, bookings: Bookings, database: str
) -> None:
    item = call("book", room=3)
    server.plays(calls(item))
    thread, autosaver = Thread(), Autosaver(database)
    first = connect_to(server.url, bookings.book)
    run = RunRegistry().start(thread, lambda: first.run(thread, "Book"), first.cancel, autosaver)
    assert list(run.follow())[-1][-1] == RunPaused()
    assert run.join(5)
    autosaver.close()

    autosaver = Autosaver(database)
    again = load_stored(autosaver.store, thread.id)
    assert again.messages == thread.messages
    second = connect_to(server.url, bookings.book)
    server.plays(text("Booked.", pieces=1))
    decisions = [CallApproved(item["call_id"], '{"room": 4}')]
    run = RunRegistry().start(again, lambda: second.decide(again, decisions), second.cancel, autosaver)
    events = [event for batch in run.follow() for event in batch]
    assert run.join(5)
    assert events[:4] == [
        RoundStarted(1),
        ToolCall(item["call_id"], "book", '{"room": 3}'),
        CallApproved(item["call_id"], '{"room": 4}'),
        ToolResult(
            item["call_id"], 'The user changed the arguments to {"room": 4}.\n\n{"room":4,"guest":"Ada"}'
        ),
    ]
    assert (events[-1], bookings.booked, server.refused) == (RunCompleted(), [(4, "Ada")], [])
    autosaver.close()
    store = Store(database)
    stored = load_stored(store, thread.id)
    store.close()
    assert stored.messages == again.messages


def test_an_abandoned_pause_is_stored_as_stopped(
    server: ModelServer, assistant: Assistant, database: str
) -> None:
    thread, live, autosaver = Thread(), RunRegistry(), Autosaver(database)
    for words, play in ("Book", calls(call("book", room=3))), ("No.", text("Fine.")):
        server.plays(play)
        run = live.start(thread, partial(assistant.run, thread, words), assistant.cancel, autosaver)
        list(run.follow())
        assert run.join(5)
    stored = load_stored(autosaver.store, thread.id)
    autosaver.close()
    assert stored.messages == thread.messages
    assert stored.messages[1].ending == STOPPED


def test_a_thread_continues_after_its_process_died_during_a_decision(
    server: ModelServer, assistant: Assistant, bookings: Bookings
) -> None:
    item = call("book", room=3)
    thread = pause(server, assistant, item)
    run = assistant.decide(thread, [CallApproved(item["call_id"])])
    assert next(run) == CallApproved(item["call_id"])
    stored = message_from_json(message_as_json(thread.messages[-1]))
    run.close()
    thread.messages[-1] = stored
    assert thread.is_unfinished
    assert go_on(assistant, thread, CallApproved(item["call_id"])) == [INTERRUPTED]
    server.plays(text("Fine."))
    assert list(assistant.run(thread, "And now?"))[-1] == RunCompleted()
    assert (bookings.booked, server.refused) == ([], [])


def test_a_decision_on_a_thread_without_a_message_does_nothing(assistant: Assistant) -> None:
    thread = Thread()
    assert go_on(assistant, thread, CallApproved("c1")) == [INTERRUPTED]
    assert thread.messages == []


def test_stop_ends_the_run_while_an_approved_call_runs(server: ModelServer, connect_to: Connect) -> None:
    gate, begun = threading.Event(), threading.Event()

    @tool(approval=True)
    def wait() -> None:
        """Wait."""
        begun.set()
        gate.wait(5)

    assistant = connect_to(server.url, wait)
    item = call("wait")
    thread = pause(server, assistant, item)
    run = RunRegistry().start(thread, lambda: assistant.decide(thread, [CallApproved(item["call_id"])]))
    assert begun.wait(5)
    run.stop()
    assert list(run.follow())[-1][-1] == STOPPED
    gate.set()
    assert run.join(5)
    assert thread.messages[-1].ending == STOPPED
    server.plays(text("Fine."))
    assert list(assistant.run(thread, "And now?"))[-1] == RunCompleted()
    assert server.refused == []


def test_a_message_with_decisions_survives_storage_and_replay() -> None:
    decisions: list[Decision] = [CallApproved("c1", "{}"), CallDenied("c2", "No."), CallAnswered("c3", "7")]
    decided = [Call(each.call_id, "book", "{}", 1, decision=each) for each in decisions]
    message = Message("assistant", [Text("So."), *decided], RunPaused())
    assert message_from_json(message_as_json(message)) == message
    again = Message("assistant")
    for event in message.events():
        again.add(event)
    assert again == message


def test_a_stored_call_without_a_decision_is_loaded() -> None:
    message = Message("assistant", [Call("c1", "book", "{}", 1)], RunPaused())
    stored = message_as_json(message)
    assert "decision" not in stored["parts"][0]
    assert message_from_json(stored) == message


def test_a_late_or_misplaced_decision_changes_nothing() -> None:
    message = Message("assistant", [Call("c1", "book", "{}", 1, result=ToolResult("c1", "7"))])
    before = message_as_json(message)
    for decision in (CallDenied("c1"), CallDenied("c2")):
        message.add(decision)
    assert message_as_json(message) == before


@pytest.mark.parametrize(
    ("written", "text", "expected"),
    [
        ('{"a":1}', '{\n  "a": 1\n}', ""),
        ('{"a":1,"b":2}', '{"b":2,"a":1}', ""),
        ('{"a":1}', '{"a":true}', '{"a": true}'),
        ('{"a":1}', '{"a":1.0}', '{"a": 1.0}'),
        ("", "{}", ""),
        ("{}", "", ""),
        ('{"a":1}', " ", "{}"),
        ("{", "{ ", ""),
        ("{", '{"a":"京"}', '{"a": "京"}'),
        ("{}", "{", "{"),
    ],
)
def test_arguments_with_the_same_meaning_are_not_a_change(written: str, text: str, expected: str) -> None:
    assert changed_arguments(written, text) == expected


# --- the card ---------------------------------------------------------------------------------------


def script() -> None:
    import streamlit as st

    from assistant.ui.chat.approval import draw_approval

    state = st.session_state
    draw_approval(state.thread, 1, state.decided.append, state.toolbox)
    st.button("Again", key="again")


class Card:
    """The page with the calls of a paused thread."""

    def __init__(self, bookings: Bookings, *arguments: str, name: str = "book") -> None:
        parts = [Call(f"c{index}", name, each, 1) for index, each in enumerate(arguments, 1)]
        self.thread = Thread("t", [Message.from_user("Book"), Message("assistant", [*parts], RunPaused())])
        self.decided: list[list[Decision]] = []
        self.page = AppTest.from_function(script)
        self.page.session_state["thread"] = self.thread
        self.page.session_state["decided"] = self.decided
        self.page.session_state["toolbox"] = Toolbox(bookings.book)
        self.page.run()

    def key(self, call_id: str, what: str) -> str:
        return f"approve-t-1-1-{call_id}-{what}"

    def write(self, call_id: str, what: str, text: str) -> None:
        box = self.page.text_input if what == "reason" else self.page.text_area
        box(key=self.key(call_id, what)).set_value(text).run()
        assert not self.page.exception

    def read(self, call_id: str) -> str:
        return str(self.page.text_area(key=self.key(call_id, "arguments")).value)

    def press(self, call_id: str, what: str) -> None:
        self.page.button(key=self.key(call_id, what)).click().run()
        assert not self.page.exception

    @property
    def problems(self) -> list[str]:
        return [each.value.replace("\\", "") for each in self.page.error]


def test_run_approves_the_call_as_it_is(bookings: Bookings) -> None:
    card = Card(bookings, '{"room": 3}')
    assert (card.read("c1"), card.problems) == ('{\n  "room": 3\n}', [])
    card.press("c1", "run")
    assert card.decided == [[CallApproved("c1")]]


@pytest.mark.parametrize("call_id", ["c1-run", "c1-deny", "c1"])
def test_no_id_of_a_call_breaks_the_cards(bookings: Bookings, call_id: str) -> None:
    card = Card(bookings, '{"room": 3}')
    card.thread.messages[1].parts.append(Call(call_id, "book", '{"room": 4}', 1))
    card.page.run()
    assert not card.page.exception
    card.press("c1", "run")


def test_run_approves_the_call_with_the_edited_arguments(bookings: Bookings) -> None:
    card = Card(bookings, '{"room": 3}')
    card.write("c1", "arguments", '{"room":3,"guest":"京"}')
    card.press("c1", "run")
    assert card.decided == [[CallApproved("c1", '{"room": 3, "guest": "京"}')]]


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ('{"room": 3', "The arguments are not valid JSON: EOF while parsing an object at line 1 column 10."),
        ("", "Missing: room."),
        (
            '{"room": "x"}',
            "The arguments do not match the function's parameters. room: Input should be a valid integer, unable to parse "
            "string as an integer.",
        ),
        ("[" * 10_000, "The arguments are not valid JSON: recursion limit exceeded at line 1 column 202."),
        (
            '"$`*京"',
            "The arguments do not match the function's parameters. arguments: Input should be an object.",
        ),
    ],
)
def test_invalid_arguments_are_explained_and_the_edit_is_not_lost(
    bookings: Bookings, wrong: str, words: str
) -> None:
    card = Card(bookings, '{"room": 3}')
    card.write("c1", "arguments", wrong)
    card.press("c1", "run")
    assert (card.problems, card.read("c1"), card.decided) == ([words], wrong, [])
    card.write("c1", "arguments", '{"room": 4}')
    assert card.problems == []
    card.press("c1", "run")
    assert card.decided == [[CallApproved("c1", '{"room": 4}')]]


def test_invalid_arguments_of_the_model_can_be_approved_unchanged(bookings: Bookings) -> None:
    card = Card(bookings, '{"room": ')
    [problem] = card.problems
    assert problem.endswith(" Fix them here, or allow the call and let the model see the error.")
    card.press("c1", "run")
    assert card.decided == [[CallApproved("c1")]]


def test_deny_accepts_an_optional_reason(bookings: Bookings) -> None:
    card = Card(bookings, '{"room": 3}', '{"room": 4}')
    card.write("c1", "reason", "Too dear.")
    card.press("c1", "deny")
    card.press("c2", "deny")
    assert card.decided == [[CallDenied("c1", "Too dear."), CallDenied("c2")]]


def test_a_call_of_an_unknown_function_can_be_answered_or_denied_but_not_run(bookings: Bookings) -> None:
    card = Card(bookings, '{"to": "Rome"}', name="fly")
    assert card.page.button(key=card.key("c1", "run")).disabled
    assert card.page.text_area(key=card.key("c1", "arguments")).disabled
    card.write("c1", "output", "Flown.")
    card.press("c1", "answer")
    assert card.decided == [[CallAnswered("c1", "Flown.")]]


def test_each_call_is_decided_separately_and_all_are_submitted_together(bookings: Bookings) -> None:
    card = Card(bookings, '{"room": 1}', '{"room": 2}', '{"room": 3}')
    card.write("c1", "arguments", '{"room": 9}')
    card.press("c1", "run")
    card.write("c3", "output", "7")
    card.press("c3", "answer")
    assert card.decided == []
    assert card.page.caption[-1].value == "1 of 3 calls need your decision"
    card.press("c2", "deny")
    assert card.decided == [[CallApproved("c1", '{"room": 9}'), CallDenied("c2"), CallAnswered("c3", "7")]]


def test_a_decision_can_be_undone_without_losing_edits(bookings: Bookings) -> None:
    card = Card(bookings, '{"room": 1}', '{"room": 2}')
    card.write("c1", "arguments", '{"room": 9}')
    card.press("c1", "run")
    card.page.button(key="again").click().run()
    card.press("c1", "change")
    assert card.read("c1") == '{"room": 9}'
    card.press("c1", "deny")
    card.press("c2", "run")
    assert card.decided == [[CallDenied("c1"), CallApproved("c2")]]


def test_edits_survive_a_rerun(bookings: Bookings) -> None:
    card = Card(bookings, '{"room": 1}')
    card.write("c1", "arguments", '{"room": ')
    card.page.button(key="again").click().run()
    assert card.read("c1") == '{"room": '


def test_a_card_whose_call_was_decided_elsewhere_does_nothing(bookings: Bookings) -> None:
    card = Card(bookings, '{"room": 1}')
    card.thread.messages[1].add_result(ToolResult("c1", "7"))
    card.press("c1", "run")
    assert card.decided == []
    assert len(card.page.button) == 1
