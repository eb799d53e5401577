"""How much of a prompt the server has read before, in blocks, and why it is not more."""

import hashlib
import json
from collections.abc import Iterator
from typing import Any, NamedTuple

from assistant.demo.items import Json

BLOCK_CHARS = 512
"""Size of a block: the 128 tokens in which the real API counts. It caches prompts of 1,024 tokens or more only."""

MAX_BLOCKS = 10_000
"""Maximum number of blocks that are remembered."""

_REASONS = {
    "model_changed": ("model",),
    "service_tier_changed": ("service_tier",),
    "tools_changed": ("tools",),
    "text_format_changed": ("text", "format"),
    "reasoning_effort_changed": ("reasoning", "effort"),
    "verbosity_changed": ("text", "verbosity"),
}
"""What a prompt is only found with, and the reasons of the API for a prompt that was not."""


class CacheUse(NamedTuple):
    """How many characters of a prompt were read from the cache, and how many were written to it."""

    read: int = 0
    written: int = 0


class PromptCache:
    """Remembers the beginnings of prompts."""

    def __init__(self) -> None:
        self._blocks: dict[bytes, None] = {}  # a set in the order of its entries

    def use(self, response: Json, prompt: str) -> CacheUse:
        """Return how much of the prompt is known with the options of this response, and remember the prompt."""
        head = json.dumps([_option(response, path) for path in _REASONS.values()])
        known = count = 0
        for count, block in enumerate(_blocks(head, prompt), 1):
            if block in self._blocks:
                known = count
            self._blocks[block] = None
        while len(self._blocks) > MAX_BLOCKS:
            del self._blocks[next(iter(self._blocks))]
        return CacheUse(known * BLOCK_CHARS, (count - known) * BLOCK_CHARS)


def diagnose(response: Json, prompt: str, earlier: Json | None, earlier_prompt: str) -> Json:
    """Return why a prompt is not the continuation of an earlier response's prompt, as the API says it."""
    if earlier is None:
        return {"type": "comparison_response_not_found"}
    changed = (name for name, path in _REASONS.items() if _option(response, path) != _option(earlier, path))
    if reason := next(changed, ""):
        same = 0
    elif not prompt.startswith(earlier_prompt):
        reason, same = "input_changed", _same_chars(prompt, earlier_prompt)
    else:
        return {"type": "cache_hit"}
    return {
        "type": "cache_miss",
        "reason": reason,
        "cache_missed_tokens": (len(prompt) - same) // 4,
        "comparison_reusable_tokens": len(earlier_prompt) // BLOCK_CHARS * BLOCK_CHARS // 4,
    }


def _option(response: Json, path: tuple[str, ...]) -> Any:
    value: Any = response
    for name in path:
        value = value[name]
    return value


def _same_chars(one: str, other: str) -> int:
    pairs = enumerate(zip(one, other, strict=False))
    return next((index for index, (a, b) in pairs if a != b), min(len(one), len(other)))


def _blocks(head: str, prompt: str) -> Iterator[bytes]:
    """Yield a hash of the head and everything up to the end of each whole block."""
    digest = hashlib.sha256(head.encode())
    for end in range(BLOCK_CHARS, len(prompt) + 1, BLOCK_CHARS):
        digest.update(prompt[end - BLOCK_CHARS : end].encode("utf-8", "surrogatepass"))
        yield digest.digest()
