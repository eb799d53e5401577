"""The tools that the demo's server runs itself: a web, a painter and a remote library, all of them made up.

Not here: functions (``answers.py``), or in which pieces it is sent (``stream.py``).
The one rule: only what a request has asked for is used, and the answer says that it was made up.
"""

import base64
import json
import math
import struct
import zlib
from collections.abc import Mapping, Sequence
from functools import cache

from assistant.demo import vocabulary as words
from assistant.demo.requests import Json, new_id

Sentences = Mapping[str, str]

SENTENCES: Mapping[str, Sentences] = {
    "en": {
        "web": "This is what two pages say about {topic}, as far as a demo without the web can tell.",
        "claim 1": "The first calls it worth a visit in any season.",
        "page 1": "{topic} through the year",
        "claim 2": "The second adds that two days are enough to see the best of it.",
        "page 2": "Two days: {topic}",
        "picture": "Here is your picture. The demo always paints the sea, whatever it is asked for.",
        "library": "The library says: {output}",
        "books": "There are 3 books about {topic}. (This library is a part of the demo.)",
        "denied": "Then I will not ask the library.",
    },
    "ja": {
        "web": "{topic}について、二つのページにはこうあります(デモなので、実際のウェブは見ていません)。",
        "claim 1": "一つ目は、どの季節でも訪れる価値があるとしています。",
        "page 1": "{topic}の一年",
        "claim 2": "二つ目は、二日あれば見どころを回れるとしています。",
        "page 2": "二日間で{topic}",
        "picture": "絵ができました。このデモは、何を頼まれても海を描きます。",
        "library": "図書館の答え：{output}",
        "books": "{topic}についての本が3冊あります。(この図書館はデモの一部です。)",
        "denied": "では、図書館には尋ねません。",
    },
}


def items_for(question: str, since: Sequence[Json], tools: Sequence[Json]) -> list[Json] | None:
    """The items that answer a question with such a tool; None where it asks for none of these.

    Args:
        question: What the person said last.
        since: The items that came after it.
        tools: The request's tools.
    """
    kinds = {tool.get("type"): tool for tool in tools}
    say = SENTENCES["ja" if words.JAPANESE.search(question) else "en"]
    question = question[:2_000]
    if "web_search" in kinds and (found := words.SEARCH.search(question)):
        return _searched(_topic(found.groups()), say)
    if "image_generation" in kinds and words.DRAW.search(question):
        made = _item("image_generation_call", "ig", status="completed", revised_prompt=question[:200])
        picture = base64.b64encode(sea(480, 320)).decode()
        return [made | {"result": picture, "output_format": "png"}, _message(say["picture"])]
    if "mcp" in kinds and (found := words.ASK_LIBRARY.search(question)):
        return _asked(_topic(found.groups()), since, str(kinds["mcp"].get("server_label")), say)
    return None


def _topic(groups: Sequence[str | None]) -> str:
    topic = next((each.strip() for each in groups if each and each.strip()), "")
    return topic[:60] or "…"


def _searched(topic: str, say: Sentences) -> list[Json]:
    text, annotations = say["web"].format(topic=topic), []
    for number in (1, 2):
        begin = len(text) + 1
        text += f" {say[f'claim {number}']}"
        title = say[f"page {number}"].format(topic=topic)
        source = {"title": title, "url": f"https://example.com/page/{number}"}
        annotations.append({"type": "url_citation", "start_index": begin, "end_index": len(text), **source})
    action = {"type": "search", "query": topic, "queries": [topic]}
    return [_item("web_search_call", "ws", status="completed", action=action), _message(text, annotations)]


def _asked(topic: str, since: Sequence[Json], label: str, say: Sentences) -> list[Json]:
    arguments = json.dumps({"topic": topic}, ensure_ascii=False)
    call = {"name": "find_books", "server_label": label, "arguments": arguments}
    decided = [item for item in since if item["type"] == "mcp_approval_response"]
    if not decided:
        return [_item("mcp_approval_request", "mcpr", **call)]
    if not decided[-1].get("approve"):
        return [_message(say["denied"])]
    output = say["books"].format(topic=topic)
    asked = {"approval_request_id": decided[-1]["approval_request_id"], "status": "completed"}
    ran = _item("mcp_call", "mcp", **call, **asked, output=output, error=None)
    return [ran, _message(say["library"].format(output=output))]


def _item(kind: str, prefix: str, **fields: object) -> Json:
    return {"id": new_id(prefix), "type": kind, **fields}


def _message(text: str, annotations: Sequence[Json] = ()) -> Json:
    part = {"type": "output_text", "text": text, "annotations": list(annotations), "logprobs": []}
    about = {"status": "completed", "role": "assistant", "phase": "final_answer"}
    return _item("message", "msg", **about, content=[part])


@cache
def sea(width: int, height: int, grain: int = 1) -> bytes:
    """A sunset over the sea, as a PNG (https://www.w3.org/TR/png-3/), in squares of so many pixels."""
    rows = b""
    for y in range(0, height, grain):
        row = _row(y / height, width // grain, height // grain)
        pixels = (row[at : at + 3] * grain for at in range(0, len(row), 3))
        rows += (b"\0" + b"".join(pixels)) * grain
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    chunks = (b"IHDR", header), (b"IDAT", zlib.compress(rows, 9)), (b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
        for name, data in chunks
    )


def _row(y: float, width: int, height: int) -> bytes:
    """One row of it, from the top (0) to the bottom (1)."""
    horizon = 0.62
    if y < horizon:
        sky = bytes(int(a + (b - a) * y / horizon) for a, b in ((40, 250), (70, 170), (140, 110)))
        reach = 0.16**2 - (y - 0.5) ** 2  # of the sun
        half = int(math.sqrt(reach) * height) if reach > 0 else 0
        rest = (width - 2 * half) // 2
        return sky * rest + bytes((255, 225, 140)) * (2 * half) + sky * (width - rest - 2 * half)
    depth = (y - horizon) / (1 - horizon)
    water = bytes(int(a + (b - a) * depth) for a, b in ((190, 20), (120, 50), (110, 90)))
    half = int(width * (0.05 + 0.08 * abs(math.sin(y * 90)))) if depth < 0.8 else 0  # the sun's light
    rest = (width - 2 * half) // 2
    return water * rest + bytes((250, 190, 120)) * (2 * half) + water * (width - rest - 2 * half)
