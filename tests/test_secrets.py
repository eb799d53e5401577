"""A canary in every secret setting is in no output of a run or an error."""

import io
import json
import tomllib
import zipfile
from collections.abc import Iterable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from assistant import Assistant, SettingsError, Thread
from assistant.backends.client import connect
from assistant.codegen.curl import curl_command
from assistant.codegen.pytest_file import pytest_zip
from assistant.codegen.script import thread_script, turn_script
from assistant.errors import StoreError
from assistant.events import Event, RunFailed, RunStopped
from assistant.recordings.recording import Recording
from assistant.runs.autosave import Autosaver
from assistant.runs.registry import RunRegistry
from assistant.settings import Settings
from assistant.storage.json_export import export_json
from assistant.storage.markdown_export import export_markdown
from assistant.storage.store import Store
from assistant.transports.live_recording import LiveRecording
from assistant.transports.recorder import record_run
from tests.backends.kinds import EVERY_KIND, KINDS, Kind
from tests.leaks import (
    CANARY,
    KEY,
    PASSWORD,
    SECRETS,
    TOOLBOX,
    basic_auth,
    database_rows,
    echo,
    leaks,
    scripts,
    server_urls,
)
from tests.variants import quick_first

SCRIPTS = tuple(scripts(""))


def unzip(archive: bytes) -> str:
    with zipfile.ZipFile(io.BytesIO(archive)) as files:
        return "".join(name + files.read(name).decode() for name in files.namelist())


def request_bodies(recording: Recording) -> Iterator[Any]:
    return (exchange.request.body for exchange in recording.exchanges() if exchange.request.body)


def settings_output(settings: Settings) -> dict[str, str]:
    return {
        "repr(settings)": repr(settings),
        "str(settings)": f"{settings}",
        "script": turn_script(settings, TOOLBOX, "Hi"),
        "curl": curl_command({"input": "Hi"}, settings.base_url),
    }


def run_output(thread: Thread, recording: Recording, events: list[Event]) -> dict[str, str]:
    return {
        "events": repr(events),
        "messages": repr(thread.messages),
        "backend state": json.dumps(thread.backend_state),
        "Markdown": export_markdown(thread, "A thread"),
        "JSON": export_json(thread, "A thread"),
        "script of the thread": thread_script(thread, "m"),
        "recording": recording.as_lines(),
        "test": unzip(pytest_zip(recording)),
        "curl of a request": "".join(curl_command(body) for body in request_bodies(recording)),
    }


def setting_errors(settings: dict[str, str]) -> Iterable[str]:
    try:
        Settings.load(settings)
    except SettingsError as error:
        yield str(error)


@pytest.mark.parametrize("where", quick_first(["key", "password"]))
@pytest.mark.parametrize("play", quick_first(SCRIPTS, 2))
@pytest.mark.parametrize("name", EVERY_KIND)
def test_a_run_leaks_no_secret(
    name: str,
    play: str,
    where: str,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
) -> None:
    caplog.set_level("DEBUG", "assistant")
    kind: Kind = KINDS[name]
    script, ending = scripts(echo(SECRETS[where]))[play]
    database = f"sqlite:///{tmp_path}/threads.sqlite"
    with kind.server() as server:
        settings = Settings(api_key=KEY, base_url=server_urls(server.url)[where], model="m")
        with connect(settings) as client, closing(Autosaver(database)) as autosaver:
            assistant = Assistant(kind.backend(client), TOOLBOX)
            server.plays(*script)
            thread, recording = Thread(), LiveRecording()
            run = RunRegistry().start(
                thread,
                lambda: assistant.run(thread, "Hi").through(lambda events: record_run(events, recording)),
                assistant.cancel,
                autosaver,
            )
            events = [event for batch in run.follow() for event in batch]
            run.join(5)
            server.drop_script()  # some backends retry
            server.problems.clear()
        assert isinstance(events[-1], ending | RunFailed | RunStopped)
        printed = capfd.readouterr()
        outputs = {
            "rows": database_rows(database),
            "log": caplog.text,
            "printed": printed.out + printed.err,
            "repr of the backend": repr(assistant.backend) + repr(assistant) + repr(client),
        }
        outputs |= settings_output(settings) | run_output(thread, recording, events)
        assert leaks(outputs) == []


