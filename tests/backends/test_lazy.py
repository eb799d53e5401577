"""A backend is created once, on the first request."""

import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from assistant import Assistant, Thread, Toolbox
from assistant.backends import RemoteBackend, open_backend
from assistant.events import RunCompleted, RunFailed
from assistant.settings import Settings
from tests.paths import ROOT
from tests.servers.responses import ModelServer, text

PAGE = """
import sys
from streamlit.testing.v1 import AppTest

page = AppTest.from_file(sys.argv[1], default_timeout=60).run()
before = "openai" in sys.modules
page.chat_input[0].set_value("Hello").run()
assert not page.exception
print(before, "openai" in sys.modules, [message.name for message in page.chat_message])
"""


@pytest.mark.exhaustive
def test_the_sdk_is_loaded_with_the_first_request(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", PAGE, ROOT / "streamlit_app.py"],
        cwd=ROOT,
        env={"PATH": "", "OPENAI_API_KEY": "", "ASSISTANT_DATABASE_URL": f"sqlite:///{tmp_path}/t.sqlite"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == "False True ['user', 'assistant']\n"


def test_simultaneous_first_requests_share_one_backend() -> None:
    with ModelServer(conversations=False) as server, ThreadPoolExecutor(4) as people:
        backend = open_backend(Settings(base_url=server.url))
        start = threading.Barrier(4)

        def first(_: int) -> RemoteBackend:
            start.wait()
            return backend.backend()

        assert len({id(backend) for backend in people.map(first, range(4))}) == 1
        backend.close()


def test_a_failed_creation_is_retried_with_the_next_request() -> None:
    with ModelServer(conversations=False) as server:
        backend = open_backend(Settings(base_url=server.url))
        assistant, thread = Assistant(backend, Toolbox()), Thread()
        server.pages = True
        failed = list(assistant.run(thread, "Hi"))[-1]
        assert isinstance(failed, RunFailed)
        assert (failed.code, backend.protocol) == ("not_the_api", "auto")
        server.pages = False
        server.plays(text("Hello."))
        assert list(assistant.resume(thread))[-1] == RunCompleted()
        assert (thread.messages[-1].text, backend.protocol) == ("Hello.", "responses")
        backend.close()
