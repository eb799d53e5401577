"""The user's threads in the sidebar: search, open, rename, export, import and delete.

Without sign-in, the list of all threads is for the owner of this machine only (``login.is_localhost``). Users who
sign in have a list each.
"""

import math
import time
from collections.abc import Callable, Container, Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from itertools import chain, count, groupby
from zoneinfo import ZoneInfo

import streamlit as st

from assistant.codegen.script import thread_script
from assistant.errors import BackendError, StoreError, ThreadImportError
from assistant.locale import N_, Sentence
from assistant.markdown.escape import escape_markdown
from assistant.runs.loop import INTERRUPTED
from assistant.session import ChatSession
from assistant.storage.json_export import export_json, import_json
from assistant.storage.markdown_export import export_markdown
from assistant.storage.search import ThreadSummary
from assistant.storage.store import Store
from assistant.threads import Thread, unguessable_id
from assistant.ui import keys
from assistant.ui.connection import draw_connection
from assistant.ui.language import _, draw_language, translate
from assistant.ui.login import draw_user
from assistant.ui.state import state_of

PAGE_SIZE = 15
"""Threads that are listed at first, and added by each "Show more"."""
AGE_GROUPS: dict[float, Sentence] = {
    0: N_("Today"),
    1: N_("Yesterday"),
    7: N_("Last 7 days"),
    30: N_("Last 30 days"),
    math.inf: N_("Earlier"),
}
"""The names of the lists, by the largest number of days since the last change."""
ON_SERVER = N_("On the server")
MAX_WATCHED = 200
"""Newest threads that are watched for the end of an answer."""


@dataclass(frozen=True, slots=True)
class ThreadList:
    """The threads to list and what can be done with them.

    ``open_id`` is the open thread, ``answering`` holds the ids of those answered in this process, ``model`` is named
    in exported scripts. ``delete`` is called with a thread's id after the user has confirmed. ``list_on_server``
    lists the threads that only the server keeps, where it can: each id, title and time of the last change.
    """

    store: Store
    open_id: str
    answering: Container[str]
    model: str
    delete: Callable[[str], None]
    list_on_server: Callable[[], Iterable[tuple[str, str, float]]] | None = None


@dataclass(slots=True)
class ThreadListState:
    """How much of the list this session shows."""

    shown: int = PAGE_SIZE
    on_server: list[ThreadSummary] = field(default_factory=list)


def draw_link_notice() -> None:
    """Draw, where visitors have no list, how they come back to this thread."""
    st.caption(
        _(
            "Only the address of this page leads back to this chat. Keep it, and share it only with people "
            "who may read the chat."
        )
    )


def draw_threads(thread_list: ThreadList) -> str:
    """Draw the list, and return the id of the first thread in it.

    Raises:
        StoreError: The database cannot be read.
    """
    search = st.text_input(
        _("Search"), key=keys.SEARCH, placeholder=_("Search chats"), label_visibility="collapsed"
    )
    state = state_of(ThreadListState)
    found = thread_list.store.list_threads(search, state.shown + 1)
    threads = found[: state.shown]
    for thread in threads:
        if thread.id == thread_list.open_id:
            _draw_menu(thread_list, thread)
    for group, members in groupby(threads, _age_group):
        _draw_group(thread_list, group, list(members))
    if len(found) > len(threads):
        st.button(_("Show more"), key=keys.MORE_THREADS, on_click=_show_more)
    if answering := {thread.id for thread in threads if _answers_elsewhere(thread_list, thread)}:
        _watch(thread_list.store, answering)
    if not found:
        st.caption(_("No chats found") if search.strip() else _("No chats yet"))
    if thread_list.list_on_server:
        _draw_threads_on_server(thread_list, thread_list.list_on_server, {thread.id for thread in found})
    with st.popover(_("Import chat"), type="tertiary", width="stretch"):
        st.file_uploader(
            _("Chat export (.json)"),
            "json",
            key=keys.IMPORT,
            on_change=_import,
            args=[thread_list.store],
        )
    return found[0].id if found else ""


def _show_more() -> None:
    state_of(ThreadListState).shown += PAGE_SIZE


def _draw_threads_on_server(
    thread_list: ThreadList, load: Callable[[], Iterable[tuple[str, str, float]]], known: Container[str]
) -> None:
    """Draw the threads that are not stored here; they are loaded on a click."""
    state = state_of(ThreadListState)
    if st.button(
        _("Show chats on the server"),
        key=keys.THREADS_ON_SERVER,
        icon=":material/cloud:",
        type="tertiary",
        width="stretch",
    ):
        try:
            state.on_server = [ThreadSummary(*summary) for summary in load()]
        except BackendError as error:
            st.caption(escape_markdown(translate(error.text)))
    if others := [thread for thread in state.on_server if thread.id not in known]:
        _draw_group(thread_list, ON_SERVER, others)


def _answers_elsewhere(thread_list: ThreadList, thread: ThreadSummary) -> bool:
    """Return whether an answer is being written in a thread that is not open."""
    return thread.id != thread_list.open_id and (thread.is_answering or thread.id in thread_list.answering)


