"""The language of the page, the functions that put a sentence into it, and the user's time zone.

Mark a sentence that is drawn here with ``_``, and one from elsewhere in the package (``N_``) with
``translate``.
"""

from zoneinfo import ZoneInfo

import streamlit as st

from assistant.locale import LANGUAGES, N_plural, Param, Sentence
from assistant.locale import translate as translate_into
from assistant.ui import keys


def language() -> str:
    """Return the language chosen on this page, else the browser's if it is supported, else English."""
    chosen = str(st.session_state.get(keys.LANGUAGE) or st.context.locale or "en")
    short = chosen.split("-")[0].lower()
    return short if short in LANGUAGES else "en"


def time_zone() -> ZoneInfo | None:
    """Return the browser's time zone; None if it names none that is known here."""
    try:
        return ZoneInfo(st.context.timezone or "")
    except (KeyError, ValueError, OSError):  # any text, also a path
        return None


def _(template: str, /, **params: Param) -> str:
    """Return the sentence in the page's language, with ``{name}`` replaced by the parameter of that name."""
    return translate_into(Sentence(template, params), language())


def ngettext(singular: str, plural: str, count: int, /, **params: Param) -> str:
    """Return the sentence for this many, in the language of the page; ``{count}`` is a parameter as well."""
    return translate_into(N_plural(singular, plural, count, **params), language())


def translate(text: str) -> str:
    """Return a sentence of the package in the language of the page; other text is returned unchanged."""
    return translate_into(text, language())


def draw_language() -> None:
    """Draw the choice of a language. Until the user changes it, it shows the browser's."""
    st.session_state.setdefault(keys.LANGUAGE, language())
    st.segmented_control(
        _("Language"),
        list(LANGUAGES),
        key=keys.LANGUAGE,
        format_func=LANGUAGES.__getitem__,
        required=True,
        label_visibility="collapsed",
        persist_state="session",
    )
