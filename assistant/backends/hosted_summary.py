"""What a tool of one server did, as it is told to another one that knows nothing of it. Pure.

Not here: the server's own items, which go back to it as they came (``responses_memory.py``).

The one rule: what cannot be told as text is left out; a picture is told by what it was to show.
"""

from assistant.events import HostedCall
from assistant.tools.results import replace_surrogates

LONGEST = 4_000
"""Characters of a text, of what was asked and of what came of it."""


def told(call: HostedCall) -> str:
    """A few words about it; nothing about a search of the web, for the answer has what it found."""
    if call.kind == "web_search" or call.state != "done":
        return ""
    texts = [f"[Here the tool {call.name or call.kind} was used."]
    texts += [f"Asked: {replace_surrogates(call.asked)[:LONGEST]}"] if call.asked else []
    texts += [f"Output: {replace_surrogates(call.output)[:LONGEST]}"] if call.output else []
    texts += ["A picture was shown to the user."] if call.views else []
    return "\n".join(texts) + "]"
