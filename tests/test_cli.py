"""The command line in real processes: its output, recordings and exit statuses."""

import json
import re
import runpy
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from assistant.cli.answer import DEMO_NOTICE
from assistant.recordings.entries import RunClosed
from assistant.recordings.recording import Recording
from tests.environment import without_settings
from tests.paths import ROOT
from tests.servers.responses import ModelServer, Play, call, calls, error, text

Outcome = tuple[int, str, str]
Run = Callable[..., Outcome]

MAIN = """
import runpy, signal, sys
import assistant.functions
signal.signal(signal.SIGINT, signal.default_int_handler)  # a process in the background may ignore it
assistant.functions.__path__.append("more")
sys.argv[0] = "assistant"
runpy.run_module("assistant", run_name="__main__")
"""

WAIT = '''
import threading
from assistant import tool

@tool
def wait() -> str:
    """Wait for nothing."""
    threading.Event().wait()
'''

DRAW = '''
from random import randrange
from assistant import tool

@tool
def draw() -> int:
    """Draw a number, each time another one."""
    return randrange(10**12)
'''


@pytest.fixture
def started(tmp_path: Path) -> Callable[..., subprocess.Popen[str]]:
    """Start the command line with the given settings only, in a folder without ``.env``."""
    (tmp_path / "assistant").symlink_to(ROOT / "assistant")
    environment = without_settings()

    def start(*arguments: str, **settings: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-c", MAIN, *arguments],
            cwd=tmp_path,
            env=environment | settings,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            encoding="utf-8",
        )

    return start


@pytest.fixture
def run(started: Callable[..., subprocess.Popen[str]]) -> Run:
    """Run the command line; return exit status, standard output, and standard error without times."""

    def ran(*arguments: str, piped: str = "", **settings: str) -> Outcome:
        with started(*arguments, **settings) as process:
            printed, errors = process.communicate(piped, timeout=60)
        return process.returncode, printed, re.sub(r" \(\d+\.\d{3} s\)", " (…)", errors)

    return ran


@pytest.fixture
def model(server: ModelServer) -> dict[str, str]:
    """Return the settings that connect to the model server."""
    return {"OPENAI_BASE_URL": server.url, "OPENAI_API_KEY": "sk-test-key", "ASSISTANT_PROTOCOL": "responses"}


def events(printed: str) -> list[dict[str, Any]]:
    """Return the events in lines of JSON, without text events and times."""
    parsed = [json.loads(line) for line in printed.splitlines()]
    return [
        {name: value for name, value in each.items() if name != "seconds"}
        for each in parsed
        if not each["event"].endswith("Delta")
    ]


@pytest.mark.exhaustive
def test_without_a_key_the_demo_answers_and_standard_error_says_so(run: Run) -> None:
    status, printed, errors = run('calculate("2*3") then calculate("1/0")')
    answer = "`2*3` = **6**\n\n**`1/0`**: failed. Division by zero has no result.\n"
    assert (status, printed) == (0, answer), errors
    assert errors == (
        f"{DEMO_NOTICE}\n"
        'call calculate {"expression": "2*3"}\n'
        "done calculate (…) 6\n"
        'call calculate {"expression": "1/0"}\n'
        'failed calculate (…) {"error": "Division by zero has no result."}\n'
    )


@pytest.mark.exhaustive
def test_text_goes_to_standard_output_and_calls_to_standard_error(
    run: Run, server: ModelServer, model: dict[str, str]
) -> None:
    server.plays(
        calls(
            *text("Let me see.").items,
            call("calculate", expression="1+1"),
            call("nowhere", '{"a": "\\n京都"'),
        ),
        text("Two.", "京都\x1b[2J\n"),
    )
    status, printed, errors = run("How much\nis it?", **model)
    assert (status, printed) == (0, "Let me see.\n\nTwo.\n\n京都\ufffd[2J\n")
    head, *results = errors.splitlines()[1:]
    assert (errors.splitlines()[0], head) == (
        'call calculate {"expression": "1+1"}',
        'call nowhere {"a": "\\n京都"',
    )
    unknown, done = sorted(results, reverse=True)
    assert done == "done calculate (…) 2"
    assert unknown.startswith(
        'unknown nowhere (…) {"error": "There is no function \'nowhere\'. Available functions: calc'
    )
    assert server.requests[0]["input"] == [{"type": "message", "role": "user", "content": "How much\nis it?"}]