def test_a_leaked_canary_is_found() -> None:
    assert leaks({"a": f"…{KEY}…", "b": "fine", "c": basic_auth(PASSWORD)}) == ["a", "c"]


@pytest.mark.parametrize(
    "address",
    [
        "me:canary@host/v1",
        "ftp://me:canary@host/v1",
        "http://me:canary@host:port/v1",
        "http://me:can@ary@ho st/v1",
        "host/v1?api-key=canary",
        "sk-canary",
        " sk-canary ",
    ],
)
def test_an_invalid_address_is_refused_without_its_secrets(address: str) -> None:
    [problem] = setting_errors({"OPENAI_BASE_URL": address})
    assert problem.startswith("OPENAI_BASE_URL is a ")
    assert "canary" not in problem
    assert "ary@" not in problem


@pytest.mark.parametrize(
    "variable",
    ["OPENAI_REASONING_EFFORT", "ASSISTANT_PROTOCOL", "ASSISTANT_MAX_ROUNDS", "ASSISTANT_TOOL_TIMEOUT",
     "ASSISTANT_CONTEXT_TOKENS", "ASSISTANT_BACKGROUND"],
)  # fmt: skip
def test_a_key_in_another_setting_is_not_shown(variable: str) -> None:
    [problem] = setting_errors({variable: "sk-canary"})
    assert problem.startswith(f"{variable} is a key. Set ")


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://me:canary@127.0.0.1:1/none",
        "postgresql://me:x@canary@127.0.0.1:1/none",
        "postgresql://me:x%40canary@127.0.0.1:1/none",
        "postgresql://me:x/canary@127.0.0.1:1/none",
        "postgresql://127.0.0.1:1/none?password=canary",
        "postgresql://127.0.0.1:1/none?sslpassword=canary&sslmode=x",
        "postgresql:me:canary@host/none",
        "mysql://me:canary@localhost/x",
        "me:canary@localhost/x",
        "canary",
    ],
)
def test_an_unusable_database_is_named_without_its_password(
    url: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG", "assistant")
    with pytest.raises(StoreError) as caught:
        Store(url)
    with closing(Autosaver(url)) as autosaver:
        assert autosaver.store is None
        assert leaks({"error": str(caught.value), "problem": autosaver.error, "log": caplog.text}) == []
        assert autosaver.error in caplog.text


@pytest.mark.parametrize(
    "address",
    [
        "https://me:canary@mcp.example/mcp",
        "https://:canary@mcp.example/mcp",
        "https://canary@mcp.example/mcp",
        "https://mcp.example/mcp?key=canary",
        "https://mcp.example/mcp?a=1&access_token=canary",
    ],
)
def test_a_remote_server_with_a_key_in_its_address_is_refused_without_the_key(address: str) -> None:
    """The address is part of every request, and any user of the page can inspect those."""
    [problem] = setting_errors({"ASSISTANT_HOSTED_TOOLS": f"web_search, mcp:wiki={address}"})
    assert problem == (
        "ASSISTANT_HOSTED_TOOLS is invalid. The address of 'wiki' contains a user name, a password "
        "or a key, which users of the page could read. Use a server that needs none."
    )


@pytest.mark.parametrize(
    "written",
    [
        "[auth]\nclient_secret = canary",
        '[auth]\nclient_secret = "canary',
        '[auth]\nclient_secret = "a"\nclient_secret = "canary"',
        "[auth]\ncookie_secret: canary",
        'OPENAI_API_KEY = "sk-canary\x00"',
        "[canary",
    ],
)
def test_an_unreadable_secrets_file_is_not_shown(written: str) -> None:
    with pytest.raises(tomllib.TOMLDecodeError) as caught:
        tomllib.loads(written)
    assert CANARY not in str(caught.value)  # it is shown on the page
