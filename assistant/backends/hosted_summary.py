"""Summarise what a tool of one server did, for another server that does not know it."""

from assistant.events import HostedCall
from assistant.tools.results import replace_surrogates

MAX_SUMMARY_CHARS = 4_000
"""Maximum length of the input and of the output in a summary."""


def summarize_call(call: HostedCall) -> str:
    """Return the summary as text; "" for a web search, whose findings are in the answer."""
    if call.kind == "web_search" or call.state != "done":
        return ""
    lines = [f"[Here the tool {call.name or call.kind} was used."]
    lines += [f"Asked: {replace_surrogates(call.input)[:MAX_SUMMARY_CHARS]}"] if call.input else []
    lines += [f"Output: {replace_surrogates(call.output)[:MAX_SUMMARY_CHARS]}"] if call.output else []
    lines += ["A picture was shown to the user."] if call.views else []
    return "\n".join(lines) + "]"