@st.fragment(run_every=2.0)
def _watch(store: Store, answering: set[str]) -> None:
    """Rerun the page when one of these threads is not being answered any more."""
    with suppress(StoreError):
        threads = store.list_threads("", MAX_WATCHED)
        if not answering <= {thread.id for thread in threads if thread.is_answering}:
            st.rerun()


# --- one list ---------------------------------------------------------------------------------------


def _draw_group(thread_list: ThreadList, name: Sentence, threads: list[ThreadSummary]) -> None:
    """Draw threads to choose from, as one element: a browser checks every element of a page on each rerun."""
    labels = _labels(thread_list, threads)
    key = keys.threads(name)
    st.session_state[key] = thread_list.open_id if thread_list.open_id in labels else None
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


def _labels(thread_list: ThreadList, threads: list[ThreadSummary]) -> dict[str, str]:
    """Return the label of each thread by its id; labels are unique, for the browser sends the selected label."""
    labels: dict[str, str] = {}
    used: set[str] = set()
    for thread in threads:
        title = thread.title or "…"
        numbered = chain([title], (f"{title} ({number})" for number in count(2)))
        title = next(candidate for candidate in numbered if candidate not in used)
        used.add(title)
        icon = ":material/hourglass_top: " if _answers_elsewhere(thread_list, thread) else ""
        labels[thread.id] = icon + escape_markdown(title)
    return labels


def _open_selected(key: str, threads: Container[str]) -> None:
    if (selected := st.session_state[key]) in threads:  # its label may have changed since the click
        _open(selected)


def _open(thread_id: str) -> None:
    st.query_params["thread"] = thread_id


def _age_group(thread: ThreadSummary) -> Sentence:
    """Return the list a thread belongs to, by whole days in the user's time zone."""
    zone = ZoneInfo(st.context.timezone or "UTC")
    day, today = (datetime.fromtimestamp(each, zone).date() for each in (thread.updated_at, time.time()))
    return next(name for days, name in AGE_GROUPS.items() if (today - day).days <= days)


# --- the open thread ----------------------------------------------------------------------------------


def _draw_menu(thread_list: ThreadList, thread: ThreadSummary) -> None:
    with st.popover(_("Chat options"), type="tertiary", width="stretch", key=keys.THREAD_MENU):
        key = keys.title(thread.id)
        st.text_input(
            _("Title"), thread.title, key=key, on_change=_rename, args=[thread_list.store, thread.id, key]
        )
        for label, suffix, export in (
            ("Markdown", "md", lambda exported: export_markdown(exported, thread.title)),
            (_("JSON (can be imported)"), "json", lambda exported: export_json(exported, thread.title)),
            (_("Python script"), "py", lambda exported: thread_script(exported, thread_list.model)),
        ):
            st.download_button(
                label,
                partial(_export, thread_list.store, thread.id, export),
                f"thread.{suffix}",
                key=keys.export(suffix),
                icon=":material/download:",
                on_click="ignore",
                width="stretch",
            )
        confirmed = st.checkbox(
            _("Delete this chat? It is also deleted on the server and can't be undone."),
            key=keys.confirm_delete(thread.id),
        )
        st.button(
            _("Delete"),
            key=keys.DELETE,
            icon=":material/delete:",
            disabled=not confirmed,
            on_click=thread_list.delete,
            args=[thread.id],
        )


def _rename(store: Store, thread_id: str, key: str) -> None:
    store.rename(thread_id, st.session_state[key])


def _export(store: Store, thread_id: str, export: Callable[[Thread], str]) -> str:
    thread = store.load(thread_id)
    return export(thread) if thread else ""


def _import(store: Store) -> None:
    """Save the uploaded thread under a new id, and open it."""
    file = st.session_state[keys.IMPORT]
    if file is None:
        return
    try:
        thread, title = import_json(file.getvalue().decode("utf-8", "replace"))
        thread.title = title
        thread.id, thread.owner = unguessable_id(), store.owner
        if thread.is_unfinished:
            thread.messages[-1].add(INTERRUPTED)
        store.save(thread)
    except (ThreadImportError, StoreError) as error:
        st.toast(escape_markdown(translate(error.text)), icon=":material/error:")
    else:
        _open(thread.id)


def draw_sidebar(session: ChatSession) -> None:
    """Draw who is signed in, the connection, the user's chats, and the language."""
    with st.sidebar:
        draw_user(session.user)
        chosen = draw_connection(
            session.configured, session.override, session.protocol_label, localhost=session.is_localhost
        )
        if chosen != session.override:
            session.override = chosen
            st.rerun()
        session.outside = session.backend.protocol, _draw_chats(session)
        draw_language()


def _draw_chats(session: ChatSession) -> str:
    """Draw the list of chats, if this visitor may see one, and return the id of the newest."""
    store = session.store
    if store is None or session.app.autosaver.error:
        return session.thread.id
    if not session.user.id and not session.is_localhost:
        draw_link_notice()
        return session.thread.id
    has_list = session.backend.protocol == "agents" and not session.user.id  # no other server lists threads
    at_server = partial(session.backend.list_threads, 50) if has_list else None
    running, model = session.app.runs.running, session.settings.model
    try:
        return draw_threads(ThreadList(store, session.thread.id, running, model, session.delete, at_server))
    except StoreError as error:
        st.caption(escape_markdown(translate(error.text)))
        return session.thread.id
