"""The faults tab: break the stream or functions on purpose, and see what to expect."""

import re
from collections.abc import Collection

import streamlit as st

from assistant.markdown.escape import escape_markdown
from assistant.session.connection import Connection
from assistant.tools.fault_injection import with_faults
from assistant.transports.fault_spec import FUNCTIONS, STREAM, Fault, parse_faults
from assistant.ui import keys
from assistant.ui.language import _, translate


def draw_faults(connection: Connection) -> None:
    """Draw the input of the session's faults, and what each of them does."""
    st.caption(_("Applies from your next message, in this session only."))
    st.session_state.setdefault(keys.FAULTS, connection.settings.faults)
    text = st.text_input(
        _("Faults"),
        key=keys.FAULTS,
        on_change=_set_faults,
        args=[connection],
        placeholder="cut:5, slow:200, 429:2@2, function.raise:get_weather",
        help=_(
            "A fault and the number of its event or its amount. @2 limits it to the second round. random "
            "picks a fault; seed=7 makes the choice repeatable."
        ),
        persist_state="session",
    )
    try:
        with_faults(connection.toolbox, faults := parse_faults(text))
        for fault in faults:
            _draw_fault(fault)
    except ValueError as error:
        st.error(escape_markdown(translate(error.args[0])), icon=":material/error:")
    _draw_kinds(connection, _("Stream faults"), STREAM, keys.FAULTS_STREAM)
    _draw_kinds(connection, _("Function faults"), FUNCTIONS, keys.FAULTS_FUNCTIONS)
    if text:
        st.button(
            _("Clear faults"),
            key=keys.CLEAR_FAULTS,
            icon=":material/healing:",
            on_click=_clear,
            args=[connection],
        )


def _draw_fault(fault: Fault) -> None:
    with st.container(border=True, gap="xxsmall"):
        st.markdown(f"**{escape_markdown(str(fault))}** {escape_markdown(translate(fault.describe()))}")
        st.caption(_("Expected: {outcome}", outcome=escape_markdown(translate(fault.expected()))))


def _draw_kinds(connection: Connection, label: str, kinds: Collection[str], key: str) -> None:
    """Draw a button for each kind; those of the session's faults are selected."""
    present = [_kind_of(fault) for fault in _written_faults()]
    st.session_state[key] = [kind for kind in kinds if kind in present]
    st.pills(
        label, list(kinds), selection_mode="multi", key=key, on_change=_choose, args=[connection, kinds, key]
    )


def _written_faults() -> list[str]:
    return [fault for part in st.session_state[keys.FAULTS].split(",") if (fault := part.strip())]


def _kind_of(fault: str) -> str:
    return re.split("[:@]", fault)[0]


def _set_faults(connection: Connection) -> None:
    connection.faults = st.session_state[keys.FAULTS]


def _choose(connection: Connection, kinds: Collection[str], key: str) -> None:
    """Add the faults whose kind was selected, and remove those whose kind no longer is."""
    chosen = st.session_state[key]
    faults = [
        fault for fault in _written_faults() if (kind := _kind_of(fault)) not in kinds or kind in chosen
    ]
    present = [_kind_of(fault) for fault in faults]
    st.session_state[keys.FAULTS] = ", ".join([*faults, *(kind for kind in chosen if kind not in present)])
    _set_faults(connection)


def _clear(connection: Connection) -> None:
    st.session_state[keys.FAULTS] = ""
    _set_faults(connection)