@pytest.mark.exhaustive
@pytest.mark.parametrize("arguments", [["-"], []], ids=["-", "nothing"])
def test_a_prompt_is_read_from_standard_input(
    run: Run, server: ModelServer, model: dict[str, str], arguments: list[str]
) -> None:
    server.plays(text("Yes."))
    assert run(*arguments, piped="京都?\nSure?\n", **model) == (0, "Yes.\n", "")
    assert server.requests[0]["input"][0]["content"] == "京都?\nSure?"


@pytest.mark.exhaustive
def test_json_prints_one_event_per_line(run: Run, server: ModelServer, model: dict[str, str]) -> None:
    item = call("calculate", expression="1+1")
    server.plays(calls(item), text("Two."))
    status, printed, errors = run("--json", "How much?", **model)
    name = next(iter(server.conversations))
    usage = {"input": 10, "cached": 2, "output": 5, "reasoning": 1, "cache_written": 0}
    ended = {"event": "RoundEnded", "model": "gpt-6-luna", "usage": usage}
    assert (status, errors) == (0, "")
    assert events(printed) == [
        {"event": "RoundStarted", "number": 1, "resumed": False},
        {"event": "ThreadOpened", "thread_id": name},
        {
            "event": "ToolCall",
            "server": "",
            "background": False,
            "program": "",
            "call_id": item["call_id"],
            "name": "calculate",
            "arguments": '{"expression": "1+1"}',
        },
        ended,
        {"event": "ToolResult", "call_id": item["call_id"], "output": "2", "outcome": "done", "detail": ""},
        {"event": "RoundStarted", "number": 2, "resumed": False},
        ended,
        {"event": "RunCompleted"},
    ]
    pieces = [json.loads(line) for line in printed.splitlines() if '"TextDelta"' in line]
    assert "".join(each["text"] for each in pieces) == "Two."


@pytest.mark.exhaustive
def test_a_recording_is_replayed_without_key_server_and_functions(
    run: Run, server: ModelServer, model: dict[str, str], tmp_path: Path
) -> None:
    (tmp_path / "more").mkdir()
    (tmp_path / "more" / "more.py").write_text(DRAW)
    server.plays(calls(call("draw")), text("A lucky number."))
    _, first, _ = run("Draw a number", "--record", "run.recording.jsonl", "--json", **model)
    recorded = (tmp_path / "run.recording.jsonl").read_text("utf-8")
    assert "sk-test-key" not in recorded
    assert re.search(r'"output": ?"\d+"', first), "the function has run"
    assert [
        each.response and each.response.status for each in Recording.from_lines(recorded).exchanges()
    ] == [200] * 3
    server.end_script()
    before = len(server.requests)
    status, again, _ = run("--replay", "run.recording.jsonl", "--json")
    assert (status, events(again)) == (0, events(first))
    assert len(server.requests) == before


@pytest.mark.exhaustive
@pytest.mark.parametrize(
    ("play", "status", "line"),
    [
        (
            error(401, "invalid_api_key"),
            1,
            "127.0.0.1:{port} does not accept the key. Check OPENAI_API_KEY: it may be mistyped, "
            "expired or revoked.",
        ),
        (text("So", cut=6), 1, "127.0.0.1:{port} stopped in the middle of the answer."),
        (
            text("So", ending="incomplete", details={"incomplete_details": {"reason": "max_output_tokens"}}),
            3,
            "The answer was cut off: it reached the limit of output tokens.",
        ),
        (
            calls(call("book_hotel", hotel_id=1, guest="A", check_in="2030-01-01", nights=1)),
            4,
            "Paused for approval of book_hotel, which only the page can ask for.",
        ),
    ],
    ids=["refused", "cut", "limit", "paused"],
)
def test_the_exit_status_tells_how_the_run_ended(
    run: Run, server: ModelServer, model: dict[str, str], play: Play, status: int, line: str, tmp_path: Path
) -> None:
    server.plays(play)
    exited, _, errors = run("Go", "--record", "run.recording.jsonl", **model)
    port = server.url.rpartition(":")[2].partition("/")[0]
    assert (exited, errors.splitlines()[-1]) == (status, line.format(port=port))
    last = Recording.from_lines((tmp_path / "run.recording.jsonl").read_text("utf-8")).run_events()[-1]
    assert type(last).__name__ == {1: "RunFailed", 3: "RunStopped", 4: "RunPaused"}[status]


