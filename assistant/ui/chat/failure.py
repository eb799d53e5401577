"""A failed run: what happened, its details, and the buttons that may help.

Retry is always offered, because the user may have fixed the cause. Where the server asked for a wait, the
button waits, too.
"""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass

import streamlit as st

from assistant.events import RunFailed, ServerError
from assistant.markdown.escape import escape_markdown
from assistant.ui import keys
from assistant.ui.language import _, ngettext, translate
from assistant.ui.sidebar.connection import open_connection_dialog
from assistant.ui.state import state_of

CONNECTION_CODES = frozenset(
    {
        "invalid_api_key",
        "forbidden",
        "not_found",
        "model_not_found",
        "no_websocket",
        "not_the_api",
        "unreachable",
    }
)
"""Errors that other settings of the connection may mend, such as HTTP status 401, 403 and 404."""


@dataclass(slots=True)
class RetryWait:
    """The failure that this session drew last, and when it may be retried."""

    failure: RunFailed | None = None
    until: float = 0.0


def draw_failure(failure: RunFailed, retry: Callable[[], None] | None, retries: int) -> None:
    """Draw the error with its details and, unless ``retry`` is None, what the user can do.

    That is a button that calls ``retry`` once the wait is over, and one that opens the connection's settings
    if they may be the cause. ``retries`` is how often a request was sent again before the run failed.
    """
    st.error(escape_markdown(translate(failure.text)), icon=":material/error:")
    if details := _format_details(failure.details or ServerError(), retries):
        with st.expander(_("Details"), type="compact"):
            st.code(details, language=None, wrap_lines=True)
    if retry is None:
        return
    with st.container(horizontal=True, vertical_alignment="center"):
        if _seconds_left(failure):
            _count_down(failure)
        else:
            _draw_button(failure, retry)
        if failure.code in CONNECTION_CODES:
            st.button(
                _("Connection settings"),
                key=keys.FAILURE_CONNECTION,
                icon=":material/lan:",
                on_click=open_connection_dialog,
            )


def _format_details(details: ServerError, retries: int) -> str:
    lines = [
        ngettext("Tried again {count} time", "Tried again {count} times", retries) if retries else "",
        _("HTTP status: {status}", status=details.status) if details.status else "",
        _("Request ID: {id}", id=details.request_id) if details.request_id else "",
        details.message,
    ]
    return "\n".join(filter(None, lines))


@st.fragment(run_every=1)
def _count_down(failure: RunFailed) -> None:
    left = _seconds_left(failure)
    if not left:
        st.rerun()  # the whole page, which ends this timer
    with st.container(horizontal=True, vertical_alignment="center"):
        _draw_button(failure)
        st.caption(_("You can try again in {time}.", time=_format_wait(left)))


def _draw_button(failure: RunFailed, retry: Callable[[], None] | None = None) -> None:
    st.button(
        _("Retry"),
        key=keys.RETRY,
        type="primary" if failure.retry else "secondary",
        icon=":material/refresh:",
        disabled=retry is None,
        on_click=retry,
    )


def _seconds_left(failure: RunFailed) -> int:
    """Return the remaining wait, counted from when this browser session first drew this failure."""
    if failure.retry_after is None:
        return 0
    wait = state_of(RetryWait)
    if wait.failure is not failure:
        wait.failure, wait.until = failure, time.monotonic() + failure.retry_after
    return max(0, math.ceil(wait.until - time.monotonic()))


def _format_wait(seconds: int) -> str:
    if seconds < 120:
        return _("{seconds} s", seconds=seconds)
    if seconds < 7200:
        return _("{minutes} min", minutes=round(seconds / 60))
    return _("{hours} h", hours=round(seconds / 3600))
