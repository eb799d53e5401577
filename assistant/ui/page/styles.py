"""Styles that Streamlit's theme and the arguments of its elements cannot express.

Text in right-to-left languages, wide tables, cards of examples, and elements for screen readers only. Colours and
sizes are in ``.streamlit/config.toml``.
"""

import streamlit as st

from assistant.ui import keys
from assistant.ui.page.browser_script import draw_copy_script, draw_sidebar_script
from assistant.ui.page.sheet import SHEET_STYLES

_STYLE = f"""<style>
/* The first letter of a paragraph decides its direction and alignment; code runs from left to right. */
[data-testid=stChatMessage] :is(p, li, td, th, h1, h2, h3, h4, h5, h6, blockquote),
[data-testid=stChatMessage] :is([data-testid=stText] *, textarea), [data-testid=stChatInputTextArea] {{
  unicode-bidi: plaintext;
}}
[data-testid=stChatMessage] :is(p, li, td, th, h1, h2, h3, h4, h5, h6):not([style*=text-align]),
[data-testid=stChatMessage] [data-testid=stText] {{ text-align: start; }}
[data-testid=stChatMessage] :is(pre, code) {{ direction: ltr; unicode-bidi: isolate; text-align: left; }}
[data-testid=stChatMessage] [dir=auto]:dir(rtl) li {{ margin-inline: 1.15em 0; }}
[data-testid=stChatMessage] blockquote:dir(rtl) {{
  border-left: none; border-right: 2px solid color-mix(in srgb, currentColor 30%, transparent);
  padding: 0 1rem 0 0; margin-inline: 0;
}}
/* A wide table scrolls by itself, without the page. */
[data-testid=stChatMessage] [data-testid=stMarkdownContainer] table {{ display: block; overflow-x: auto; }}
/* The examples are cards, as high as the other one in their row: a title, and the question below it. */
:is(.st-key-{keys.EXAMPLES}, [data-testid=stLayoutWrapper]:has(> .st-key-{keys.EXAMPLES})) {{
  height: auto !important; overflow: visible;
}}
.st-key-{keys.EXAMPLES} [class*=st-key-example_] {{ flex: 1 1 0; align-self: stretch; min-width: 0; }}
.st-key-{keys.EXAMPLES} :is(.stButton, button) {{ height: 100%; }}
.st-key-{keys.EXAMPLES} button {{ align-items: flex-start; padding: 0.75rem 1rem; }}
.st-key-{keys.EXAMPLES} button * {{ width: 100%; white-space: normal; text-align: start; }}
.st-key-{keys.EXAMPLES} button strong {{ display: block; }}
/* A phone shows the first screen in full, without scrolling. */
@media (max-width: 640px) {{ .stMainBlockContainer {{ padding-bottom: 0; }} }}
/* The actions of a message are icons with a name for screen readers; the figures give way to them on a phone. */
[class*=st-key-actions_] > :first-child button {{ margin-inline-start: -0.375rem; }}
[class*=st-key-actions_] button {{ position: relative; min-height: 2rem; padding: 0 0.375rem; }}
[class*=st-key-actions_] button [data-testid=stMarkdownContainer], .copy-status {{
  position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); white-space: nowrap;
}}
[class*=st-key-actions_] > * {{ flex-shrink: 0; }}
[class*=st-key-actions_] > :last-child {{ min-width: 0; flex-shrink: 1; }}
[class*=st-key-actions_] p:has(.stTooltipIcon) {{
  overflow: hidden; text-overflow: ellipsis; white-space: nowrap; position: relative; padding-inline-end: 1.5rem;
}}
[class*=st-key-actions_] p > :has(.stTooltipIcon) {{ position: absolute; inset: 0 0 auto auto; }}
[class*=st-key-copy_] {{ position: relative; }}
[class*=st-key-copy_][data-copied]::after {{
  content: attr(data-copied); position: absolute; bottom: 100%; left: 0; padding: 0.125rem 0.5rem; z-index: 1;
  border-radius: 0.5rem; background: CanvasText; color: Canvas; font-size: 0.875rem;
}}
/* A line joins the steps of a round, past what is shown below a step; that begins where the step's text does. */
[class*=st-key-call-] {{ position: relative; }}
[data-testid=stLayoutWrapper]:has(> [class*=st-key-call-]):has(+ * > [class*=st-key-call-]) > *::before {{
  content: ""; position: absolute; inset: 1.5rem auto -0.25rem calc(0.75rem - 0.5px); width: 1px;
  background: color-mix(in srgb, currentColor 20%, transparent);
}}
[class*=st-key-call-] > [data-testid=stLayoutWrapper]:not(:first-child) {{ padding: 0.5rem 0 0.5rem 2.25rem; }}
/* The primary colour is meant as a background; as text it has too little contrast in the dark theme. */
.stButtonGroup button[data-selected=true],
:is([data-testid^=stBaseButton-secondary], [data-testid^=stBaseButton-tertiary], [data-testid=stPopoverButton]):is(
  :hover, :focus, :active, [aria-expanded=true]
) {{ color: inherit !important; }}
/* The shortcut on a button is as readable as its label. */
button kbd {{ color: inherit !important; opacity: 1 !important; }}
/* Streamlit's colours of code have too little contrast; mixed with the text's colour, these suit both themes. */
[data-testid=stCode] .token {{ color: color-mix(in srgb, #6b7280 60%, currentColor) !important; }}
[data-testid=stCode] .token:is(.property, .attr-name, .variable) {{
  color: color-mix(in srgb, #0277bd 60%, currentColor) !important;
}}
[data-testid=stCode] .token:is(.string, .char, .attr-value, .number, .regex, .boolean, .constant, .symbol) {{
  color: color-mix(in srgb, #15803d 60%, currentColor) !important;
}}
[data-testid=stCode] .token:is(.keyword, .tag, .function, .class-name, .selector, .url) {{
  color: color-mix(in srgb, #1d4ed8 60%, currentColor) !important;
}}
[data-testid=stCode] .token:is(.operator, .entity, .decorator, .atrule, .important) {{
  color: color-mix(in srgb, #b45309 60%, currentColor) !important;
}}
/* Rows of the list of chats: the title on the left, then a menu whose name only screen readers need. */
.st-key-{keys.THREADS} [data-testid=stHorizontalBlock] {{ flex-wrap: nowrap; }}
.st-key-{keys.THREADS} [class*=st-key-open_thread_] {{ min-width: 0; flex: 1; }}
.st-key-{keys.THREADS} button {{ padding-inline: 0.5rem; min-height: 2.25rem; }}
.st-key-{keys.THREADS} [class*=st-key-open_thread_] button {{ justify-content: flex-start; }}
.st-key-{keys.THREADS} [class*=st-key-open_thread_] button > div {{ flex: 1; justify-content: flex-start; text-align: start; }}
.st-key-{keys.THREADS} [class*=st-key-menu_] [data-testid=stMarkdownContainer] {{
  position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%);
}}
.st-key-{keys.THREADS} [class*=st-key-menu_] p {{ font-size: 0; }}
.st-key-{keys.THREADS} [class*=st-key-menu_] button div[aria-hidden=true] {{ display: none; }}
::highlight(found) {{ background-color: #fde68a; color: #0e1815; }}
@media (min-width: 768px) {{ .st-key-{keys.NEW_CHAT_ON_PHONE} {{ display: none; }} }}
/* Stop is in the place of Send while there is nothing to send. Streamlit's own would end queueing. */
.st-key-{keys.COMPOSER} {{ position: relative; }}
.st-key-{keys.STOP} {{ position: absolute; right: 17px; bottom: 13px; width: auto; }}
.st-key-{keys.STOP} button {{ width: 2rem; height: 2rem; min-height: 0; padding: 0; }}
.st-key-{keys.STOP} button :is([data-testid=stMarkdownContainer], kbd) {{
  position: absolute; clip-path: inset(50%);
}}
.st-key-{keys.STOP} button * {{ gap: 0; margin: 0; }}
.st-key-{keys.COMPOSER}:not(:has([data-testid=stChatInputSubmitButton]:disabled)) .st-key-{keys.STOP} {{
  visibility: hidden;
}}
/* Stop is enough; Streamlit's own sign of a running script, with a second Stop, comes and goes with every click. */
[data-testid=stStatusWidget]:has([data-testid=stStatusWidgetRunningIcon]) {{ display: none; }}
/* The end of the conversation, and the button that leads there, above the input. */
:is(.st-key-{keys.SCROLLING}, .st-key-{keys.SCROLL_SCRIPT}, .st-key-{keys.STYLES}, .st-key-{keys.ANNOUNCEMENTS}) {{
  overflow: hidden;
}}
[data-testid=stLayoutWrapper]:has(> .st-key-{keys.SCROLLING}) {{ height: 0; margin-top: -1rem; overflow: hidden; }}
[data-testid=stBottom] > * {{ position: relative; }}
.scroll-to-end {{
  position: absolute; bottom: calc(100% + 0.5rem); left: calc(50% - 1.125rem); width: 2.25rem; height: 2.25rem;
  border: 1px solid color-mix(in srgb, currentColor 25%, transparent); border-radius: 50%;
  background: inherit; color: inherit; cursor: pointer;
}}
.scroll-to-end:hover {{ border-color: currentColor; }}
.scroll-to-end::before {{  /* an arrow that points down */
  content: ""; position: absolute; inset: 0.6rem 0.75rem 0.9rem; border: solid currentColor; border-width: 0 2px 2px 0;
  transform: rotate(45deg);
}}
/* Elements for screen readers scroll with the page; otherwise they would extend it below the window. */
.stMain {{ position: relative; }}
/* Elements for screen readers only, and scripts. */
[data-testid=stLayoutWrapper]:has(> .st-key-{keys.STYLES}, > .st-key-{keys.ANNOUNCEMENTS}, > .st-key-{keys.SCROLL_SCRIPT}) {{
  position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); white-space: nowrap;
}}
{SHEET_STYLES}</style>"""

# CSS cannot tell from its text on which side the markers of a list belong; ``dir=auto`` can.
_SCRIPT = """<script>
if (!window.listsAreTurned) {
  window.listsAreTurned = true
  const lists = "[data-testid=stChatMessage] :is(ul, ol, blockquote):not([dir])"
  const turn = () => document.querySelectorAll(lists).forEach(list => list.dir = "auto")
  new MutationObserver(turn).observe(document.body, {childList: true, subtree: true})
  turn()
}
</script>"""


def draw_styles() -> None:
    """Load the styles and scripts, in an element that is not visible.

    Draw it below everything else: until it is loaded, it takes the place of a line.
    """
    with st.container(key=keys.STYLES, height=1, border=False):
        # Styles alone would go where dialogs go, and a dialog of a fragment would replace them.
        st.html(_STYLE + _SCRIPT, unsafe_allow_javascript=True)
        draw_copy_script()
        draw_sidebar_script()
