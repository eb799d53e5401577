"""What the page does in the browser, and Streamlit cannot: focus a field, show a message, copy a text, and close
the sidebar on a phone.

A request is made in a callback, and runs with the next drawing of the conversation.
"""

import json
import time
from dataclasses import dataclass

import streamlit as st

from assistant.ui import keys
from assistant.ui.language import _
from assistant.ui.state import state_of

VALID_SECONDS = 5.0
"""Time in which a script is drawn again, because the page may run twice in a row, slowly on a busy machine; it acts once."""

_ONCE = """<script>
if (window.scriptRun !== TIME) {
  window.scriptRun = TIME
  SCRIPT
}
</script>"""

# The field may arrive after the script.
_FOCUS = """
  const selector = `.st-key-${KEY} :is(textarea, input)`, until = Date.now() + 2000
  const focus = () => {
    const field = document.querySelector(selector)
    if (!field && Date.now() < until) return setTimeout(focus, 50)
    field?.focus()
    field?.setSelectionRange?.(field.value.length, field.value.length)
  }
  setTimeout(focus)
"""

# A message is drawn in pieces, and the page stands at its end first.
_SHOW = """
  const until = Date.now() + 5000
  const show = () => {
    const message = document.querySelectorAll("[data-testid=stChatMessage]")[NUMBER]
    const isDrawn = message && !document.querySelector("[data-test-script-state=running]")
    if (!isDrawn && Date.now() < until) return setTimeout(show, 50)
    if (!message) return
    const texts = document.createTreeWalker(message, NodeFilter.SHOW_TEXT)
    let node, at = -1
    while (at < 0 && (node = texts.nextNode())) {
      if (node.parentElement.checkVisibility()) at = node.data.toLowerCase().indexOf(WORDS.toLowerCase())
    }
    const place = node ? node.parentElement : message
    place.scrollIntoView({block: "center"})
    if (!node || !CSS.highlights) return
    const range = new Range()
    range.setStart(node, at)
    range.setEnd(node, Math.min(at + WORDS.length, node.length))
    CSS.highlights.set("found", new Highlight(range))
    setTimeout(() => CSS.highlights.delete("found"), 10000)
  }
  setTimeout(show, 300)
"""

_CLOSE_SIDEBAR = """<script>
window.closesSidebar ??= !document.addEventListener("click", event => {
  const isChoice = event.target.closest(".st-key-THREADS [class*=st-key-open_thread_] button, .st-key-new_chat button")
  const close = () => document.querySelector("[data-testid=stSidebarCollapseButton] button")?.click()
  if (isChoice && innerWidth < 768) setTimeout(close, 100)
})
</script>"""

# A text is sent to the browser only after a click on its button, because long answers would be sent twice
# otherwise. A browser allows writing to the clipboard only during the click, so writing begins then and waits for
# the text. Where the page has no clipboard, as over plain HTTP, an invisible field is copied.
_COPY = """<script>
window.copiedLabel = LABEL
if (!window.deliverCopy) {
  const status = document.body.appendChild(document.createElement("div"))
  status.setAttribute("role", "status")
  status.className = "copy-status"
  const copyField = text => {
    const field = document.body.appendChild(document.createElement("textarea"))
    field.value = text
    field.select()
    const copied = document.execCommand("copy")
    field.remove()
    if (!copied) throw new Error("the browser does not allow copying")
  }
  let waiting = null
  window.deliverCopy = (key, text) => { if (waiting?.key === key) { waiting.resolve(text); waiting = null } }
  document.addEventListener("click", event => {
    const button = event.target.closest("[class*=st-key-copy_] button")
    if (!button) return
    const place = button.closest("[class*=st-key-copy_]")
    const key = place.className.match(/st-key-(copy_\\d+)/)[1]
    const text = new Promise(resolve => waiting = {key, resolve})
    let copied
    try {
      const blob = text.then(text => new Blob([text], {type: "text/plain"}))
      copied = navigator.clipboard.write([new ClipboardItem({"text/plain": blob})])
    } catch (error) {
      copied = Promise.reject(error)
    }
    copied.catch(async () => copyField(await text)).then(() => {
      place.dataset.copied = status.textContent = window.copiedLabel
      setTimeout(() => { delete place.dataset.copied; status.textContent = "" }, 2000)
    })
  }, true)
}
</script>"""


@dataclass(slots=True)
class RequestedScript:
    """The script that was requested last, and until when it is drawn."""

    script: str = ""
    until: float = 0.0


def focus_field(key: str) -> None:
    """Move the focus to the text field with this key, behind its text."""
    _request(_FOCUS.replace("KEY", json.dumps(key)))


def show_message(number: int, text: str) -> None:
    """Scroll to a message, counted from the first on the page, and mark the text in it for a while."""
    written = json.dumps(text).replace("<", "\\u003c")
    _request(_SHOW.replace("NUMBER", str(number)).replace("WORDS", written))


def copy_text(key: str, text: str) -> None:
    """Copy a text to the clipboard after a click on the button with this key, which begins with ``copy_``."""
    written = json.dumps(text).replace("<", "\\u003c")  # no text can end the script
    _request(f"window.deliverCopy({json.dumps(key)}, {written})")


def draw_requested_script() -> None:
    """Draw the script that was requested last."""
    requested = state_of(RequestedScript)
    if time.monotonic() < requested.until:
        st.html(requested.script, unsafe_allow_javascript=True)
    else:
        st.empty()


def draw_sidebar_script() -> None:
    """Load the script that closes the sidebar on a phone, where it covers the chat that was chosen in it."""
    st.html(_CLOSE_SIDEBAR.replace("THREADS", keys.THREADS), unsafe_allow_javascript=True)


def draw_copy_script() -> None:
    """Load the script that the copy buttons need, once for the page."""
    st.html(_COPY.replace("LABEL", json.dumps(_("Copied"))), unsafe_allow_javascript=True)


def _request(script: str) -> None:
    now = time.monotonic_ns()
    requested = state_of(RequestedScript)
    requested.script = _ONCE.replace("TIME", str(now)).replace("SCRIPT", script)
    requested.until = time.monotonic() + VALID_SECONDS
