"""The hosted tools of the demo: web search, code interpreter, image generation and a remote library, all invented.

A tool is used only if the request offers it, and the answer says that its result is invented.
"""

import base64
import json
import math
import struct
import zlib
from collections.abc import Mapping, Sequence
from functools import cache

from assistant.demo.items import Json, new_id, new_item, new_text
from assistant.demo.replies import vocabulary

Sentences = Mapping[str, str]

SENTENCES: Mapping[str, Sentences] = {
    "en": {
        "web": "The demo has no web access, so these two pages about {topic} are invented.",
        "claim 1": "One recommends a visit in any season.",
        "page 1": "{topic} through the year",
        "claim 2": "The other says that two days are enough for the highlights.",
        "page 2": "Two days: {topic}",
        "code": "There are **25** primes below 100. The demo runs no code: it always shows this program.",
        "image": "Here is your image. The demo always paints the sea.",
        "library": "The library says: {output}",
        "books": "There are 3 books about {topic} (this library is part of the demo).",
        "denied": "OK, I won't ask the library.",
    },
    "ja": {
        "web": "デモはウェブに接続しないため、{topic}についての次の2つのページは架空のものです。",
        "claim 1": "1つ目は、どの季節でも訪れる価値があるとしています。",
        "page 1": "{topic}の一年",
        "claim 2": "2つ目は、2日あれば見どころを回れるとしています。",
        "page 2": "2日間で{topic}",
        "code": "100未満の素数は**25個**です。デモはコードを実行せず、常にこのプログラムを表示します。",
        "image": "絵ができました。このデモは、何を頼まれても海を描きます。",
        "library": "図書館の答え：{output}",
        "books": "{topic}についての本が3冊あります（この図書館はデモの一部です）。",
        "denied": "では、図書館には尋ねません。",
    },
}

PROGRAM = """\
primes = [n for n in range(2, 100) if all(n % d for d in range(2, n))]
print(len(primes), "primes, the largest is", primes[-1])
"""
PRINTED = "25 primes, the largest is 97\n"


def hosted_items(question: str, since: Sequence[Json], tools: Sequence[Json]) -> list[Json]:
    """Return the items that answer a question with a hosted tool; [] if the question needs none.

    Args:
        question: The user's last message.
        since: The items after it.
        tools: The request's tools.
    """
    kinds = {tool.get("type"): tool for tool in tools}
    sentences = SENTENCES[vocabulary.language_of(question)]
    if "web_search" in kinds and (found := vocabulary.SEARCH.search(question)):
        return _web_search(_topic(found.groups()), sentences)
    if "code_interpreter" in kinds and vocabulary.RUN_CODE.search(question):
        run = {
            "container_id": new_id("cntr"),
            "code": PROGRAM,
            "outputs": [{"type": "logs", "logs": PRINTED}],
        }
        return [new_item("code_interpreter_call", status="completed", **run), new_text(sentences["code"])]
    if "image_generation" in kinds and vocabulary.DRAW.search(question):
        image = {"result": base64.b64encode(draw_sea(480, 320)).decode(), "output_format": "png"}
        call = new_item("image_generation_call", status="completed", revised_prompt=question[:200], **image)
        return [call, new_text(sentences["image"])]
    if "mcp" in kinds and (found := vocabulary.ASK_LIBRARY.search(question)):
        label = str(kinds["mcp"].get("server_label"))
        return _library(_topic(found.groups()), since, label, sentences)
    return []


def _topic(groups: Sequence[str | None]) -> str:
    topic = next((group.strip() for group in groups if group and group.strip()), "")
    return topic[:60] or "…"


def _web_search(topic: str, sentences: Sentences) -> list[Json]:
    text, annotations = sentences["web"].format(topic=topic), []
    for number in (1, 2):
        start = len(text) + 1
        text += f" {sentences[f'claim {number}']}"
        title = sentences[f"page {number}"].format(topic=topic)
        source = {"title": title, "url": f"https://example.com/page/{number}"}
        annotations.append({"type": "url_citation", "start_index": start, "end_index": len(text), **source})
    action = {"type": "search", "query": topic, "queries": [topic]}
    return [new_item("web_search_call", status="completed", action=action), new_text(text, annotations)]


def _library(topic: str, since: Sequence[Json], label: str, sentences: Sentences) -> list[Json]:
    """Request approval for a call of the library, or return the call and its answer."""
    arguments = json.dumps({"topic": topic}, ensure_ascii=False)
    call = {"name": "find_books", "server_label": label, "arguments": arguments}
    responses = [item for item in since if item["type"] == "mcp_approval_response"]
    if not responses:
        return [new_item("mcp_approval_request", **call)]
    if not responses[-1].get("approve"):
        return [new_text(sentences["denied"])]
    output = sentences["books"].format(topic=topic)
    approval = {"approval_request_id": responses[-1]["approval_request_id"], "status": "completed"}
    item = new_item("mcp_call", **call, **approval, output=output, error=None)
    return [item, new_text(sentences["library"].format(output=output))]


@cache
def draw_sea(width: int, height: int, grain: int = 1) -> bytes:
    """Return a PNG (https://www.w3.org/TR/png-3/) of a sunset at sea, in squares of ``grain`` pixels."""
    rows = b""
    for y in range(0, height, grain):
        row = _row(y / height, width // grain, height // grain)
        pixels = (row[index : index + 3] * grain for index in range(0, len(row), 3))
        rows += (b"\0" + b"".join(pixels)) * grain
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    chunks = (b"IHDR", header), (b"IDAT", zlib.compress(rows, 9)), (b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
        for name, data in chunks
    )


def _row(y: float, width: int, height: int) -> bytes:
    """Return the pixels of a row; ``y`` is 0 at the top and 1 at the bottom."""
    horizon = 0.62
    if y < horizon:
        sky = bytes(int(a + (b - a) * y / horizon) for a, b in ((40, 250), (70, 170), (140, 110)))
        square = 0.16**2 - (y - 0.5) ** 2  # of half the sun's width at this height
        half = int(math.sqrt(square) * height) if square > 0 else 0
        margin = (width - 2 * half) // 2
        return sky * margin + bytes((255, 225, 140)) * (2 * half) + sky * (width - margin - 2 * half)
    depth = (y - horizon) / (1 - horizon)
    water = bytes(int(a + (b - a) * depth) for a, b in ((190, 20), (120, 50), (110, 90)))
    half = int(width * (0.05 + 0.08 * abs(math.sin(y * 90)))) if depth < 0.8 else 0  # the reflection
    margin = (width - 2 * half) // 2
    return water * margin + bytes((250, 190, 120)) * (2 * half) + water * (width - margin - 2 * half)
