"""What the page's look needs beyond Streamlit's theme: text that runs from right to left, and a few mends.

Not here: colours and sizes (``.streamlit/config.toml``).

The one rule: what a theme or an argument of an element can do is not done here.
"""

import streamlit as st

_STYLE = """<style>
/* Each paragraph runs as its first letter does, and begins on that side; code always runs to the right. */
[data-testid=stChatMessage] :is(p, li, td, th, h1, h2, h3, h4, h5, h6, blockquote),
[data-testid=stChatMessage] :is([data-testid=stText] *, textarea), [data-testid=stChatInputTextArea] {
  unicode-bidi: plaintext;
}
[data-testid=stChatMessage] :is(p, li, td, th, h1, h2, h3, h4, h5, h6):not([style*=text-align]),
[data-testid=stChatMessage] [data-testid=stText] { text-align: start; }
[data-testid=stChatMessage] :is(pre, code) { direction: ltr; unicode-bidi: isolate; text-align: left; }
[data-testid=stChatMessage] [dir=auto]:dir(rtl) li { margin-inline: 1.15em 0; }
[data-testid=stChatMessage] blockquote:dir(rtl) {
  border-left: none; border-right: 2px solid color-mix(in srgb, currentColor 30%, transparent);
  padding: 0 1rem 0 0; margin-inline: 0;
}
/* A wide table is scrolled by itself, not the page with it. */
[data-testid=stChatMessage] [data-testid=stMarkdownContainer] table { display: block; overflow-x: auto; }
/* A question is read before it is asked: on a phone it takes more than one line. */
.st-key-examples button * { white-space: normal; text-align: start; }
/* The primary colour is for what lies behind white letters; in the dark, as letters, it is hard to read. */
.stButtonGroup button[data-selected=true] { color: inherit !important; }
/* A finger has to hit one thread of a list. */
[class*=st-key-threads_] [role=radiogroup] label { padding-block: 0.25rem; }
/* What is for screen readers alone scrolls along; else it lies below the window, which then scrolls. */
.stMain { position: relative; }
/* Heard and not seen; see hearing.py. */
[data-testid=stLayoutWrapper]:has(> .st-key-look, > .st-key-hearing) {
  position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); white-space: nowrap;
}
</style>"""

# On which side a list's marks stand, no style can tell from its letters, but the browser can.
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
    """Have the browser use these styles; nothing is seen of the element itself."""
    with st.container(key="look"):
        st.html(_STYLE)
        st.html(_SCRIPT, unsafe_allow_javascript=True)
