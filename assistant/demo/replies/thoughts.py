"""The summary of a reasoning, and a refusal: what stands beside or in place of an answer."""

from collections.abc import Sequence

from assistant.demo.items import Json, new_item, new_message
from assistant.demo.replies import phrases, vocabulary

MAX_QUOTED_CHARS = 200


def reasoning_items(question: str, since: Sequence[Json], response: Json) -> list[Json]:
    """Return the reasoning of the first response to a question that asks to think, if its summary is requested.

    The demo does not reason. Its summary says what it does instead.
    """
    wanted = response["reasoning"].get("summary")
    if since or not wanted or not vocabulary.THINK.search(question):
        return []
    sentences = phrases.SENTENCES[vocabulary.language_of(question)]
    quoted = " ".join(question.split())[:MAX_QUOTED_CHARS]
    text = sentences["reasoning"].format(question=quoted, count=len(response["tools"]))
    return [new_item("reasoning", summary=[{"type": "summary_text", "text": text}])]


def refusal_items(question: str) -> list[Json]:
    """Return the refusal of a question that the demo does not answer; [] for any other."""
    if not vocabulary.REFUSED.search(question):
        return []
    text = phrases.SENTENCES[vocabulary.language_of(question)]["refusal"]
    return [new_message({"type": "refusal", "refusal": text})]
