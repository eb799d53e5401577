"""What a function returns besides text: tables, charts, maps, images, files and diagrams. Pure.

    return hotels, alt.Chart(hotels).mark_bar().encode(x="price", y="hotel")

DataFrames of pandas (and whatever else speaks Arrow), Altair's charts and Pillow's images are known by
their types' names; ``Chart``, ``Map``, ``File`` and ``Diagram`` are for what a type alone does not say.

Not here: drawing (``ui/views.py``). No library is imported here that the function has not imported itself.

The one rule: whatever it is, it is shortened or refused in words; no function's answer fails by its size.
"""

import base64
import json
import logging
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from pydantic_core import to_json

from assistant.events import View
from assistant.tools.view_checks import ViewError, validate_diagram, validate_spec
from assistant.tools.view_tables import fitting, is_table, read_table, table_as_csv

log = logging.getLogger(__name__)

Json = dict[str, Any]

MOST_BYTES = 5_000_000
"""What the views of one call hold together."""

MOST_PARTS = 20
"""A longer list is data, and is not looked through for things to show."""

MOST_POINTS = 10_000


@dataclass(frozen=True, slots=True)
class Chart:
    """A chart to show: a Vega-Lite specification, with its data in it."""

    spec: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Map:
    """Points to show on a map: pairs of latitude and longitude, or rows or a table with columns named so."""

    points: Any


@dataclass(frozen=True, slots=True)
class File:
    """A file to save; one that is a PNG, a JPEG, a GIF or a WebP is shown as the image it is."""

    name: str
    data: bytes


@dataclass(frozen=True, slots=True)
class Diagram:
    """A diagram to show, in the words of Mermaid (https://mermaid.js.org/intro/syntax-reference.html)."""

    text: str


def split_result(value: Any) -> tuple[list[Any], tuple[View, ...]]:
    """What the model is told of what a function returned, part by part, and what a person is shown of it.

    A value with nothing to show in it, alone or in a tuple or a list, is told as it is.
    """
    parts = list(value) if type(value) in (tuple, list) and len(value) <= MOST_PARTS else [value]
    if not any(_maker(part) for part in parts):
        return [value], ()
    told: list[Any] = []
    views: list[View] = []
    room = MOST_BYTES
    for part in parts:
        if (make := _maker(part)) is None:
            told.append(part)
            continue
        try:
            view, what, more = make(part)
            if _size(view) > room:
                raise ViewError(f"{what}: it is too large. All that a call shows may have 5 MB.{more}")
        except ViewError as reason:
            told.append(f"Not shown to the user: {reason}")
        except Exception:
            log.exception("a %s cannot be shown", type(part).__name__)
            told.append(_in_plain_words(part))
        else:
            room -= _size(view)
            views.append(view)
            told.append(f"Shown to the user: {what}.{more}")
    return told, tuple(views)


Made = tuple[View, str, str]
"""A view, what it is in words, and what else the model reads of it."""


def _maker(value: Any) -> Callable[[Any], Made] | None:
    """What makes a view of this value, if it is something to show."""
    match value:
        case None | str() | bytes() | bool() | int() | float() | dict():
            return None
        case Chart():
            return lambda chart: _chart(chart.spec)
        case Map():
            return _map
        case File():
            return lambda file: _file(str(file.name), memoryview(file.data).tobytes())
        case Diagram():
            return _diagram
    if is_table(value):
        return _table
    origins = {str(each.__module__).partition(".")[0] for each in type(value).__mro__}
    if "altair" in origins and hasattr(type(value), "to_dict"):
        return lambda chart: _chart(_spec_of(chart))
    return _picture if "PIL" in origins and hasattr(type(value), "save") else None


def _size(view: View) -> int:
    return len(view.content) * 3 // 4 if view.kind in ("image", "file") else len(view.content)


def _in_plain_words(value: Any) -> str:
    try:
        return str(value)
    except Exception:
        return f"A {type(value).__name__}, which cannot be shown."


def _clean(text: str) -> str:
    """The text without halves of surrogate pairs, which no connection carries, on one line."""
    return " ".join(text.encode("utf-8", "replace").decode().split())[:200]


# --- tables -----------------------------------------------------------------------------------------


def _table(value: Any) -> Made:
    cells = read_table(value)
    told = table_as_csv(cells)
    return View("table", "", fitting(cells)), f"a table of {cells.in_words()}", f"\n{told}"


# --- charts -----------------------------------------------------------------------------------------


