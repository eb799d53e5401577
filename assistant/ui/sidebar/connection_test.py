"""Test a connection and draw the result of each check."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Literal

import streamlit as st

from assistant.backends.connection.override import ConnectionOverride
from assistant.backends.connection.results import CheckResult
from assistant.markdown.escape import escape_markdown
from assistant.settings import Settings
from assistant.ui.background import in_background
from assistant.ui.language import _, translate
from assistant.ui.state import state_of

_ICONS = {
    True: ":green[:material/check_circle:]",
    False: ":red[:material/cancel:]",
    None: ":orange[:material/info:]",
}


@dataclass(slots=True)
class LastTest:
    """The connection that was tested last in this session, and the results."""

    connection: ConnectionOverride | None = None
    results: list[CheckResult] = field(default_factory=list)


def run_test(connection: ConnectionOverride, settings: Settings) -> None:
    """Test the connection, draw each result as it comes, and keep them for ``draw_last_test``."""
    results: list[CheckResult] = []
    place, progress = st.container(gap="xxsmall"), st.empty()
    progress.markdown(f":small[:shimmer[{_('Testing…')}]]")
    for result in in_background(_check(connection, settings)):
        results.append(result)
        with place:
            _draw_result(result)
    progress.empty()
    last = state_of(LastTest)
    last.connection, last.results = connection, results


def draw_last_test(connection: ConnectionOverride) -> bool:
    """Draw the results of the last test if it was of exactly this connection; return whether it was."""
    last = state_of(LastTest)
    if last.connection != connection:
        return False
    with st.container(gap="xxsmall"):
        for result in last.results:
            _draw_result(result)
    return True


def _draw_result(result: CheckResult) -> None:
    st.markdown(f"{_ICONS[result.ok]} :small[{escape_markdown(translate(result.text))}]")


def _check(connection: ConnectionOverride, settings: Settings) -> Iterator[CheckResult]:
    from assistant.backends.client import connect  # loads the SDK
    from assistant.backends.connection.checks import check_connection

    connected = connection.settings(settings)
    protocol: Literal["auto", "responses", "chat"] = "auto"
    if connected.protocol == "responses" or connected.protocol == "chat":
        protocol = connected.protocol
    with connect(connected) as client:
        yield from check_connection(client, connected.requested_model, protocol, connection.effort)
