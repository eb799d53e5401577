"""How much of a prompt the server has read before, in blocks, as the usage of a response tells."""

import hashlib
from collections.abc import Iterator

BLOCK_CHARS = 512
"""Size of a block: the 128 tokens in which the real API counts. It caches prompts of 1,024 tokens or more only."""

MAX_BLOCKS = 10_000
"""Maximum number of blocks that are remembered."""


class PromptCache:
    """Remembers the beginnings of prompts."""

    def __init__(self) -> None:
        self._blocks: dict[bytes, None] = {}  # a set in the order of its entries

    def read(self, prompt: str) -> int:
        """Return how many characters at the beginning of the prompt are known, and remember the prompt."""
        known = 0
        for index, block in enumerate(_blocks(prompt), 1):
            if block in self._blocks:
                known = index
            self._blocks[block] = None
        while len(self._blocks) > MAX_BLOCKS:
            del self._blocks[next(iter(self._blocks))]
        return known * BLOCK_CHARS


def _blocks(prompt: str) -> Iterator[bytes]:
    """Yield a hash of everything up to the end of each whole block."""
    digest = hashlib.sha256()
    for end in range(BLOCK_CHARS, len(prompt) + 1, BLOCK_CHARS):
        digest.update(prompt[end - BLOCK_CHARS : end].encode("utf-8", "surrogatepass"))
        yield digest.digest()
