"""Rename, export and delete the open chat, and import one from a file."""

from collections.abc import Callable
from functools import partial

import streamlit as st

from assistant.codegen.script import thread_script
from assistant.errors import StoreError, ThreadImportError
from assistant.markdown.escape import escape_markdown
from assistant.session import ChatSession
from assistant.storage.json_export import export_json, import_json
from assistant.storage.markdown_export import export_markdown
from assistant.storage.search import ThreadSummary
from assistant.storage.store import Store
from assistant.threads import Thread
from assistant.ui import keys
from assistant.ui.language import _, translate


def draw_thread_menu(session: ChatSession, store: Store, thread: ThreadSummary) -> None:
    """Draw what can be done with the open chat."""
    with st.popover(_("Chat options"), type="tertiary", width="stretch", key=keys.THREAD_MENU):
        st.text_input(
            _("Title"),
            thread.title,
            key=keys.title(thread.id),
            on_change=_rename,
            args=[session, thread.id],
        )
        _draw_export("Markdown", "md", store, thread.id, partial(export_markdown, title=thread.title))
        _draw_export(
            _("JSON (can be imported)"), "json", store, thread.id, partial(export_json, title=thread.title)
        )
        _draw_export(
            _("Python script"), "py", store, thread.id, partial(thread_script, model=session.settings.model)
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
            on_click=session.delete,
            args=[thread.id],
        )


def draw_import(session: ChatSession) -> None:
    """Draw the input for an exported chat, which is opened."""
    with st.popover(_("Import chat"), type="tertiary", width="stretch"):
        st.file_uploader(_("Chat export (.json)"), "json", key=keys.IMPORT, on_change=_import, args=[session])


def _draw_export(
    label: str, suffix: str, store: Store, thread_id: str, export: Callable[[Thread], str]
) -> None:
    def content() -> str:
        thread = store.load(thread_id)
        return export(thread) if thread else ""

    st.download_button(
        label,
        content,
        f"thread.{suffix}",
        key=keys.export(suffix),
        icon=":material/download:",
        on_click="ignore",
        width="stretch",
    )


def _rename(session: ChatSession, thread_id: str) -> None:
    try:
        session.rename(thread_id, st.session_state[keys.title(thread_id)])
    except StoreError as error:
        _draw_error(error)


def _import(session: ChatSession) -> None:
    file = st.session_state[keys.IMPORT]
    if file is None:
        return
    try:
        thread, title = import_json(file.getvalue().decode("utf-8", "replace"))
        thread.title = title
        session.import_thread(thread)
    except (ThreadImportError, StoreError) as error:
        _draw_error(error)


def _draw_error(error: ThreadImportError | StoreError) -> None:
    st.toast(escape_markdown(translate(error.text)), icon=":material/error:")
