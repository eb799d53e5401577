"""Views: tables, charts, maps, images, files and diagrams that a function returns for the user to see.

    return hotels, alt.Chart(hotels).mark_bar().encode(x="price", y="hotel")

Pandas and Arrow tables, Altair charts and Pillow images are recognised by the names of their types, so no
library is imported that the function has not imported itself. ``Chart``, ``Map``, ``File`` and ``Diagram``
are for values whose type does not tell. A view that is too large is cut or refused; it is never an error.
"""

import base64
import json
import logging
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from pydantic_core import to_json

from assistant.events import View
from assistant.json_values import Json
from assistant.texts import replace_surrogates
from assistant.tools.view_checks import ViewError, validate_diagram, validate_spec
from assistant.tools.view_tables import is_table, read_table
from assistant.uploads import image_type

log = logging.getLogger(__name__)

MAX_VIEW_BYTES = 5_000_000  # maximum size of all views of one call together
MAX_PARTS = 20  # a longer list is data; it is not searched for views
MAX_POINTS = 10_000  # maximum number of points on a map
MAX_IMAGE_PIXELS = 2_000  # maximum width and height of a Pillow image; a larger image is scaled down


@dataclass(frozen=True, slots=True)
class Chart:
    """A chart: a Vega-Lite specification with inline data."""

    spec: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Map:
    """A map of points: pairs of latitude and longitude, or rows or a table with columns of these names."""

    points: Any


@dataclass(frozen=True, slots=True)
class File:
    """A file to download; a PNG, JPEG, GIF or WebP is shown as an image."""

    name: str
    data: bytes


@dataclass(frozen=True, slots=True)
class Diagram:
    """A Mermaid diagram (https://mermaid.js.org/intro/syntax-reference.html)."""

    text: str


@dataclass(frozen=True, slots=True)
class _Built:
    """A view, its description in words, and more details for the model."""

    view: View
    description: str
    details: str = ""

    @property
    def size(self) -> int:
        is_base64 = self.view.kind in ("image", "file")
        return len(self.view.content) * 3 // 4 if is_base64 else len(self.view.content)


def split_result(value: Any) -> tuple[list[Any], tuple[View, ...]]:
    """Split a function's return value into the parts for the model and the views for the user.

    A view may be the value itself or part of a tuple or list. A value without views is returned as it is.
    """
    parts = list(value) if type(value) in (tuple, list) and len(value) <= MAX_PARTS else [value]
    if not any(_builder(part) for part in parts):
        return [value], ()
    for_model: list[Any] = []
    views: list[View] = []
    remaining = MAX_VIEW_BYTES
    for part in parts:
        if (build := _builder(part)) is None:
            for_model.append(part)
            continue
        try:
            built = build(part)
            if built.size > remaining:
                raise ViewError(f"{built.description}: it is too large. {_LIMIT}{built.details}")
        except ViewError as error:
            for_model.append(f"Not shown to the user: {error}")
        except Exception:
            log.exception("A %s cannot be shown", type(part).__name__)
            for_model.append(_fallback_text(part))
        else:
            remaining -= built.size
            views.append(built.view)
            for_model.append(f"Shown to the user: {built.description}.{built.details}")
    return for_model, tuple(views)


_LIMIT = "The views of one call can have 5 MB."


def _builder(value: Any) -> Callable[[Any], _Built] | None:
    """Return the function that builds a view of this value, or None if the value is not a view."""
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
    packages = {str(base.__module__).partition(".")[0] for base in type(value).__mro__}
    if "altair" in packages and hasattr(type(value), "to_dict"):
        return lambda chart: _chart(_altair_spec(chart))
    return _image if "PIL" in packages and hasattr(type(value), "save") else None


def _fallback_text(value: Any) -> str:
    try:
        return str(value)
    except Exception:
        return f"A {type(value).__name__}, which cannot be shown."


def _one_line(text: str) -> str:
    return " ".join(replace_surrogates(text).split())[:200]


# --- tables -----------------------------------------------------------------------------------------


def _table(value: Any) -> _Built:
    table = read_table(value)
    csv = table.as_csv()
    return _Built(View("table", "", table.as_json()), f"a table of {table.shape()}", f"\n{csv}")


# --- charts -----------------------------------------------------------------------------------------


def _altair_spec(chart: Any) -> Json:
    try:
        spec: Json = chart.to_dict()
    except Exception as error:
        if type(error).__name__ == "MaxRowsError":
            raise ViewError("a chart with too many rows. Aggregate them first.") from error
        raise
    return spec


