"""What a run takes, as it goes: the tokens of each response.

Not here: where they are counted (``usage_store.py``), or what they cost (``wire/prices.py``).

The one rule: whatever a server may ask money for is counted, also when the answer failed or was stopped. What
nobody said is estimated, rather too high than too low.
"""

from collections.abc import Callable, Generator
from contextlib import closing

from assistant.events import (
    Event,
    EventStream,
    ReasoningDelta,
    RoundEnded,
    RoundStarted,
    RunFailed,
    TextDelta,
    ToolCallDelta,
    Usage,
)
from assistant.messages import Attachment, Call, Reasoning, Refusal, Text
from assistant.threads import Thread

BYTES_PER_TOKEN = 3
"""Of UTF-8: English has about 4, Japanese about 3; on the safe side."""

FILE_TOKENS = 1500
"""Of an image or a file that is no text."""


def with_metering(
    run: EventStream, thread: Thread, charge: Callable[[Usage, str], None]
) -> Generator[Event, None, None]:
    """The same run; ``charge`` is called with the tokens of each response, as soon as it is over.

    And with the model that answered, where the server told.
    """
    asked, said = False, 0
    with closing(run) as events:
        try:
            for event in events:
                match event:
                    case RoundStarted():
                        asked, said = True, 0
                    case TextDelta(text) | ReasoningDelta(text) | ToolCallDelta(_, _, text):
                        said += _bytes(text)
                    case RoundEnded(model, usage):
                        charge(usage or _estimated(thread, said), model)
                        asked = False
                    case RunFailed() if not said:
                        asked = False  # it was refused, or never heard
                    case _:
                        pass
                yield event
        finally:
            if asked:
                charge(_estimated(thread, said), "")


def _estimated(thread: Thread, said: int) -> Usage:
    """As if all of the thread had been sent once."""
    size = 0
    for message in thread.messages:
        for part in message.parts:
            match part:
                case Text(text) | Refusal(text) | Reasoning(text):
                    size += _bytes(text)
                case Call(_, name, arguments, result=result):
                    size += _bytes(name + arguments + (result.output if result else ""))
                case Attachment():
                    size += len(part.content) if part.is_text else FILE_TOKENS * BYTES_PER_TOKEN
    return Usage(input=-(-size // BYTES_PER_TOKEN), output=-(-said // BYTES_PER_TOKEN))


def _bytes(text: str) -> int:
    return len(text.encode("utf-8", "replace"))
