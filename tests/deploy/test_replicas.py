"""Two replicas of the page with one PostgreSQL database, behind the proxy of ``deploy/``, under a path."""

import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, suppress
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPResponse
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from assistant.storage.store import Store
from tests.browser.conftest import browser
from tests.browser.driver import INPUT, MESSAGE, say, wait_for
from tests.conftest import need
from tests.environment import without_settings
from tests.paths import ROOT
from tests.ports import free_port
from tests.servers.responses import ModelServer, call, calls, text
from tests.waiting import until

if TYPE_CHECKING:
    from playwright.sync_api import Browser

__all__ = ["browser"]  # a fixture

pytestmark = pytest.mark.exhaustive

PREFIX = "/chat"
PATIENCE = 40.0


@dataclass
class Deployment:
    """The proxy's port, its log, and the replicas by their names in the proxy."""

    port: int
    log: Path
    database: str
    replicas: dict[str, subprocess.Popen[bytes]]

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}{PREFIX}/"

    def get(self, path: str, **headers: str) -> HTTPResponse:
        with closing(HTTPConnection("127.0.0.1", self.port, timeout=10)) as connection:
            connection.request("GET", path, headers=headers)
            answer = connection.getresponse()
            answer.read()
            return answer


def cookies(answer: HTTPResponse) -> str:
    return "\n".join(answer.headers.get_all("Set-Cookie") or [])


@pytest.fixture
def deployed(server: ModelServer, databases: Callable[[], str], tmp_path: Path) -> Iterator[Deployment]:
    haproxy = shutil.which("haproxy") or shutil.which("haproxy", path="/usr/sbin")
    need(haproxy, "Debian's haproxy")
    database = databases()
    surroundings = without_settings() | {
        "OPENAI_BASE_URL": server.url,
        "ASSISTANT_DATABASE_URL": database,
        "ASSISTANT_LOG": "json",
        "STREAMLIT_SERVER_BASE_URL_PATH": PREFIX.strip("/"),
        "STREAMLIT_SERVER_ALLOWED_HOSTS": "127.0.0.1",
        "STREAMLIT_SERVER_COOKIE_SECRET": "the same for all replicas",
        "STREAMLIT_SERVER_HEADLESS": "true",
        "STREAMLIT_SERVER_ADDRESS": "127.0.0.1",
        "STREAMLIT_SERVER_FILE_WATCHER_TYPE": "none",
    }
    with ExitStack() as processes:

        def begin(name: str, command: list[str], **more: str) -> subprocess.Popen[bytes]:
            log = processes.enter_context((tmp_path / name).open("wb"))
            process = subprocess.Popen(
                command, cwd=ROOT, env=surroundings | more, stdout=log, stderr=subprocess.STDOUT
            )
            processes.enter_context(process)
            processes.callback(process.kill)
            return process

        ports = {"one": free_port(), "two": free_port()}
        command = [sys.executable, "-m", "streamlit", "run", "streamlit_app.py"]
        replicas = {
            name: begin(name, command, STREAMLIT_SERVER_PORT=str(port)) for name, port in ports.items()
        }
        proxied = {name.upper(): f"127.0.0.1:{port}" for name, port in ports.items()}
        port = free_port()
        begin(
            "proxy",
            [str(haproxy), "-db", "-f", str(ROOT / "deploy/haproxy.cfg")],
            PORT=str(port),
            PREFIX=PREFIX,
            TRUSTED_PROXY="127.0.0.1",
            **proxied,
        )
        deployment = Deployment(port, tmp_path / "proxy", database, replicas)

        def both_answer() -> bool:
            time.sleep(0.1)  # the proxy bounds the requests of a visitor
            with suppress(OSError):
                found = [cookies(deployment.get(f"{PREFIX}/_stcore/health")) for _ in range(4)]
                return all(any(f"replica={name};" in each for each in found) for name in replicas)
            return False

        until(both_answer, "the replicas do not answer", PATIENCE)
        yield deployment


