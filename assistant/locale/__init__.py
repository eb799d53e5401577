"""Sentences for the user, and their translation.

``N_("{host} is busy.", host=host)`` builds a ``Sentence``: English text that remembers its template and
parameters. It is raised, stored and logged like any other string. Where it is shown, ``translate(sentence,
"ja")`` looks its template up in the gettext catalogue of that language (``ja/LC_MESSAGES/assistant.po``). The
language of the page is found by ``assistant.ui.language``.
"""

from assistant.locale.catalogues import LANGUAGES, translate
from assistant.locale.sentences import N_, N_plural, Param, Sentence, UserText

__all__ = ["LANGUAGES", "N_", "N_plural", "Param", "Sentence", "UserText", "translate"]
