"""Parts of messages as plain text, for servers that have no better form for them."""

import re

from assistant.events import HostedCall
from assistant.parts import Attachment, Part, Text
from assistant.texts import replace_surrogates

MAX_SUMMARY_CHARS = 4_000  # maximum length of the input and of the output in a summary


def parts_as_text(parts: list[Part], *, with_images: bool = False) -> str:
    """Return a user's message as text; ``with_images``: its images are sent beside the text."""
    texts = [
        attachment_text(part, is_sent=with_images)
        if isinstance(part, Attachment)
        else replace_surrogates(part.text)
        for part in parts
        if isinstance(part, Text | Attachment)
    ]
    return "\n\n".join(text for text in texts if text)


def attachment_text(attachment: Attachment, *, is_sent: bool = False) -> str:
    """Return a text file as a code block with its name, or the name of any other file.

    ``is_sent``: an image is sent beside the text.
    """
    if attachment.is_image and is_sent:
        return f"[Image {attachment.name}]"
    if not attachment.is_text:
        kind = "Image" if attachment.is_image else "File"
        return f"[{kind} {attachment.name}, which cannot be shown to you]"
    text = attachment.content.decode("utf-8", "replace")
    fence = "`" * max(3, 1 + max(map(len, re.findall("`+", text)), default=0))
    return f"{attachment.name}:\n{fence}\n{text}\n{fence}"


def summarize_call(call: HostedCall) -> str:
    """Return what a tool of one server did, for another server that does not know it.

    It is "" for a web search, whose findings are in the answer.
    """
    if call.kind == "web_search" or call.state != "done":
        return ""
    lines = [f"[Here the tool {call.name or call.kind} was used."]
    lines += [f"Asked: {replace_surrogates(call.input)[:MAX_SUMMARY_CHARS]}"] if call.input else []
    lines += [f"Output: {replace_surrogates(call.output)[:MAX_SUMMARY_CHARS]}"] if call.output else []
    lines += ["A picture was shown to the user."] if call.views else []
    return "\n".join(lines) + "]"
