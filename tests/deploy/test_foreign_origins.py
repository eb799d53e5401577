"""A page of another origin is refused at once, also where the server's own requests to the internet are dropped."""

import socket
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from tests.access.visitors import Visitor
from tests.deploy.deployments import answers
from tests.deploy.test_process import Start, start, until
from tests.paths import ROOT
from tests.ports import free_port
from tests.ui.test_config import opened

__all__ = ["start"]  # a fixture

pytestmark = pytest.mark.exhaustive

FOREIGN = ("https://attacker.example", "http://localhost.attacker.example", "null")


class Blackhole:
    """A proxy to the internet that takes connections and never answers, as where packets are dropped."""

    def __init__(self, listener: socket.socket) -> None:
        self.url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        self.taken: list[socket.socket] = []
        self._listener = listener
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                self.taken.append(self._listener.accept()[0])


@pytest.fixture
def egress() -> Iterator[Blackhole]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        blackhole = Blackhole(listener)
        yield blackhole
        listener.shutdown(socket.SHUT_RDWR)
    for each in blackhole.taken:
        each.close()


def served(start: Start, folder: Path, egress: Blackhole, *command: str) -> str:
    """Serve the page with all egress through the proxy, and return its address."""
    port = free_port()
    process = start(
        *command,
        STREAMLIT_SERVER_PORT=str(port),
        STREAMLIT_SERVER_ADDRESS="127.0.0.1",
        STREAMLIT_SERVER_HEADLESS="true",
        HTTP_PROXY=egress.url,
        HTTPS_PROXY=egress.url,
    )

    until(lambda: answers(port), process, folder / "log")
    return f"127.0.0.1:{port}"


def test_in_the_container_a_foreign_origin_is_refused_without_a_lookup(
    start: Start, tmp_path: Path, egress: Blackhole
) -> None:
    address = served(start, tmp_path, egress, str(ROOT / "deploy/serve.py"))
    assert [opened(address, origin=each) for each in FOREIGN] == [403] * len(FOREIGN)
    assert opened(address, origin=f"http://{address}") == 101
    assert egress.taken == []


def test_elsewhere_there_is_no_lookup_from_the_first_visitor_on(
    start: Start, tmp_path: Path, egress: Blackhole
) -> None:
    address = served(start, tmp_path, egress, "-m", "streamlit", "run", str(ROOT / "streamlit_app.py"))
    assert opened(address, origin=FOREIGN[0]) == 403
    lookups = len(egress.taken)
    assert lookups > 0, "Streamlit looks: this test can see it"
    with Visitor(f"http://{address}"):
        assert [opened(address, origin=each) for each in FOREIGN] == [403] * len(FOREIGN)
    assert len(egress.taken) == lookups
