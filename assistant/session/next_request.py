"""What a chat's next request will hold, in tokens: estimated here, or counted by the server."""

import json
from collections.abc import Iterable
from copy import deepcopy
from dataclasses import astuple, dataclass

from assistant.backends.base import RemoteBackend
from assistant.messages import Message
from assistant.parts import Attachment, file_tokens, model_text
from assistant.request_options import RequestOptions
from assistant.texts import estimate_tokens
from assistant.threads import Thread
from assistant.tools.toolbox import Toolbox


@dataclass(frozen=True, slots=True)
class NextRequest:
    """About how many tokens each part of the next request has; ``history`` and ``message`` are without files."""

    instructions: int
    functions: int
    history: int
    attachments: int
    message: int

    @property
    def total(self) -> int:
        """All of them."""
        return sum(astuple(self))


def estimate_request(
    thread: Thread, message: Message, options: RequestOptions, toolbox: Toolbox
) -> NextRequest:
    """Return what the request that sends this message will hold; ``options`` are those over the settings'."""
    schemas = [tool.as_param() for tool in toolbox.values()]
    return NextRequest(
        instructions=estimate_tokens((options.instructions or "") + options.schema),
        functions=estimate_tokens(json.dumps(schemas, ensure_ascii=False)) if schemas else 0,
        history=_text_tokens(thread.messages),
        attachments=_attachment_tokens([*thread.messages, message]),
        message=_text_tokens([message]),
    )


def count_request(
    backend: RemoteBackend, thread: Thread, message: Message, options: RequestOptions, toolbox: Toolbox
) -> int | None:
    """Return how many tokens the server counts in the request that sends this message; None if it cannot count.

    Nothing is generated, and the thread stays as it is.

    Raises:
        BackendError: The server was unreachable, or refused.
    """
    parts = message.parts if message.text or message.attachments else []
    messages = [*thread.messages, *([message] if parts else [])]
    copy = Thread(thread.id, messages, deepcopy(thread.backend_state))
    return backend.count_input(copy, toolbox, options)


def _text_tokens(messages: Iterable[Message]) -> int:
    parts = (part for message in messages for part in message.parts if not isinstance(part, Attachment))
    return estimate_tokens("".join(map(model_text, parts)))


def _attachment_tokens(messages: Iterable[Message]) -> int:
    files = [file for message in messages for file in message.attachments]
    return sum(file_tokens(file) + estimate_tokens(model_text(file)) for file in files)
