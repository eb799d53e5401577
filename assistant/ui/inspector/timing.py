"""The timing of a run: its figures, a waterfall chart and tables. A dash stands for an unknown value."""

from dataclasses import replace
from typing import Any

import streamlit as st

from assistant.locale import N_
from assistant.markdown.escape import escape_markdown
from assistant.recordings.timeline import Figures, Kind, Span
from assistant.texts import replace_surrogates
from assistant.ui import keys
from assistant.ui.inspector.event_table import ROW_HEIGHT
from assistant.ui.inspector.figures import draw_figures
from assistant.ui.language import _, translate

KINDS: dict[Kind, str] = {
    "request": N_("request"),
    "waiting": N_("waiting"),
    "reasoning": N_("reasoning"),
    "arguments": N_("arguments"),
    "function": N_("function"),
    "text": N_("text"),
}
_COLOURS: dict[Kind, str] = {
    "request": "#64748b",
    "waiting": "#a9b7c9",
    "reasoning": "#a78bfa",
    "arguments": "#f59e0b",
    "function": "#ef6f6c",
    "text": "#14b8a6",
}
"""By kind of span; neighbours differ on light and dark backgrounds."""

MAX_BARS = 120
"""Spans in the chart; more would be narrower than a few pixels."""

UNKNOWN = "–"


def draw_timing(spans: list[Span], figures: Figures) -> None:
    """Draw the figures, the waterfall, and the tables of tokens and spans."""
    spans = [
        replace(span, name=replace_surrogates(_name(span)), detail=replace_surrogates(span.detail))
        for span in spans
    ]
    if not spans:
        st.caption(_("No timings yet"))
        return
    _draw_figures(figures)
    st.vega_lite_chart(_waterfall(spans[:MAX_BARS]), key=keys.INSPECTOR_WATERFALL)
    if len(spans) > MAX_BARS:
        st.caption(
            _(
                "Showing the first {shown} of {count}. The table has all of them.",
                shown=MAX_BARS,
                count=len(spans),
            )
        )
    _draw_tokens(figures)
    with st.expander(_("Table"), key=keys.INSPECTOR_SPANS):
        st.dataframe(
            {
                _("round"): [span.round for span in spans],
                _("name"): [span.name for span in spans],
                _("kind"): [translate(KINDS[span.kind]) for span in spans],
                _("start (s)"): [span.begin for span in spans],
                _("duration (s)"): [span.end - span.begin for span in spans],
                _("detail"): [span.detail for span in spans],
            },
            hide_index=True,
            row_height=ROW_HEIGHT,
            column_config={
                _("start (s)"): st.column_config.NumberColumn(format="%.3f"),
                _("duration (s)"): st.column_config.NumberColumn(format="%.3f"),
            },
        )


def _name(span: Span) -> str:
    return translate(KINDS[span.kind]) if span.name == span.kind else span.name


def _draw_figures(figures: Figures) -> None:
    cost = UNKNOWN if figures.cost is None else f"${figures.cost:.6f}"
    speed = UNKNOWN if figures.speed is None else f"{figures.speed:.0f}/s"
    since_start = _("Since the start of the run")
    shown = [
        (_("First event"), format_seconds(figures.first_event), since_start),
        (_("Time to first token"), format_seconds(figures.first_text), since_start),
        (_("Total"), format_seconds(figures.duration), _("From the start of the run to its last event")),
        (
            _("Output speed"),
            speed,
            _("Tokens per second while text or arguments were written, without reasoning"),
        ),
        (_("Cost"), cost, translate(figures.cost_note)),
    ]
    draw_figures(shown, keys.INSPECTOR_FIGURES)


def _draw_tokens(figures: Figures) -> None:
    note = escape_markdown(replace_surrogates(translate(figures.cost_note)))
    if figures.tokens is None:
        st.caption(note)
        return
    responses = [
        (f"{response.round}", response.model, response.tokens, response.cost)
        for response in figures.responses
    ]
    if len(responses) > 1:
        responses.append((_("all"), figures.model, figures.tokens, figures.cost))
    st.dataframe(
        {
            _("round"): [round for round, *_ in responses],
            _("in"): [tokens.input for _round, _model, tokens, _cost in responses],
            _("cached"): [tokens.cached for _round, _model, tokens, _cost in responses],
            _("out"): [tokens.output for _round, _model, tokens, _cost in responses],
            _("reasoning"): [tokens.reasoning for _round, _model, tokens, _cost in responses],
            _("cost"): [UNKNOWN if cost is None else f"${cost:.6f}" for *_, cost in responses],
            _("model"): [replace_surrogates(model) for _round, model, _tokens, _cost in responses],
        },
        hide_index=True,
        row_height=ROW_HEIGHT,
    )
    st.caption(note)


def _waterfall(spans: list[Span]) -> dict[str, Any]:
    """Return a Vega-Lite chart with a bar for each span on its own line, so that overlaps are visible."""
    values = [
        {
            "line": line,
            "name": span.name,
            "round": span.round,
            "kind": translate(KINDS[span.kind]),
            "start": span.begin,
            "end": span.end,
            "duration": format_seconds(span.end - span.begin),
            "detail": span.detail,
        }
        for line, span in enumerate(spans)
    ]
    # Names may occur twice, so a line is identified by its number and labelled by its name.
    names = [f"{span.round} · {span.name}" if span.round else span.name for span in spans]
    kinds = [kind for kind in KINDS if any(span.kind == kind for span in spans)]
    scale = {
        "domain": [translate(KINDS[kind]) for kind in kinds],
        "range": [_COLOURS[kind] for kind in kinds],
    }
    tooltip = {
        "name": _("name"),
        "kind": _("kind"),
        "round": _("round"),
        "start": _("start"),
        "duration": _("duration"),
        "detail": _("detail"),
    }
    return {
        "data": {"values": values},
        "height": {"step": 18},
        "mark": {"type": "bar", "height": 11, "cornerRadius": 2, "strokeWidth": 1.5},
        "encoding": {
            "x": {"field": "start", "type": "quantitative", "title": _("seconds"), "axis": {"tickCount": 6}},
            "x2": {"field": "end"},
            "y": {
                "field": "line",
                "type": "ordinal",
                "title": None,
                "axis": {
                    "labelExpr": f"{_vega_array(names)}[datum.value]",
                    "labelLimit": 150,
                    "labelOverlap": False,
                    "ticks": False,
                    "domain": False,
                },
            },
            "color": {
                "field": "kind",
                "type": "nominal",
                "scale": scale,
                "legend": {"title": None, "orient": "top", "columns": 3, "rowPadding": 0},
            },
            "stroke": {"field": "kind", "type": "nominal", "scale": scale, "legend": None},
            "tooltip": [
                {"field": field, "type": "nominal", "title": title} for field, title in tooltip.items()
            ],
        },
    }


def format_seconds(value: float | None) -> str:
    """Return a duration as text."""
    if value is None:
        return UNKNOWN
    return f"{value * 1000:.0f} ms" if value < 0.9995 else f"{value:.2f} s"


def _vega_array(names: list[str]) -> str:
    """Return names as an array of Vega's expression language, escaped so that no name can end its string."""
    units = (name.encode("utf-16-be").hex() for name in names)
    escaped = ("".join(f"\\u{unit[at : at + 4]}" for at in range(0, len(unit), 4)) for unit in units)
    return "[" + ",".join(f"'{name}'" for name in escaped) + "]"
