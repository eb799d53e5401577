"""The page about recordings: its example, and its tables of entries, rules and faults."""

from typing import get_args

from assistant import Thread
from assistant.events import RunCompleted
from assistant.recordings import check as checker
from assistant.recordings.entries import FIELD_TYPES
from assistant.recordings.recording import VERSION, Recording
from assistant.recordings.requests import prompt_of
from assistant.runs.replay import replay_assistant
from assistant.transports.fault_spec import FUNCTIONS, STREAM, parse_faults
from tests.docs.pages import codes, rows, snippet


def test_the_recording_on_the_page_replays_and_passes_the_check() -> None:
    recording = Recording.from_lines(snippet("recordings.md", "The format, version 1").code)
    assert (VERSION, checker.check(recording), prompt_of(recording)) == (1, [], "Hello?")
    thread = Thread()
    assistant = replay_assistant(recording, speed=float("inf"))
    assert list(assistant.run(thread, prompt_of(recording)))[-1] == RunCompleted()
    assistant.backend.close()  # type: ignore[attr-defined]
    assert (thread.id, thread.messages[-1].text) == ("conv_1", "Hi there.")
    assert recording.as_lines() == Recording.from_lines(recording.as_lines()).as_lines()


def test_the_tables_of_entries_rules_and_faults_are_complete() -> None:
    kinds = {codes(kind)[0]: codes(has) for kind, has, _ in rows("recordings.md", "The format, version 1")}
    assert kinds == {kind: list(fields) for kind, fields in FIELD_TYPES.items()}
    assert [codes(rule)[0] for rule, _ in rows("recordings.md", "The checker")] == list(
        get_args(checker.Rule)
    )
    faults = [fault for kind in STREAM | FUNCTIONS for fault in parse_faults(kind)]
    table = [[codes(fault)[0], does] for fault, does in rows("recordings.md", "Faults")]
    assert table == [*([str(fault), fault.describe()] for fault in faults), ["random", "Any one of them."]]


def test_the_faults_in_the_examples_are_valid() -> None:
    written = snippet("recordings.md", "Faults", 1).code
    found = [fault for line in written.splitlines()[1:] for fault in line.split("]")[-1].split()]
    assert [str(fault) for text in found for fault in parse_faults(text)] == found
    assert parse_faults("seed=7,random") == parse_faults("random,seed=7")
