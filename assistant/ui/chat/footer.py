"""The quiet line below an answer: who wrote it, its time and tokens; copy it, and say what it is worth.

Not here: the answer (``chat.py``), or what is known of its effort (``effort.py``).

The one rule: an older answer has one element here, for all of a thread is drawn at each turn. The newest
alone has buttons, and what they show is sent when it is asked for.
"""

from collections.abc import Callable

import streamlit as st

from assistant.markdown.escape import escape_markdown
from assistant.messages import Feedback, Message
from assistant.run_stats import RunStats
from assistant.ui.language import _

COMMENT_LENGTH = 2_000
"""Characters of a comment."""


def draw_footer(message: Message, number: int, keep: Callable[[], None] | None = None) -> None:
    """Draw the line of an answer, the thread's message of this number, if it has ended and says anything.

    ``keep`` is given for the newest alone, which has buttons; it is called when ``message.feedback`` changed.
    """
    if message.role == "user" or message.ending is None or message.is_empty:
        return
    if keep and message.text:
        _draw_buttons(message, number, keep)
    elif words := " · ".join(filter(None, [in_short(message.stats), _rated(message.feedback)])):
        st.caption(words, help=in_full(message.stats) or None)


@st.fragment
def _draw_buttons(message: Message, number: int, keep: Callable[[], None]) -> None:
    """The newest answer's line. A fragment: what is pressed here draws nothing but this line again."""
    with st.container(horizontal=True, vertical_alignment="center", gap="xsmall", key=f"footer_{number}"):
        if words := in_short(message.stats):
            st.caption(words, width="content", help=in_full(message.stats) or None)
        copy = st.popover(
            "",
            icon=":material/content_copy:",
            type="tertiary",
            help=_("Copy the answer"),
            key=f"copy_{number}",
            on_change="rerun",
        )
        if copy.open:
            with copy:
                st.code(message.text, language=None, wrap_lines=True, height=300)
        thumbs = _state(f"thumbs_{number}", None if message.feedback is None else int(message.feedback.good))
        st.feedback("thumbs", key=thumbs, on_change=_rate, args=[message, thumbs, keep])
    if message.feedback is not None:
        comment = _state(f"comment_{number}", message.feedback.comment)
        st.text_input(
            _("Say why, if you like"),
            key=comment,
            placeholder=_("Say why, if you like"),
            label_visibility="collapsed",
            max_chars=COMMENT_LENGTH,
            on_change=_comment,
            args=[message, comment, keep],
        )


def _state(key: str, value: object) -> str:
    """The key of a widget that shows this: another message, or another page, may have left something else."""
    if key not in st.session_state or st.session_state[key] != value:
        st.session_state[key] = value
    return key


def _rate(message: Message, key: str, keep: Callable[[], None]) -> None:
    given = st.session_state[key]  # None: pressed a second time, which takes it back
    comment = message.feedback.comment if message.feedback else ""
    message.feedback = None if given is None else Feedback(bool(given), comment)
    keep()


def _comment(message: Message, key: str, keep: Callable[[], None]) -> None:
    if message.feedback is not None:
        message.feedback = Feedback(message.feedback.good, st.session_state[key].strip())
        keep()


def in_short(effort: RunStats) -> str:
    """``gpt-6-luna · 3.2 s · 1,204 tokens``, in Markdown; what nobody knows is left out."""
    usage = effort.usage
    tokens = _("{count} tokens", count=f"{usage.input + usage.output:,}") if usage else ""
    return " · ".join(filter(None, [escape_markdown(effort.model), in_time(effort.seconds), tokens]))


def in_full(effort: RunStats) -> str:
    """What the tokens were, and in how many responses, in Markdown; empty where nobody counted."""
    if (usage := effort.usage) is None:
        return ""
    counts = _(
        "{input} tokens in, {cached} of them cached; {output} out, {reasoning} of them reasoning",
        input=f"{usage.input:,}",
        cached=f"{usage.cached:,}",
        output=f"{usage.output:,}",
        reasoning=f"{usage.reasoning:,}",
    )
    if effort.rounds < 2:
        return counts
    return _("{counts} in {rounds} responses", counts=counts, rounds=effort.rounds)


def in_time(seconds: float | None, tenths: bool = True) -> str:
    """``3.2 s``, ``48 s`` or ``2 min 5 s``; empty where nobody measured."""
    if seconds is None:
        return ""
    if tenths and seconds < 9.95:
        return _("{seconds} s", seconds=f"{seconds:.1f}")
    minutes, rest = divmod(round(seconds), 60)
    if not minutes:
        return _("{seconds} s", seconds=rest)
    return _("{minutes} min {seconds} s", minutes=minutes, seconds=rest)


def _rated(rating: Feedback | None) -> str:
    if rating is None:
        return ""
    comment = " ".join(rating.comment.split())
    shown = comment if len(comment) <= 80 else comment[:79] + "…"
    return f":material/thumb_{'up' if rating.good else 'down'}:" + (
        f" {escape_markdown(shown)}" if shown else ""
    )