@pytest.mark.exhaustive
@pytest.mark.parametrize(
    ("arguments", "settings", "message"),
    [
        ([], {}, "There is no prompt. Pass it as an argument or through standard input."),
        (["  "], {}, "There is no prompt. Pass it as an argument or through standard input."),
        (
            ["Hi"],
            {"OPENAI_BASE_URL": "x"},
            "OPENAI_BASE_URL is 'x'. Set a URL with its scheme, such as "
            "http://localhost:11434/v1, or leave it out.",
        ),
        (["--replay", "none"], {}, "none cannot be used: No such file or directory."),
        (
            ["--replay", "text"],
            {},
            "text is not a recording. This is not a recording of version 1: its first line is another one.",
        ),
        (["--replay", "bytes"], {}, "bytes is not a recording: it is not text."),
        (
            ["Hi", "--record", "no/where"],
            {"OPENAI_BASE_URL": "http://localhost:9/v1"},
            "no/where cannot be used: No such file or directory.",
        ),
        (["--what"], {}, "assistant: error: unrecognized arguments: --what"),
    ],
    ids=["nothing", "blank", "setting", "no recording", "other text", "bytes", "nowhere", "option"],
)
def test_a_usage_error_is_one_sentence(
    run: Run, arguments: list[str], settings: dict[str, str], message: str, tmp_path: Path
) -> None:
    (tmp_path / "text").write_text("{}")
    (tmp_path / "bytes").write_bytes(b"\xff\xfe")
    status, printed, errors = run(*arguments, **settings)
    assert (status, printed) == (2, "")
    assert errors.splitlines()[-1].removeprefix("python -m ") == message


@pytest.mark.exhaustive
@pytest.mark.parametrize("way", ["silent server", "slow function"])
def test_ctrl_c_ends_the_run_promptly_and_writes_the_recording(
    started: Callable[..., subprocess.Popen[str]],
    server: ModelServer,
    model: dict[str, str],
    tmp_path: Path,
    way: str,
) -> None:
    (tmp_path / "more").mkdir()
    (tmp_path / "more" / "wait.py").write_text(WAIT)
    silence = text("So far, so good", cut=6, how="silence")
    server.plays(silence if way == "silent server" else calls(*text("So").items, call("wait")))
    with started("Go", "--record", "run.recording.jsonl", **model) as process:
        assert process.stdout
        assert process.stderr
        assert process.stdout.read(2) == "So"
        if way == "silent server":
            assert silence.reached.wait(10)
        else:
            assert process.stderr.readline() == "call wait {}\n"
        process.send_signal(signal.SIGINT)
        # Not ``communicate``, which loses what has been read with "So".
        printed, errors = process.stdout.read(), process.stderr.read()
    assert (process.returncode, errors) == (130, "Stopped.\n")
    assert printed.endswith("\n")
    recording = Recording.from_lines((tmp_path / "run.recording.jsonl").read_text("utf-8"))
    assert recording.run_events()[-1] == RunClosed()


@pytest.mark.exhaustive
def test_a_closed_pipe_ends_the_run_without_a_traceback(
    started: Callable[..., subprocess.Popen[str]], server: ModelServer, model: dict[str, str]
) -> None:
    play = text("So far, so good", pieces=15, pause=0.01)
    server.plays(play)
    with started("Go", **model) as process:
        assert process.stdout
        assert process.stderr
        assert process.stdout.read(1) == "S"
        process.stdout.close()
        assert process.stderr.read() == ""
    assert process.returncode == 141


@pytest.mark.exhaustive
def test_streamlit_is_not_imported() -> None:
    code = "import sys, assistant.cli; print('streamlit' in sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout == "False\n"


def test_the_package_itself_is_the_program(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["assistant", "--help"])
    with pytest.raises(SystemExit) as caught:
        runpy.run_module("assistant", run_name="__main__")
    assert caught.value.code == 0
    assert capsys.readouterr().out.startswith("usage: python -m assistant ")
