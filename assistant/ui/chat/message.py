"""One stored message: the user's text with its editor, or an answer with its footer."""

from functools import cache
from itertools import groupby

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from assistant.session import ChatSession
from assistant.ui.chat.answer import AnswerPlace, answer_chunks
from assistant.ui.chat.branches import draw_branches, draw_edit_button, draw_editor
from assistant.ui.chat.footer import draw_footer
from assistant.ui.composer.attachments import draw_attachments


def draw_message(session: ChatSession, position: int) -> None:
    """Draw the message at this position of the open thread."""
    place = st.chat_message(session.history[position].role)
    if session.history[position].role == "user":
        with place:
            _draw_user_message(session, position)
    else:
        _draw_answer(place, session, position)


def _draw_user_message(session: ChatSession, position: int) -> None:
    message = session.history[position]
    if session.editing == (session.thread.id, position):
        draw_editor(session, position)
    else:
        with st.container(
            horizontal=True, horizontal_alignment="distribute", vertical_alignment="center", wrap=False
        ):
            st.text(message.text, width="stretch")
            draw_edit_button(session, position)
    draw_attachments(message)
    draw_branches(session, position)


def _draw_answer(place: DeltaGenerator, session: ChatSession, position: int) -> None:
    is_newest = position == len(session.history) - 1
    below = cache(place.empty)
    answer_place = AnswerPlace(session, position, below, is_newest)
    with place.container():
        chunks = answer_chunks([list(session.history[position].events())], answer_place)
        for is_text, group in groupby(chunks, lambda chunk: isinstance(chunk, str)):
            if is_text:  # the pieces of one block
                st.markdown("".join(chunk for chunk in group if isinstance(chunk, str)))
                continue
            for chunk in group:
                if not isinstance(chunk, str):
                    chunk()
    with place:
        if is_newest:
            below()  # as after a live answer, so that the buttons stay in their place
        draw_footer(session, position)
        draw_branches(session, position)
