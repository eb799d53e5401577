"""A run that failed, as a person sees it: what happened, and the button that tries again.

The one rule: trying again is always offered, for a person may have mended what was wrong; where the server
asked for a wait, the button waits.
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
    """Say what happened; offer ``retry``, where there is one, when the wait is over."""
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
        st.rerun()  # the whole page: so nothing ticks on
    with st.container(horizontal=True, vertical_alignment="center"):
        _draw_button(failure)
        st.caption(_("You can try again in {time}.", time=_in_words(left)))


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
    """The wait that remains, counted from when this browser session first saw this failure."""
    if failure.retry_after is None:
        return 0
    seen: RunFailed | None
    deadline: float
    seen, deadline = st.session_state.get("retry_at", (None, 0.0))
    if seen is not failure:
        deadline = clock() + failure.retry_after
        st.session_state.retry_at = failure, deadline
    return max(0, math.ceil(deadline - clock()))


def _in_words(seconds: int) -> str:
    if seconds < 120:
        return _("{seconds} s", seconds=seconds)
    if seconds < 7200:
        return _("{minutes} min", minutes=round(seconds / 60))
    return _("{hours} h", hours=round(seconds / 3600))