def _spec_of(chart: Any) -> Json:
    try:
        spec: Json = chart.to_dict()
    except Exception as error:
        if type(error).__name__ == "MaxRowsError":
            raise ViewError("a chart with too many rows. Aggregate them first.") from error
        raise
    return spec


def _chart(spec: Mapping[str, Any]) -> Made:
    content = to_json(spec, inf_nan_mode="null", fallback=_plain).decode()
    spec = validate_spec(json.loads(content))
    title = spec.get("title")
    title = title.get("text") if isinstance(title, dict) else title
    title = _clean(" ".join(map(str, title)) if isinstance(title, list) else str(title or ""))
    count = max((len(rows) for rows in _data_of(spec) if isinstance(rows, list)), default=0)
    named = f' "{title}"' if title else ""
    return View("chart", title, content), f"a chart{named} of {count:,} row{'s' * (count != 1)} of data", ""


def _plain(value: Any) -> Any:
    """A number of numpy as Python's; everything else that JSON does not have as text."""
    return value.item() if hasattr(value, "item") else str(value)


def _data_of(spec: Json) -> Iterator[Any]:
    yield from (spec["datasets"].values() if isinstance(spec.get("datasets"), dict) else ())
    if isinstance(data := spec.get("data"), dict):
        yield data.get("values")


# --- maps -------------------------------------------------------------------------------------------

_LATITUDE, _LONGITUDE = ("latitude", "lat"), ("longitude", "lon", "lng")


def _map(value: Map) -> Made:
    given: Iterable[Any]
    if is_table(value.points):
        cells = read_table(value.points, MOST_POINTS)
        names = [name.casefold() for name, _, _ in cells.columns]
        given = [dict(zip(names, row, strict=True)) for row in cells.rows]
        count = cells.count
    else:
        given = list(value.points)
        count = len(given)
    points = [point for each in given[:MOST_POINTS] if (point := _point(each))]
    if not points:
        raise ViewError("a map without a point that has a latitude and a longitude.")
    left_out = f" ({count - len(points):,} more are left out)" if count > len(points) else ""
    what = f"a map of {len(points):,} point{'s' * (len(points) != 1)}{left_out}"
    return View("map", "", json.dumps(points)), what, ""


def _point(value: Any) -> list[float] | None:
    """The point as latitude and longitude, if it lies on earth."""
    try:
        if isinstance(value, Mapping):
            named = {str(name).casefold(): each for name, each in value.items()}
            latitude = next(named[name] for name in _LATITUDE if name in named)
            longitude = next(named[name] for name in _LONGITUDE if name in named)
        else:
            latitude, longitude = value
        point = [float(latitude), float(longitude)]
    except (TypeError, ValueError, StopIteration, OverflowError):
        return None
    return point if abs(point[0]) <= 90 and abs(point[1]) <= 180 else None


# --- images, files and diagrams ---------------------------------------------------------------------

_IMAGES = re.compile(rb"\x89PNG\r\n\x1a\n|\xff\xd8\xff|GIF8[79]a|RIFF....WEBP", re.DOTALL)

WIDEST = 2_000
"""Pixels of an image's longer side; a larger one of Pillow is made smaller."""


def _picture(image: Any) -> Made:
    from io import BytesIO

    width, height = image.size
    if max(width, height) > WIDEST:
        image = image.copy()
        image.thumbnail((WIDEST, WIDEST))
    if image.mode not in ("1", "L", "LA", "P", "RGB", "RGBA"):
        image = image.convert("RGB")
    file = BytesIO()
    image.save(file, "PNG")
    content = base64.b64encode(file.getvalue()).decode()
    return View("image", "", content), f"an image, {width} x {height} pixels", ""


def _file(name: str, data: bytes) -> Made:
    name = _clean(name).replace("/", "_").replace("\\", "_") or "file"
    kind = "image" if _IMAGES.match(data) else "file"
    what = f'{"an image" if kind == "image" else "a file"}, "{name}", {_in_units(len(data))}'
    if len(data) > MOST_BYTES:
        raise ViewError(f"{what}: it is too large. All that a call shows may have 5 MB.")
    return View("image" if kind == "image" else "file", name, base64.b64encode(data).decode()), what, ""


def _in_units(size: int) -> str:
    if size < 1_000:
        return f"{size} bytes"
    return f"{size / 1_000:.1f} kB" if size < 999_950 else f"{size / 1_000_000:.1f} MB"


def _diagram(value: Diagram) -> Made:
    text = validate_diagram(value.text.encode("utf-8", "replace").decode())
    lines = len(text.strip().splitlines())
    return View("diagram", "", text), f"a diagram of {lines} line{'s' * (lines != 1)}", ""
