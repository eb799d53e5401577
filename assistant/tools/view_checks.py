"""What of a chart or a diagram a browser must not be given: whatever would make it load from an address.

Not here: how a view is made (``views.py``) or drawn (``ui/views.py``); both check it here, for what is drawn
may come from a file.

The one rule: a refusal is a sentence.
"""

import re
from typing import Any

Json = dict[str, Any]

LONGEST_DIAGRAM = 50_000
"""Characters; Mermaid draws none that is longer."""


class ViewError(Exception):
    """Something cannot be shown; the text says what it is and why, in words for the model and the person."""


def validate_spec(spec: Any) -> Json:
    """The Vega-Lite specification, if a browser loads nothing for it.

    Raises:
        Unshown: It is no specification, or names an address: of data, or of images.
    """
    if not isinstance(spec, dict) or not spec:
        raise ViewError("a chart without a specification.")
    spec.pop("usermeta", None)  # it may hold options for the program that draws, addresses among them
    rest: list[Any] = [{name: each for name, each in spec.items() if name != "datasets"}]
    while rest:
        part = rest.pop()
        if isinstance(part, dict):
            if "url" in part:
                raise ViewError("a chart that loads from an address. Put its data into the chart itself.")
            data = part.get("data")
            rest += [each for name, each in part.items() if name != "data"]
            rest.append({k: v for k, v in data.items() if k != "values"} if isinstance(data, dict) else data)
        elif isinstance(part, list):
            rest += part
    return spec


# What lets Mermaid load from an address: images in shapes and in labels, and styles.
_LOADS = re.compile(r"\bimg\b\s*[\"']?\s*:|<\s*img|\bsrc\s*=|url\s*\(|@import", re.IGNORECASE)


def validate_diagram(text: str) -> str:
    """The diagram, if a browser loads nothing for it.

    Raises:
        Unshown: It does, or Mermaid does not draw it.
    """
    if not text.strip():
        raise ViewError("a diagram without a word in it.")
    if len(text) > LONGEST_DIAGRAM:
        raise ViewError(f"a diagram of {len(text):,} characters. Mermaid draws up to {LONGEST_DIAGRAM:,}.")
    if _LOADS.search(text) or ("@{" in text and "\\" in text):  # a key may be written with escapes
        raise ViewError("a diagram that loads images or styles from an address. Leave them out.")
    return text
