"""What nobody may read: a canary in every secret setting, looked for in everything that comes of a run."""

import base64
import gc
import io
import json
import socket
import tomllib
import zipfile
from collections.abc import Iterable, Iterator
from contextlib import closing
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
import sqlalchemy as sql
from streamlit.testing.v1 import AppTest

from assistant import Assistant, SettingsError, Thread, Toolbox, tool
from assistant.backends.client import connect
from assistant.backends.connection.override import ConnectionOverride
from assistant.codegen.curl import curl_command
from assistant.codegen.pytest_file import pytest_zip
from assistant.codegen.script import thread_script, turn_script
from assistant.errors import StoreError
from assistant.events import Event, RunCompleted, RunFailed, RunStopped
from assistant.observability.metrics import Metrics
from assistant.recordings.recording import Recording
from assistant.runs.autosave import Autosaver
from assistant.runs.registry import RunRegistry
from assistant.settings import Settings
from assistant.storage.json_export import export_json
from assistant.storage.markdown_export import export_markdown
from assistant.storage.store import Store
from assistant.transports.live_recording import LiveRecording
from assistant.transports.recorder import record_run
from assistant.ui.metrics import collect
from tests.backends.kinds import KINDS, Kind
from tests.conftest import need
from tests.deploy.test_process import Start, found, interrupt, serve, start
from tests.paths import ROOT
from tests.servers.responses import ModelServer, Play, call, calls, cut, error, text
from tests.ui.page import Open, ask, recording_of, session_of
from tests.ui.page import sent as all_sent
from tests.variants import quick_first

__all__ = ["start"]  # a fixture

CANARY = "canary"
"""It is in each of them, so one word is looked for."""

KEY = "sk-canary/key+4711"
PASSWORD = "canary pass/word"
TYPED = "canary-typed-4711"
DATABASE = "canary-database-4711"


@tool
def work(how: str) -> str:
    """Do something.

    Args:
        how: It is told back.
    """
    return f"Done: {how}"


@tool
def fail() -> str:
    """Fail."""
    raise ValueError("no reason at all")


TOOLBOX = Toolbox(work, fail)


def echo(secret: str) -> str:
    """What a server may say back: a secret as it is, as it stands in a URL, and as a request carries it."""
    return " ".join([secret, quote(secret, ""), quote(secret), coded(secret) if secret == PASSWORD else ""])


def coded(secret: str) -> str:
    """As a request carries it beside a name (RFC 7617)."""
    return base64.b64encode(f"me:{secret}".encode()).decode()


def plays(said: str) -> dict[str, tuple[list[Play], type[Event]]]:
    """What servers do, and how a run ends then; what they say has a secret in it."""
    once = {"x_should_retry": "false"}
    return {
        "answered": (
            [calls(call("work", how="well"), call("fail"), call("nothing")), text("Both done.")],
            RunCompleted,
        ),
        "401": ([error(401, "invalid_api_key", f"Incorrect API key provided: {said}.")], RunFailed),
        "403": ([error(403, None, f"Not with {said}.")], RunFailed),
        "429": ([error(429, None, f"Too often: {said}.", **once)], RunFailed),
        "429 by a long wait": ([error(429, None, f"Too often: {said}.", retry_after="60")], RunFailed),
        "400 by a code": ([error(400, f"no {said}", "No.")], RunFailed),
        "500": ([error(500, None, f"Broken: {said}.", **once)], RunFailed),
        "418 without JSON": (
            [Play(status=418, body=said.encode(), headers=(("x-should-retry", "false"),))],
            RunFailed,
        ),
        "cut": ([cut(text("So far so good"), 3, "close")], RunFailed),
    }


PLAYS = tuple(plays(""))
SECRETS = {"key": KEY, "password": PASSWORD}


def addresses(url: str) -> dict[str, str]:
    """The server's address, with and without something secret in it."""
    host = url.partition("//")[2]
    return {"key": url, "password": f"http://me:{quote(PASSWORD, '')}@{host}"}


def rows(database: str) -> str:
    """Every column of every row of every table."""
    engine = sql.create_engine(database)
    with closing(engine.raw_connection()) as connection:
        tables = sql.inspect(engine).get_table_names()
        cursor = connection.cursor()
        found = [cursor.execute(f'SELECT * FROM "{table}"').fetchall() for table in tables]
    engine.dispose()
    return repr(found)


