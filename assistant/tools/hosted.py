"""Tools that the model's server runs itself: which of them are asked for, and in which words. Pure.

    web_search, code_interpreter, image_generation, file_search, file_search:vs_123,
    mcp:wiki=https://mcp.example.com/mcp

Not here: what they do and say (``backends/responses_hosted.py``), or drawing (``ui/hosted.py``).

The one rule: where a remote server is, the settings say; no page and no model does.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from assistant.events import HostedKind
from assistant.recordings.redaction import has_secret_query, secrets_of

ALONE: tuple[HostedKind, ...] = ("web_search", "code_interpreter", "image_generation", "file_search")
"""Those that need nothing but their names; file search then looks through what is attached in the thread."""

_EXPLAINED = (
    "Name tools with commas between them: web_search, code_interpreter, image_generation, file_search, "
    "file_search:ID-OF-A-VECTOR-STORE, mcp:NAME=https://…"
)

# It is part of every request, and so of every tape; and those who look at a page see its tapes.
_NO_KEYS = (
    "The address of {label!r} has a name, a password or a key in it, which whoever sees the page could "
    "read. Name a server that needs none."
)


@dataclass(frozen=True, slots=True)
class HostedTool:
    """One of them; ``where`` is a vector store's id, or the address of a remote server named ``label``.

    File search without a store looks through what is attached in the thread.
    """

    kind: HostedKind
    where: str = ""
    label: str = ""

    def __str__(self) -> str:
        """The words that ``parse`` reads."""
        where = f"{self.label}={self.where}" if self.label else self.where
        return f"{self.kind}:{where}" if where else self.kind


def parse(text: str) -> tuple[HostedTool, ...]:
    """The tools that a text names.

    Raises:
        ValueError: It names something else; the text is a sentence.
    """
    named = (_one(each.strip()) for each in text.split(",") if each.strip())
    return tuple(dict.fromkeys(named))


def format_hosted_tools(tools: Iterable[HostedTool]) -> str:
    """The text that names these tools."""
    return ", ".join(map(str, tools))


def offered(named: str, *, has_all: bool) -> tuple[HostedTool, ...]:
    """What a person can switch on: what the settings name, and more where a server ``has_all``."""
    more = [HostedTool(kind) for kind in ALONE] if has_all else []
    return tuple(dict.fromkeys([*more, *parse(named)]))


def request_fields(tools: Iterable[HostedTool]) -> tuple[list[dict[str, Any]], list[str]]:
    """What a request says to have these tools, and what it must ask for to see what came of them."""
    asked: list[dict[str, Any]] = []
    include: list[str] = []
    stores: list[str] = []
    for tool in tools:
        match tool.kind:
            case "web_search":
                asked.append({"type": "web_search"})
            case "code_interpreter":
                asked.append({"type": "code_interpreter", "container": {"type": "auto"}})
                include.append("code_interpreter_call.outputs")
            case "image_generation":
                # WebP: the same picture in a fifth of the size of a PNG, and it is kept with the thread.
                asked.append({"type": "image_generation", "output_format": "webp", "partial_images": 2})
            case "file_search":
                if (results := "file_search_call.results") not in include:
                    include.append(results)
                if tool.where and not stores:
                    asked.append({"type": "file_search", "vector_store_ids": stores})
                if tool.where:  # else there is nothing to look through yet
                    stores.append(tool.where)
            case "mcp":
                remote = {"server_label": tool.label, "server_url": tool.where, "require_approval": "always"}
                asked.append({"type": "mcp", **remote})
    return asked, include


def _one(text: str) -> HostedTool:
    if text in ALONE:
        return HostedTool(text)
    kind, _, rest = text.partition(":")
    if kind == "file_search" and re.fullmatch(r"[\w-]{1,200}", rest, re.ASCII):
        return HostedTool("file_search", rest)
    label, _, address = rest.partition("=")
    if kind == "mcp" and re.fullmatch(r"[A-Za-z][\w-]{0,63}", label, re.ASCII) and _is_address(address):
        if secrets_of(address, {}) or "@" in urlsplit(address).netloc or has_secret_query(address):
            raise ValueError(_NO_KEYS.format(label=label))
        return HostedTool("mcp", address, label)
    # The text itself may hold something secret in the place of an address.
    shown = kind if len(kind) <= 40 else f"{kind[:39]}…"
    raise ValueError(f"{shown!r} is no such tool, or lacks something. {_EXPLAINED}")


def _is_address(text: str) -> bool:
    try:
        parts = urlsplit(text)
        return parts.scheme in ("http", "https") and bool(parts.hostname)
    except ValueError:
        return False
