"""One user's open chat without a page: its actions, and that nothing typed is lost."""

import math
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from types import SimpleNamespace

import pytest

from assistant import Thread
from assistant.backends.connection.override import ConnectionOverride
from assistant.errors import LimitExceeded, ThreadBusy
from assistant.events import CallApproved, RunCompleted, RunFailed, TextDelta
from assistant.functions import fares
from assistant.locale import N_
from assistant.messages import Feedback, Message
from assistant.parts import Attachment, Text
from assistant.recordings.check import check
from assistant.runs.registry import MAX_RUNS_PER_USER
from assistant.runs.replay import replay_assistant
from assistant.runs.run import INTERRUPTED, STEERED, STOPPED
from assistant.session import ChatSession, Draft
from assistant.storage.store import Store
from tests.servers.responses import ModelServer, Play, background_call, call, calls, cut, error, message, text
from tests.session.conftest import SECONDS, Open, ask, finished, other_process, texts
from tests.stored import load_stored
from tests.waiting import until

Answering = tuple[ChatSession, threading.Event]  # and the gate that its answer waits for


@pytest.fixture
def answering(server: ModelServer, open_chat: Open) -> Answering:
    """A chat whose first message is being answered until the gate is open."""
    gate = threading.Event()
    play = text("One.", gate=gate, gate_after=3)
    server.plays(play)
    chat = open_chat()
    chat.submit("First")
    assert play.reached.wait(SECONDS)
    return chat, gate


def test_a_message_is_answered_and_the_chat_has_its_id_and_history(
    server: ModelServer, open_chat: Open
) -> None:
    server.plays(text("Hi."))
    chat = ask(open_chat(), "Hello")
    assert chat.thread.id != ""
    assert chat.history == [Message.from_user("Hello"), Message("assistant", [Text("Hi.")], RunCompleted())]
    assert (chat.composer.draft, chat.waiting, chat.live_run) == (None, [], None)


def test_a_chat_is_opened_again_by_its_id_from_the_process_and_from_the_database(
    server: ModelServer, open_chat: Open, tmp_path: Path
) -> None:
    server.plays(text("Hi."))
    first = ask(open_chat(), "Hello")
    second = open_chat()
    second.open(first.thread.id)
    assert second.thread is first.thread
    with other_process(tmp_path) as other:
        other.open(first.thread.id)
        assert other.thread is not first.thread
        assert other.history == first.history


def test_an_id_without_a_chat_opens_a_new_one_and_the_next_run_of_the_page_keeps_it(
    server: ModelServer, open_chat: Open
) -> None:
    chat = open_chat()
    chat.open("conv_nowhere")
    assert (chat.thread_missing, chat.thread.id, chat.history) == (True, "", [])
    chat.open("")
    assert not chat.thread_missing


def test_the_id_that_a_chat_has_on_the_server_opens_that_chat(server: ModelServer, open_chat: Open) -> None:
    server.plays(text("Hi."))
    first = ask(open_chat(), "Hello")
    [server_id] = server.conversations
    assert server_id != first.thread.id
    other = open_chat()
    other.open(server_id)
    assert (other.thread.id, other.history) == (first.thread.id, first.history)


def test_the_id_that_another_users_chat_has_on_the_server_is_unknown(
    server: ModelServer, open_chat: Open
) -> None:
    server.plays(text("Hi."))
    ask(open_chat("ada"), "Hello")
    [server_id] = server.conversations
    visitor = open_chat()
    visitor.open(server_id)
    assert (visitor.thread_missing, visitor.history) == (True, [])


def test_an_unreachable_server_is_an_error_and_not_a_new_chat(open_chat: Open) -> None:
    chat = open_chat(OPENAI_BASE_URL="http://127.0.0.1:1/v1")
    chat.open("conv_1")
    assert chat.open_error is not None
    assert "127.0.0.1" in chat.open_error.text


def test_the_chat_of_another_user_is_unknown(server: ModelServer, open_chat: Open) -> None:
    server.plays(text("Hi."))
    first = ask(open_chat("ada"), "Hello")
    other = open_chat("bob")
    other.open(first.thread.id)
    assert (other.thread_missing, other.history) == (True, [])


