"""What an empty chat offers: a card for each thing that the page shows, and in the demo recordings."""

from pathlib import Path

import streamlit as st

from assistant.locale import N_
from assistant.recordings.recording import Recording, sample_files, sample_title
from assistant.session import ChatSession
from assistant.ui import keys
from assistant.ui.language import _, translate
from assistant.ui.state import page_state

EXAMPLES = {
    N_("Parallel calls"): N_("Compare the weather in Tokyo and Paris, then find a hotel in the warmer city"),
    N_("Approval"): N_("Book the cheapest hotel in Kyoto for Ada Lovelace, 2 nights from tomorrow"),
    N_("Chart"): N_("Show me a chart of the hotel prices in Lisbon"),
    N_("A failure"): N_("Find hotels in Atlantis and in Oslo"),
}
"""The questions, by what their answers show."""


def draw_examples(session: ChatSession) -> str:
    """Draw the examples and return the question that the user clicked, or an empty text."""
    question = ""
    cards = list(enumerate(EXAMPLES.items()))
    # The height is about that of the cards, until they and the styles are loaded.
    with st.container(key=keys.EXAMPLES, gap="small", height=200, border=False):
        for row in (cards[:2], cards[2:]):  # not with styles, which come too late: the cards would jump
            with st.container(horizontal=True, wrap=False, gap="small"):
                for number, (title, example) in row:
                    # The styles put the title on a line of its own.
                    label = f"**{translate(title)}** {translate(example)}"
                    if st.button(label, key=keys.example(number), width="stretch"):
                        question = translate(example)
    if session.connection.settings.demo:
        _draw_recordings(session)
    return question


def _draw_recordings(session: ChatSession) -> None:
    expander = st.expander(_("Replay a recording"), icon=":material/play_circle:", type="compact")
    with expander, st.container(horizontal=True):
        for name, path in sample_files().items():
            st.button(
                translate(sample_title(name)),
                key=keys.example_recording(name),
                on_click=_replay,
                args=[session, path],
            )


def _replay(session: ChatSession, path: Path) -> None:
    is_phone = "Mobi" in st.context.headers.get("User-Agent", "")  # the inspector would cover the answer
    page = page_state()
    page.inspector_open, page.outdated = not is_phone, True
    session.replay(Recording.from_lines(path.read_text("utf-8")))
