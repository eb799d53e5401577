"""A recording as a test: a zip with the recording and a small pytest file that replays it.

The test passes as downloaded, in any folder of the project. It fails if the same events later have another
result.
"""

import io
import math
import re
import zipfile
from datetime import UTC, datetime

from assistant.messages import Message
from assistant.recordings.recording import FILE_ENDING, Recording
from assistant.recordings.requests import prompt_of
from assistant.runs.replay import replay_assistant
from assistant.threads import Thread

_TEST = '''"""Replays {recording_name} and checks that its answer has not changed."""

import math
from pathlib import Path

from assistant import Thread
from assistant.recordings.recording import Recording
from assistant.recordings.requests import prompt_of
from assistant.runs.replay import replay_assistant


def test_{name}() -> None:
    recording = Recording.from_lines(Path(__file__).with_name("{recording_name}").read_text("utf-8"))
    thread = Thread()
    list(replay_assistant(recording, speed=math.inf).run(thread, prompt_of(recording)))
    answer = thread.messages[-1]
    assert [(call.name, call.arguments) for call in answer.calls] == {calls}
    assert [call.result and call.result.output for call in answer.calls] == {outputs}
    assert answer.text == {text}
    assert type(answer.ending).__name__ == {ending}
'''


def pytest_zip(recording: Recording) -> bytes:
    """Return a zip with the recording and a test that asserts the answer's calls, outputs, text and ending.

    The files are named after the recording's time and prompt. The test does not run the functions; their
    outputs come from the recording.
    """
    name = _name(recording)
    answer = _replay(recording)
    recording_name = name + FILE_ENDING
    test = _TEST.format(
        recording_name=recording_name,
        name=name,
        calls=_list_literal([ascii((call.name, call.arguments)) for call in answer.calls]),
        outputs=_list_literal([ascii(call.result and call.result.output) for call in answer.calls]),
        text=ascii(answer.text),
        ending=ascii(type(answer.ending).__name__),
    )
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(f"test_{name}.py", test)
        archive.writestr(recording_name, recording.as_lines())
    return file.getvalue()


def _replay(recording: Recording) -> Message:
    thread = Thread()
    list(replay_assistant(recording, speed=math.inf).run(thread, prompt_of(recording)))
    return thread.messages[-1]


def _name(recording: Recording) -> str:
    """Return a file name from the recording's time and the words of its prompt."""
    words = re.findall("[a-z0-9]+", prompt_of(recording).lower())
    began = datetime.fromtimestamp(recording.began, UTC)
    return "_".join([f"{began:%Y%m%d_%H%M%S}", *words])[:60].rstrip("_")


def _list_literal(items: list[str]) -> str:
    return "[" + "".join(f"\n        {item}," for item in items) + ("\n    ]" if items else "]")