def test_a_chat_is_saved_with_its_id_before_the_first_request_is_sent(
    server: ModelServer, open_chat: Open
) -> None:
    silent = cut(text("Never."), 0, "silence")
    server.plays(silent)
    chat = open_chat()
    assert chat.thread.id == ""
    chat.submit("Hello there")
    assert chat.thread.id.startswith("thread_")
    assert silent.reached.wait(SECONDS)
    assert chat.store is not None
    assert [(each.id, each.title) for each in chat.store.list_threads()] == [(chat.thread.id, "Hello there")]
    assert chat.recordings == [chat.recording]
    other = open_chat()
    other.open(chat.thread.id)
    assert other.thread is chat.thread
    chat.stop()


def test_a_first_message_that_fails_is_found_again(open_chat: Open, tmp_path: Path) -> None:
    chat = ask(open_chat(OPENAI_BASE_URL="http://127.0.0.1:1/v1"), "Hello")
    with other_process(tmp_path) as other:
        other.open(chat.thread.id)
        assert other.history == chat.history
        assert [message.text for message in other.history] == ["Hello", ""]
        assert isinstance(other.history[-1].ending, RunFailed)


def test_a_message_sent_during_an_answer_waits_and_is_sent_when_it_has_ended(
    server: ModelServer, answering: Answering
) -> None:
    chat, gate = answering
    server.plays(text("Two."))
    chat.submit("Second")
    assert (chat.waiting, chat.composer.draft) == (["Second"], None)
    gate.set()
    finished(chat).send_next()
    assert texts(finished(chat)) == ["First", "One.", "Second", "Two."]
    assert chat.waiting == []


def test_a_waiting_message_returns_to_the_input_on_request_and_after_a_stop(answering: Answering) -> None:
    chat, gate = answering
    for words in ("Second", "Third"):
        chat.submit(words)
    chat.unqueue("Second")
    assert (chat.composer.take_draft(), chat.waiting) == (Draft("Second", ""), ["Third"])
    chat.stop()
    assert chat.history[-1].ending == STOPPED
    chat.return_queued()
    draft = chat.composer.take_draft()
    assert draft is not None
    assert (draft.text, chat.waiting, chat.composer.take_draft()) == ("Third", [], None)
    gate.set()


def test_a_message_sent_now_goes_with_the_results_of_the_round_that_ends_next(
    server: ModelServer, open_chat: Open
) -> None:
    gate = threading.Event()
    first = calls(call("calculate", expression="1+1"), gate=gate)
    server.plays(first, text("In euros: 2."), text("Later."))
    chat = open_chat()
    chat.submit("Add")
    assert first.reached.wait(SECONDS)
    for words in ("Then more", "In euros", "Please"):
        chat.submit(words)
    for words in ("In euros", "Please"):
        chat.send_now(words)
    assert (chat.steering, chat.waiting) == (["In euros", "Please"], ["In euros", "Please", "Then more"])
    gate.set()
    assert finished(chat).history[-1].ending == STEERED
    chat.return_queued()
    assert chat.composer.draft is None
    chat.send_next()
    assert texts(finished(chat)) == ["Add", "", "In euros\n\nPlease", "In euros: 2."]
    assert [(item["type"], item.get("output")) for item in server.requests[1]["input"][:1]] == [
        ("function_call_output", "2")
    ]
    assert server.requests[1]["input"][1]["content"] == "In euros\n\nPlease"
    assert server.received.count("POST /v1/conversations") == 1, "nothing was repaired"
    chat.send_next()
    assert texts(finished(chat))[-2:] == ["Then more", "Later."]
    assert chat.store is not None
    stored = chat.store.load(chat.thread.id)
    assert stored is not None
    assert stored.messages == list(chat.history)


def test_a_message_sent_now_during_the_last_round_is_the_next_one(answering: Answering) -> None:
    chat, gate = answering
    for words in ("Second", "Third"):
        chat.submit(words)
    chat.send_now("Third")
    gate.set()
    assert finished(chat).history[-1].ending == RunCompleted()
    assert chat.waiting == ["Third", "Second"]


def test_a_message_sent_now_returns_to_the_input_on_request_and_after_a_stop(answering: Answering) -> None:
    chat, gate = answering
    for words in ("Second", "Third"):
        chat.submit(words)
        chat.send_now(words)
    chat.unqueue("Second")
    assert (chat.composer.take_draft(), chat.steering) == (Draft("Second", ""), ["Third"])
    chat.stop()
    chat.return_queued()
    draft = chat.composer.take_draft()
    assert draft is not None
    assert (draft.text, chat.waiting) == ("Third", [])
    gate.set()


