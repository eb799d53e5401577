"""The texts of the example functions' charts and tables, in the language of the page.

A function does not know that language, so what it returns is in English. A text that is not listed here stays
as it is.
"""

import re
from typing import Any

from assistant.locale import N_
from assistant.ui.language import _

_TEXTS = frozenset({N_("City"), N_("Hotel"), N_("Stars"), N_("EUR per night"), N_("all cities")})
_TITLE = re.compile(r"Hotel prices in (.+)")


def translate_text(text: str) -> str:
    """Return a title or the name of a column in the language of the page."""
    if title := _TITLE.fullmatch(text):
        return _("Hotel prices in {area}", area=translate_text(title[1]))
    return _(text) if text in _TEXTS else text


def translate_chart(spec: Any) -> Any:
    """Return a Vega-Lite specification with all titles translated: of the chart, axes, legends and tooltips."""
    if isinstance(spec, list):
        return [translate_chart(each) for each in spec]
    if not isinstance(spec, dict):
        return spec
    translated = {
        name: value if name in ("data", "datasets") else translate_chart(value)
        for name, value in spec.items()
    }
    for name in ("title", "text"):
        if isinstance(translated.get(name), str):
            translated[name] = translate_text(translated[name])
    field = translated.get("field")
    if isinstance(field, str) and field in _TEXTS:  # the title of an axis or a tooltip, unless it has one
        translated.setdefault("title", translate_text(field))
    return translated
