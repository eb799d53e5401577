"""The tools of the model's server that a connection offers, and those that are on by default."""

from assistant.settings import Settings
from assistant.tools.hosted import HostedTool, available_tools, parse_hosted_tools

DEMO_TOOLS = (
    HostedTool("web_search"),
    HostedTool("code_interpreter"),
    HostedTool("image_generation"),
    HostedTool("mcp", "https://demo.invalid/mcp", "library"),
)
"""The tools that the demo simulates."""


def connection_tools(settings: Settings) -> tuple[HostedTool, ...]:
    """Return the tools of the server's own that this connection has, as far as is known."""
    has_responses = settings.protocol in ("auto", "responses") and not (
        settings.agent_id or settings.assistant_id
    )
    if settings.demo:
        return DEMO_TOOLS if settings.protocol != "chat" else ()
    if not has_responses or settings.budget:  # what they cost beyond tokens is not known in advance
        return ()
    # What they cost beyond tokens is not counted: with limits, the owner lists the tools that are offered.
    has_limits = bool(settings.limit_user or settings.limit_all)
    return available_tools(settings.hosted_tools, all_built_in=not settings.base_url and not has_limits)


def default_tools(settings: Settings) -> tuple[HostedTool, ...]:
    """Return the tools that are on until the user switches them: those in the settings, and all of the demo."""
    configured = parse_hosted_tools(settings.hosted_tools)
    return tuple(tool for tool in connection_tools(settings) if settings.demo or tool in configured)