def steer(server: ModelServer, chat: ChatSession, *later: Play) -> None:
    """Ask something, and send another message now, while the model calls a function."""
    gate = threading.Event()
    first = calls(call("calculate", expression="1+1"), gate=gate)
    server.plays(first, *later)
    chat.submit("Add")
    assert first.reached.wait(SECONDS)
    chat.submit("In euros")
    chat.send_now("In euros")
    gate.set()


def test_a_run_goes_on_while_no_page_is_there_to_send_the_message(
    server: ModelServer, open_chat: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("assistant.runs.log.RETURN_SECONDS", 0.0)
    chat = open_chat()
    steer(server, chat, text("2."))
    assert (texts(finished(chat)), chat.waiting) == (["Add", "2."], ["In euros"])


def test_a_steered_answer_is_replayed_as_it_was(server: ModelServer, open_chat: Open) -> None:
    chat = open_chat()
    steer(server, chat)
    finished(chat)
    assert chat.recording is not None
    assert check(chat.recording) == []
    replayed = Thread()
    list(replay_assistant(chat.recording, speed=math.inf).run(replayed, "Add"))
    assert replayed.messages == list(chat.history)


def test_files_cannot_be_queued_and_stay_with_the_text(answering: Answering) -> None:
    chat, gate = answering
    file = Attachment("a.txt", "text/plain", "YQ==")
    chat.submit("Second", [file])
    assert (chat.composer.attachments, chat.waiting) == ([file], [])
    assert chat.composer.draft is not None
    assert chat.composer.draft.text == "Second"
    chat.composer.detach(0)
    assert chat.composer.attachments == []
    gate.set()
    finished(chat)


def test_at_a_limit_the_message_returns_to_the_input(server: ModelServer, open_chat: Open) -> None:
    server.plays(text("One."))
    chat = ask(open_chat(ASSISTANT_LIMIT_ALL="1 message/day"), "First")
    chat.submit("Second")
    assert chat.composer.draft == Draft("Second", N_("Not sent. Your message is back in the input."))
    assert isinstance(chat.take_limit(), LimitExceeded)
    assert chat.take_limit() is None
    assert texts(chat) == ["First", "One."]
    with pytest.raises(LimitExceeded):
        chat.regenerate(1)


def test_a_failed_answer_is_retried(server: ModelServer, open_chat: Open) -> None:
    server.plays(error(400, "No."), text("Yes."))
    chat = ask(open_chat(), "Go")
    assert isinstance(chat.history[-1].ending, RunFailed)
    chat.retry()
    assert texts(finished(chat)) == ["Go", "Yes."]


def test_edits_and_regenerated_answers_are_branches_to_switch_between(
    server: ModelServer, open_chat: Open
) -> None:
    server.plays(text("One."), text("Two."), text("Three."))
    chat = ask(open_chat(), "First")
    chat.regenerate(1)
    assert texts(finished(chat)) == ["First", "Two."]
    chat.switch(1, 0)
    assert texts(chat) == ["First", "One."]
    chat.edit(0, "Other")
    assert texts(finished(chat)) == ["Other", "Three."]
    chat.switch(0, 0)
    assert texts(chat) == ["First", "One."]


def test_nothing_is_changed_while_an_answer_is_being_written(answering: Answering) -> None:
    chat, gate = answering
    with pytest.raises(ThreadBusy):
        chat.edit(0, "Other")
    with pytest.raises(ThreadBusy):
        chat.regenerate(1)
    with pytest.raises(ThreadBusy):
        chat.switch(0, 0)
    chat.retry()
    gate.set()
    assert texts(finished(chat)) == ["First", "One."]


def test_a_paused_answer_continues_as_the_user_decides(server: ModelServer, open_chat: Open) -> None:
    booking = call("book_hotel", hotel_id=11, guest="Ada", check_in="2026-12-01", nights=1)
    server.plays(calls(booking), text("Done."))
    chat = ask(open_chat(), "Book it")
    assert chat.thread.is_paused
    [open_call] = chat.thread.open_calls()
    recording = chat.recording
    chat.decide([CallApproved(open_call.call_id)])
    finished(chat)
    assert chat.history[-1].ending == RunCompleted()
    assert chat.recording is recording, "a paused run continues in its recording"


def test_the_answer_of_a_dead_process_is_marked_as_interrupted(open_chat: Open, tmp_path: Path) -> None:
    with closing(Store(f"sqlite:///{tmp_path}/threads.sqlite")) as store:
        store.save(Thread("conv_1", [Message.from_user("Go"), Message("assistant", [Text("So")])]))
    chat = open_chat()
    chat.open("conv_1")
    assert finished(chat).history[-1] == Message("assistant", [Text("So")], INTERRUPTED)


def test_a_rating_is_saved(server: ModelServer, open_chat: Open, tmp_path: Path) -> None:
    server.plays(text("Hi."))
    chat = ask(open_chat(), "Hello")
    chat.rate(chat.thread.messages[1], Feedback(True, "Good"))
    with closing(Store(f"sqlite:///{tmp_path}/threads.sqlite")) as store:
        saved = load_stored(store, chat.thread.id)
    assert saved.messages[1].feedback == Feedback(True, "Good")


def test_a_chat_is_renamed_and_deleted_and_a_new_one_is_open(server: ModelServer, open_chat: Open) -> None:
    server.plays(text("Hi."))
    chat = ask(open_chat(), "Hello")
    thread_id = chat.thread.id
    chat.rename(thread_id, "Trip")
    assert chat.store is not None
    assert [summary.title for summary in chat.store.list_threads()] == ["Trip"]
    chat.delete(thread_id)
    assert (chat.thread.id, chat.history, chat.notices) == ("", [], [])
    assert chat.store.list_threads() == []


def test_a_recording_is_replayed_in_a_chat_that_is_not_saved(server: ModelServer, open_chat: Open) -> None:
    server.plays(text("Hi."))
    chat = ask(open_chat(), "Hello")
    assert chat.recording is not None
    before = chat.thread.id
    requests = len(server.requests)
    chat.replay(chat.recording, float("inf"))
    assert chat.thread.id not in ("", before)
    assert texts(finished(chat)) == ["Hello", "Hi."]
    assert (chat.thread.backend_state, len(server.requests)) == ({}, requests)
    assert chat.store is not None
    assert [summary.id for summary in chat.store.list_threads()] == [before]


def test_a_stopped_replay_leaves_no_state_for_a_real_server(server: ModelServer, open_chat: Open) -> None:
    server.plays(text("Hi."))
    chat = ask(open_chat(), "Hello")
    assert chat.recording is not None
    chat.replay(chat.recording, 0.02)
    run = chat.live_run
    assert run is not None
    chat.stop()
    assert run.join(SECONDS)
    assert chat.thread.backend_state == {}


def test_what_a_recording_claims_is_never_used_at_its_server(server: ModelServer, open_chat: Open) -> None:
    server.plays(text("Hi."), text("Fine."))
    chat = ask(open_chat(), "Hello")
    assert chat.recording is not None
    thread = Thread()
    # However the replay ends, even if nothing clears its state.
    list(replay_assistant(chat.recording, speed=math.inf).run(thread, "Hello"))
    assert thread.backend_state["responses"]
    list(chat.connection.assistant.run(thread, "And now?"))
    first, second = (request["conversation"] for request in server.requests)
    assert first != second
    assert [message.text for message in thread.messages] == ["Hello", "Hi.", "And now?", "Fine."]


def test_a_chosen_connection_is_used_in_this_session_only(server: ModelServer, open_chat: Open) -> None:
    server.plays(text("Hi."))
    chat, other = open_chat(), open_chat()
    chat.connection.override = ConnectionOverride(demo=True)
    chat.connection.configure(is_localhost=True)
    assert (chat.connection.settings.demo, other.connection.settings.demo) == (True, False)
    assert chat.connection.backend is not other.connection.backend
    ask(other, "Hello")
    assert server.headers[-1]["authorization"] == "Bearer sk-test-key"


def test_faults_are_injected_in_this_session_only(server: ModelServer, open_chat: Open) -> None:
    server.plays(text("One two three four"), text("Fine."))
    chat, other = open_chat(), open_chat()
    chat.connection.faults = "cut:5"
    chat.connection.configure(is_localhost=True)
    assert isinstance(ask(chat, "Go").history[-1].ending, RunFailed)
    server.drop_script()
    server.plays(text("Fine."))
    assert texts(ask(other, "Go")) == ["Go", "Fine."]


def test_a_page_that_follows_sees_the_whole_answer(server: ModelServer, open_chat: Open) -> None:
    server.plays(text("Hello there"))
    chat = open_chat()
    chat.submit("Hi")
    run = chat.live_run
    assert run is not None
    events = [event for batch in run.follow() for event in batch]
    assert "".join(event.text for event in events if isinstance(event, TextDelta)) == "Hello there"
    assert events[-1] == RunCompleted()


def test_a_user_has_a_limited_number_of_answers_in_progress(server: ModelServer, open_chat: Open) -> None:
    gate = threading.Event()
    server.plays(*[text("One.", gate=gate)] * MAX_RUNS_PER_USER, text("Another's."))
    chats = [open_chat("ada") for _ in range(MAX_RUNS_PER_USER + 1)]
    for chat in chats:
        chat.submit("Hello")
    draft = chats[-1].composer.take_draft()
    assert draft == Draft(
        "Hello",
        "You have too many answers in progress. Wait for one, or stop one. Your message is back in the input.",
    )
    other = open_chat("bob")
    other.submit("Hello")
    gate.set()
    for chat in [*chats[:-1], other]:
        assert isinstance(finished(chat).history[-1].ending, RunCompleted)


def test_a_process_has_a_limited_number_of_answers_in_progress(server: ModelServer, open_chat: Open) -> None:
    gate = threading.Event()
    server.plays(text("One.", gate=gate))
    first = open_chat("ada", ASSISTANT_MAX_ANSWERS="1", ASSISTANT_LIMIT_ALL="2 messages/day")
    first.submit("Hello")
    second = open_chat("bob")
    second.submit("Hello")
    assert second.composer.draft is not None
    assert "too many users" in second.composer.draft.reason
    gate.set()
    finished(first)
    server.plays(text("Two."))
    second.submit("Hello")  # the refused one was not counted
    assert isinstance(finished(second).history[-1].ending, RunCompleted)


@pytest.fixture
def slow_fares(
    server: ModelServer, open_chat: Open, monkeypatch: pytest.MonkeyPatch
) -> Iterator[ChatSession]:
    """A chat whose run only waits for a search of fares, which takes as long as the test."""
    gate = threading.Event()
    monkeypatch.setattr(fares, "time", SimpleNamespace(sleep=lambda _: gate.wait(SECONDS)))
    server.plays(calls(background_call("search_fares", "oslo", city="Oslo"), message("Pack.")))
    chat = open_chat()
    chat.submit("Fares to Oslo")
    until(lambda: chat.history[-1].stats.rounds == 1)
    yield chat
    gate.set()


def test_a_message_is_sent_at_once_while_a_run_only_waits_for_a_background_call(
    server: ModelServer, slow_fares: ChatSession
) -> None:
    server.plays(text("Hello."))
    until(lambda: _sent(slow_fares, "Hi"))
    assert slow_fares.waiting == []
    until(lambda: slow_fares.history[-1].stats.rounds == 1)
    assert texts(slow_fares) == ["Fares to Oslo", "Pack.", "Hi", "Hello."]
    assert [call.name for call in slow_fares.thread.open_calls()] == ["search_fares"]
    slow_fares.stop()
    assert [call.name for call in slow_fares.thread.open_calls()] == []


def _sent(chat: ChatSession, words: str) -> bool:
    """Send a message unless the run is still about to wait."""
    if (run := chat.live_run) and run.end_wait():
        chat.submit(words)
        return True
    return False


def test_a_result_that_comes_after_its_answer_has_failed_is_saved(
    server: ModelServer, open_chat: Open, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gate = threading.Event()
    monkeypatch.setattr(fares, "time", SimpleNamespace(sleep=lambda _: gate.wait(SECONDS)))
    item = background_call("search_fares", "oslo", city="Oslo")
    server.plays(cut(calls(item, message("Pack.")), 12, "close"))
    chat = ask(open_chat(), "Fares to Oslo")
    assert isinstance(chat.thread.ending, RunFailed)
    assert not chat.collect_results()
    gate.set()
    until(chat.collect_results)
    with closing(Store(f"sqlite:///{tmp_path}/threads.sqlite")) as store:
        saved = load_stored(store, chat.thread.id)
    assert saved.open_calls() == []
    assert saved.messages == chat.thread.messages
    server.plays(text("It costs €140."))
    ask(chat, "So?")
    output = {"type": "function_call_output", "call_id": item["call_id"]}
    assert any(output.items() <= each.items() for each in server.requests[-1]["input"])


def test_a_chat_is_deleted_while_a_background_call_runs(slow_fares: ChatSession) -> None:
    deleted = slow_fares.thread
    slow_fares.delete(deleted.id)
    assert slow_fares.notices == []
    assert deleted.open_calls() == []
