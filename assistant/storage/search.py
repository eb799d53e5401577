"""List and search the stored threads of one owner."""

import json
from dataclasses import dataclass

import sqlalchemy as sql

from assistant.events import Citation, HostedCall
from assistant.messages import Message
from assistant.parts import Call, Commentary, Reasoning, Refusal, Text
from assistant.storage.schema import BRANCHES, MESSAGES, THREADS
from assistant.storage.serialization import message_from_json
from assistant.texts import replace_unsendable

SNIPPET_CHARS = 30
"""Length of a snippet on each side of what was found."""


@dataclass(frozen=True, slots=True)
class Hit:
    """Where a search found its text: the newest such message of the open branch, and the line around it."""

    position: int
    before: str
    text: str
    after: str


@dataclass(frozen=True, slots=True)
class ThreadSummary:
    """A thread in a list; ``updated_at`` is in seconds since 1970."""

    id: str
    title: str
    updated_at: float
    is_answering: bool = False
    hit: Hit | None = None


def select_threads(
    owner: str, search: str, is_active: sql.ColumnElement[bool]
) -> sql.Select[str, str, float, bool]:
    """Select the columns of ``ThreadSummary``, newest change first, of threads that contain ``search``.

    Titles and all messages are searched, including arguments and outputs of calls, and closed branches.
    """
    query: sql.Select[str, str, float, bool] = sql.select(
        THREADS.c.id, THREADS.c.title, THREADS.c.updated_at, is_active
    ).where(THREADS.c.owner == owner)
    if text := normalize(search.strip()):
        in_message = MESSAGES.c.search_text.contains(text, autoescape=True)
        in_branch = BRANCHES.c.search_text.contains(text, autoescape=True)
        query = query.where(
            THREADS.c.title_search.contains(text, autoescape=True)
            | sql.exists().where(MESSAGES.c.thread_id == THREADS.c.id, in_message)
            | sql.exists().where(BRANCHES.c.thread_id == THREADS.c.id, in_branch)
        )
    return query.order_by(THREADS.c.updated_at.desc(), THREADS.c.id)


def find_hit(connection: sql.Connection, thread_id: str, search: str) -> Hit | None:
    """Return the newest message of the open branch that contains ``search``."""
    text = normalize(search.strip())
    found = sql.select(MESSAGES.c.position, MESSAGES.c.body, MESSAGES.c.search_text)
    found = found.where(
        MESSAGES.c.thread_id == thread_id, MESSAGES.c.search_text.contains(text, autoescape=True)
    )
    row = connection.execute(found.order_by(MESSAGES.c.position.desc()).limit(1)).first()
    if row is None:
        return None
    original = _all_text(message_from_json(json.loads(row.body)))
    shown = original if len(original) == len(row.search_text) else row.search_text
    start = row.search_text.index(text)
    end = start + len(text)
    before, after = shown[:start].rpartition("\n")[2], shown[end:].partition("\n")[0]
    return Hit(
        row.position,
        before if len(before) <= SNIPPET_CHARS else "…" + before[-SNIPPET_CHARS:],
        shown[start:end],
        after if len(after) <= SNIPPET_CHARS else after[:SNIPPET_CHARS] + "…",
    )


def search_text(message: Message) -> str:
    """Return everything in a message that a search can find, normalized."""
    return normalize(_all_text(message))


def _all_text(message: Message) -> str:
    texts: list[str] = []
    for part in message.parts:
        match part:
            case Text(text) | Refusal(text) | Commentary(text) | Reasoning(text):
                texts.append(text)
            case HostedCall(_, _, name, request, output):
                texts += [name, request, output]
            case Citation(_, title, url):
                texts += [title, url]
            case Call(_, name, arguments, result=result):
                texts += [name, arguments, result.output if result else ""]
    return "\n".join(texts)


def normalize(text: str) -> str:
    """Return a text in the form that searches compare: case-folded, and without what databases refuse."""
    return replace_unsendable(text.casefold())
