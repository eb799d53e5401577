"""The threads that are kept, in the sidebar: find one, open it, name it, take it away, delete it.

Not here: keeping them (``store.py``).

The one rule: a list of everybody's threads is for the machine's owner alone; see ``is_localhost``. People who
sign in have a list each.
"""

import math
import time
from collections.abc import Callable, Container, Iterable
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from itertools import chain, count, groupby
from zoneinfo import ZoneInfo

import streamlit as st

from assistant.access import auth
from assistant.codegen.script import thread_script
from assistant.errors import BackendError, StoreError
from assistant.locale import N_
from assistant.runs.loop import INTERRUPTED
from assistant.storage.export import as_json, as_markdown, from_json
from assistant.storage.search import ThreadSummary
from assistant.storage.store import Store
from assistant.threads import Thread, unguessable_id
from assistant.ui.chat.tool_call import plain
from assistant.ui.language import _

PAGE = 15
"""Threads in the list before more are asked for."""
AGES = {
    0: N_("Today"),
    1: N_("Yesterday"),
    7: N_("Last 7 days"),
    30: N_("Last 30 days"),
    math.inf: N_("Earlier"),
}
"""The lists, by how many days ago at most their threads have changed."""
AT_SERVER = N_("At the server")
MOST_WATCHED = 200
"""Threads, the newest, in which the end of an answer is looked for."""


def is_localhost() -> bool:
    """Return whether the page is viewed on the machine that serves it.

    Only there may a visitor see the list of all threads: elsewhere a thread's address is its only key.
    """
    return auth.is_localhost(st.context.headers, st.context.ip_address)


def draw_key() -> None:
    """Draw, in the place of a list, what has to be known to come back."""
    st.caption(
        _(
            "The address of this page is the only key to this chat: keep it to come back, and give it only "
            "to those who may read it."
        )
    )


@dataclass(frozen=True, slots=True)
class ThreadList:
    """What the list is about, and what it can do.

    ``here`` is the open thread, ``running`` holds those answered in this process, ``model`` is named in
    scripts.
    ``forget`` is called with a thread's id when a person has confirmed that it shall be deleted.
    ``at_server`` lists the threads that the server keeps, where it can: each id, title and last change.
    """

    store: Store
    here: str
    running: Container[str]
    model: str
    forget: Callable[[str], None]
    at_server: Callable[[], Iterable[tuple[str, str, float]]] | None = None


def draw_threads(thread_list: ThreadList) -> str:
    """Draw the list; gives the id of the first in it.

    Raises:
        StoreError: The database cannot be read.
    """
    search = st.text_input(
        _("Search"),
        key="search",
        placeholder=_("Search all that was said"),
        label_visibility="collapsed",
    )
    most = st.session_state.setdefault("threads_shown", PAGE)
    entries = thread_list.store.list_threads(search, most + 1)
    for entry in entries[:most]:
        if entry.id == thread_list.here:
            with st.popover(_("Rename, export, delete"), type="tertiary", width="stretch", key="thread_menu"):
                _draw_menu(thread_list, entry)
    for age, of_age in groupby(entries[:most], _age):
        _draw_list(thread_list, age, list(of_age))
    if len(entries) > most:
        st.button(_("Show more"), key="more_threads", on_click=_show_more)
    if marked := {entry.id for entry in entries[:most] if _runs_elsewhere(thread_list, entry)}:
        _watch(thread_list.store, marked)
    if not entries:
        st.caption(_("Nothing found.") if search.strip() else _("What you talk about will be listed here."))
    if thread_list.at_server:
        _draw_those_at_the_server(thread_list, {entry.id for entry in entries})
    with st.popover(_("Import a thread"), type="tertiary", width="stretch"):
        st.file_uploader(
            _("A thread exported as JSON"),
            "json",
            key="import",
            on_change=_import,
            args=[thread_list.store],
        )
    return entries[0].id if entries else ""


def _draw_those_at_the_server(thread_list: ThreadList, known: Container[str]) -> None:
    """Threads that are not kept here: asked for when somebody wants to see them."""
    if thread_list.at_server and st.button(
        _("Look at the server"),
        key="at_server",
        icon=":material/cloud:",
        type="tertiary",
        width="stretch",
    ):
        try:
            st.session_state.threads_at_server = [ThreadSummary(*each) for each in thread_list.at_server()]
        except BackendError as error:
            st.caption(plain(error))
    if others := [each for each in st.session_state.get("threads_at_server", []) if each.id not in known]:
        _draw_list(thread_list, AT_SERVER, others)


