"""A downloaded test passes unchanged, and fails if the answer changes."""

import io
import re
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from assistant.codegen.pytest_file import pytest_zip
from assistant.recordings.recording import Recording, sample_files
from tests.paths import ROOT
from tests.transports.test_replay import by_hand


@pytest.fixture
def folder() -> Iterator[Path]:
    """A temporary folder of the project."""
    with tempfile.TemporaryDirectory(dir=ROOT, prefix="downloaded_") as name:
        yield Path(name)


def unzipped(recording: Recording, folder: Path) -> list[str]:
    with zipfile.ZipFile(io.BytesIO(pytest_zip(recording))) as archive:
        archive.extractall(folder)
        return archive.namelist()


def run_pytest(folder: Path) -> tuple[int, str]:
    """Run pytest on the folder; return the exit status and the output."""
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", str(folder)]
    run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
    return run.returncode, run.stdout + run.stderr


@pytest.mark.exhaustive
def test_downloaded_tests_pass_unchanged(folder: Path) -> None:
    odd = 'quotes """ \\ {braces} \n\u2028 東京 \x00 \U0001f31e'
    recordings = [Recording.from_lines(path.read_text("utf-8")) for path in sample_files().values()]
    for recording in [*recordings, by_hand(odd), Recording(began=0.0)]:
        unzipped(recording, folder)
    status, output = run_pytest(folder)
    assert (status, re.findall(r"\d+ passed", output)) == (0, ["5 passed"]), output


@pytest.mark.exhaustive
def test_a_downloaded_test_fails_if_the_answer_has_changed(folder: Path) -> None:
    _, recording_name = unzipped(by_hand("Hello"), folder)
    file = folder / recording_name
    file.write_text(file.read_text("utf-8").replace("Hello", "Goodbye"), "utf-8")
    status, output = run_pytest(folder)
    assert status == 1
    assert "assert 'Goodbye' == 'Hello'" in output


def test_the_files_are_named_after_the_prompt() -> None:
    recording = Recording.from_lines(sample_files()["weather_then_a_hotel"].read_text("utf-8"))
    with zipfile.ZipFile(io.BytesIO(pytest_zip(recording))) as archive:
        test, played = archive.namelist()
    assert re.fullmatch(r"test_2026\d{4}_\d{6}_what_s_the_weather_in_tokyo_and_paris_an\w*\.py", test)
    assert played == test.removeprefix("test_").replace(".py", ".recording.jsonl")
    with zipfile.ZipFile(io.BytesIO(pytest_zip(Recording(began=0.0)))) as archive:
        assert archive.namelist() == ["test_19700101_000000.py", "19700101_000000.recording.jsonl"]
