"""What waits while an answer is being written: its turn, and its way back."""

import gc
import threading

import pytest

from assistant import Thread
from assistant.errors import ThreadBusy
from assistant.events import Ending, RunCompleted, RunFailed, RunPaused
from assistant.messages import Message
from assistant.runs.loop import INTERRUPTED, STOPPED
from assistant.runs.queue import MOST, Queue


def ended(how: Ending | None) -> Thread:
    return Thread("conv_1", [Message.from_user("Hi"), Message("assistant", [], how)])


def sent(queue: Queue, thread: Thread) -> str:
    """What is sent next; nothing, if nothing is due."""
    said: list[str] = []
    assert queue.send(thread, said.append) is bool(said)
    return "".join(said)


def test_what_waits_is_sent_one_by_one_in_its_order_once_the_answer_ended_well() -> None:
    queue, thread = Queue(), ended(None)
    assert [queue.put(thread, text) for text in ("one", "two", "one")] == [True] * 3
    assert (queue.of(thread), sent(queue, thread), queue.give_back(thread)) == (["one", "two", "one"], "", "")
    thread.messages[-1].ending = RunCompleted()
    assert queue.give_back(thread) == ""
    assert [sent(queue, thread) for _ in range(4)] == ["one", "two", "one", ""]


@pytest.mark.parametrize("how", [STOPPED, INTERRUPTED, RunFailed("rate_limit", "Too many.")])
def test_what_waited_for_an_answer_that_was_stopped_or_failed_is_given_back_at_once(how: Ending) -> None:
    queue, thread = Queue(), ended(how)
    for text in ("one", "two"):
        queue.put(thread, text)
    assert sent(queue, thread) == ""
    assert queue.give_back(thread) == "one\n\ntwo"
    assert (queue.of(thread), queue.give_back(thread)) == ([], "")


def test_all_waits_while_a_person_has_to_decide() -> None:
    queue, thread = Queue(), ended(RunPaused())
    queue.put(thread, "one")
    assert (sent(queue, thread), queue.give_back(thread), queue.of(thread)) == ("", "", ["one"])


def test_what_waits_can_be_taken_back_and_only_once() -> None:
    queue, thread = Queue(), ended(None)
    queue.put(thread, "one")
    queue.put(thread, "two")
    assert [queue.take(thread, "one"), queue.take(thread, "one"), queue.take(thread, "never")] == [
        "one",
        "",
        "",
    ]
    assert queue.of(thread) == ["two"]


def test_each_thread_has_its_own_and_a_thread_that_is_gone_keeps_nothing() -> None:
    queue, thread, other = Queue(), ended(RunCompleted()), ended(RunCompleted())
    queue.put(thread, "one")
    assert (sent(queue, other), queue.of(other)) == ("", [])
    del thread
    gc.collect()
    assert list(queue._lines) == [other]


def test_so_many_may_wait_and_no_more() -> None:
    queue, thread = Queue(), ended(None)
    assert [queue.put(thread, str(number)) for number in range(MOST + 2)] == [True] * MOST + [False] * 2
    assert queue.of(thread)[-1] == str(MOST - 1)


def test_nothing_is_sent_twice_when_many_pages_see_the_end_at_once() -> None:
    queue, thread = Queue(), ended(RunCompleted())
    for number in range(MOST):
        queue.put(thread, str(number))
    started: list[str] = []

    def look() -> None:
        while queue.send(thread, started.append):
            pass

    pages = [threading.Thread(target=look) for _ in range(8)]
    for page in pages:
        page.start()
    for page in pages:
        page.join(10)
    assert started == [str(number) for number in range(MOST)]


def test_what_cannot_be_started_just_now_waits_on_in_its_place() -> None:
    queue, thread = Queue(), ended(RunCompleted())
    queue.put(thread, "one")
    queue.put(thread, "two")

    def start(text: str) -> None:
        raise ThreadBusy(f"Another page answers: {text}")

    with pytest.raises(ThreadBusy, match="answers: one"):
        queue.send(thread, start)
    assert queue.of(thread) == ["one", "two"]
    assert [sent(queue, thread), sent(queue, thread)] == ["one", "two"]


def test_a_second_page_waits_until_the_first_has_started_what_was_due_and_sends_nothing() -> None:
    queue, thread = Queue(), ended(RunCompleted())
    queue.put(thread, "one")
    queue.put(thread, "two")
    starting, go_on = threading.Event(), threading.Event()
    done: list[object] = []

    def start(text: str) -> None:
        starting.set()
        assert go_on.wait(10)
        thread.messages.append(Message("assistant"))  # as a run does: nothing is due while it goes on
        done.append(text)

    first = threading.Thread(target=lambda: done.append(queue.send(thread, start)))
    first.start()
    assert starting.wait(10)
    second = threading.Thread(target=lambda: done.append([queue.send(thread, start), queue.of(thread)]))
    second.start()
    other = ended(RunCompleted())
    queue.put(other, "elsewhere")  # another thread is not held up
    assert sent(queue, other) == "elsewhere"
    go_on.set()
    for page in (first, second):
        page.join(10)
    assert sorted(done, key=str) == [True, [False, ["two"]], "one"]


def test_a_thread_without_a_message_sends_nothing() -> None:
    queue, thread = Queue(), Thread()
    queue.put(thread, "one")
    assert sent(queue, thread) == ""
