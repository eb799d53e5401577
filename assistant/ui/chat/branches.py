"""Edit a message, ask for an answer again, and switch between the branches that this makes.

Not here: what a branch is (``threads.py``) or the messages themselves (``chat.py``).

The one rule: nothing is lost. What is left is kept as a branch, and what was typed stays when it cannot be
taken just now.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import streamlit as st

from assistant.errors import QuotaError, ThreadBusy
from assistant.events import RunCompleted, RunStopped
from assistant.markdown.escape import escape_markdown
from assistant.threads import Thread
from assistant.ui.language import _, translate
from assistant.ui.quotas import limit_text


@dataclass(frozen=True, slots=True)
class Branching:
    """A thread, and what can be done at a position of it.

    Each may raise ``ThreadBusy``, and what asks again ``QuotaError``.
    """

    thread: Thread
    edit: Callable[[int, str], None]
    regenerate: Callable[[int], None]
    switch: Callable[[int, int], None]


def is_being_edited(thread: Thread, number: int) -> bool:
    """Whether the thread's message of this number is to be drawn by ``draw_editor``."""
    return "editing" in st.session_state and st.session_state.editing == (thread.id, number)


def draw_pencil(branching: Branching, number: int) -> None:
    """Draw the button that lets a person edit their message of this number; it goes beside the message."""
    st.button(
        "",
        key=f"edit_{number}",
        help=_("Edit"),
        icon=":material/edit:",
        type="tertiary",
        on_click=_begin,
        args=[branching.thread, number],
    )


def draw_editor(branching: Branching, number: int) -> None:
    """Draw the person's message of this number to be edited, in the place of the message."""
    key, before = f"edit_text_{number}", branching.thread.messages[number].text
    st.session_state.setdefault(key, before)
    st.text_area(
        _("Your message"), key=key, label_visibility="collapsed", height="content", persist_state="session"
    )

    def save() -> None:
        text = st.session_state[key] or ""
        if not text.strip():
            return
        with _refusal_told():
            if text != before:
                branching.edit(number, text)
            _end(key)

    with st.container(horizontal=True):
        st.button(_("Save"), key=f"save_{number}", type="primary", on_click=save)
        st.button(_("Cancel"), key=f"cancel_{number}", type="tertiary", on_click=_end, args=[key])


def draw_branches(branching: Branching, number: int) -> None:
    """Draw what belongs below the thread's message of this number: nothing, for most.

    The newest answer can be had again (one that failed has a button for that already); where there are
    several branches one can switch.
    """
    thread = branching.thread
    opened, count = thread.choice(number)
    message = thread.messages[number]
    mine, newest = message.role == "user", number == len(thread.messages) - 1
    again = newest and not mine and isinstance(message.ending, RunCompleted | RunStopped)
    if count == 1 and not again:
        return
    with st.container(
        horizontal=True,
        horizontal_alignment="right" if mine else "left",
        vertical_alignment="center",
        gap="small",
        key=f"branches_{number}",
    ):
        if again:
            st.button(
                _("Regenerate"),
                key=f"regenerate_{number}",
                icon=":material/refresh:",
                type="tertiary",
                on_click=_do,
                args=[branching.regenerate, number],
            )
        if count > 1:
            _draw_arrow(branching, number, opened - 1, "before", "left", disabled=opened == 0)
            st.caption(f"{opened + 1}/{count}", width="content")
            _draw_arrow(branching, number, opened + 1, "after", "right", disabled=opened == count - 1)


def _draw_arrow(branching: Branching, number: int, to: int, name: str, way: str, *, disabled: bool) -> None:
    st.button(
        "",
        key=f"branch_{name}_{number}",
        help=_("The version before this one") if way == "left" else _("The version after this one"),
        icon=f":material/chevron_{way}:",
        type="tertiary",
        disabled=disabled,
        on_click=_do,
        args=[branching.switch, number, to],
    )


def _begin(thread: Thread, number: int) -> None:
    st.session_state.editing = thread.id, number
    st.session_state[f"edit_text_{number}"] = thread.messages[number].text


def _end(key: str) -> None:
    st.session_state.pop("editing", None)
    st.session_state.pop(key, None)


def _do(act: Callable[..., None], *values: int) -> None:
    with _refusal_told():
        act(*values)


@contextmanager
def _refusal_told() -> Iterator[None]:
    """A person is told why what they wanted cannot be done just now; the rest of this block is left out."""
    try:
        yield
    except (QuotaError, ThreadBusy) as refusal:
        why = limit_text(refusal) if isinstance(refusal, QuotaError) else translate(str(refusal))
        st.toast(escape_markdown(why), icon=":material/hourglass_top:")
