"""What the interface says, in the language of whoever looks at it.

Not here: what a model or a person says, or the words themselves in other languages (``words_ja.py``).

The one rule: the English words stand in the code, where they are used; a translation is found by them.
"""

import re
from functools import cache

import streamlit as st

from assistant.locale.retold_ja import RETOLD
from assistant.locale.words_ja import JAPANESE

LANGUAGES = {"en": "English", "ja": "日本語"}
"""The languages of the interface, as their own speakers call them."""


def language() -> str:
    """The language chosen on this page, else the browser's if it is one of ours, else English."""
    chosen = str(st.session_state.get("language") or st.context.locale or "en")
    short = chosen.split("-")[0].lower()
    return short if short in LANGUAGES else "en"


def say(english: str, /, **parts: object) -> str:
    """These words in the language of the page, with ``{name}`` replaced by the part of that name."""
    words = JAPANESE.get(english, english) if language() == "ja" else english
    return words.format(**parts) if parts else words


def later(english: str, /) -> str:
    """The words as they are. It marks those of a table, which are given to ``say`` where they are drawn."""
    return english


def retell(sentence: str) -> str:
    """A sentence that the package worded, in the language of the page; as it is where that is not known."""
    if language() != "ja":
        return sentence
    for pattern, japanese in _retold():
        if found := pattern.fullmatch(sentence):
            return japanese.format(**found.groupdict())
    return sentence


def draw_language() -> None:
    """Draw the choice of a language; until somebody uses it, it shows the browser's."""
    st.session_state.setdefault("language", language())
    st.segmented_control(
        say("Language"),
        list(LANGUAGES),
        key="language",
        format_func=LANGUAGES.__getitem__,
        required=True,
        label_visibility="collapsed",
        persist_state="session",
    )


@cache
def _retold() -> list[tuple[re.Pattern[str], str]]:
    """What tells each sentence that can be told again from others; its parts are named groups."""
    return [
        (re.compile(re.sub(r"\\{(\w+)\\}", r"(?P<\1>.+)", re.escape(english)), re.DOTALL), japanese)
        for english, japanese in RETOLD.items()
    ]
