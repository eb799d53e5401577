"""A thousand runs of one assistant leave nothing behind."""

import gc
import os
import threading
import time
import tracemalloc
import weakref
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from assistant import Assistant, Thread, tool
from assistant.events import Ending, RunCompleted, RunFailed, RunStopped
from assistant.runs.registry import RunRegistry
from assistant.runs.worker import LiveRun
from tests.conftest import Connect, add
from tests.servers.responses import Conversation, Json, ModelServer, Play, call, calls, cut, error, text
from tests.waiting import until

THREADS_AT_ONCE = 20
WAVES = 5
FILES = Path("/proc/self/fd")
PATIENCE = 10.0
"""Seconds that nothing here takes unless it is broken."""

# What a message asks for, and how its run ends. The order has everything come after everything else.
ENDINGS: dict[str, type[Ending]] = {
    "text": RunCompleted,
    "calls": RunCompleted,
    "cut": RunFailed,
    "silence": RunStopped,  # stopped while the server says nothing
    "text again": RunCompleted,
    "slow call": RunStopped,  # stopped while a function runs
    "calls again": RunCompleted,
    "refused": RunFailed,
    "limit": RunStopped,
    "text at last": RunCompleted,
}


class Obliging(ModelServer):
    """Plays what the newest message asks for, whatever the order of requests."""

    def __enter__(self) -> "Obliging":
        super().__enter__()
        self._http.socket.listen(THREADS_AT_ONCE)
        return self

    def next_play(self, request: Json) -> tuple[Play, Conversation | None]:
        with self._lock:
            self.plays(_play(request["input"][-1]))
            found = super().next_play(request)
            self._script.clear()  # it was refused
            return found

    def forget(self) -> None:
        for collected in (self.requests, self.headers, self.refused, self.conversations):
            collected.clear()


def _play(item: Json) -> Play:
    if item["type"] == "function_call_output":
        return text("Both are done.")
    match item["content"].split()[0]:
        case "calls":
            return calls(call("add", a=1, b=1), call("add", a=2, b=2))
        case "cut":
            return cut(text("This is cut off"), 6, "close")
        case "silence":
            return text("This is stopped", gate=threading.Event(), gate_after=6)
        case "slow":
            return calls(call("dawdle"))
        case "refused":
            return error(401, "invalid_api_key")
        case "limit":
            reached = {"incomplete_details": {"reason": "max_output_tokens"}}
            return text("This is long", ending="incomplete", details=reached)
        case _:
            return text("A text of some length. " * 20)


def open_files() -> int:
    return len(os.listdir(FILES)) if FILES.exists() else 0


@pytest.mark.exhaustive
def test_a_thousand_runs_leave_nothing_behind(
    connect_to: Connect, capsys: pytest.CaptureFixture[str]
) -> None:
    released = threading.Event()

    @tool
    def dawdle() -> str:
        """Take until the test is over."""
        released.wait(PATIENCE)
        return "late"

    before = set(threading.enumerate()), open_files()
    with Obliging() as server:
        assistant, live = connect_to(server.url, add, dawdle), RunRegistry()
        left = wave(assistant, live, server, released, before[0])  # warms up what is made once
        began, objects = time.perf_counter(), len(gc.get_objects())
        for number in range(WAVES):
            if number == WAVES - 1:
                tracemalloc.start()  # slow, so only what the last of them leaves behind is measured
            left += wave(assistant, live, server, released, before[0])
        memory = tracemalloc.get_traced_memory()[0]
        tracemalloc.stop()
        seconds, more = time.perf_counter() - began, len(gc.get_objects()) - objects

        assert left == [], "threads and runs are let go of"
        files, idle = open_files() - before[1], len(set(threading.enumerate()) - before[0])
        # Each connection has two ends here, and a thread of the server's.
        assert files <= 2 * THREADS_AT_ONCE + 5, "connections are used again, or closed"
        assert idle <= THREADS_AT_ONCE + 1
        assistant.backend.close()  # type: ignore[attr-defined]
    until(lambda: set(threading.enumerate()) <= before[0], "no thread is left")
    assert open_files() <= before[1]

    wave_of = THREADS_AT_ONCE * len(ENDINGS)
    with capsys.disabled():
        print(
            f"\nsoak: {WAVES * wave_of} runs in {seconds:.1f} s left {more} objects, the last {wave_of} left "
            f"{memory / 1000:.0f} kB; {files} files and {idle} threads of idle connections"
        )
    assert WAVES * wave_of >= 1000
    assert more < WAVES * wave_of, "not one object a run is kept"
    assert memory < wave_of * 1000, "nor a kilobyte a run"


def wave(
    assistant: Assistant,
    live: RunRegistry,
    server: Obliging,
    released: threading.Event,
    others: set[threading.Thread],
) -> list[weakref.ref[Any]]:
    """Run threads in parallel, each with a message of every kind; return weak references to what is left."""
    released.clear()
    threads = [Thread() for _ in range(THREADS_AT_ONCE)]
    traces: list[weakref.ref[Any]] = [weakref.ref(thread) for thread in threads]
    for kind, ending in ENDINGS.items():
        traces += run_all(assistant, live, threads, kind)
        assert {type(thread.messages[-1].ending) for thread in threads} == {ending}, kind
        assert not any(live.get(thread) for thread in threads)
        server.wait_until_idle()
    released.set()
    server.forget()
    workers = ("run ", "function ")

    def working() -> list[str]:
        return [each.name for each in set(threading.enumerate()) - others if each.name.startswith(workers)]

    until(lambda: not working(), "workers end")
    threads.clear()
    gc.collect()
    return [trace for trace in traces if trace() is not None]


def run_all(
    assistant: Assistant, live: RunRegistry, threads: list[Thread], kind: str
) -> list[weakref.ref[Any]]:
    """Send the same message in all threads, and wait until all runs have ended."""
    runs = [live.start(each, partial(assistant.run, each, kind), assistant.cancel) for each in threads]
    if kind in ("silence", "slow call"):
        until(lambda: all(_under_way(run) for run in runs), f"{kind}: all are under way")
        for run in runs:
            run.stop()
    until(lambda: all(run.ended for run in runs), f"{kind}: all have ended")
    assert isinstance([event for batch in runs[0].follow() for event in batch][-1], Ending)
    return [weakref.ref(run) for run in runs]


def _under_way(run: LiveRun) -> bool:
    """Return whether the run has reached the point where it waits."""
    message = run.thread.messages[-1]
    return bool(message.text or message.calls)
