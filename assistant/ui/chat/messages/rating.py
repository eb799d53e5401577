"""The user's rating of an answer: a thumb, and a comment once there is one."""

import streamlit as st

from assistant.markdown.escape import escape_markdown
from assistant.messages import Feedback, Message
from assistant.session import ChatSession
from assistant.texts import shorten
from assistant.ui import keys
from assistant.ui.language import _

MAX_COMMENT_CHARS = 2_000


def draw_thumbs(session: ChatSession, message: Message, position: int) -> None:
    """Draw the two thumbs; a second press removes the rating."""
    key = _widget(keys.thumbs(position), None if message.feedback is None else int(message.feedback.good))
    st.feedback("thumbs", key=key, on_change=_rate, args=[session, message, key])


def draw_comment(session: ChatSession, message: Message, position: int) -> None:
    """Draw the field for a comment on a rated answer."""
    if message.feedback is None:
        return
    key = _widget(keys.comment(position), message.feedback.comment)
    st.text_input(
        _("Add a comment (optional)"),
        key=key,
        placeholder=_("Add a comment (optional)"),
        label_visibility="collapsed",
        max_chars=MAX_COMMENT_CHARS,
        on_change=_comment,
        args=[session, message, key],
    )


def format_feedback(feedback: Feedback | None) -> str:
    """Return a thumb and the beginning of the comment in Markdown; empty without feedback."""
    if feedback is None:
        return ""
    comment = escape_markdown(shorten(" ".join(feedback.comment.split()), 80))
    return f":material/thumb_{'up' if feedback.good else 'down'}: {comment}".rstrip()


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
