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
import sys, threading
from streamlit.testing.v1 import AppTest

class Finder:  # notes which thread loads the SDK
    def find_spec(name, path, target=None):
        if name == "openai":
            print(threading.current_thread().name)

sys.meta_path.insert(0, Finder)
page = AppTest.from_file(sys.argv[1], default_timeout=60).run()
[thread.join() for thread in threading.enumerate() if thread.name == "load sdk"]
before = set(sys.modules)
page.chat_input[0].set_value("Hello").run()
assert not page.exception
print([message.name for message in page.chat_message])
print([name for name in set(sys.modules) - before if name.startswith("openai.resources")])
"""


@pytest.mark.exhaustive
def test_the_sdk_is_loaded_behind_the_first_page_and_before_the_first_request(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", PAGE, ROOT / "streamlit_app.py"],
        cwd=ROOT,
        env={"PATH": "", "OPENAI_API_KEY": "", "ASSISTANT_DATABASE_URL": f"sqlite:///{tmp_path}/t.sqlite"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.splitlines() == ["load sdk", "['user', 'assistant']", "[]"]


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
