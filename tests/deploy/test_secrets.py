"""A real process neither prints nor serves a secret."""

import json
import socket
from pathlib import Path

import pytest

from tests.deploy.test_process import Start, found, interrupt, serve, start
from tests.leaks import DATABASE, KEY, PASSWORD, echo, leaks, scripts, server_urls
from tests.paths import ROOT
from tests.servers.responses import ModelServer

__all__ = ["start"]  # a fixture


BROKEN = """
raise ValueError("canary-in-an-exception")
"""


@pytest.mark.exhaustive
def test_a_process_prints_and_serves_no_secret(server: ModelServer, start: Start, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    process, page = serve(
        start,
        tmp_path,
        OPENAI_API_KEY=KEY,
        OPENAI_BASE_URL=server_urls(server.url)["password"],
        ASSISTANT_DATABASE_URL=f"postgresql://me:{DATABASE}@127.0.0.1:{port}/none",
    )
    session = page.open()
    seen = [json.dumps(session)]
    for script, _ in scripts(echo(PASSWORD)).values():
        server.plays(*script)
        seen.append(json.dumps(page.say(session, "Hi")))
        server.drop_script()
    server.problems.clear()
    assert interrupt(process, tmp_path / "log") == 0
    log = (tmp_path / "log").read_text()
    assert "threads are not saved" in log
    assert leaks({"log": log} | {f"page {number}": each for number, each in enumerate(seen)}) == []


@pytest.mark.exhaustive
def test_an_uncaught_exception_is_logged_but_not_shown(start: Start, tmp_path: Path) -> None:
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
