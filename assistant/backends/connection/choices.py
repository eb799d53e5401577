"""Connections a person can choose from: what there is, and the choice itself.

Not here: what a server offers (``connections_models.py``), whether it works (``connections_check.py``), and
drawing (``ui/connection.py``).

The one rule: a key goes to the server it was given for, and into no text.
"""

import json
import socket
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field, fields, replace
from datetime import date
from http.client import HTTPConnection, HTTPException
from threading import Thread
from typing import Any
from urllib.parse import urlsplit

import httpx2

from assistant.errors import BackendError, SettingsError
from assistant.settings import OPENAI_URL, Settings

LOCAL = {"Ollama": 11434, "LM Studio": 1234, "llama.cpp": 8080, "vLLM": 8000}
"""Servers that run on a person's own machine, and the ports that they listen at unless told otherwise."""

BIGGEST_LIST = 8_000_000
"""Bytes of a list of models; what sends more is something else."""

LONGEST_NAME = 200


# --- the choice -------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class ConnectionOverride:
    """A connection that a person chose for this browser session; an empty ``base_url`` is OpenAI's."""

    base_url: str = field(default="", repr=False)  # may hold a password
    api_key: str = field(default="", repr=False)
    model: str = ""
    effort: str = ""
    demo: bool = False

    def settings(self, base: Settings) -> Settings:
        """The settings with this choice; what was set for another server alone is not carried over."""
        wanted: dict[str, Any] = {"model": self.model or base.model, "effort": self.effort}
        if not self.is_server_of(base):
            plain = Settings()
            wanted |= {"base_url": self.base_url, "api_key": self.api_key}
            for name in _OF_ITS_SERVER:
                wanted[name] = getattr(plain, name)
        known = {each.name for each in fields(base)}
        return replace(base, **{name: value for name, value in wanted.items() if name in known})

    def is_server_of(self, settings: Settings) -> bool:
        """Whether these settings lead to the same server with the same key."""
        return (self.base_url, self.api_key) == (settings.base_url, settings.api_key)

    def problem(self) -> str:
        """Why nothing can be connected to with this, in one sentence; nothing if it can be tried."""
        if self.demo:
            return ""
        if not self.base_url and not self.api_key:
            return "Enter a key of your account."
        try:
            Settings.load({"OPENAI_BASE_URL": self.base_url})
            server = httpx2.URL(self.base_url or OPENAI_URL)
            if server.userinfo or not server.host:
                return "Leave the name and the password out of the address, and enter a key instead."
        except (SettingsError, httpx2.InvalidURL, ValueError):
            return "This is not an address. Write it with its scheme, such as http://localhost:11434/v1."
        try:
            Settings.load({"OPENAI_API_KEY": self.api_key})
        except SettingsError:
            return (
                "The key holds a space or a character that no key has. Copy it again, in one piece "
                "and without quotes."
            )
        return ""


_OF_ITS_SERVER = (
    "agent_id", "assistant_id", "protocol", "context", "background", "hosted_tools",
    "limit_person", "limit_all",
)  # fmt: skip


def address(base_url: str) -> str:
    """The server at a base URL as a person would name it, without anything secret."""
    return urlsplit(base_url or OPENAI_URL).netloc.rpartition("@")[2]


def in_words(error: BackendError) -> str:
    """An error's text for a person who fills in a form and sets no variables."""
    words = str(error)
    for variable, field_name in _FIELDS.items():
        words = words.replace(variable, field_name)
    return words


_FIELDS = {"OPENAI_API_KEY": "the key", "OPENAI_BASE_URL": "the address", "OPENAI_MODEL": "the model"}


# --- what there is ----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Local:
    """A server that was found on this machine."""

    name: str
    base_url: str


@dataclass(frozen=True, slots=True)
class Model:
    """A model that a server lists; ``shutdown`` is the day it goes away, where that is announced."""

    id: str
    shutdown: date | None = None

    @property
    def warning(self) -> str:
        """What a person should know before choosing it; mostly nothing."""
        if self.shutdown is None:
            return ""
        if self.shutdown <= date.today():
            return f"{self.id} was to be shut down on {self.shutdown}. Choose another one."
        return f"{self.id} will be shut down on {self.shutdown}. Choose another one before that."


@dataclass(frozen=True, slots=True)
class Finding:
    """What was found out about one thing; ``ok`` is None where it is neither well nor broken."""

    name: str
    ok: bool | None
    words: str


def local_servers(timeout: float = 0.3, ports: Mapping[str, int] = LOCAL) -> list[Local]:
    """The servers of this machine that answer at these ports with a list of models; nothing else is asked."""
    found: dict[str, Local] = {}
    sockets: list[socket.socket] = []
    deadline = time.monotonic() + timeout

    def ask(name: str, port: int) -> None:
        # Not the SDK's client: no proxy, no redirect to elsewhere, no key.
        with suppress(OSError, HTTPException, ValueError, RecursionError):
            connection = HTTPConnection("127.0.0.1", port, timeout=timeout)
            connection.connect()
            with connection.sock as connected:
                sockets.append(connected)
                connection.request("GET", "/v1/models", headers={"Connection": "close"})
                with connection.getresponse() as response:
                    is_list = listed(json.loads(response.read(BIGGEST_LIST))) is not None
            if is_list and response.status == 200:
                found[name] = Local(name, f"http://127.0.0.1:{port}/v1")

    threads = [Thread(target=ask, args=each, daemon=True) for each in ports.items()]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(max(0.0, deadline - time.monotonic()))
    for connected in list(sockets):  # what is still talking would go on for ever
        with suppress(OSError):
            connected.shutdown(socket.SHUT_RDWR)
    return [found[name] for name in ports if name in found]


def listed(body: object) -> list[Model] | None:
    """The models in a server's answer, by name; None if it is no list of models.

    Ollama without models says ``null`` for none; some servers send the list by itself.
    """
    entries = body
    if isinstance(body, dict):
        entries = body.get("data") or body.get("models")
        if entries is None and (body.get("object") == "list" or "data" in body or "models" in body):
            entries = []
    if not isinstance(entries, list):
        return None
    found = {}
    for entry in entries:
        about = entry if isinstance(entry, dict) else {"id": entry}
        name = about.get("id") or about.get("name")
        if isinstance(name, str) and name.isprintable() and 0 < len(name.strip()) <= LONGEST_NAME:
            found[name] = Model(name, _day(about.get("shutdown_date")))
    return None if entries and not found else sorted(found.values(), key=lambda model: model.id)


def _day(value: object) -> date | None:
    with suppress(ValueError):
        return date.fromisoformat(value[:10]) if isinstance(value, str) else None
    return None


def efforts(model: str) -> tuple[str, ...]:
    """The reasoning efforts of a model, as its vendor documents them; nothing for one that is not known."""
    name = model.rpartition("/")[2]  # some servers put the vendor before it
    for known, its_efforts in _EFFORTS.items():
        if name == known or name.startswith(f"{known}-"):
            return its_efforts
    return ()


_THINKING = ("low", "medium", "high", "xhigh", "max")
_EFFORTS = {
    "gpt-6-luna": ("none", *_THINKING),
    "gpt-6.1-terra": ("none", *_THINKING),
    "gpt-6.1-sol": _THINKING,
    "gpt-6.2-sol": _THINKING,
    "gpt-6.2-astra": _THINKING,
    "gpt-6-astra": _THINKING,
    "gpt-5.6-luna": ("none", *_THINKING),
    "gpt-5.6-terra": ("none", *_THINKING),
    "gpt-5.6-sol": ("none", *_THINKING),
}
