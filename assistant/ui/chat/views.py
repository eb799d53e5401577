"""What a function gave to be seen, drawn as what it is: tables, charts, maps, images, files and diagrams.

Not here: how a value becomes a view (``views.py``), or the expander around it (``steps.py``).

The one rule: a view may come from a file that somebody imported. It is checked again here, it loads nothing
from any address (a map alone: its ground, from Streamlit's provider), and if it cannot be drawn, it says so.
"""

import base64
import json
import logging
import math
from collections.abc import Callable, Sequence
from datetime import date, datetime
from typing import Any

import streamlit as st

from assistant.events import View, ViewKind
from assistant.locale import N_
from assistant.markdown.escape import escape_markdown
from assistant.tools.view_checks import ViewError, validate_diagram, validate_spec
from assistant.ui.language import _

log = logging.getLogger(__name__)


def draw_view(view: View, key: str) -> None:
    """Draw a view; ``key`` is for the widgets in it."""
    try:
        match view.kind:
            case "table":
                _draw_table(json.loads(view.content))
            case "chart":
                spec = validate_spec(json.loads(view.content))
                st.vega_lite_chart(None, spec, width="stretch", alt=view.name or _("A chart"))
            case "map":
                _draw_map(*zip(*json.loads(view.content), strict=True))
            case "image":
                st.image(
                    data := base64.b64decode(view.content),
                    view.name or None,
                    alt=view.name or _("An image"),
                )
                offer(data, view.name or "image.png", key)
            case "file":
                offer(base64.b64decode(view.content), view.name, key)
            case "diagram":
                st.mermaid_chart(validate_diagram(view.content), alt=_("A diagram"))
    except ViewError as reason:
        st.caption(escape_markdown(_("Not shown: {why}", why=str(reason))))
    except Exception:  # as many as there are ways to damage what was stored
        log.exception("a view of the kind %s cannot be drawn", view.kind)
        words = _("This {kind} cannot be shown.", kind=_(_KINDS[view.kind]))
        st.caption(escape_markdown(words))


def offer(data: bytes, name: str, key: str) -> None:
    """Draw a button that saves these bytes as a file of this name."""
    st.download_button(
        _("Save {name}", name=escape_markdown(name)),
        data,
        file_name=name,
        mime="application/octet-stream",  # a browser that is told more might open it
        key=f"{key}-download",
        on_click="ignore",
        icon=":material/download:",
    )


def _draw_map(latitudes: Sequence[float], longitudes: Sequence[float]) -> None:
    points = {"latitude": latitudes, "longitude": longitudes}
    st.map(points, zoom=_zoom(latitudes, longitudes), height=MAP_HEIGHT, alt=_("A map of points"))


_KINDS: dict[ViewKind, str] = {
    "table": N_("table"),
    "chart": N_("chart"),
    "map": N_("map"),
    "image": N_("image"),
    "file": N_("file"),
    "diagram": N_("diagram"),
}

MAP_HEIGHT = 300


def _zoom(latitudes: Sequence[float], longitudes: Sequence[float]) -> int:
    """The closest look that has all points in it; Streamlit's own choice is for taller maps.

    The world is 512 pixels wide at 0, in Mercator's projection, and twice as wide with each step.
    """
    north, south = (
        math.asinh(math.tan(math.radians(max(-85, min(85, each)))))
        for each in (max(latitudes), min(latitudes))
    )
    wide = math.radians(max(longitudes) - min(longitudes)) * 512 / math.tau
    high = (north - south) * 512 / math.tau
    room = min(MAP_HEIGHT / max(wide, 1e-6), 0.7 * MAP_HEIGHT / max(high, 1e-6))  # as wide on a phone
    return max(0, min(13, math.floor(math.log2(room))))


_READ: dict[str, Callable[[Any], Any]] = {
    "date": date.fromisoformat,
    "datetime": datetime.fromisoformat,
    "number": lambda cell: float(cell) if isinstance(cell, str) else cell,  # "inf"
}


def _draw_table(table: dict[str, Any]) -> None:
    columns, rows = table["columns"], table["rows"]
    cells = zip(*rows, strict=True) if rows else ((),) * len(columns)
    st.dataframe(
        {
            name: [cell if cell is None or kind not in _READ else _READ[kind](cell) for cell in column]
            for (name, kind), column in zip(columns, cells, strict=True)
        },
        hide_index=True,
        alt=_("A table"),
    )
    if table["count"] > len(rows) or table["width"] > len(columns):
        words = N_(
            "The first {rows} rows and {columns} columns of {all_rows} rows and {all_columns} columns."
        )
        counts = len(rows), len(columns), table["count"], table["width"]
        names = "rows", "columns", "all_rows", "all_columns"
        st.caption(_(words, **{name: f"{each:,}" for name, each in zip(names, counts, strict=True)}))
