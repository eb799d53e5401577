"""What a screen reader says of an answer while it is written: what happens, and how it ended; not each word.

Not here: what is seen (``chat.py``).

The one rule: the place is one for the whole page and stays while the page does. A reader speaks of changes
inside of a place that it knows; one that comes with its words it passes over. The answer itself is no such
place: all of its pieces would be spoken.
"""

import json
import re
from collections.abc import Callable

import streamlit as st

from assistant.events import RunCompleted, RunFailed, RunPaused, RunStopped
from assistant.messages import Message
from assistant.ui.language import _, language, translate

BEGINNING = 200
"""Characters of an answer that are spoken when it is complete: the rest is there to be read."""

# Streamlit gives a container no role, and the page is in English to it, whatever the page says.
_SCRIPT = """<script>
for (const place of document.getElementsByClassName("st-key-hearing")) {
  place.setAttribute("role", "status")
  place.setAttribute("aria-live", "polite")
}
document.documentElement.lang = LANGUAGE
</script>"""


def draw_hearing() -> Callable[[], None]:
    """Make the place; gives what tells the browser that it is one, and which language the page is in.

    It is empty, but for how an answer ended a moment ago: the page may be drawn again before that was heard.
    """
    hearing = st.container(key="hearing")
    st.session_state.hearing = hearing.empty()
    tell(st.session_state.pop("heard_last", ""))

    def introduce() -> None:
        script = _SCRIPT.replace("LANGUAGE", json.dumps(language()))
        hearing.html(script, unsafe_allow_javascript=True)

    return introduce


def tell(words: str) -> None:
    """Have a screen reader say these words when it has said what it is saying."""
    place = st.session_state.get("hearing")
    if place is not None and words:
        place.text(words)


def _tell_last(words: str) -> None:
    st.session_state.heard_last = words
    tell(words)


def tell_end(message: Message) -> None:
    """Say how an answer ended, and how it begins."""
    match message.ending:
        case RunCompleted() if not message.text.strip():
            _tell_last(_("The answer is complete."))
        case RunCompleted():
            _tell_last(_("The answer is complete: {beginning}", beginning=beginning(message.text)))
        case RunPaused():
            _tell_last(_("Waiting for your decision."))
        case RunStopped(_, text) | RunFailed(_, text):
            _tell_last(translate(text))


def beginning(text: str) -> str:
    """The first sentence of an answer, without the marks of Markdown, and not too long."""
    words = " ".join(re.sub(r"^[#>|\s]+|[*`_]+", "", text[: 10 * BEGINNING]).split())
    sentence = re.match(r".*?[.!?。！？](?=\s|$|(?<=[。！？]))", words)
    shown = sentence[0] if sentence else words
    return shown if len(shown) <= BEGINNING else shown[: BEGINNING - 1] + "…"
