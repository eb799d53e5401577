"""The inspector as a sheet over the right edge of a window that is too narrow for two columns.

Styles decide by the window's width, so the page draws the same elements for both. The script adds what styles cannot:
the role for screen readers, Escape, and where the focus goes.
"""

import json
from collections.abc import Callable

import streamlit as st

from assistant.ui import keys
from assistant.ui.language import _

MIN_COLUMN_PX = 1500
"""Width of the window from which on the inspector is a column beside the chat."""

_COLUMN = f"[data-testid=stColumn]:has(.st-key-{keys.INSPECTOR_SIDE})"
_TOP = f"[data-testid=stLayoutWrapper]:has(> .st-key-{keys.INSPECTOR_SHEET_TOP})"
_OPEN = f".stMain:has(.st-key-{keys.INSPECTOR} input:checked):has(.st-key-{keys.INSPECTOR_SIDE})"

SHEET_STYLES = f"""
{_COLUMN} {{ overflow-y: auto; outline: none; }}
/* An answer that streams keeps the elements of the page from before it was closed. */
.stMain:not({_OPEN}) {_COLUMN} {{ display: none; }}
@media (min-width: {MIN_COLUMN_PX}px) {{
  {_COLUMN} {{ position: sticky; top: 4rem; align-self: flex-start; max-height: calc(100vh - 15rem); }}
  {_TOP} {{ display: none; }}
}}
@media (max-width: {MIN_COLUMN_PX - 1}px) {{
  :root {{ --sheet-width: min(100vw, clamp(28rem, 42vw, 36rem)); }}
  {_COLUMN} {{
    position: fixed; inset: 0 0 0 auto; width: var(--sheet-width); z-index: 999992; padding: 0 1rem 1rem;
    background: var(--sheet-background, Canvas); box-shadow: -1px 0 color-mix(in srgb, currentColor 20%, transparent);
  }}
  {_TOP} {{ position: sticky; top: 0; z-index: 2; padding-block: 0.6rem; background: var(--sheet-background, Canvas); }}
}}
@media (max-width: 640px) {{ .st-key-{keys.INSPECTOR_VIEW} button {{ padding-inline: 0.45rem; }} }}
/* Where there is room for both, the sheet covers nothing of the chat. */
@media (min-width: 1100px) and (max-width: {MIN_COLUMN_PX - 1}px) {{
  {_OPEN} {{ padding-right: var(--sheet-width); }}
  {_OPEN} :is([data-testid=stMainBlockContainer], [data-testid=stBottomBlockContainer]) {{
    padding-inline: 1.5rem;
  }}
}}
"""
"""Part of the styles of every page: Streamlit forgets styles of an element that the next page does not draw."""

_SCRIPT = f"""<script>
{{
  const sheet = document.querySelector(".st-key-{keys.INSPECTOR_SIDE}").closest("[data-testid=stColumn]")
  const narrow = matchMedia("(max-width: {MIN_COLUMN_PX - 1}px)")
  const toggle = () => document.querySelector(".st-key-{keys.INSPECTOR} input")
  const setRole = () => sheet.role = narrow.matches ? "dialog" : "region"
  narrow.addEventListener("change", setRole)
  setRole()
  sheet.ariaLabel = NAME
  sheet.tabIndex = -1
  const app = document.querySelector("[data-testid=stApp]")
  sheet.style.setProperty("--sheet-background", getComputedStyle(app).backgroundColor)
  const close = () => sheet.querySelector(".st-key-{keys.INSPECTOR_CLOSE} button")
  sheet.onclick = event => {{ if (close()?.contains(event.target)) toggle()?.focus() }}
  sheet.onkeydown = event => {{
    if (event.key !== "Escape" || !narrow.matches || event.target.ariaExpanded === "true") return
    event.stopPropagation()
    close()?.click()
  }}
  if (narrow.matches && document.activeElement === toggle()) sheet.focus()
}}
</script>"""


def draw_sheet_top(close: Callable[[], None]) -> None:
    """Draw the title and the Close button of the sheet around the current column."""
    with st.container(key=keys.INSPECTOR_SHEET_TOP, gap=None):
        st.html(_SCRIPT.replace("NAME", json.dumps(_("Inspector"))), unsafe_allow_javascript=True)
        with st.container(horizontal=True, vertical_alignment="center", horizontal_alignment="distribute"):
            st.markdown(f"**{_('Inspector')}**")
            label, key = _("Close"), keys.INSPECTOR_CLOSE
            st.button(label, key=key, icon=":material/close:", type="tertiary", on_click=close)
