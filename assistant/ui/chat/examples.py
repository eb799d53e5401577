"""What an empty chat offers: example questions and, in the demo, recordings to replay."""

from pathlib import Path

import streamlit as st

from assistant.locale import N_
from assistant.recordings.recording import Recording, sample_files
from assistant.session import ChatSession
from assistant.ui import keys
from assistant.ui.language import _, translate

EXAMPLES = [
    N_("What's the weather in Tokyo and Paris, and then find me a hotel in the warmer one"),
    N_("What time is it in Oslo, and what's on in Lisbon?"),
    "京都の今の時間と、イベントを教えて",
    'calculate(expression="(19.5 + 3) * 4")',
]


def draw_examples(session: ChatSession) -> str:
    """Draw the examples and return the question that the user clicked, or an empty text."""
    question = ""
    with st.container(horizontal=True, key=keys.EXAMPLES):
        for number, example in enumerate(map(translate, EXAMPLES)):
            if st.button(example, key=keys.example(number)):
                question = example
        for name, path in sample_files().items() if session.settings.demo else ():
            st.button(
                _("Replay: {name}", name=translate(name.replace("_", " "))),
                key=keys.example_recording(name),
                icon=":material/play_circle:",
                type="tertiary",
                on_click=_replay,
                args=[session, path],
            )
    return question


def _replay(session: ChatSession, path: Path) -> None:
    session.inspector_open = session.page_outdated = True
    session.replay(Recording.from_lines(path.read_text("utf-8")))
