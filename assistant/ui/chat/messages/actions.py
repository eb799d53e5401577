"""The row of actions of a message: copy, edit or regenerate, branches and rating, and an answer's figures."""

from collections.abc import Callable
from functools import partial
from typing import Literal

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from assistant.events import RunCompleted, RunStopped
from assistant.messages import Message
from assistant.session import ChatSession
from assistant.ui import keys
from assistant.ui.chat.messages.editor import open_editor, try_action
from assistant.ui.chat.messages.rating import draw_comment, draw_thumbs, format_feedback
from assistant.ui.chat.messages.stats import full_stats, short_stats
from assistant.ui.language import _
from assistant.ui.page.browser_script import copy_text


def draw_user_actions(session: ChatSession, position: int) -> None:
    """Draw the actions of the user's message at this position."""
    with _row(position, "content"):
        _draw_copy(session.history[position].text, position)
        _draw_button(_("Edit"), keys.edit(position), "edit", partial(open_editor, session, position))
        _draw_branches(session, position)


def draw_answer_actions(session: ChatSession, position: int) -> None:
    """Draw the actions and figures of the answer at this position, if it has ended.

    A failed answer has a retry button instead of Regenerate. Only the newest answer can be regenerated and
    rated.
    """
    message = session.history[position]
    is_newest = position == len(session.history) - 1
    can_regenerate = is_newest and isinstance(message.ending, RunCompleted | RunStopped)
    can_rate = is_newest and bool(message.text) and not session.runs_elsewhere
    has_branches = session.thread.branch_at(position)[1] > 1
    figures = "" if message.is_empty else _figures(message, with_feedback=not can_rate)
    if message.ending is None or not (message.text or figures or can_regenerate or has_branches):
        st.empty()
        st.empty()
        return
    # A row that has lost its buttons is drawn in another place: keyed widgets stay in theirs until a script
    # ends.
    places = st.empty(), st.empty()
    with places[is_newest].container(gap="xxsmall"):
        with _row(position, "stretch"):
            if message.text:
                _draw_copy(message.text, position)
            if can_regenerate:
                regenerate = partial(try_action, session, session.regenerate, position)
                _draw_button(_("Regenerate"), keys.regenerate(position), "refresh", regenerate)
            _draw_branches(session, position)
            if can_rate:
                draw_thumbs(session, message, position)
            if figures:
                help = full_stats(message.stats) or None
                st.caption(figures, width="stretch", text_alignment="right", help=help)
        if can_rate:
            draw_comment(session, message, position)


def _row(position: int, width: Literal["content", "stretch"]) -> DeltaGenerator:
    return st.container(
        horizontal=True,
        vertical_alignment="center",
        gap="xxsmall",
        width=width,
        wrap=False,
        key=keys.actions(position),
    )


def _draw_button(
    label: str, key: str, icon: str, on_click: Callable[[], None], *, disabled: bool = False
) -> None:
    """Draw an icon. Its label is its name for screen readers, and what the pointer shows."""
    icon = f":material/{icon}:"
    st.button(label, key=key, help=label, icon=icon, type="tertiary", disabled=disabled, on_click=on_click)


def _draw_copy(text: str, position: int) -> None:
    key = keys.copy(position)
    _draw_button(_("Copy"), key, "content_copy", partial(copy_text, key, text))


def _figures(message: Message, *, with_feedback: bool) -> str:
    feedback = format_feedback(message.feedback) if with_feedback else ""
    return " · ".join(filter(None, [short_stats(message.stats), feedback]))


def _draw_branches(session: ChatSession, position: int) -> None:
    """Draw arrows where there are several branches."""
    opened, count = session.thread.branch_at(position)
    if count > 1:
        _draw_arrow(session, position, opened - 1, "before", disabled=opened == 0)
        st.caption(f"{opened + 1}/{count}", width="content")
        _draw_arrow(session, position, opened + 1, "after", disabled=opened == count - 1)


def _draw_arrow(session: ChatSession, position: int, number: int, name: str, *, disabled: bool) -> None:
    is_before = name == "before"
    label = _("Previous version") if is_before else _("Next version")
    icon = "chevron_left" if is_before else "chevron_right"
    switch = partial(try_action, session, session.switch, position, number)
    _draw_button(label, keys.branch(name, position), icon, switch, disabled=disabled)
