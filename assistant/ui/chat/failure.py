"""A failed run: what happened, and the button that tries again.

Retry is always offered, because the user may have fixed the cause. Where the server asked for a wait, the
button waits, too.
"""

import math
import time
from collections.abc import Callable

import streamlit as st

from assistant.events import RunFailed
from assistant.markdown.escape import escape_markdown
from assistant.ui.language import _, translate

clock = time.monotonic


def draw_failure(failure: RunFailed, retry: Callable[[], None] | None) -> None:
    """Draw the error and, unless ``retry`` is None, a button that calls it once the wait is over."""
    st.error(escape_markdown(translate(failure.text)), icon=":material/error:")
    if retry is None:
        return
    if _seconds_left(failure):
        _count_down(failure)
    else:
        _draw_button(failure, retry)


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
        key="retry",
        type="primary" if failure.retry else "secondary",
        icon=":material/refresh:",
        disabled=retry is None,
        on_click=retry,
    )


def _seconds_left(failure: RunFailed) -> int:
    """Return the remaining wait, counted from when this browser session first drew this failure."""
    if failure.retry_after is None:
        return 0
    seen: RunFailed | None
    deadline: float
    seen, deadline = st.session_state.get("retry_at", (None, 0.0))
    if seen is not failure:
        deadline = clock() + failure.retry_after
        st.session_state.retry_at = failure, deadline
    return max(0, math.ceil(deadline - clock()))


def _format_wait(seconds: int) -> str:
    if seconds < 120:
        return _("{seconds} s", seconds=seconds)
    if seconds < 7200:
        return _("{minutes} min", minutes=round(seconds / 60))
    return _("{hours} h", hours=round(seconds / 3600))
