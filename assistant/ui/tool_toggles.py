"""Toggles beside the input for the tools that the model's server runs itself; each holds for this browser session."""

import streamlit as st

from assistant.locale import N_, Sentence
from assistant.markdown.escape import escape_markdown
from assistant.markdown.links import url_host
from assistant.settings import Settings
from assistant.tools.hosted import HostedTool, available_tools, parse_hosted_tools
from assistant.ui import keys
from assistant.ui.language import _, translate

DEMO_LIBRARY = HostedTool("mcp", "https://demo.invalid/mcp", "library")
"""The remote server that the built-in demo plays."""

_NAMES: dict[str, Sentence] = {
    "web_search": N_("Web search"),
    "code_interpreter": N_("Code interpreter"),
    "image_generation": N_("Image generation"),
    "file_search": N_("File search"),
}


def list_tools(settings: Settings) -> tuple[HostedTool, ...]:
    """Return the tools that this connection has, as far as is known."""
    has_responses = (
        settings.protocol in ("auto", "responses") and not settings.agent_id and not settings.assistant_id
    )
    if not (has_responses or settings.demo) or (settings.demo and settings.protocol == "chat"):
        return ()
    if settings.demo:
        return (HostedTool("web_search"), HostedTool("image_generation"), DEMO_LIBRARY)
    # Limits count tokens only, so where there are limits, users get only the tools that the owner names.
    is_limited = bool(settings.limit_user or settings.limit_all)
    return available_tools(settings.hosted_tools, all_built_in=not settings.base_url and not is_limited)


def enabled_tools(settings: Settings) -> tuple[HostedTool, ...]:
    """Return the tools that are on; until the user changes it, those in the settings, and all of the demo's."""
    return tuple(
        tool
        for tool in list_tools(settings)
        if st.session_state.get(_key(tool), _is_on_by_default(tool, settings))
    )


def has_changed_tools(settings: Settings) -> bool:
    """Return whether other tools are on than by default."""
    default = tuple(tool for tool in list_tools(settings) if _is_on_by_default(tool, settings))
    return enabled_tools(settings) != default


def _is_on_by_default(tool: HostedTool, settings: Settings) -> bool:
    return settings.demo or tool in parse_hosted_tools(settings.hosted_tools)


def draw_tool_toggles(settings: Settings) -> None:
    """Draw a toggle for each tool; nothing if there are none."""
    tools = list_tools(settings)
    if not tools:
        return
    enabled = enabled_tools(settings)
    label = _("Tools · none on")
    if enabled:
        names = ", ".join(map(_name, enabled))
        label = _("Tools · {count} on ({names})", count=len(enabled), names=names)
    with st.popover(escape_markdown(label), key=keys.TOOLS, type="tertiary", icon=":material/build:"):
        st.caption(_("These tools run on the server. Some cost extra on top of tokens."))
        if settings.demo:
            st.caption(_("Try “Search the web for Kyoto”, “Paint the sea” or “Ask the library about Oslo”."))
        for tool in tools:
            st.toggle(
                escape_markdown(_name(tool)),
                _is_on_by_default(tool, settings),
                key=_key(tool),
                help=escape_markdown(_help(tool)) or None,
            )


def _key(tool: HostedTool) -> str:
    return keys.tool_toggle(tool.kind, tool.label or tool.where)


def _name(tool: HostedTool) -> str:
    if tool.kind == "mcp":
        return tool.label
    if tool.kind == "file_search" and tool.where:
        return _("File search in {name}", name=tool.where)
    return translate(_NAMES[tool.kind])


def _help(tool: HostedTool) -> str:
    """Say where a tool works; of an address only the host, for the rest of it may be as good as a key."""
    if tool == HostedTool("file_search"):
        return _("Files you attach are uploaded to the server and searched there.")
    return url_host(tool.where) if tool.kind == "mcp" else tool.where
