"""The line below an answer: model, time and tokens, a copy button, and a rating.

Only the newest answer has buttons; older ones are one element, because all messages of a thread are drawn
together.
"""

import streamlit as st

from assistant.markdown.escape import escape_markdown
from assistant.messages import Feedback, Message
from assistant.run_stats import RunStats
from assistant.session import ChatSession
from assistant.ui.language import _

MAX_COMMENT_CHARS = 2_000


def draw_footer(session: ChatSession, position: int) -> None:
    """Draw the line of the answer at this position, if it has ended and is not empty."""
    message = session.history[position]
    if message.role == "user" or message.ending is None or message.is_empty:
        st.empty()
        return
    is_newest = position == len(session.history) - 1
    if is_newest and message.text and not session.runs_elsewhere:
        _draw_buttons(session, message, position)
    elif text := " · ".join(filter(None, [short_stats(message.stats), _format_feedback(message.feedback)])):
        st.caption(text, help=full_stats(message.stats) or None)
    else:
        st.empty()


@st.fragment
def _draw_buttons(session: ChatSession, message: Message, position: int) -> None:
    """Draw the line with buttons. As a fragment of its own, it reruns alone."""
    with st.container(horizontal=True, vertical_alignment="center", gap="xsmall", key=f"footer_{position}"):
        if text := short_stats(message.stats):
            st.caption(text, width="content", help=full_stats(message.stats) or None)
        copy = st.popover(
            "",
            icon=":material/content_copy:",
            type="tertiary",
            help=_("Copy the answer"),
            key=f"copy_{position}",
            on_change="rerun",
        )
        if copy.open:
            with copy:
                st.code(message.text, language=None, wrap_lines=True, height=300)
        key = _widget(f"thumbs_{position}", None if message.feedback is None else int(message.feedback.good))
        st.feedback("thumbs", key=key, on_change=_rate, args=[session, message, key])
    if message.feedback is not None:
        key = _widget(f"comment_{position}", message.feedback.comment)
        st.text_input(
            _("Add a comment (optional)"),
            key=key,
            placeholder=_("Add a comment (optional)"),
            label_visibility="collapsed",
            max_chars=MAX_COMMENT_CHARS,
            on_change=_comment,
            args=[session, message, key],
        )


def _widget(key: str, value: object) -> str:
    """Set a widget's value and return its key; another message or page may have left another value."""
    if key not in st.session_state or st.session_state[key] != value:
        st.session_state[key] = value
    return key


def _rate(session: ChatSession, message: Message, key: str) -> None:
    value = st.session_state[key]  # None: a second press removes the rating
    comment = message.feedback.comment if message.feedback else ""
    session.rate(message, None if value is None else Feedback(bool(value), comment))


def _comment(session: ChatSession, message: Message, key: str) -> None:
    if message.feedback is not None:
        session.rate(message, Feedback(message.feedback.good, st.session_state[key].strip()))


def short_stats(stats: RunStats) -> str:
    """``gpt-6-luna · 3.2 s · 1,204 tokens``, in Markdown; unknown figures are left out."""
    usage = stats.usage
    tokens = _("{count} tokens", count=f"{usage.input + usage.output:,}") if usage else ""
    return " · ".join(filter(None, [escape_markdown(stats.model), format_duration(stats.seconds), tokens]))


def full_stats(stats: RunStats) -> str:
    """Return the tokens and the number of responses in Markdown; empty if the server counted none."""
    if (usage := stats.usage) is None:
        return ""
    counts = _(
        "{input} tokens in, {cached} of them cached; {output} out, {reasoning} of them reasoning",
        input=f"{usage.input:,}",
        cached=f"{usage.cached:,}",
        output=f"{usage.output:,}",
        reasoning=f"{usage.reasoning:,}",
    )
    if stats.rounds < 2:
        return counts
    return _("{counts} in {rounds} responses", counts=counts, rounds=stats.rounds)


def format_duration(seconds: float | None, tenths: bool = True) -> str:
    """Return ``3.2 s``, ``48 s`` or ``2 min 5 s``; empty if unknown."""
    if seconds is None:
        return ""
    if tenths and seconds < 9.95:
        return _("{seconds} s", seconds=f"{seconds:.1f}")
    minutes, left = divmod(round(seconds), 60)
    if not minutes:
        return _("{seconds} s", seconds=left)
    return _("{minutes} min {seconds} s", minutes=minutes, seconds=left)


def _format_feedback(feedback: Feedback | None) -> str:
    """Return a thumb and the beginning of the comment in Markdown; empty without feedback."""
    if feedback is None:
        return ""
    comment = " ".join(feedback.comment.split())
    shown = comment if len(comment) <= 80 else comment[:79] + "…"
    return f":material/thumb_{'up' if feedback.good else 'down'}:" + (
        f" {escape_markdown(shown)}" if shown else ""
    )
