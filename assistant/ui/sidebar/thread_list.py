"""The list of the user's chats: search, and open one."""

import math
import time
from collections.abc import Container
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from itertools import chain, count, groupby
from zoneinfo import ZoneInfo

import streamlit as st

from assistant.errors import BackendError, StoreError
from assistant.locale import N_, Sentence
from assistant.markdown.escape import escape_markdown
from assistant.session import ChatSession
from assistant.storage.search import ThreadSummary
from assistant.storage.store import Store
from assistant.ui import keys
from assistant.ui.language import _, translate
from assistant.ui.sidebar.thread_menu import draw_import, draw_thread_menu
from assistant.ui.state import state_of

PAGE_SIZE = 15
"""Threads that are listed at first, and added by each "Show more"."""
MAX_SERVER_THREADS = 50
MAX_WATCHED = 200
"""Newest threads that are watched for the end of an answer."""
AGE_GROUPS: dict[float, Sentence] = {
    0: N_("Today"),
    1: N_("Yesterday"),
    7: N_("Last 7 days"),
    30: N_("Last 30 days"),
    math.inf: N_("Earlier"),
}
"""The names of the groups, by the largest number of days since the last change."""
ON_SERVER = N_("On the server")


@dataclass(slots=True)
class ThreadList:
    """How many threads this session lists, and those that only the server has."""

    shown: int = PAGE_SIZE
    on_server: list[ThreadSummary] = field(default_factory=list)


def draw_threads(session: ChatSession, store: Store) -> str:
    """Draw the list, and return the id of the first thread in it.

    Raises:
        StoreError: The database cannot be read.
    """
    search = st.text_input(
        _("Search"), key=keys.SEARCH, placeholder=_("Search chats"), label_visibility="collapsed"
    )
    thread_list = state_of(ThreadList)
    found = store.list_threads(search, thread_list.shown + 1)
    threads = found[: thread_list.shown]
    for thread in threads:
        if thread.id == session.thread.id:
            draw_thread_menu(session, store, thread)
    for group, members in groupby(threads, _age_group):
        _draw_group(session, group, list(members))
    if len(found) > len(threads):
        st.button(_("Show more"), key=keys.MORE_THREADS, on_click=_show_more)
    if answering := {thread.id for thread in threads if _answers_elsewhere(session, thread)}:
        _watch(store, answering)
    if not found:
        st.caption(_("No chats found") if search.strip() else _("No chats yet"))
    if session.backend.protocol == "agents" and not session.user.id:  # no other server lists threads
        _draw_threads_on_server(session, store, {thread.id for thread in found})
    draw_import(session)
    return found[0].id if found else ""


def _show_more() -> None:
    state_of(ThreadList).shown += PAGE_SIZE


def _draw_threads_on_server(session: ChatSession, store: Store, listed: Container[str]) -> None:
    """Draw the threads that are not stored here; they are loaded on a click."""
    thread_list = state_of(ThreadList)
    if st.button(
        _("Show chats on the server"),
        key=keys.THREADS_ON_SERVER,
        icon=":material/cloud:",
        type="tertiary",
        width="stretch",
    ):
        try:
            summaries = session.backend.list_threads(MAX_SERVER_THREADS)
            known = store.known_on_server(summary.id for summary in summaries)
            thread_list.on_server = [
                ThreadSummary(*summary) for summary in summaries if summary.id not in known
            ]
        except BackendError as error:
            st.caption(escape_markdown(translate(error.text)))
    if others := [thread for thread in thread_list.on_server if thread.id not in listed]:
        _draw_group(session, ON_SERVER, others)


def _draw_group(session: ChatSession, name: Sentence, threads: list[ThreadSummary]) -> None:
    """Draw threads to choose from, as one element: a browser checks every element of a page on each rerun."""
    labels = _labels(session, threads)
    key = keys.threads(name)
    st.session_state[key] = session.thread.id if session.thread.id in labels else None
    st.radio(
        translate(name),
        labels,
        index=None,
        format_func=lambda thread_id: labels.get(thread_id, ""),
        key=key,
        on_change=_open_selected,
        args=[key, labels],
        width="stretch",
    )


def _labels(session: ChatSession, threads: list[ThreadSummary]) -> dict[str, str]:
    """Return each thread's label by its id. Labels are unique, for the browser sends the selected label."""
    labels: dict[str, str] = {}
    used: set[str] = set()
    for thread in threads:
        title = thread.title or "…"
        numbered = chain([title], (f"{title} ({number})" for number in count(2)))
        title = next(candidate for candidate in numbered if candidate not in used)
        used.add(title)
        icon = ":material/hourglass_top: " if _answers_elsewhere(session, thread) else ""
        labels[thread.id] = icon + escape_markdown(title)
    return labels


def _open_selected(key: str, threads: Container[str]) -> None:
    if (selected := st.session_state[key]) in threads:  # its label may have changed since the click
        st.query_params["thread"] = selected


def _age_group(thread: ThreadSummary) -> Sentence:
    """Return the group a thread belongs to, by whole days in the user's time zone."""
    zone = ZoneInfo(st.context.timezone or "UTC")
    day, today = (datetime.fromtimestamp(at, zone).date() for at in (thread.updated_at, time.time()))
    return next(name for days, name in AGE_GROUPS.items() if (today - day).days <= days)


# --- answers in other threads -------------------------------------------------------------------------


def _answers_elsewhere(session: ChatSession, thread: ThreadSummary) -> bool:
    """Return whether an answer is being written in a thread that is not open."""
    is_open = thread.id == session.thread.id
    return not is_open and (thread.is_answering or thread.id in session.app.runs.running)


@st.fragment(run_every=2.0)
def _watch(store: Store, answering: set[str]) -> None:
    """Rerun the page when one of these threads is not being answered any more."""
    with suppress(StoreError):
        threads = store.list_threads("", MAX_WATCHED)
        if not answering <= {thread.id for thread in threads if thread.is_answering}:
            st.rerun()