def unpacked(archive: bytes) -> str:
    with zipfile.ZipFile(io.BytesIO(archive)) as files:
        return "".join(name + files.read(name).decode() for name in files.namelist())


def requests(recording: Recording) -> Iterator[Any]:
    return (exchange.request.body for exchange in recording.exchanges() if exchange.request.body)


def leaks(produced: dict[str, str]) -> list[str]:
    """Where a secret can be read; also one that was written in another way."""
    written = [CANARY, *map(coded, (KEY, PASSWORD, TYPED))]
    return [name for name, words in produced.items() if any(each in words for each in written)]


def of_settings(settings: Settings) -> dict[str, str]:
    return {
        "repr(settings)": repr(settings),
        "str(settings)": f"{settings}",
        "script": turn_script(settings, TOOLBOX, "Hi"),
        "curl": curl_command({"input": "Hi"}, settings.base_url),
    }


def of_thread(thread: Thread, recording: Recording, events: list[Event]) -> dict[str, str]:
    return {
        "events": repr(events),
        "messages": repr(thread.messages),
        "notes": json.dumps(thread.backend_state),
        "Markdown": export_markdown(thread, "A thread"),
        "JSON": export_json(thread, "A thread"),
        "script of the thread": thread_script(thread, "m"),
        "tape": recording.as_lines(),
        "test": unpacked(pytest_zip(recording)),
        "curl of a request": "".join(curl_command(body) for body in requests(recording)),
    }


def problems(settings: dict[str, str]) -> Iterable[str]:
    try:
        Settings.load(settings)
    except SettingsError as error:
        yield str(error)


# --- runs -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("where", quick_first(["key", "password"]))
@pytest.mark.parametrize("play", quick_first(PLAYS, 2))
@pytest.mark.parametrize("name", KINDS)
def test_no_secret_is_in_anything_that_comes_of_a_run(
    name: str,
    play: str,
    where: str,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
) -> None:
    caplog.set_level("DEBUG", "assistant")
    kind: Kind = KINDS[name]
    script, ending = plays(echo(SECRETS[where]))[play]
    database = f"sqlite:///{tmp_path}/threads.sqlite"
    with kind.server() as server:
        settings = Settings(api_key=KEY, base_url=addresses(server.url)[where], model="m")
        with connect(settings) as client, closing(Autosaver(database)) as autosaver:
            client.max_retries = 0
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
            server.drop_script()  # some servers are asked again
            server.problems.clear()
        assert isinstance(events[-1], ending | RunFailed | RunStopped)
        output = capfd.readouterr()
        assert (
            leaks(
                of_settings(settings)
                | of_thread(thread, recording, events)
                | {
                    "rows": rows(database),
                    "log": caplog.text,
                    "output": output.out + output.err,
                    "repr of the backend": repr(assistant.backend) + repr(assistant) + repr(client),
                }
            )
            == []
        )


def test_the_canary_would_be_seen() -> None:
    assert leaks({"a": f"…{KEY}…", "b": "fine", "c": coded(PASSWORD)}) == ["a", "c"]


# --- what is refused, or cannot be reached ----------------------------------------------------------


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
def test_an_address_that_cannot_be_used_is_refused_without_what_is_secret_in_it(address: str) -> None:
    [problem] = problems({"OPENAI_BASE_URL": address})
    assert problem.startswith("OPENAI_BASE_URL is a ")
    assert "canary" not in problem
    assert "ary@" not in problem


