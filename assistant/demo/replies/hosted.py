"""The hosted tools of the demo: web search, code interpreter, image generation and a remote library, all invented.

A tool is used only if the request offers it, and the answer says that its result is invented.
"""

import base64
import json
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path

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
        image = {"result": picture("sea"), "output_format": "png"}
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
def picture(name: str) -> str:
    """Return the picture of this name, which is a file beside this one, in base64."""
    return base64.b64encode(Path(__file__).with_name(f"{name}.png").read_bytes()).decode()
