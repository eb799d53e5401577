"""Saves a tape as a test: a zip with the tape and a small pytest file that plays it.

Not here: playing (``replay.py``).

The one rule: the test passes as it is downloaded, in ``tests/`` or in any other folder of the project; from
then on it fails where something changes what becomes of the same events.
"""

import io
import math
import re
import zipfile
from datetime import UTC, datetime

from assistant.messages import Message
from assistant.recordings.recording import Recording
from assistant.runs.replay import player
from assistant.threads import Thread
from assistant.transports.replay import prompt_of

_TEST = '''"""Plays {tape_name} and looks whether it says what it said when it was saved."""

import math
from pathlib import Path

from assistant import Thread
from assistant.runs.replay import player
from assistant.transports.replay import prompt_of
from assistant.recordings.recording import Recording


def test_{name}() -> None:
    recording = Recording.from_lines(Path(__file__).with_name("{tape_name}").read_text("utf-8"))
    thread = Thread()
    list(player(recording, speed=math.inf).run(thread, prompt_of(recording)))
    answer = thread.messages[-1]
    assert [(call.name, call.arguments) for call in answer.calls] == {calls}
    assert [call.result and call.result.output for call in answer.calls] == {outputs}
    assert answer.text == {text}
    assert type(answer.ending).__name__ == {ending}
'''


def as_test(recording: Recording) -> bytes:
    """A zip of two files: the tape, and a test that plays it and asserts the calls, their order and the text.

    They are named after the tape's time and what the person had said. The functions are not run; their
    outputs are the tape's.
    """
    name = _name(recording)
    answer = _played(recording)
    tape_name = f"{name}.jsonl"
    test = _TEST.format(
        tape_name=tape_name,
        name=name,
        calls=_listed([ascii((call.name, call.arguments)) for call in answer.calls]),
        outputs=_listed([ascii(call.result and call.result.output) for call in answer.calls]),
        text=ascii(answer.text),
        ending=ascii(type(answer.ending).__name__),
    )
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(f"test_{name}.py", test)
        archive.writestr(tape_name, recording.as_lines())
    return file.getvalue()


def _played(recording: Recording) -> Message:
    thread = Thread()
    list(player(recording, speed=math.inf).run(thread, prompt_of(recording)))
    return thread.messages[-1]


def _name(recording: Recording) -> str:
    """What the files are called: a prompt may hold anything, and may be said again."""
    words = re.findall("[a-z0-9]+", prompt_of(recording).lower())
    began = datetime.fromtimestamp(recording.began, UTC)
    return "_".join([f"{began:%Y%m%d_%H%M%S}", *words])[:60].rstrip("_")


def _listed(values: list[str]) -> str:
    return "[" + "".join(f"\n        {value}," for value in values) + ("\n    ]" if values else "]")
