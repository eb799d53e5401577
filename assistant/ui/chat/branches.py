"""Edit a message, regenerate an answer, and switch between the branches that this creates.

Nothing is lost: the old branch stays, and typed text stays when it cannot be sent now.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import streamlit as st

from assistant.errors import QuotaError, ThreadBusy
from assistant.events import RunCompleted, RunStopped
from assistant.session import ChatSession
from assistant.ui.language import _
from assistant.ui.quotas import limit_text


def draw_edit_button(session: ChatSession, position: int) -> None:
    """Draw the button that opens the editor of the user's message at this position."""

    def open_editor() -> None:
        session.editing = session.thread.id, position
        st.session_state[f"edit_text_{position}"] = session.history[position].text

    st.button(
        "",
        key=f"edit_{position}",
        help=_("Edit"),
        icon=":material/edit:",
        type="tertiary",
        on_click=open_editor,
    )


def draw_editor(session: ChatSession, position: int) -> None:
    """Draw the editor in place of the user's message at this position."""
    key, before = f"edit_text_{position}", session.history[position].text
    st.session_state.setdefault(key, before)
    st.text_area(
        _("Your message"), key=key, label_visibility="collapsed", height="content", persist_state="session"
    )

    def close_editor() -> None:
        session.editing = None
        st.session_state.pop(key, None)

    def save() -> None:
        text = st.session_state[key] or ""
        if not text.strip():
            return
        with _note_refusal(session):
            if text != before:
                session.edit(position, text)
            close_editor()

    with st.container(horizontal=True):
        st.button(_("Save"), key=f"save_{position}", type="primary", on_click=save)
        st.button(_("Cancel"), key=f"cancel_{position}", type="tertiary", on_click=close_editor)


def draw_branches(session: ChatSession, position: int) -> None:
    """Draw, below a message, Regenerate for the newest answer and arrows where there are several branches.

    A failed answer has a retry button instead of Regenerate.
    """
    opened, count = session.thread.branch_at(position)
    message = session.history[position]
    is_user, is_newest = message.role == "user", position == len(session.history) - 1
    can_regenerate = is_newest and not is_user and isinstance(message.ending, RunCompleted | RunStopped)
    if count == 1 and not can_regenerate:
        st.empty()  # instead of the buttons that the newest answer had
        return
    with st.container(
        horizontal=True,
        horizontal_alignment="right" if is_user else "left",
        vertical_alignment="center",
        gap="small",
        key=f"branches_{position}",
    ):
        if can_regenerate:
            st.button(
                _("Regenerate"),
                key=f"regenerate_{position}",
                icon=":material/refresh:",
                type="tertiary",
                on_click=_try,
                args=[session, session.regenerate, position],
            )
        if count > 1:
            _draw_arrow(session, position, opened - 1, "before", disabled=opened == 0)
            st.caption(f"{opened + 1}/{count}", width="content")
            _draw_arrow(session, position, opened + 1, "after", disabled=opened == count - 1)


def _draw_arrow(session: ChatSession, position: int, number: int, name: str, *, disabled: bool) -> None:
    is_before = name == "before"
    st.button(
        "",
        key=f"branch_{name}_{position}",
        help=_("Previous version") if is_before else _("Next version"),
        icon=f":material/chevron_{'left' if is_before else 'right'}:",
        type="tertiary",
        disabled=disabled,
        on_click=_try,
        args=[session, session.switch, position, number],
    )


def _try(session: ChatSession, action: Callable[..., None], *arguments: int) -> None:
    with _note_refusal(session):
        action(*arguments)


@contextmanager
def _note_refusal(session: ChatSession) -> Iterator[None]:
    """Note why an action is not possible now, for the page to show, instead of the rest of the block."""
    try:
        yield
    except (QuotaError, ThreadBusy) as error:
        session.notices.append(limit_text(error) if isinstance(error, QuotaError) else error.text)
