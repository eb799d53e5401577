"""What a screen reader says while an answer is written: what is happening, and how the answer ended.

A screen reader announces changes inside a live region that it already knows, so the page has one region for
as long as it is open. The answer itself is not a live region: every piece of it would be read aloud.
"""

import re
from dataclasses import dataclass

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from assistant.events import RunCompleted, RunFailed, RunPaused, RunStopped
from assistant.messages import Message
from assistant.texts import shorten
from assistant.ui import keys
from assistant.ui.language import _, language, translate
from assistant.ui.page.browser_script import call_script, draw_browser_request
from assistant.ui.state import state_of

MAX_SUMMARY_CHARS = 200
"""Length of a complete answer's beginning that is read aloud."""


@dataclass(slots=True)
class Announcements:
    """The live region of this session's page."""

    region: DeltaGenerator | None = None
    text: str = ""
    """What was announced last. It stays when the script runs again, perhaps before it has been read aloud."""


def draw_live_region() -> None:
    """Draw the live region, and declare it and the page's language to the browser.

    This needs ``draw_conversation_scripts`` above it. A text that stays is not announced again.
    """
    announcements = state_of(Announcements)
    container = st.container(key=keys.ANNOUNCEMENTS, height=1, border=False)
    announcements.region = container.empty()
    announce(announcements.text)
    script = call_script("declareRoles", language(), _("Open menus"))
    container.html(script, unsafe_allow_javascript=True)
    with container:
        draw_browser_request()


def announce(text: str) -> None:
    """Have a screen reader say the text when it has finished what it is saying."""
    announcements = state_of(Announcements)
    if announcements.region is not None and text:
        announcements.text = text
        announcements.region.text(text)


def announce_ending(message: Message) -> None:
    """Announce how an answer ended, and how it begins."""
    match message.ending:
        case RunCompleted() if not message.text.strip():
            text = _("The answer is complete.")
        case RunCompleted():
            text = _("The answer is complete: {beginning}", beginning=first_sentence(message.text))
        case RunPaused():
            text = _("Waiting for your approval.")
        case RunStopped() | RunFailed() as ending:
            text = translate(ending.text)
        case None:
            return
    announce(text)


_CODE = re.compile(r"(?<!`)(`++)(.+?)(?<!`)\1(?!`)")

_EMPHASIS = re.compile(r"(?<![\w*_])[*_]+(?=[^\s*_])|(?<=[^\s*_])[*_]+(?![\w*_])|`")
"""Markers at the edge of a word; those inside of one are part of it, as in ``6*7`` and ``MAX_ROUNDS``."""


def first_sentence(text: str) -> str:
    """Return the first sentence of an answer without Markdown, shortened to ``MAX_SUMMARY_CHARS``."""
    parts = _CODE.split(re.sub(r"^[#>|\s]+", "", text[: 10 * MAX_SUMMARY_CHARS]))
    parts[::3] = [_EMPHASIS.sub("", part) for part in parts[::3]]
    parts[1::3] = [""] * len(parts[1::3])  # the backticks
    text = " ".join("".join(parts).split())
    sentence = re.match(r".*?[.!?。！？](?=\s|$|(?<=[。！？]))", text)
    return shorten(sentence[0] if sentence else text, MAX_SUMMARY_CHARS)