def _runs_elsewhere(thread_list: ThreadList, entry: ThreadSummary) -> bool:
    """Whether an answer is being written in it; in the open one that is seen."""
    return entry.id != thread_list.here and (entry.is_answering or entry.id in thread_list.running)


@st.fragment(run_every=2.0)
def _watch(store: Store, marked: set[str]) -> None:
    """Draw the page again when one of the threads that are marked as answered is so no more."""
    with suppress(StoreError):
        if not marked <= {entry.id for entry in store.list_threads("", MOST_WATCHED) if entry.is_answering}:
            st.rerun()


def _draw_list(thread_list: ThreadList, name: str, entries: list[ThreadSummary]) -> None:
    """Draw threads to choose from, under a name.

    As one element, for a browser looks at each element of a page for each message that is sent or answered.
    """
    labels = _labels(thread_list, entries)
    key = f"threads_{name}"
    st.session_state[key] = thread_list.here if thread_list.here in labels else None
    st.radio(
        _(name),
        labels,
        index=None,
        format_func=lambda thread_id: labels.get(thread_id, ""),
        key=key,
        on_change=_open_chosen,
        args=[key, labels],
        width="stretch",
    )


def _labels(thread_list: ThreadList, entries: list[ThreadSummary]) -> dict[str, str]:
    """What stands for each thread, by its id; no two alike, for the browser tells by it which was chosen."""
    labels: dict[str, str] = {}
    taken: set[str] = set()
    for entry in entries:
        title = entry.title or "…"
        numbered = chain([title], (f"{title} ({number})" for number in count(2)))
        title = next(each for each in numbered if each not in taken)
        taken.add(title)
        mark = ":material/hourglass_top: " if _runs_elsewhere(thread_list, entry) else ""
        labels[entry.id] = mark + plain(title)
    return labels


def _draw_menu(thread_list: ThreadList, entry: ThreadSummary) -> None:
    key = f"title_{entry.id}"
    st.text_input(
        _("Title"), entry.title, key=key, on_change=_rename, args=[thread_list.store, entry.id, key]
    )
    for name, ending, export in (
        ("Markdown", "md", lambda thread: as_markdown(thread, entry.title)),
        (_("JSON, to import again"), "json", lambda thread: as_json(thread, entry.title)),
        (_("Python script"), "py", lambda thread: thread_script(thread, thread_list.model)),
    ):
        st.download_button(
            name,
            partial(_exported, thread_list.store, entry.id, export),
            f"thread.{ending}",
            key=f"export_{ending}",
            icon=":material/download:",
            on_click="ignore",
            width="stretch",
        )
    sure = st.checkbox(_("Delete it for good, here and at the server"), key=f"sure_{entry.id}")
    st.button(
        _("Delete"),
        key="delete",
        icon=":material/delete:",
        disabled=not sure,
        on_click=thread_list.forget,
        args=[entry.id],
    )


def _exported(store: Store, thread_id: str, export: Callable[[Thread], str]) -> str:
    thread = store.load(thread_id)
    return export(thread) if thread else ""


def _import(store: Store) -> None:
    """Keep the thread in the file that was put in, and open it."""
    file = st.session_state["import"]
    if file is None:
        return
    try:
        thread, title = from_json(file.getvalue().decode("utf-8", "replace"))
        thread.title = title
        thread.id, thread.owner = unguessable_id(), store.owner
        if thread.is_unfinished:
            thread.messages[-1].add(INTERRUPTED)
        store.save(thread)
    except (ValueError, StoreError) as error:
        st.toast(plain(error), icon=":material/error:")
    else:
        _open(thread.id)


def _open(thread_id: str) -> None:
    st.query_params["thread"] = thread_id


def _open_chosen(key: str, threads: Container[str]) -> None:
    if (chosen := st.session_state[key]) in threads:  # not what has another name since it was clicked
        _open(chosen)


def _rename(store: Store, thread_id: str, key: str) -> None:
    store.rename(thread_id, st.session_state[key])


def _show_more() -> None:
    st.session_state.threads_shown += PAGE


def _age(entry: ThreadSummary) -> str:
    """When a thread last changed, in whole days by the clock of who looks."""
    zone = ZoneInfo(st.context.timezone or "UTC")
    day, today = (datetime.fromtimestamp(each, zone).date() for each in (entry.updated_at, time.time()))
    return next(name for days, name in AGES.items() if (today - day).days <= days)
