"""Toggles above the input for the tools that the model's server runs; each holds for this browser session."""

import streamlit as st

from assistant.backends.connection.hosted_tools import connection_tools
from assistant.locale import N_, Sentence
from assistant.markdown.escape import escape_markdown
from assistant.markdown.links import url_host
from assistant.session.connection import Connection
from assistant.tools.hosted import HostedTool
from assistant.ui import keys
from assistant.ui.language import _, translate

_NAMES: dict[str, Sentence] = {
    "web_search": N_("Web search"),
    "code_interpreter": N_("Code interpreter"),
    "image_generation": N_("Image generation"),
    "file_search": N_("File search"),
}


def draw_tool_toggles(connection: Connection) -> None:
    """Draw a toggle for each tool that the connection has; nothing if there are none."""
    tools = connection_tools(connection.connected)
    if not tools or connection.backend.protocol not in ("auto", "responses"):
        return
    enabled = connection.enabled_tools
    label = _("Tools · none on")
    if enabled:
        names = _(", ").join(map(_name, enabled))
        label = _("Tools · {count} on ({names})", count=len(enabled), names=names)
    with st.popover(escape_markdown(label), key=keys.TOOLS, type="tertiary", icon=":material/build:"):
        st.caption(_("These tools run on the server. Some cost extra on top of tokens."))
        if connection.settings.demo:
            st.caption(
                _(
                    "Try “Search the web for Kyoto”, “Count the primes with Python”, “Paint the sea” or “Ask the "
                    "library about Oslo”."
                )
            )
        for tool in tools:
            key = keys.tool_toggle(tool.kind, tool.label or tool.where)
            st.toggle(
                escape_markdown(_name(tool)),
                tool in enabled,
                key=key,
                help=escape_markdown(_help(tool)) or None,
                on_change=_switch,
                args=[connection, tool, key],
            )


def _switch(connection: Connection, tool: HostedTool, key: str) -> None:
    connection.switch_tool(tool, st.session_state[key])


def _name(tool: HostedTool) -> str:
    if tool.kind == "mcp":
        return tool.label[:1].upper() + tool.label[1:]
    if tool.kind == "file_search" and tool.where:
        return _("File search in {name}", name=tool.where)
    return translate(_NAMES[tool.kind])


def _help(tool: HostedTool) -> str:
    """Say where a tool works; of an address only the host, for the rest of it may be as good as a key."""
    if tool == HostedTool("file_search"):
        return _("Files you attach are uploaded to the server and searched there.")
    return url_host(tool.where) if tool.kind == "mcp" else tool.where
