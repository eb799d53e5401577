"""Notices about limits on the owner's account."""

from datetime import UTC, datetime

import streamlit as st

from assistant.errors import BudgetError, LimitExceeded, QuotaError
from assistant.markdown.escape import escape_markdown
from assistant.ui.language import _, time_zone, translate

MINUTES_PER_DAY = 24 * 60


def draw_demo_notice() -> None:
    """Draw why the demo answers although a key is set, and how the owner changes that."""
    st.info(
        _(
            "The built-in demo answers here: this page has a key, but nothing says who may use it. If you "
            "have a key, open *Connection* in the sidebar. The owner of this page sets `ASSISTANT_PASSWORD`, "
            "`ASSISTANT_ALLOWED` or `ASSISTANT_LIMIT_ALL`."
        ),
        icon=":material/science:",
    )


def draw_limit_notice(error: QuotaError) -> None:
    """Draw why a request was not sent."""
    st.info(escape_markdown(limit_text(error)), icon=":material/hourglass_top:")


def limit_text(error: QuotaError) -> str:
    """Return why a request was not sent, and when to try again in the user's time zone."""
    if isinstance(error, BudgetError):
        return translate(error.text)
    if not isinstance(error, LimitExceeded):
        return _("Usage cannot be counted right now, so nothing was sent. Try again in a minute.")
    resets = datetime.fromtimestamp(error.resets_at, time_zone() or UTC)
    minutes = max(1, round(error.wait_seconds / 60))
    if minutes < 90:
        wait = _("{minutes} min", minutes=minutes)
    elif minutes < MINUTES_PER_DAY:
        wait = _("{hours} h", hours=round(minutes / 60))
    else:
        wait = _("{days} d", days=round(minutes / MINUTES_PER_DAY))
    clock = resets.strftime("%H:%M" if minutes <= MINUTES_PER_DAY else "%Y-%m-%d %H:%M")
    if error.scope == "budget":
        return _(
            "This page's budget does not allow another answer right now. Try again when other answers have "
            "ended, or at {time}, in {wait}.",
            time=clock,
            wait=wait,
        )
    if error.scope == "everyone":
        return _(
            "This page has reached its usage limit. Try again at {time}, in {wait}.", time=clock, wait=wait
        )
    return _("You have reached your usage limit. Try again at {time}, in {wait}.", time=clock, wait=wait)
