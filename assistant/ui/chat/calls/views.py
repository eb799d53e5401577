"""Draw the views of a result: tables, charts, maps, images, files and diagrams.

A view may come from an imported file, so it is validated again before it is drawn. It loads nothing from a
URL; only where a setting asks for it, the browser loads the streets of a map from Streamlit's provider.
"""

import base64
import json
import logging
import math
from collections.abc import Callable, Iterable, Sequence
from datetime import date, datetime
from typing import Any

import streamlit as st

from assistant.events import View, ViewKind
from assistant.locale import N_
from assistant.markdown.escape import escape_markdown
from assistant.tools.view_checks import ViewError, validate_diagram, validate_spec
from assistant.ui.chat.calls.view_texts import translate_chart, translate_text
from assistant.ui.images import draw_image
from assistant.ui.language import _
from assistant.ui.state import page_state

log = logging.getLogger(__name__)

_KINDS: dict[ViewKind, str] = {
    "table": N_("table"),
    "chart": N_("chart"),
    "map": N_("map"),
    "image": N_("image"),
    "file": N_("file"),
    "diagram": N_("diagram"),
}

MAP_HEIGHT_PIXELS = 300

MIN_MAP_MARGIN_DEGREES = 0.01

_PARSERS: dict[str, Callable[[Any], Any]] = {
    "date": date.fromisoformat,
    "datetime": datetime.fromisoformat,
    "number": lambda cell: float(cell) if isinstance(cell, str) else cell,  # "inf"
}


def draw_views(views: Sequence[View], key: str) -> None:
    """Draw all views of a result, below each other."""
    for number, view in enumerate(views):
        draw_view(view, f"{key}-{number}")


def draw_view(view: View, key: str) -> None:
    """Draw a view, or a sentence if it is damaged. ``key`` is the prefix of its widgets' keys."""
    try:
        match view.kind:
            case "table":
                _draw_table(json.loads(view.content))
            case "chart":
                spec = translate_chart(validate_spec(json.loads(view.content)))
                name = translate_text(view.name) or _("A chart")
                st.vega_lite_chart(None, spec, width="stretch", alt=name)
            case "map":
                _draw_map(*zip(*json.loads(view.content), strict=True))
            case "image":
                data = base64.b64decode(view.content)
                try:
                    draw_image(data, view.name or None, alt=view.name or _("An image"))
                except ViewError as reason:
                    _draw_reason(reason)
                draw_download(data, view.name or "image.png", key)
            case "file":
                draw_download(base64.b64decode(view.content), view.name, key)
            case "diagram":
                st.mermaid_chart(validate_diagram(view.content), alt=_("A diagram"))
    except ViewError as reason:
        _draw_reason(reason)
    except Exception:  # a damaged file can raise anything
        log.exception("cannot draw a view of kind %s", view.kind)
        text = _("This {kind} cannot be shown.", kind=_(_KINDS[view.kind]))
        st.caption(escape_markdown(text))


def _draw_reason(reason: ViewError) -> None:
    st.caption(escape_markdown(_("Not shown: {why}", why=str(reason))))


def draw_download(data: bytes, name: str, key: str) -> None:
    """Draw a button that saves these bytes under this name."""
    st.download_button(
        _("Save {name}", name=escape_markdown(name)),
        data,
        file_name=name,
        mime="application/octet-stream",  # with a more specific type, a browser might open it
        key=f"{key}-download",
        on_click="ignore",
        icon=":material/download:",
    )


def _draw_map(latitudes: Sequence[float], longitudes: Sequence[float]) -> None:
    session, alt = page_state().session, _("A map of points")
    if session and session.app.settings.map_tiles:
        points = {"latitude": latitudes, "longitude": longitudes}
        st.map(points, zoom=_zoom(latitudes, longitudes), height=MAP_HEIGHT_PIXELS, alt=alt)
    else:
        st.vega_lite_chart(None, _grid_spec(latitudes, longitudes), width="stretch", alt=alt)


def _grid_spec(latitudes: Sequence[float], longitudes: Sequence[float]) -> dict[str, Any]:
    """Return the chart of points on a grid of degrees, which loads nothing."""

    def axis(name: str, title: str, values: Sequence[float]) -> dict[str, Any]:
        margin = max(0.15 * (max(values) - min(values)), MIN_MAP_MARGIN_DEGREES)
        scale = {"domain": [min(values) - margin, max(values) + margin]}
        return {"field": name, "type": "quantitative", "title": title, "scale": scale}

    longitude = axis("longitude", _("Longitude"), longitudes)
    latitude = axis("latitude", _("Latitude"), latitudes)
    points = zip(latitudes, longitudes, strict=True)
    return {
        "data": {"values": [{"latitude": north, "longitude": east} for north, east in points]},
        "height": MAP_HEIGHT_PIXELS,
        "mark": {"type": "circle", "size": 90, "opacity": 0.8},
        "encoding": {"x": longitude, "y": latitude, "tooltip": [latitude, longitude]},
    }


def _zoom(latitudes: Sequence[float], longitudes: Sequence[float]) -> int:
    """Return the closest zoom level that shows all points; Streamlit's default is for taller maps.

    At level 0 the world is 512 pixels wide in Mercator's projection; each level doubles that.
    """
    north, south = (
        math.asinh(math.tan(math.radians(max(-85, min(85, latitude)))))
        for latitude in (max(latitudes), min(latitudes))
    )
    width = math.radians(max(longitudes) - min(longitudes)) * 512 / math.tau
    height = (north - south) * 512 / math.tau
    # On a phone a map is as wide as it is high.
    scale = min(MAP_HEIGHT_PIXELS / max(width, 1e-6), 0.7 * MAP_HEIGHT_PIXELS / max(height, 1e-6))
    return max(0, min(13, math.floor(math.log2(scale))))


def table_name(columns: Iterable[object]) -> str:
    """Return a table's name for screen readers, which tells it from the other tables of the page."""
    return _("Table: {columns}", columns=", ".join(map(str, columns)))


def _draw_table(table: dict[str, Any]) -> None:
    columns = [(translate_text(name), kind) for name, kind in table["columns"]]
    rows = table["rows"]
    cells = zip(*rows, strict=True) if rows else ((),) * len(columns)
    st.dataframe(
        {
            name: [cell if cell is None or kind not in _PARSERS else _PARSERS[kind](cell) for cell in column]
            for (name, kind), column in zip(columns, cells, strict=True)
        },
        hide_index=True,
        alt=table_name(name for name, _kind in columns),
    )
    if table["count"] > len(rows) or table["width"] > len(columns):
        st.caption(
            _(
                "The first {rows} rows and {columns} columns of {all_rows} rows and {all_columns} columns.",
                rows=f"{len(rows):,}",
                columns=f"{len(columns):,}",
                all_rows=f"{table['count']:,}",
                all_columns=f"{table['width']:,}",
            )
        )
