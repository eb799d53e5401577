"""A curl command sends the request unchanged through a shell."""

import os
import shutil
import subprocess
from pathlib import Path

from assistant.codegen.curl import curl_command
from tests.codegen.conftest import HOSTILE
from tests.conftest import need
from tests.servers.responses import ModelServer, text


def test_curl_sends_any_request_unchanged(model: ModelServer, protocol: str, tmp_path: Path) -> None:
    need(shutil.which("curl"), "curl")
    prompt = HOSTILE.replace("\ud800", "") + "x" * 200_000  # more than a command-line argument can hold
    field = "messages" if protocol == "chat" else "input"
    request = {"model": "test-model", field: [{"role": "user", "content": prompt}], "stream": True}
    model.plays(text("京都"))
    command = curl_command(request, model.url)
    done = subprocess.run(
        ["bash"],
        input=command,
        env={"PATH": os.environ["PATH"], "OPENAI_API_KEY": "sk-test-key"},
        cwd=tmp_path,
        capture_output=True,
        encoding="utf-8",
        timeout=30,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert model.requests == [request]
    assert done.stdout.count("data: ") > 3
    if protocol == "responses":
        assert model.headers[0]["Authorization"] == "Bearer sk-test-key"


def test_the_command_for_a_small_request_looks_like_this() -> None:
    assert curl_command({"input": "It's 京都\n\x1b[2J\u202e", "stream": True}) == (
        "curl -sSN 'https://api.openai.com/v1/responses' \\\n"
        '  -H "Authorization: Bearer $OPENAI_API_KEY" \\\n'
        "  -H 'Content-Type: application/json' \\\n"
        "  --data-binary @- <<'JSON'\n"
        "{\n"
        '  "input": "It\'s 京都\\n\\u001b[2J\\u202e",\n'
        '  "stream": true\n'
        "}\n"
        "JSON\n"
    )


def test_an_address_cannot_leave_its_quotes() -> None:
    assert curl_command({}, "http://host/'$(id)'").startswith(
        "curl -sSN 'http://host/%27$(id)%27/responses' \\\n"
    )