def _chart(spec: Mapping[str, Any]) -> _Built:
    content = to_json(spec, inf_nan_mode="null", fallback=_python_value).decode()
    spec = validate_spec(json.loads(content))
    title = spec.get("title")
    title = title.get("text") if isinstance(title, dict) else title
    title = _one_line(" ".join(map(str, title)) if isinstance(title, list) else str(title or ""))
    count = max((len(rows) for rows in _inline_data(spec) if isinstance(rows, list)), default=0)
    quoted = f' "{title}"' if title else ""
    description = f"a chart{quoted} of {count:,} row{'s' * (count != 1)} of data"
    return _Built(View("chart", title, content), description)


def _python_value(value: Any) -> Any:
    """Return a NumPy scalar as a Python value, and any other value as text."""
    return value.item() if hasattr(value, "item") else str(value)


def _inline_data(spec: Json) -> Iterator[Any]:
    yield from (spec["datasets"].values() if isinstance(spec.get("datasets"), dict) else ())
    if isinstance(data := spec.get("data"), dict):
        yield data.get("values")


# --- maps -------------------------------------------------------------------------------------------

_LATITUDE, _LONGITUDE = ("latitude", "lat"), ("longitude", "lon", "lng")


def _map(value: Map) -> _Built:
    rows: Iterable[Any]
    if is_table(value.points):
        table = read_table(value.points, MAX_POINTS)
        names = [column.name.casefold() for column in table.columns]
        rows = [dict(zip(names, row, strict=True)) for row in table.rows]
        count = table.row_count
    else:
        rows = list(value.points)
        count = len(rows)
    points = [point for row in rows[:MAX_POINTS] if (point := _point(row))]
    if not points:
        raise ViewError("a map without a point that has a latitude and a longitude.")
    left_out = f" ({count - len(points):,} more are left out)" if count > len(points) else ""
    description = f"a map of {len(points):,} point{'s' * (len(points) != 1)}{left_out}"
    return _Built(View("map", "", json.dumps(points)), description)


def _point(value: Any) -> list[float] | None:
    """Return latitude and longitude, or None if the value is not a place on earth."""
    try:
        if isinstance(value, Mapping):
            fields = {str(name).casefold(): item for name, item in value.items()}
            latitude = next(fields[name] for name in _LATITUDE if name in fields)
            longitude = next(fields[name] for name in _LONGITUDE if name in fields)
        else:
            latitude, longitude = value
        point = [float(latitude), float(longitude)]
    except (TypeError, ValueError, StopIteration, OverflowError):
        return None
    return point if abs(point[0]) <= 90 and abs(point[1]) <= 180 else None


# --- images, files and diagrams ---------------------------------------------------------------------


def _image(image: Any) -> _Built:
    from io import BytesIO

    width, height = image.size
    if max(width, height) > MAX_IMAGE_PIXELS:
        image = image.copy()
        image.thumbnail((MAX_IMAGE_PIXELS, MAX_IMAGE_PIXELS))
    if image.mode not in ("1", "L", "LA", "P", "RGB", "RGBA"):
        image = image.convert("RGB")
    file = BytesIO()
    image.save(file, "PNG")
    content = base64.b64encode(file.getvalue()).decode()
    return _Built(View("image", "", content), f"an image, {width} x {height} pixels")


def _file(name: str, data: bytes) -> _Built:
    name = _one_line(name).replace("/", "_").replace("\\", "_") or "file"
    is_image = bool(image_type(data))
    description = f'{"an image" if is_image else "a file"}, "{name}", {_format_size(len(data))}'
    if len(data) > MAX_VIEW_BYTES:
        raise ViewError(f"{description}: it is too large. {_LIMIT}")
    content = base64.b64encode(data).decode()
    return _Built(View("image" if is_image else "file", name, content), description)


def _format_size(size: int) -> str:
    if size < 1_000:
        return f"{size} bytes"
    return f"{size / 1_000:.1f} kB" if size < 999_950 else f"{size / 1_000_000:.1f} MB"


def _diagram(value: Diagram) -> _Built:
    text = validate_diagram(replace_surrogates(value.text))
    lines = len(text.strip().splitlines())
    return _Built(View("diagram", "", text), f"a diagram of {lines} line{'s' * (lines != 1)}")
