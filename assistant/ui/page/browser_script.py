"""What Streamlit cannot do in the browser: styles, and scripts that focus a field or copy a text.

The files are in ``browser/``. They name widgets by the classes that Streamlit derives from their keys.
"""

import json
import time
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import streamlit as st

from assistant.ui import keys
from assistant.ui.language import _
from assistant.ui.state import state_of

FOLDER = Path(__file__).parent / "browser"

CONVERSATION_SCRIPTS = (
    "accessibility.js",
    "copying.js",
    "escape.js",
    "markdown.js",
    "requests.js",
    "scrolling.js",
)

VALID_SECONDS = 5.0
"""Time in which a request, which acts once, is drawn again: the page may run twice in a row."""


@cache
def read_element(name: str) -> str:
    """Return a file as an HTML element: a script or styles."""
    tag = "style" if name.endswith(".css") else "script"
    return f"<{tag}>\n{(FOLDER / name).read_text(encoding='utf-8')}</{tag}>"


def call_script(function: str, *values: object) -> str:
    """Return a script element that calls a function of the scripts, such as ``requests.run``, when it is loaded.

    The browser draws elements in the order in which they are ready, so a call can be drawn before the
    scripts.
    """
    arguments = ", ".join(map(json.dumps, values)).replace("<", "\\u003c")  # no text can end the script
    is_loaded = f"window.{function.replace('.', '?.')}"
    call = f"window.{function}({arguments})"
    return f"<script>(function call() {{ {is_loaded} ? {call} : setTimeout(call, 50) }})()</script>"


def draw_conversation_scripts() -> None:
    """Load the scripts of the conversation with the page: its fragment would send them with each message."""
    with st.container(key=keys.SCRIPTS, height=1, border=False):
        scripts = "".join(map(read_element, CONVERSATION_SCRIPTS))
        st.html(scripts + call_script("copying.setLabel", _("Copied")), unsafe_allow_javascript=True)


# --- requests -----------------------------------------------------------------------------------------


@dataclass(slots=True)
class BrowserRequest:
    """What was requested last, and until when it is drawn."""

    script: str = ""
    until: float = 0.0


def focus_field(key: str) -> None:
    """Move the focus behind the text of the field with this key when the conversation is drawn next."""
    _request("focusField", key)


def show_message(number: int, text: str) -> None:
    """Scroll to a message, counted from the first on the page, and mark the text in it for a while."""
    _request("showMessage", number, text)


def copy_text(key: str, text: str) -> None:
    """Copy a text to the clipboard after a click on the button with this key, which begins with ``copy_``."""
    _request("deliverCopy", key, text)


def draw_browser_request() -> None:
    """Draw the request that was made last."""
    request = state_of(BrowserRequest)
    if time.monotonic() < request.until:
        st.html(request.script, unsafe_allow_javascript=True)
    else:
        st.empty()


def _request(action: str, *values: object) -> None:
    request = state_of(BrowserRequest)
    request.script = call_script("requests.run", time.monotonic_ns(), action, *values)
    request.until = time.monotonic() + VALID_SECONDS
