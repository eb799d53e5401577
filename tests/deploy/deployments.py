"""The page as Streamlit Community Cloud and as the container start it, with a key of the owner and nothing else set."""

import json
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from http.client import HTTPConnection
from pathlib import Path

from tests.deploy.stranger import Stranger
from tests.environment import without_settings
from tests.paths import ROOT
from tests.ports import free_port
from tests.servers.responses import ModelServer, text
from tests.waiting import until

KEY = "sk-canary-of-the-owner"
QUESTION = "canary question of the owner"
ANSWER = "canary answer of the model"
SOURCE = '''
from assistant import tool

TOKEN = "canary-constant-of-a-module"


@tool
def canary_price() -> str:
    """Return a price."""
    return "12" if TOKEN else ""
'''
PATIENCE = 60.0


@dataclass
class Deployment:
    """A page that runs, whose owner has a chat open.

    Attributes:
        secrets: What no stranger may see, by what it is.
        owner: The owner's browser session.
    """

    port: int
    model: ModelServer
    log: Path
    secrets: dict[str, str]
    owner: Stranger

    def leaks(self, stranger: Stranger) -> list[str]:
        """Return what a stranger has seen of the secrets, beyond what they have sent themselves."""
        return [
            name
            for name, secret in self.secrets.items()
            if secret.encode() in stranger.seen and secret.encode() not in stranger.sent
        ]


def dockerfile() -> list[tuple[str, str]]:
    """Return the instructions of the Dockerfile and their arguments."""
    text = re.sub(r"^#.*\n", "", (ROOT / "Dockerfile").read_text(), flags=re.MULTILINE).replace("\\\n", " ")
    return [
        (line.partition(" ")[0], line.partition(" ")[2].strip()) for line in text.splitlines() if line.strip()
    ]


def copy_image(app: Path) -> None:
    """Copy the files of the image as the Dockerfile does."""
    for name, about in dockerfile():
        if name == "COPY":
            *paths, target = shlex.split(about)
            for path in paths:
                place = app / target
                if (ROOT / path).is_dir():
                    shutil.copytree(ROOT / path, place, ignore=shutil.ignore_patterns("__pycache__"))
                else:
                    place.mkdir(parents=True, exist_ok=True)
                    shutil.copy(ROOT / path, place)


def image_environment(data: Path) -> dict[str, str]:
    """Return the environment of the image, with another folder for ``/data``."""
    pairs = (pair for name, about in dockerfile() if name == "ENV" for pair in shlex.split(about))
    return {name: value.replace("/data", str(data)) for name, value in (pair.split("=", 1) for pair in pairs)}


def image_command() -> list[str]:
    """Return the command of the image, with this Python."""
    [command] = [json.loads(about) for name, about in dockerfile() if name == "CMD"]
    assert command[0] == "python"
    return [sys.executable, *command[1:]]


@contextmanager
def deployed(kind: str, folder: Path) -> Iterator[Deployment]:
    """Start the page as ``Cloud`` or ``container``; its owner opens the link of the log and has a chat."""
    (app := folder / "app").mkdir()
    (data := folder / "data").mkdir()
    environment = without_settings()
    port, log = free_port(), folder / "log"
    with ModelServer() as model:
        key = {
            "OPENAI_API_KEY": KEY,
            "OPENAI_BASE_URL": model.url,
        }  # the address: so that requests can be counted
        if kind == "container":
            copy_image(app)
            environment |= image_environment(data) | key
            command = image_command()
        else:
            shutil.copytree(ROOT / ".streamlit", app / ".streamlit")
            shutil.copytree(
                ROOT / "assistant", app / "assistant", ignore=shutil.ignore_patterns("__pycache__")
            )
            shutil.copy(ROOT / "streamlit_app.py", app)
            secrets = "".join(f"{name} = {json.dumps(value)}\n" for name, value in key.items())
            (app / ".streamlit/secrets.toml").write_text(secrets)
            environment |= {"HOME": str(data), "STREAMLIT_SERVER_HEADLESS": "true"}
            command = [sys.executable, "-m", "streamlit", "run", "streamlit_app.py"]
        (app / "assistant/functions/canary.py").write_text(SOURCE)
        environment |= {"STREAMLIT_SERVER_PORT": str(port), "STREAMLIT_SERVER_ADDRESS": "127.0.0.1"}
        with log.open("wb") as output, subprocess.Popen(
            command, cwd=app, env=environment, stdin=subprocess.DEVNULL, stdout=output, stderr=output
        ) as process:  # fmt: skip
            try:
                until(lambda: answers(port), "the page does not answer", PATIENCE)
                with opened_by_its_owner(port, model, log) as deployment:
                    yield deployment
            finally:
                process.kill()


def answers(port: int) -> bool:
    """Return whether the page's server is up."""
    with suppress(OSError), closing(HTTPConnection("127.0.0.1", port, timeout=10)) as connection:
        connection.request("GET", "/_stcore/health")
        with connection.getresponse() as response:
            return response.status == 200
    return False


@contextmanager
def opened_by_its_owner(port: int, model: ModelServer, log: Path) -> Iterator[Deployment]:
    """Let the owner open the page by the link in the log, and ask something; their browser stays open."""
    with Stranger(port) as visitor:
        assert visitor.shows("Is this your machine?")
    until(lambda: "?token=" in log.read_text(), "the log has no link")
    [token] = re.findall(r"\?token=(\S+)", log.read_text())
    with Stranger(port, f"token={token}") as owner:
        model.plays(text(ANSWER))
        owner.say(QUESTION)
        assert owner.shows(ANSWER), "the owner's key works for the owner"
        thread = owner.query.partition("thread=")[2]
        see_all(owner)
        [conversation] = model.conversations
        secrets = {
            "key": KEY,
            "token": token,
            "server": model.url.partition("//")[2].partition("/")[0],
            "conversation": conversation,
            "question": QUESTION,
            "answer": ANSWER,
            "thread": thread,
            "database": "threads.sqlite",
            "source": "canary-constant-of-a-module",
        }
        assert all(secrets.values())
        yield Deployment(port, model, log, secrets, owner)


def see_all(owner: Stranger) -> None:
    """Open every part of the page that only the owner has: an attacker with a page of their own knows it, too."""
    owner.use(inspector=True)
    for tab in ("Functions", "Code", "Faults", "Run log"):
        owner.use(inspector_tab=[tab])
    owner.use(inspector=False)
    owner.press("open_connection")
    owner.use(connection="Custom URL")
