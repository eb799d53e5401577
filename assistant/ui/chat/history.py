"""The messages before the answer that is being written, each in its place.

Not here: how a message is drawn (``chat.py``).

The one rule: nobody waits for what they see already. Streamlit has a page draw all of itself again for each
message, and takes from it what was not drawn again when its script ends; until then, it stands as it was.
"""

from collections.abc import Callable, Hashable, Sequence
from itertools import takewhile

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from assistant.messages import Message


def draw_history(
    messages: Sequence[Message],
    layout: Hashable,
    draw: Callable[[DeltaGenerator, int], None],
    gone: int = 0,
) -> Callable[[], None]:
    """Draw the messages that do not stand on this session's page yet; gives what draws the others again.

    ``draw`` takes a message's place and its position. Where the ``layout`` is another one than when it was
    said last what stands on the page, nothing does. So many of the first as are ``gone`` leave their places
    empty: were those taken, each of the others would have to be drawn in the place of another.
    """
    before, standing = st.session_state.get("standing", (None, ()))
    same = zip(standing, messages, strict=False) if before == layout else ()
    known = sum(1 for _ in takewhile(lambda pair: pair[0] is pair[1], same))
    places = []
    for position, message in enumerate(messages):
        places.append(st.empty() if position < gone else st.chat_message(message.role))
        if position >= max(known, gone):
            draw(places[-1], position)

    def draw_rerun_tool() -> None:
        for position in range(gone, known):
            draw(places[position], position)

    now_stands(messages, layout)
    return draw_rerun_tool


def now_stands(messages: Sequence[Message], layout: Hashable) -> None:
    """Note what stands on this session's page."""
    st.session_state.standing = layout, messages
