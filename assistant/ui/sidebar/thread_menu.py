"""Rename, export and delete a chat of the list, and import one from a file."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import streamlit as st

from assistant.codegen.script import thread_script
from assistant.errors import StoreError, ThreadImportError
from assistant.json_values import READING
from assistant.locale import N_
from assistant.markdown.escape import escape_markdown
from assistant.session import ChatSession
from assistant.storage.json_export import export_json, import_json
from assistant.storage.markdown_export import export_markdown
from assistant.storage.search import ThreadSummary
from assistant.storage.store import Store
from assistant.threads import Thread
from assistant.ui import keys
from assistant.ui.language import _, translate
from assistant.ui.page.login import require_open
from assistant.ui.state import state_of

ACTIONS = {"rename": N_("Rename"), "export": N_("Export"), "delete": N_("Delete")}
_ICONS = {"rename": ":material/edit:", "export": ":material/download:", "delete": ":material/delete:"}


@dataclass(slots=True)
class ThreadDialog:
    """The open dialog: what is to be done with which thread."""

    action: str = ""
    thread: ThreadSummary | None = None


def draw_menu(thread: ThreadSummary) -> None:
    """Draw the menu of one chat."""
    st.menu_button(
        _("Options for {title}", title=plain_title(thread.title)),
        list(ACTIONS),
        key=keys.thread_menu(thread.id),
        format_func=lambda action: f"{_ICONS[action]} {translate(ACTIONS[action])}",
        type="tertiary",
        icon=":material/more_horiz:",
        on_click=_open_dialog,
        args=[thread],
    )


def draw_open_dialog(session: ChatSession, store: Store) -> None:
    """Draw the dialog of the chosen action until it is done or dismissed."""
    dialog = state_of(ThreadDialog)
    if dialog.thread is None:
        return
    match dialog.action:
        case "rename":
            title, draw = _("Rename chat"), partial(_draw_rename, session)
        case "export":
            title, draw = _("Export chat"), partial(_draw_exports, session, store)
        case _:
            title, draw = _("Delete this chat?"), partial(_draw_delete, session)
    st.dialog(title, on_dismiss=_close_dialog)(_draw_dialog)(session, draw, dialog.thread)


def _draw_dialog(session: ChatSession, draw: Callable[[ThreadSummary], None], thread: ThreadSummary) -> None:
    require_open(session)
    draw(thread)


def _open_dialog(thread: ThreadSummary) -> None:
    dialog = state_of(ThreadDialog)
    dialog.action, dialog.thread = st.session_state[keys.thread_menu(thread.id)], thread


def _close_dialog() -> None:
    state_of(ThreadDialog).thread = None


def _finish_dialog() -> None:
    _close_dialog()
    st.rerun()  # the page


# --- rename and delete --------------------------------------------------------------------------------


def _draw_rename(session: ChatSession, thread: ThreadSummary) -> None:
    with st.form(keys.RENAME, border=False):
        st.text_input(_("Title"), thread.title, key=keys.title(thread.id))
        st.form_submit_button(_("Save"), type="primary", on_click=_rename, args=[session, thread.id])


def _rename(session: ChatSession, thread_id: str) -> None:
    try:
        session.rename(thread_id, st.session_state[keys.title(thread_id)])
    except StoreError as error:
        session.notices.append(session.connection.error_text(error))
    _finish_dialog()


def _draw_delete(session: ChatSession, thread: ThreadSummary) -> None:
    st.markdown(f"**{escape_markdown(thread.title or '…')}**")
    st.text(_("It is also deleted on the server. This can't be undone."))
    with st.container(horizontal=True):
        st.button(
            _("Delete"),
            key=keys.DELETE,
            type="primary",
            icon=":material/delete:",
            on_click=_delete,
            args=[session, thread.id],
        )
        st.button(_("Cancel"), key=keys.CANCEL, on_click=_finish_dialog)


def _delete(session: ChatSession, thread_id: str) -> None:
    session.delete(thread_id)
    _finish_dialog()


# --- export and import --------------------------------------------------------------------------------


def _draw_exports(session: ChatSession, store: Store, thread: ThreadSummary) -> None:
    st.markdown(f"**{escape_markdown(thread.title or '…')}**")
    title, model = thread.title, session.connection.settings.model

    def content(export: Callable[[Thread], str]) -> str:
        loaded = store.load(thread.id)
        return export(loaded) if loaded else ""

    for label, suffix, export in (
        ("Markdown", "md", partial(export_markdown, title=title)),
        (_("JSON (can be imported)"), "json", partial(export_json, title=title)),
        (_("Python script"), "py", partial(thread_script, model=model)),
    ):
        st.download_button(
            label,
            partial(session.visit.export, "chat_exported", thread.id, suffix, partial(content, export)),
            f"{plain_title(title)}.{suffix}",
            key=keys.export(suffix),
            icon=":material/download:",
            on_click="ignore",
            width="stretch",
        )


def plain_title(title: str) -> str:
    """Return the title without punctuation, for the names of files and of buttons."""
    return " ".join(re.sub(r"[^\w\-+,&'() ]+", " ", title).split()) or "chat"


def draw_import(session: ChatSession) -> None:
    """Draw the input for an exported chat, which is opened."""
    with st.popover(_("Import chat"), type="tertiary", icon=":material/upload:", width="stretch"):
        st.file_uploader(_("Chat export (.json)"), "json", key=keys.IMPORT, on_change=_import, args=[session])


def _import(session: ChatSession) -> None:
    file = st.session_state[keys.IMPORT]
    if file is None:
        return
    try:
        with READING:
            thread, title = import_json(file.getvalue().decode("utf-8", "replace"))
            thread.title = title
            session.import_thread(thread)
    except (ThreadImportError, StoreError) as error:
        text = session.connection.error_text(error)
        st.toast(escape_markdown(translate(text)), icon=":material/error:")
