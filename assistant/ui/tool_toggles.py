"""The switches for the tools of the server's own, beside the input.

Not here: what these tools do (``hosted.py``), or what there is at all (``assistant/tools/hosted.py``).

The one rule: what is switched is kept in this browser session, and changes what later requests ask for.
"""

import streamlit as st

from assistant.markdown.escape import plain
from assistant.markdown.links import host_of
from assistant.settings import Settings
from assistant.tools.hosted import HostedTool, available_tools, parse_hosted_tools
from assistant.ui.language import _

DEMO = HostedTool("mcp", "https://demo.invalid/mcp", "library")
"""The remote server that the built-in demo plays."""


def switches(settings: Settings) -> tuple[HostedTool, ...]:
    """The tools that this connection has, as far as anybody knows."""
    speaks = (
        settings.protocol in ("auto", "responses") and not settings.agent_id and not settings.assistant_id
    )
    if not (speaks or settings.demo) or (settings.demo and settings.protocol == "chat"):
        return ()
    if settings.demo:
        return (HostedTool("web_search"), HostedTool("image_generation"), DEMO)
    # What they cost beyond tokens is not counted: where something is, the owner says which of them there are.
    is_counted = bool(settings.limit_user or settings.limit_all)
    return available_tools(settings.hosted_tools, all_built_in=not settings.base_url and not is_counted)


def switched_on(settings: Settings) -> tuple[HostedTool, ...]:
    """Those that are switched on; before anybody has switched, those in the settings, and all of the demo."""
    return tuple(
        tool
        for tool in switches(settings)
        if st.session_state.get(_switch(tool), _is_on_at_first(tool, settings))
    )


def is_switched(settings: Settings) -> bool:
    """Whether a person has switched something, so that it is otherwise than at first."""
    first = tuple(tool for tool in switches(settings) if _is_on_at_first(tool, settings))
    return switched_on(settings) != first


def _is_on_at_first(tool: HostedTool, settings: Settings) -> bool:
    return settings.demo or tool in parse_hosted_tools(settings.hosted_tools)


def draw_switches(settings: Settings) -> None:
    """Draw a switch for each tool; nothing where there are none."""
    tools = switches(settings)
    if not tools:
        return
    on = switched_on(settings)
    label = ", ".join(map(_name, on)) or _("none")
    with st.popover(
        plain(_("Tools: {names}", names=label)),
        key="hosted_tools",
        type="tertiary",
        icon=":material/build:",
    ):
        st.caption(_("The server runs these itself. Some of them cost more than the tokens."))
        if settings.demo:
            st.caption(_("Try “Search the web for Kyoto”, “Paint the sea” or “Ask the library about Oslo”."))
        for tool in tools:
            first = _is_on_at_first(tool, settings)
            st.toggle(plain(_name(tool)), first, key=_switch(tool), help=plain(_help(tool)) or None)


def _switch(tool: HostedTool) -> str:
    return "_".join(filter(None, ["hosted", tool.kind, tool.label or tool.where]))


def _help(tool: HostedTool) -> str:
    """Where it is: of an address who is asked alone, for the rest of it may be as good as a key."""
    if tool == HostedTool("file_search"):
        return _("Files that you attach are put in at the server, and searched there.")
    return host_of(tool.where) if tool.kind == "mcp" else tool.where


def _name(tool: HostedTool) -> str:
    match tool.kind:
        case "web_search":
            return _("web search")
        case "code_interpreter":
            return _("code")
        case "image_generation":
            return _("pictures")
        case "file_search":
            return _("files {name}", name=tool.where) if tool.where else _("file search")
        case "mcp":
            return tool.label
