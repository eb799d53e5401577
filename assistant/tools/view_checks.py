"""Refuse charts and diagrams that would make a browser load from an address.

``views`` checks what a function returns; ``ui/chat/calls/views.py`` checks again, because a stored view may come
from an imported file.
"""

import re
from typing import Any

from assistant.json_values import Json

MAX_DIAGRAM_CHARS = 50_000  # Mermaid's own limit (``maxTextSize``)


class ViewError(Exception):
    """A view cannot be shown; the text says what it is and why, for the model and the user."""


def validate_spec(spec: Any) -> Json:
    """Return the Vega-Lite specification, without the options for the renderer.

    Raises:
        ViewError: It is not a specification, or it contains the address of data or of an image.
    """
    if not isinstance(spec, dict) or not spec:
        raise ViewError("a chart without a specification.")
    spec.pop("usermeta", None)  # options for the renderer, which can contain addresses
    pending: list[Any] = [{name: value for name, value in spec.items() if name != "datasets"}]
    while pending:
        node = pending.pop()
        if isinstance(node, dict):
            if "url" in node:
                raise ViewError("a chart that loads from an address. Put its data into the chart itself.")
            data = node.get("data")
            pending += [value for name, value in node.items() if name != "data"]
            pending.append(
                {name: value for name, value in data.items() if name != "values"}
                if isinstance(data, dict)
                else data
            )
        elif isinstance(node, list):
            pending += node
    return spec


# Mermaid loads images in shapes and labels, and styles.
_ADDRESSES = re.compile(r"\bimg\b\s*[\"']?\s*:|<\s*img|\bsrc\s*=|url\s*\(|@import", re.IGNORECASE)


def validate_diagram(text: str) -> str:
    """Return the Mermaid diagram.

    Raises:
        ViewError: It is empty or too long, or loads from an address.
    """
    if not text.strip():
        raise ViewError("an empty diagram.")
    if len(text) > MAX_DIAGRAM_CHARS:
        raise ViewError(f"a diagram of {len(text):,} characters. Mermaid draws up to {MAX_DIAGRAM_CHARS:,}.")
    if _ADDRESSES.search(text) or ("@{" in text and "\\" in text):  # an escape can hide the key "img"
        raise ViewError("a diagram that loads images or styles from an address. Leave them out.")
    return text
