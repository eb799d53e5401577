"""The inspector's view of time: the waterfall of a run, and its figures.

Not here: measuring (``wire/measure.py``).

The one rule: what is not known is shown as a dash, and why is said.
"""

from dataclasses import replace
from typing import Any, get_args

import streamlit as st

from assistant.locale import N_
from assistant.markdown.escape import escape_markdown
from assistant.recordings.timeline import Figures, Kind, Span
from assistant.tools.results import replace_surrogates
from assistant.ui.language import _, translate

COLOURS = {
    "request": "#64748b",
    "waiting": "#a9b7c9",
    "reasoning": "#a78bfa",
    "arguments": "#f59e0b",
    "function": "#ef6f6c",
    "text": "#14b8a6",
}
"""By kind; each can be told from its neighbours on white and on black."""

MOST = 120
"""Spans drawn: a bar of less than a few pixels shows nothing."""

NOTHING = "–"


def draw_timing(spans: list[Span], figures: Figures) -> None:
    """Draw the figures, the waterfall and its table."""
    spans = [
        replace(span, name=replace_surrogates(span.name), detail=replace_surrogates(span.detail))
        for span in spans
    ]
    if not spans:
        st.caption(_("Nothing has taken time yet."))
        return
    _draw_figures(figures)
    st.vega_lite_chart(_waterfall(spans[:MOST]), key="inspector_waterfall")
    if len(spans) > MOST:
        words = N_("These are the first {shown} of {count}; the table has all of them.")
        st.caption(_(words, shown=MOST, count=len(spans)))
    _draw_tokens(figures)
    with st.expander(_("As a table"), key="inspector_spans"):
        st.dataframe(
            {
                "round": [span.round for span in spans],
                "what": [span.name for span in spans],
                "kind": [span.kind for span in spans],
                "begin (s)": [span.begin for span in spans],
                "took (s)": [span.end - span.begin for span in spans],
                "detail": [span.detail for span in spans],
            },
            hide_index=True,
            row_height=28,
            column_config={
                "begin (s)": st.column_config.NumberColumn(format="%.3f"),
                "took (s)": st.column_config.NumberColumn(format="%.3f"),
            },
        )


def _draw_figures(figures: Figures) -> None:
    """The figures that a person looks for first, in one line where there is room."""
    cost = NOTHING if figures.cost is None else f"${figures.cost:.6f}"
    speed = NOTHING if figures.speed is None else f"{figures.speed:.0f}/s"
    shown = [
        (_("First event"), seconds(figures.first_event), _("Since the run began")),
        (_("First text"), seconds(figures.first_text), _("Since the run began")),
        (_("Whole"), seconds(figures.duration), _("From its beginning to the last entry")),
        (
            _("Tokens"),
            speed,
            _("Per second, while text or arguments were being written; without reasoning"),
        ),
        (_("Cost"), cost, translate(figures.cost_note)),
    ]
    with st.container(horizontal=True, gap="medium", key="inspector_figures"):
        for label, value, why in shown:
            with st.container(width="content", gap=None):
                st.caption(label, help=escape_markdown(replace_surrogates(why)))
                st.markdown(f"**{escape_markdown(value)}**")


def _draw_tokens(figures: Figures) -> None:
    if figures.tokens is None:
        st.caption(escape_markdown(replace_surrogates(translate(figures.cost_note))))
        return
    each = [(f"{one.round}", one.model, one.tokens, one.cost) for one in figures.responses]
    if len(each) > 1:
        each.append(("all", figures.model, figures.tokens, figures.cost))
    st.dataframe(
        {
            "round": [round for round, *_ in each],
            "in": [tokens.input for _, _, tokens, _ in each],
            "cached": [tokens.cached for _, _, tokens, _ in each],
            "out": [tokens.output for _, _, tokens, _ in each],
            "reasoning": [tokens.reasoning for _, _, tokens, _ in each],
            "cost": [NOTHING if cost is None else f"${cost:.6f}" for *_, cost in each],
            "model": [replace_surrogates(model) for _, model, _, _ in each],
        },
        hide_index=True,
        row_height=28,
    )
    st.caption(escape_markdown(replace_surrogates(translate(figures.cost_note))))


def _waterfall(spans: list[Span]) -> dict[str, Any]:
    """A bar for each span, each on a line of its own, so that what overlaps is seen to (in Vega-Lite)."""
    values = [
        {
            "line": line,
            "what": span.name,
            "round": span.round,
            "kind": span.kind,
            "begin": span.begin,
            "end": span.end,
            "took": seconds(span.end - span.begin),
            "detail": span.detail,
        }
        for line, span in enumerate(spans)
    ]
    # Two spans may have the same name, so a line is known by its number, and labelled by its name.
    names = [f"{span.round} · {span.name}" if span.round else span.name for span in spans]
    kinds = [kind for kind in get_args(Kind) if any(span.kind == kind for span in spans)]
    scale = {"domain": kinds, "range": [COLOURS[kind] for kind in kinds]}
    told = ["what", "kind", "round", "begin", "took", "detail"]
    return {
        "data": {"values": values},
        "height": {"step": 18},
        "mark": {"type": "bar", "height": 11, "cornerRadius": 2, "strokeWidth": 1.5},
        "encoding": {
            "x": {"field": "begin", "type": "quantitative", "title": "seconds", "axis": {"tickCount": 6}},
            "x2": {"field": "end"},
            "y": {
                "field": "line",
                "type": "ordinal",
                "title": None,
                "axis": {
                    "labelExpr": f"{_listed(names)}[datum.value]",
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
                "legend": {"title": None, "orient": "top", "columns": 2, "rowPadding": 0},
            },
            "stroke": {"field": "kind", "type": "nominal", "scale": scale, "legend": None},
            "tooltip": [{"field": name, "type": "nominal"} for name in told],
        },
    }


def seconds(value: float | None) -> str:
    """A time as a person reads it."""
    if value is None:
        return NOTHING
    return f"{value * 1000:.0f} ms" if value < 0.9995 else f"{value:.2f} s"


def _listed(names: list[str]) -> str:
    """Names as an array of Vega's expressions, in which nothing can end a text."""
    units = (name.encode("utf-16-be").hex() for name in names)
    escaped = ("".join(f"\\u{unit[at : at + 4]}" for at in range(0, len(unit), 4)) for unit in units)
    return "[" + ",".join(f"'{name}'" for name in escaped) + "]"
