"""What came of trying a connection out, as a person sees it: one finding after the other.

Not here: trying it out (``backends/connection/checks.py``).

The one rule: the page never waits for a server without giving Streamlit the chance to end the script.
"""

from collections.abc import Iterator
from typing import Literal

import streamlit as st

from assistant.backends.connection.override import ConnectionOverride
from assistant.backends.connection.results import CheckResult
from assistant.settings import Settings
from assistant.ui.background import in_background
from assistant.ui.chat.tool_call import plain
from assistant.ui.language import _, translate

_ICONS = {
    True: ":green[:material/check_circle:]",
    False: ":red[:material/cancel:]",
    None: ":orange[:material/info:]",
}


def try_out(choice: ConnectionOverride, settings: Settings) -> None:
    """Try the connection out; what is found is drawn as it comes, and kept until something else is chosen."""
    seen: list[CheckResult] = []
    place, below = st.container(gap="xxsmall"), st.empty()
    below.markdown(f":small[:shimmer[{_('Trying it out …')}]]")
    for finding in in_background(_findings(choice, settings)):
        seen.append(finding)
        with place:
            _draw_finding(finding)
    below.empty()
    st.session_state.connection_tested = choice, seen


def draw_findings(choice: ConnectionOverride) -> None:
    """Draw what was found when this very choice was tried out last, if it was."""
    tested, seen = st.session_state.get("connection_tested", (None, []))
    if tested == choice:
        with st.container(gap="xxsmall"):
            for finding in seen:
                _draw_finding(finding)


def _draw_finding(finding: CheckResult) -> None:
    st.markdown(f"{_ICONS[finding.ok]} :small[{plain(translate(finding.text))}]")


def _findings(choice: ConnectionOverride, settings: Settings) -> Iterator[CheckResult]:
    from assistant.backends.client import connect  # loads the SDK
    from assistant.backends.connection.checks import check_connection

    wanted = choice.settings(settings)
    protocol: Literal["auto", "responses", "chat"] = "auto"
    if wanted.protocol == "responses" or wanted.protocol == "chat":
        protocol = wanted.protocol
    with connect(wanted) as client:
        yield from check_connection(client, wanted.model, protocol, choice.effort)