@pytest.mark.parametrize(
    "variable",
    ["OPENAI_REASONING_EFFORT", "ASSISTANT_PROTOCOL", "ASSISTANT_MAX_ROUNDS", "ASSISTANT_TOOL_TIMEOUT",
     "ASSISTANT_CONTEXT_TOKENS", "ASSISTANT_BACKGROUND"],
)  # fmt: skip
def test_a_key_in_the_place_of_another_setting_is_not_shown(variable: str) -> None:
    [problem] = problems({variable: "sk-canary"})
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
def test_a_database_that_cannot_be_used_is_named_without_its_password(
    url: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG", "assistant")
    with pytest.raises(StoreError) as caught:
        Store(url)
    with closing(Autosaver(url)) as autosaver:
        assert autosaver.store is None
        assert leaks({"error": str(caught.value), "problem": autosaver.error, "log": caplog.text}) == []
        assert autosaver.error in caplog.text


# --- the page ---------------------------------------------------------------------------------------


def sent(page: AppTest) -> dict[str, str]:
    return {"page": all_sent(page)}


PANELS = ("run", "functions", "code", "faults")


@pytest.mark.parametrize("where", quick_first(["key", "password"]))
def test_no_secret_is_on_the_page(
    server: ModelServer,
    open_page: Open,
    where: str,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
) -> None:
    caplog.set_level("DEBUG", "assistant")
    page = open_page(
        OPENAI_API_KEY=KEY,
        OPENAI_BASE_URL=addresses(server.url)[where],
        ASSISTANT_DATABASE_URL=f"postgresql://me:{DATABASE}@127.0.0.1:1/none",
    )
    seen = [sent(page)]
    for script, _ in plays(echo(SECRETS[where])).values():
        server.plays(*script)
        seen.append(sent(ask(page, "Hi")))
        server.drop_script()
    server.problems.clear()
    page.toggle(key="sandbox").set_value(True).run()
    for panel in PANELS:
        page.segmented_control(key="sandbox_panel").set_value(panel).run()
        seen.append(sent(page))
    page.session_state["connection_panel"] = True
    page.run()
    page.radio(key="connection").set_value("configured").run()
    seen.append(sent(page))
    output = capfd.readouterr()
    seen.append({"log": caplog.text, "output": output.out + output.err})
    assert [where for each in seen for where in leaks(each)] == []
    assert "Chats are not being saved" in seen[0]["page"]


def test_a_key_that_was_typed_is_sent_back_to_no_browser(
    server: ModelServer,
    open_page: Open,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    caplog.set_level("DEBUG", "assistant")
    monkeypatch.setattr("assistant.ui.login.is_localhost", lambda: True)
    server.models.append("m")
    page = open_page()
    page.session_state["connection_panel"] = True
    page.run()
    page.radio(key="connection").set_value("url").run()
    page.text_input(key="connection_url").set_value(server.url).run()
    page.text_input(key="connection_url_key").set_value(TYPED).run()
    seen = [sent(page)]
    assert page.selectbox(key="connection_model").value == "m"
    for button in ("connection_test", "connection_use"):
        server.plays(error(401, "invalid_api_key", f"Incorrect API key provided: {echo(TYPED)}."))
        seen.append(sent(page.button(key=button).click().run()))
        server.drop_script()
    for script, _ in plays(echo(TYPED)).values():
        server.plays(*script)
        seen.append(sent(ask(page, "Hi")))
        server.drop_script()
    server.problems.clear()
    assert any(each["authorization"] == f"Bearer {TYPED}" for each in server.headers), "it was used"
    assert [where for each in seen for where in leaks(each)] + leaks({"log": caplog.text}) == []


DOOR = "canary-of-the-door"
AUTH = {
    "redirect_uri": "http://localhost:8501/oauth2callback",
    "cookie_secret": "canary-0123456789abcdef0123456789",
    "client_id": "us",
    "client_secret": "canary-of-the-client",
    "server_metadata_url": "https://id.example/.well-known/openid-configuration",
}
ADA = {"is_logged_in": True, "iss": "https://id.example", "sub": "1", "email": "ada@example.org"}


def told_of_the_process() -> str:
    """What the metrics tell."""
    return repr([collect(each) for each in gc.get_objects() if isinstance(each, Metrics)])


@pytest.mark.parametrize("door", quick_first(["password", "sign-in", "half a sign-in"]))
def test_no_secret_of_a_door_and_no_key_typed_behind_it_is_in_anything(
    server: ModelServer,
    open_page: Open,
    door: str,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
) -> None:
    caplog.set_level("DEBUG", "assistant")
    given: dict[str, Any] = {"ASSISTANT_LOG": "json", "ASSISTANT_LIMIT_ALL": "99 messages/day"}
    if door == "password":
        given["ASSISTANT_PASSWORD"] = DOOR
    else:
        need(find_spec("authlib"), "Authlib (.ci/requirements.txt)")
        lacking = AUTH if door == "sign-in" else AUTH | {"client_id": ""}
        given |= {"ASSISTANT_ALLOWED": "*", "secrets": {"auth": lacking}, "user": ADA}
    page = open_page(OPENAI_BASE_URL=addresses(server.url)["password"], OPENAI_API_KEY=KEY, **given)
    seen = [sent(page)]
    if door == "password":
        for typed in ("canary-of-a-guess", DOOR):
            page.text_input(key="password").set_value(typed)
            seen.append(sent(page.button(key="log_in").click().run()))
        # What was typed last goes back to the browser while it is asked for, as in any form.
        assert leaks(seen.pop(1)) in ([], ["page"])
    if door != "half a sign-in":
        session_of(page).override = ConnectionOverride(server.url, TYPED, "m")
        page.toggle(key="sandbox").set_value(True).run()
        for script, _ in plays(echo(TYPED)).values():
            server.plays(*script)
            seen.append(sent(ask(page, "Hi")))
            server.drop_script()
        assert any(each["authorization"] == f"Bearer {TYPED}" for each in server.headers), "it was used"
        session_of(page).override = None
        server.plays(text("Hello."))
        seen.append(sent(ask(page, "Hi")))  # at the owner's expense
        recording = recording_of(page).as_lines()
        seen.append({"tape": recording, "rows": rows(f"sqlite:///{tmp_path}/threads.sqlite")})
        assert ("visitor_" in seen[-1]["rows"]) is (door == "password"), "it was counted"
    server.problems.clear()
    output = capfd.readouterr()
    seen.append({"log": caplog.text, "output": output.out + output.err, "metrics": told_of_the_process()})
    assert [where for each in seen for where in leaks(each)] == []


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
def test_a_remote_server_whose_address_has_a_key_in_it_is_refused_without_it(address: str) -> None:
    """For it is part of every request, and whoever sees the page can look at those."""
    [problem] = problems({"ASSISTANT_HOSTED_TOOLS": f"web_search, mcp:wiki={address}"})
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
def test_secrets_that_cannot_be_read_are_not_shown(written: str) -> None:
    with pytest.raises(tomllib.TOMLDecodeError) as caught:
        tomllib.loads(written)
    assert CANARY not in str(caught.value)  # it is shown on the page


# --- a real process ---------------------------------------------------------------------------------

BROKEN = """
raise ValueError("canary-in-an-exception")
"""


@pytest.mark.exhaustive
def test_no_secret_is_in_what_a_process_prints_or_serves(
    server: ModelServer, start: Start, tmp_path: Path
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        nobody = free.getsockname()[1]
    process, page = serve(
        start,
        tmp_path,
        OPENAI_API_KEY=KEY,
        OPENAI_BASE_URL=addresses(server.url)["password"],
        ASSISTANT_DATABASE_URL=f"postgresql://me:{DATABASE}@127.0.0.1:{nobody}/none",
    )
    session = page.open()
    seen = [json.dumps(session)]
    for script, _ in plays(echo(PASSWORD)).values():
        server.plays(*script)
        seen.append(json.dumps(page.say(session, "Hi")))
        server.drop_script()
    server.problems.clear()
    assert interrupt(process, tmp_path / "log") == 0
    log = (tmp_path / "log").read_text()
    assert "threads are not saved" in log
    assert leaks({"log": log} | {f"page {number}": each for number, each in enumerate(seen)}) == []


@pytest.mark.exhaustive
def test_an_exception_that_nobody_caught_is_in_the_log_and_not_on_the_page(
    start: Start, tmp_path: Path
) -> None:
    (tmp_path / ".streamlit").mkdir()
    config = (ROOT / ".streamlit/config.toml").read_text()
    (tmp_path / ".streamlit/config.toml").write_text(config)
    process, page = serve(start, tmp_path)
    (tmp_path / "streamlit_app.py").write_text(BROKEN)
    with page.asking("POST", "/_stcore/agent/interact", {}) as connection:
        answer = connection.getresponse().read().decode()
    assert interrupt(process, tmp_path / "log") == 0
    assert "canary-in-an-exception" in (tmp_path / "log").read_text()
    assert "canary" not in answer
    [exception] = found(json.loads(answer), "exception")
    assert exception["props"]["type"] == "ValueError"
