"""The styles of the page, and the script of its sidebar."""

import streamlit as st

from assistant.ui import keys
from assistant.ui.page.browser_script import read_element


def draw_styles() -> None:
    """Load the styles, in an element that is not visible.

    Draw it below everything else: until it is loaded, it takes the place of a line. The styles of the
    inspector are part of every page, because Streamlit forgets styles of an element that the next page does
    not draw.
    """
    with st.container(key=keys.STYLES, height=1, border=False):
        # Styles alone would go where dialogs go, and a dialog of a fragment would replace them.
        elements = map(read_element, ("page.css", "sheet.css", "sidebar.js"))
        st.html("".join(elements), unsafe_allow_javascript=True)
