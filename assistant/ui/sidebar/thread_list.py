"""The list of the user's chats: search, open one, and what can be done with each."""

import math
import time
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import groupby

import streamlit as st

from assistant.errors import BackendError, StoreError
from assistant.locale import N_, Sentence
from assistant.markdown.escape import escape_markdown
from assistant.session import ChatSession
from assistant.storage.search import Hit, ThreadSummary
from assistant.storage.store import Store
from assistant.ui import keys
from assistant.ui.language import _, time_zone, translate
from assistant.ui.page.login import require_open
from assistant.ui.sidebar.thread_menu import draw_menu, draw_open_dialog
from assistant.ui.state import page_state, state_of

PAGE_SIZE = 15
"""Threads that are listed at first, and added by each "Show more"."""
MAX_SERVER_THREADS = 50
BUSY_SECONDS = 10.0
"""Interval at which the list is brought up to date while an answer streams on the same page."""
AGE_GROUPS: dict[float, Sentence] = {
    0: N_("Today"),
    1: N_("Yesterday"),
    7: N_("Last 7 days"),
    30: N_("Last 30 days"),
    math.inf: N_("Earlier"),
}
"""The names of the groups, by the largest number of days since the last change."""

_Drawn = frozenset[tuple[str, str, bool]]


@dataclass(slots=True)
class ThreadList:
    """How many threads this session lists, those that only the server has, and what was drawn last."""

    shown: int = PAGE_SIZE
    on_server: list[ThreadSummary] = field(default_factory=list)
    drawn: _Drawn | None = None
    """Id, title and mark of each thread; None while the page has no list."""
    drawn_at: float = 0.0


def can_list_threads(session: ChatSession) -> bool:
    """Return whether this visitor may see a list of chats.

    Without sign-in, the list is for users on this machine only: it shows every chat.
    """
    return bool(session.visit.user.id) or session.connection.is_localhost


@st.fragment
def draw_threads(session: ChatSession, store: Store) -> None:
    """Draw the list. Search runs this fragment alone."""
    require_open(session)
    search = st.text_input(
        _("Search chats"),
        key=keys.SEARCH,
        type="search",
        icon=":material/search:",
        placeholder=_("Search chats"),
        label_visibility="collapsed",
        live=True,
    )
    thread_list = state_of(ThreadList)
    try:
        threads, has_more = _find_threads(store, thread_list)
    except StoreError as error:
        thread_list.drawn = None
        st.caption(escape_markdown(translate(session.connection.error_text(error))))
        return
    thread_list.drawn, thread_list.drawn_at = _drawn(session, threads), time.monotonic()
    with st.container(key=keys.THREADS, gap="xxsmall"):
        for group, members in groupby(threads, _age_group):
            _draw_group(session, translate(group), list(members))
        if has_more:
            st.button(_("Show more"), key=keys.MORE_THREADS, type="tertiary", on_click=_show_more)
        if not threads:
            st.caption(_("No chats found") if search.strip() else _("No chats yet"))
        is_listing = session.connection.backend.protocol == "agents"  # no other server lists threads
        if is_listing and not session.visit.user.id:
            _draw_threads_on_server(session, store)
    draw_open_dialog(session, store)


def is_list_outdated(session: ChatSession) -> bool:
    """Return whether the list shows other threads, titles or marks than it would now.

    The order alone does not count: it changes with every piece of an answer that is saved.
    """
    thread_list = state_of(ThreadList)
    if thread_list.drawn is None or session.store is None:
        return False
    with suppress(StoreError):
        threads, _has_more = _find_threads(session.store, thread_list, with_hits=False)
        return _drawn(session, threads) != thread_list.drawn
    return False


def is_list_due(session: ChatSession) -> bool:
    """Return whether to draw the list again although an answer streams on this page.

    That draws the answer anew, too, so changes in other threads wait; a new thread appears at once.
    """
    thread_list = state_of(ThreadList)
    is_listed = any(thread_id == session.thread.id for thread_id, _, _ in thread_list.drawn or ())
    if is_listed and time.monotonic() < thread_list.drawn_at + BUSY_SECONDS:
        return False
    return is_list_outdated(session)


