"""One stored message with its actions: the user's text or its editor, or an answer."""

from collections.abc import Callable
from itertools import groupby

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from assistant.session import ChatSession
from assistant.ui.chat.answer import AnswerPlace, answer_chunks
from assistant.ui.chat.messages.actions import draw_answer_actions, draw_user_actions
from assistant.ui.chat.messages.editor import draw_editor
from assistant.ui.composer.attachments import draw_attachments
from assistant.ui.state import page_state


def draw_message(session: ChatSession, position: int) -> None:
    """Draw the message at this position of the open thread."""
    if session.history[position].role == "user":
        with st.chat_message("user"):
            _draw_user_message(session, position)
    else:
        _draw_answer(session, position)


def _draw_user_message(session: ChatSession, position: int) -> None:
    message = session.history[position]
    if page_state().editing == (session.thread.id, position):
        draw_editor(session, position)
    else:
        with st.container(horizontal=True, horizontal_alignment="right", gap="xsmall"):
            st.text(message.text, width="stretch")
            draw_user_actions(session, position)
    draw_attachments(message)


def _draw_answer(session: ChatSession, position: int) -> None:
    content, below, draw_end = answer_places()
    answer_place = AnswerPlace(session, position, below, is_newest=position == len(session.history) - 1)
    with content:
        chunks = answer_chunks([list(session.history[position].events())], answer_place)
        for is_text, group in groupby(chunks, lambda chunk: isinstance(chunk, str)):
            if is_text:  # the pieces of one block
                st.markdown("".join(chunk for chunk in group if isinstance(chunk, str)))
                continue
            for chunk in group:
                if not isinstance(chunk, str):
                    chunk()
    draw_end(session, position)


def answer_places() -> tuple[DeltaGenerator, DeltaGenerator, Callable[[ChatSession, int], None]]:
    """Return the places of an answer: its content, what stands below it, and a function that draws its end.

    A stored and a live answer have the same places. Each is filled whenever it is drawn, so nothing of an
    earlier drawing stays in it.
    """
    place = st.chat_message("assistant")
    content, below = place.container(), place.empty()

    def draw_end(session: ChatSession, position: int) -> None:
        with place:
            draw_answer_actions(session, position)

    return content, below, draw_end
