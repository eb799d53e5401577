"""The hosted tools: tools that the model's server runs itself, as settings name them.

    web_search, code_interpreter, image_generation, file_search, file_search:vs_123,
    mcp:wiki=https://mcp.example.com/mcp

Only the settings decide which remote servers there are, not the page and not the model.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from assistant.events import HostedKind
from assistant.locale import N_
from assistant.recordings.redaction import has_secret_query, secrets_of
from assistant.texts import shorten

BUILT_IN_KINDS: tuple[HostedKind, ...] = ("web_search", "code_interpreter", "image_generation", "file_search")
"""The kinds that need no address; file search without a store searches the thread's attachments."""


@dataclass(frozen=True, slots=True)
class HostedTool:
    """A hosted tool; ``where`` is a vector store's id, or the address of the remote server ``label``."""

    kind: HostedKind
    where: str = ""
    label: str = ""

    def __str__(self) -> str:
        """Return the text that ``parse_hosted_tools`` reads."""
        where = f"{self.label}={self.where}" if self.label else self.where
        return f"{self.kind}:{where}" if where else self.kind


def parse_hosted_tools(text: str) -> tuple[HostedTool, ...]:
    """Return the tools that a comma-separated text names.

    Raises:
        ValueError: A name is not a hosted tool; the text is a sentence for the user.
    """
    tools = (_parse_tool(name.strip()) for name in text.split(",") if name.strip())
    return tuple(dict.fromkeys(tools))


def format_hosted_tools(tools: Iterable[HostedTool]) -> str:
    """Return the text that names these tools."""
    return ", ".join(map(str, tools))


def available_tools(configured: str, *, all_built_in: bool) -> tuple[HostedTool, ...]:
    """Return the tools that the user can switch on: the configured ones, and maybe all built-in ones."""
    built_in = [HostedTool(kind) for kind in BUILT_IN_KINDS] if all_built_in else []
    return tuple(dict.fromkeys([*built_in, *parse_hosted_tools(configured)]))


def request_fields(tools: Iterable[HostedTool]) -> tuple[list[dict[str, Any]], list[str]]:
    """Return the request fields ``tools`` and ``include`` for these tools."""
    params: list[dict[str, Any]] = []
    include: list[str] = []
    stores: list[str] = []
    for tool in tools:
        match tool.kind:
            case "web_search":
                params.append({"type": "web_search"})
            case "code_interpreter":
                params.append({"type": "code_interpreter", "container": {"type": "auto"}})
                include.append("code_interpreter_call.outputs")
            case "image_generation":
                # A stored WebP takes a fifth of the space of the same image as PNG.
                params.append({"type": "image_generation", "output_format": "webp", "partial_images": 2})
            case "file_search":
                if (results := "file_search_call.results") not in include:
                    include.append(results)
                if tool.where and not stores:
                    params.append({"type": "file_search", "vector_store_ids": stores})
                if tool.where:  # without a store there is nothing to search yet
                    stores.append(tool.where)
            case "mcp":
                server = {"server_label": tool.label, "server_url": tool.where, "require_approval": "always"}
                params.append({"type": "mcp", **server})
    return params, include


def _parse_tool(text: str) -> HostedTool:
    if text in BUILT_IN_KINDS:
        return HostedTool(text)
    kind, _, argument = text.partition(":")
    if kind == "file_search" and re.fullmatch(r"[\w-]{1,200}", argument, re.ASCII):
        return HostedTool("file_search", argument)
    label, _, address = argument.partition("=")
    if kind == "mcp" and re.fullmatch(r"[A-Za-z][\w-]{0,63}", label, re.ASCII) and _is_address(address):
        if secrets_of(address, {}) or "@" in urlsplit(address).netloc or has_secret_query(address):
            # Every request and recording contains the address, and users can see recordings.
            raise ValueError(
                N_(
                    "The address of '{label}' contains a user name, a password or a key, which users of the "
                    "page could read. Use a server that needs none.",
                    label=label,
                )
            )
        return HostedTool("mcp", address, label)
    raise ValueError(
        N_(
            "'{name}' is not a hosted tool, or it is incomplete. Separate the tools with commas: "
            "web_search, code_interpreter, image_generation, file_search, file_search:VECTOR-STORE-ID, "
            "mcp:NAME=https://…",
            name=shorten(kind, 40),  # the argument may contain a secret
        )
    )


def _is_address(text: str) -> bool:
    try:
        parts = urlsplit(text)
        return parts.scheme in ("http", "https") and bool(parts.hostname)
    except ValueError:
        return False
