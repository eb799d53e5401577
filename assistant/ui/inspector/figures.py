"""A row of figures, each below its name."""

from collections.abc import Iterable

import streamlit as st

from assistant.markdown.escape import escape_markdown
from assistant.texts import replace_surrogates


def draw_figures(figures: Iterable[tuple[str, str, str]], key: str | None = None) -> None:
    """Draw figures, each a name, a value and an explanation that may be empty, in one line if there is room."""
    with st.container(horizontal=True, gap="medium", key=key):
        for name, value, explanation in figures:
            with st.container(width="content", gap=None):
                st.caption(name, help=escape_markdown(replace_surrogates(explanation)) or None)
                st.markdown(f"**{escape_markdown(value)}**")
