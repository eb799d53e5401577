"""Messages that are sent during an answer are queued, then sent or returned."""

import gc
import threading
import weakref

import pytest

from assistant import Thread
from assistant.errors import ThreadBusy
from assistant.events import Ending, RunCompleted, RunFailed, RunPaused
from assistant.messages import Message
from assistant.runs.queue import MAX_MESSAGES, MessageQueue
from assistant.runs.run import INTERRUPTED, STEERED, STOPPED
from tests.waiting import at_once


def ended(how: Ending | None) -> Thread:
    return Thread("conv_1", [Message.from_user("Hi"), Message("assistant", [], how)])


def sent(queue: MessageQueue, thread: Thread) -> str:
    """Return the message that is sent next, or ``""``."""
    messages: list[str] = []
    assert queue.send_next(thread, messages.append) is bool(messages)
    return "".join(messages)


def test_queued_messages_are_sent_one_by_one_after_an_answer_completed() -> None:
    queue, thread = MessageQueue(), ended(None)
    assert [queue.add(thread, text) for text in ("one", "two", "one")] == [True] * 3
    assert (queue.waiting(thread), sent(queue, thread), queue.clear_after_failure(thread)) == (
        ["one", "two", "one"],
        "",
        "",
    )
    thread.messages[-1].ending = RunCompleted()
    assert queue.clear_after_failure(thread) == ""
    assert [sent(queue, thread) for _ in range(4)] == ["one", "two", "one", ""]


@pytest.mark.parametrize("how", [STOPPED, INTERRUPTED, RunFailed("rate_limit", "Too many.")])
def test_queued_messages_are_returned_when_the_answer_stops_or_fails(how: Ending) -> None:
    queue, thread = MessageQueue(), ended(how)
    for text in ("one", "two"):
        queue.add(thread, text)
    assert sent(queue, thread) == ""
    assert queue.clear_after_failure(thread) == "one\n\ntwo"
    assert (queue.waiting(thread), queue.clear_after_failure(thread)) == ([], "")


def test_queued_messages_wait_while_a_decision_is_pending() -> None:
    queue, thread = MessageQueue(), ended(RunPaused())
    queue.add(thread, "one")
    assert (sent(queue, thread), queue.clear_after_failure(thread), queue.waiting(thread)) == (
        "",
        "",
        ["one"],
    )


def test_queued_messages_can_be_withdrawn_once() -> None:
    queue, thread = MessageQueue(), ended(None)
    queue.add(thread, "one")
    queue.add(thread, "two")
    assert [queue.remove(thread, "one"), queue.remove(thread, "one"), queue.remove(thread, "never")] == [
        "one",
        "",
        "",
    ]
    assert queue.waiting(thread) == ["two"]


def test_each_thread_has_its_own_queue_which_goes_with_it() -> None:
    queue, thread, other = MessageQueue(), ended(RunCompleted()), ended(RunCompleted())
    queue.add(thread, "one")
    assert (sent(queue, other), queue.waiting(other)) == ("", [])
    gone = weakref.ref(thread)
    del thread
    gc.collect()
    assert gone() is None, "the queue keeps no thread alive"


def test_the_length_of_the_queue_is_limited() -> None:
    queue, thread = MessageQueue(), ended(None)
    assert [queue.add(thread, str(number)) for number in range(MAX_MESSAGES + 2)] == [True] * MAX_MESSAGES + [
        False
    ] * 2
    assert queue.waiting(thread)[-1] == str(MAX_MESSAGES - 1)


def test_a_message_is_sent_once_when_many_pages_see_the_end() -> None:
    queue, thread = MessageQueue(), ended(RunCompleted())
    for number in range(MAX_MESSAGES):
        queue.add(thread, str(number))
    started: list[str] = []

    def start(text: str) -> None:
        assert not queue.send_next(thread, started.append), "another page waits until this one has started"
        started.append(text)

    def look(_: int) -> None:
        while queue.send_next(thread, start):
            pass

    at_once(8, look)
    assert started == [str(number) for number in range(MAX_MESSAGES)]


def test_a_message_that_cannot_be_sent_yet_keeps_its_place() -> None:
    queue, thread = MessageQueue(), ended(RunCompleted())
    queue.add(thread, "one")
    queue.add(thread, "two")

    def start(text: str) -> None:
        raise ThreadBusy(f"Another page answers: {text}")

    with pytest.raises(ThreadBusy, match="answers: one"):
        queue.send_next(thread, start)
    assert queue.waiting(thread) == ["one", "two"]
    assert [sent(queue, thread), sent(queue, thread)] == ["one", "two"]


def test_a_second_page_sends_nothing_while_the_first_one_sends() -> None:
    queue, thread = MessageQueue(), ended(RunCompleted())
    queue.add(thread, "one")
    queue.add(thread, "two")
    starting, go_on = threading.Event(), threading.Event()
    done: list[object] = []

    def start(text: str) -> None:
        starting.set()
        assert go_on.wait(10)
        thread.messages.append(Message("assistant"))  # as a run does: nothing is sent while it continues
        done.append(text)

    first = threading.Thread(target=lambda: done.append(queue.send_next(thread, start)))
    first.start()
    assert starting.wait(10)
    second = threading.Thread(
        target=lambda: done.append([queue.send_next(thread, start), queue.waiting(thread)])
    )
    second.start()
    other = ended(RunCompleted())
    queue.add(other, "elsewhere")  # another thread is not held up
    assert sent(queue, other) == "elsewhere"
    go_on.set()
    for page in (first, second):
        page.join(10)
    assert sorted(done, key=str) == [True, [False, ["two"]], "one"]


def test_a_thread_without_a_message_sends_nothing() -> None:
    queue, thread = MessageQueue(), Thread()
    queue.add(thread, "one")
    assert sent(queue, thread) == ""


def test_messages_to_be_sent_now_go_first_and_together_in_their_order() -> None:
    queue, thread = MessageQueue(), ended(STEERED)
    for text in ("one", "two", "three", "four"):
        queue.add(thread, text)
    for text in ("three", "one", "three", "never"):
        queue.send_now(thread, text)
    assert queue.steering(thread) == ["three", "one"]
    assert queue.waiting(thread) == ["three", "one", "two", "four"]
    assert queue.clear_after_failure(thread) == "", "the answer goes on with the next message"
    assert [sent(queue, thread) for _ in range(4)] == ["three\n\none", "two", "four", ""]


@pytest.mark.parametrize("how", [STOPPED, INTERRUPTED])
def test_messages_to_be_sent_now_are_returned_with_the_others(how: Ending) -> None:
    queue, thread = MessageQueue(), ended(how)
    for text in ("one", "two", "three"):
        queue.add(thread, text)
    queue.send_now(thread, "two")
    assert queue.remove(thread, "three") == "three"
    assert queue.clear_after_failure(thread) == "two\n\none"
    assert (queue.waiting(thread), queue.steering(thread)) == ([], [])


def test_messages_to_be_sent_now_that_cannot_be_sent_keep_their_places() -> None:
    queue, thread = MessageQueue(), ended(RunCompleted())
    for text in ("one", "two", "three"):
        queue.add(thread, text)
    for text in ("three", "two"):
        queue.send_now(thread, text)

    def start(text: str) -> None:
        raise ThreadBusy(text)

    with pytest.raises(ThreadBusy, match="three\n\ntwo"):
        queue.send_next(thread, start)
    assert (queue.waiting(thread), queue.steering(thread)) == (["three", "two", "one"], ["three", "two"])
    assert queue.remove(thread, "three") == "three"
    assert queue.steering(thread) == ["two"]
