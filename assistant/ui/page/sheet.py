"""The inspector as a sheet over the right edge of a window that is too narrow for two columns.

Styles decide by the window's width, so the page draws the same elements for both.
"""

from collections.abc import Callable

import streamlit as st

from assistant.ui import keys
from assistant.ui.language import _
from assistant.ui.page.browser_script import call_script, read_element


def draw_sheet_top(close: Callable[[], None]) -> None:
    """Draw the title and the Close button of the sheet around the current column."""
    with st.container(key=keys.INSPECTOR_SHEET_TOP, gap=None):
        script = read_element("sheet.js") + call_script("setUpSheet", _("Inspector"))
        st.html(script, unsafe_allow_javascript=True)
        with st.container(horizontal=True, vertical_alignment="center", horizontal_alignment="distribute"):
            st.markdown(f"**{_('Inspector')}**")
            label, key = _("Close"), keys.INSPECTOR_CLOSE
            st.button(label, key=key, icon=":material/close:", type="tertiary", on_click=close)
