"""Gettext catalogues: one ``.po`` file a language, read by Babel when the language is first used.

English needs no catalogue and never imports Babel. Reading the file takes 0.1 s, once per process, so that no
build step has to compile it.
"""

import gettext
import io
from functools import cache
from pathlib import Path

from assistant.locale.sentences import Sentence

LANGUAGES = {"en": "English", "ja": "日本語"}
"""The languages of the interface, by their own names."""

DOMAIN = "assistant"


def translate(text: str, language: str) -> str:
    """Return a sentence in this language; in English where the catalogue has no translation.

    A plain string is looked up as a template without parameters.
    """
    if language == "en" or not text:
        return str(text)
    catalogue = _catalogue(language)
    if not isinstance(text, Sentence):
        return catalogue.gettext(text)
    if text.plural:
        translated = catalogue.ngettext(text.template, text.plural, int(text.params["count"]))
    else:
        translated = catalogue.gettext(text.template)
    params = {
        name: translate(value, language) if isinstance(value, Sentence) else value
        for name, value in text.params.items()
    }
    return translated.format(**params) if params else translated


def catalogue_path(language: str) -> Path:
    """Return where the translations into this language are stored."""
    return Path(__file__).parent / language / "LC_MESSAGES" / f"{DOMAIN}.po"


@cache
def _catalogue(language: str) -> gettext.NullTranslations:
    from babel.messages.mofile import write_mo
    from babel.messages.pofile import read_po

    with catalogue_path(language).open("rb") as file:
        catalogue = read_po(file, locale=language, domain=DOMAIN)
    compiled = io.BytesIO()
    write_mo(compiled, catalogue)
    compiled.seek(0)
    return gettext.GNUTranslations(compiled)
