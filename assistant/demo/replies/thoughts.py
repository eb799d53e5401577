"""What stands beside an answer: a summary of the reasoning, a refusal, and the compaction of a long conversation."""

import base64
import json
from collections.abc import Sequence

from assistant.demo.replies import phrases, vocabulary
from assistant.demo.requests import Json, new_id

MAX_QUOTED_CHARS = 200


def reasoning_items(question: str, since: Sequence[Json], response: Json) -> list[Json]:
    """Return the reasoning of the first response to a question that asks to think, if its summary is requested.

    The demo does not reason. Its summary says what it does instead.
    """
    wanted = response["reasoning"].get("summary")
    if since or not wanted or not vocabulary.THINK.search(question[:2_000]):
        return []
    sentences = phrases.SENTENCES["ja" if vocabulary.JAPANESE.search(question) else "en"]
    quoted = " ".join(question.split())[:MAX_QUOTED_CHARS]
    text = sentences["reasoning"].format(question=quoted, count=len(response["tools"]))
    return [{"id": new_id("rs"), "type": "reasoning", "summary": [{"type": "summary_text", "text": text}]}]


def refusal_items(question: str) -> list[Json] | None:
    """Return the refusal of a question that the demo does not answer; None for any other."""
    if not vocabulary.REFUSED.search(question[:2_000]):
        return None
    sentences = phrases.SENTENCES["ja" if vocabulary.JAPANESE.search(question) else "en"]
    item = {"id": new_id("msg"), "type": "message", "status": "completed", "role": "assistant"}
    part = {"type": "refusal", "refusal": sentences["refusal"]}
    return [item | {"phase": "final_answer", "content": [part]}]


def compaction_items(response: Json, items: Sequence[Json], tokens: int) -> list[Json]:
    """Return the compaction of a conversation that is longer than the request allows."""
    limits = [
        each.get("compact_threshold") or 0
        for each in response["context_management"] or ()
        if each.get("type") == "compaction"
    ]
    if not limits or tokens <= min(limits):
        return []
    content = base64.b64encode(json.dumps(list(items)).encode()).decode()  # the real API encrypts it
    return [{"id": new_id("cmp"), "type": "compaction", "encrypted_content": content}]


def since_compaction(items: Sequence[Json]) -> Sequence[Json]:
    """Return the items from the newest compaction on, which stands for all before it."""
    starts = [index for index, item in enumerate(items) if item["type"] == "compaction"]
    return items[starts[-1] :] if starts else items


def restore_compacted(items: Sequence[Json]) -> list[Json]:
    """Return the items with those that the newest compaction stands for."""
    first, *others = since_compaction(items) or [{"type": ""}]
    if first["type"] != "compaction":
        return list(items)
    try:
        compacted = json.loads(base64.b64decode(first["encrypted_content"], validate=True))
    except ValueError:  # of another server
        return list(items)
    known = [item for item in compacted if isinstance(item, dict) and "type" in item]
    ids = {item.get("id") for item in known}
    before = items[: len(items) - len(others) - 1]
    return [*(item for item in before if item["id"] not in ids), *known, *others]
