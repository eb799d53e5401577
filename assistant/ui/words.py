"""What the interface says, in the language of whoever looks at it.

Not here: what a model or a person says, or the words themselves in other languages (``words_ja.py``).

The one rule: the English words stand in the code, where they are used; a translation is found by them.
"""

import streamlit as st

from .words_ja import JAPANESE

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