def test_the_proxy_serves_the_page_and_nothing_else(deployed: Deployment) -> None:
    page = deployed.get(f"{PREFIX}/?thread=canary")
    assert (page.status, page.headers["Referrer-Policy"]) == (200, "same-origin")
    assert "; HttpOnly; SameSite=Lax" in cookies(page)
    there = [deployed.get(path).headers["Location"] for path in ("/", PREFIX)]
    assert there == [f"{PREFIX}/", f"{PREFIX}/"]
    metrics = [
        f"{PREFIX}/_stcore/{name}"
        for name in ("metrics", "%6detrics", "%6D%65trics", "metrics/", "metrics%2f")
    ]
    closed = ["/x", "/_stcore/health", f"{PREFIX}x/", *metrics, f"{PREFIX}/%5fstcore/metrics"]
    assert {path: deployed.get(path).status for path in closed} == dict.fromkeys(closed, 404)
    host = f"127.0.0.1:{deployed.port}"
    origins = {
        f"http://{host}": 200,
        f"https://{host}": 200,
        "https://chat.example": 403,
        "null": 403,
        "": 403,
    }
    assert {each: deployed.get(f"{PREFIX}/", Origin=each).status for each in origins} == origins
    until(lambda: f" GET {PREFIX}/ " in deployed.log.read_text(), "nothing is in the proxy's log")
    assert "canary" not in deployed.log.read_text(), "a thread's address is its only key"


def test_the_proxy_bounds_what_a_visitor_requests_and_sends(deployed: Deployment) -> None:
    path = f"{PREFIX}/_stcore/health"
    bodies = {"Content-Length": "60000000"}, {"Transfer-Encoding": "chunked"}
    assert [deployed.get(path, **headers).status for headers in bodies] == [413, 411]
    one, other = {"X-Forwarded-For": "198.51.100.1"}, {"X-Forwarded-For": "198.51.100.1, 203.0.113.9"}

    def statuses(source: str, headers: Callable[[int], dict[str, str]]) -> list[int]:
        found = []
        address = ("127.0.0.1", deployed.port)
        with closing(HTTPConnection(*address, timeout=10, source_address=(source, 0))) as connection:
            for number in range(700):
                connection.request("GET", "/", headers=headers(number))
                with connection.getresponse() as answer:
                    answer.read()
                found.append(answer.status)
        return found

    bounded = [302] * 500, [429] * 50
    found = statuses("127.0.0.1", lambda _: one)
    assert (found[:500], found[-50:]) == bounded
    # Who is not the trusted proxy does not become another visitor by a header.
    found = statuses("127.0.0.2", lambda number: {"X-Forwarded-For": f"198.51.100.{number % 250}"})
    assert (found[:500], found[-50:]) == bounded
    assert deployed.get(path, **other).status == 200, "another visitor behind the same proxy"


def test_a_session_stays_with_its_replica(deployed: Deployment) -> None:
    for name in deployed.replicas:
        again = [deployed.get(f"{PREFIX}/", Cookie=f"replica={name}") for _ in range(4)]
        assert [cookies(each) for each in again if "replica=" in cookies(each)] == []


@pytest.mark.browser
def test_a_thread_continues_at_the_other_replica_when_one_is_killed(
    deployed: Deployment, server: ModelServer, browser: "Browser"
) -> None:
    gate = threading.Event()
    half = text("Now comes a long answer", gate=gate, gate_after=6)
    server.plays(
        calls(call("calculate", expression="6*7"), call("get_current_time", time_zone="UTC")),
        text("It is 42."),
        half,
        text("All is well."),
    )
    context = browser.new_context(viewport={"width": 900, "height": 800})
    page = context.new_page()
    page.set_default_timeout(PATIENCE * 1000)
    page.goto(deployed.url)
    page.wait_for_selector(INPUT)
    assert page.locator(".st-key-search").count() == 0, "it is not seen on its own machine"
    say(page, "6*7?")
    wait_for(page, "It is 42.")
    assert "calculate" in page.locator(MESSAGE).last.inner_text()
    thread = page.url
    assert f"{PREFIX}/?thread=" in thread

    say(page, "And now?")
    wait_for(page, "Now comes")
    with closing(Store(deployed.database)) as store:  # a growing text is saved every second
        until(lambda: "Now comes" in str(store.load(thread.partition("=")[2])), "it is not kept")
    [used] = [each["value"] for each in context.cookies() if each["name"] == "replica"]
    deployed.replicas[used].send_signal(signal.SIGKILL)
    deployed.replicas[used].wait()
    began = time.monotonic()

    page.reload()
    page.wait_for_selector(INPUT)
    wait_for(page, "Now comes")
    print(f"The thread was there again {time.monotonic() - began:.1f} s after its replica was killed.")
    assert "It is 42." in page.locator(MESSAGE).nth(1).inner_text()
    wait_for(page, "This answer was interrupted because the application stopped.")
    print(f"Its answer was given up {time.monotonic() - began:.1f} s after.")
    say(page, "Are you there?")
    wait_for(page, "All is well.")
    assert page.url == thread
    [other] = [each["value"] for each in context.cookies() if each["name"] == "replica"]
    assert {used, other} == {"one", "two"}
    gate.set()
    context.close()