def _find_threads(
    store: Store, thread_list: ThreadList, *, with_hits: bool = True
) -> tuple[list[ThreadSummary], bool]:
    """Return the threads to list, and whether there are more."""
    search = st.session_state.get(keys.SEARCH) or ""
    found = store.list_threads(search, thread_list.shown + 1, with_hits=with_hits)
    return found[: thread_list.shown], len(found) > thread_list.shown


def _drawn(session: ChatSession, threads: list[ThreadSummary]) -> _Drawn:
    return frozenset((thread.id, thread.title, _answers_elsewhere(session, thread)) for thread in threads)


def _answers_elsewhere(session: ChatSession, thread: ThreadSummary) -> bool:
    """Return whether an answer is being written in a thread that is not open."""
    is_open = thread.id == session.thread.id
    return not is_open and (thread.is_answering or thread.id in session.app.runs.running)


def _show_more() -> None:
    state_of(ThreadList).shown += PAGE_SIZE


def _draw_threads_on_server(session: ChatSession, store: Store) -> None:
    """Draw the threads that are not stored here; they are loaded on a click."""
    thread_list = state_of(ThreadList)
    if st.button(
        _("Show chats on the server"), key=keys.THREADS_ON_SERVER, icon=":material/cloud:", type="tertiary"
    ):
        try:
            summaries = session.connection.backend.list_threads(MAX_SERVER_THREADS)
            known = store.known_on_server(summary.id for summary in summaries)
            thread_list.on_server = [
                ThreadSummary(*summary) for summary in summaries if summary.id not in known
            ]
        except BackendError as error:
            st.caption(escape_markdown(translate(error.text)))
    listed = {thread_id for thread_id, _, _ in thread_list.drawn or ()}
    if others := [thread for thread in thread_list.on_server if thread.id not in listed]:
        _draw_group(session, _("On the server"), others, has_menu=False)


# --- rows ---------------------------------------------------------------------------------------------


def _draw_group(
    session: ChatSession, name: str, threads: list[ThreadSummary], *, has_menu: bool = True
) -> None:
    st.caption(name)
    titles = Counter(thread.title for thread in threads)
    for thread in threads:
        title = escape_markdown(thread.title or "…")
        # A long title is cut off at its end.
        label = f"{_format_time(thread)} · {title}" if titles[thread.title] > 1 else title
        with st.container(horizontal=True, gap=None, vertical_alignment="center"):
            st.button(
                label,
                key=keys.open_thread(thread.id),
                type="secondary" if thread.id == session.thread.id else "tertiary",
                icon=":material/hourglass_top:" if _answers_elsewhere(session, thread) else None,
                width="stretch",
                on_click=_open,
                args=[thread],
            )
            if has_menu:
                draw_menu(thread)
        if thread.hit:
            st.caption(_format_hit(thread.hit))


def _open(thread: ThreadSummary) -> None:
    st.query_params["thread"] = thread.id
    page_state().found = thread.hit
    st.rerun()  # the page


def _format_hit(hit: Hit) -> str:
    before, text, after = (escape_markdown(part) for part in (hit.before, hit.text, hit.after))
    return f"{before}**{text}**{after}" if hit.text == hit.text.strip() else before + text + after


def _format_time(thread: ThreadSummary) -> str:
    """Return the time of the last change, with the day if it is not today or yesterday."""
    is_recent = _age_group(thread) in (AGE_GROUPS[0], AGE_GROUPS[1])
    return _local_time(thread.updated_at).strftime("%H:%M" if is_recent else "%Y-%m-%d %H:%M")


def _age_group(thread: ThreadSummary) -> Sentence:
    """Return the group a thread belongs to, by whole days in the user's time zone."""
    day, today = (_local_time(at).date() for at in (thread.updated_at, time.time()))
    return next(name for days, name in AGE_GROUPS.items() if (today - day).days <= days)


def _local_time(at: float) -> datetime:
    return datetime.fromtimestamp(at, time_zone() or UTC)
