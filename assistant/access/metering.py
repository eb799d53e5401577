"""Report the tokens of each response of a run, as soon as it is over.

Whatever a server may charge for is counted, also if the answer failed or was stopped. Tokens that the server
does not report are estimated, rather too high than too low.
"""

from collections.abc import Callable, Generator
from contextlib import closing

from assistant.events import (
    CommentaryDelta,
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
from assistant.parts import Attachment, Call, Commentary, Reasoning, Refusal, Text
from assistant.texts import FILE_TOKENS, estimate_tokens
from assistant.threads import Thread


def with_metering(
    run: EventStream, thread: Thread, charge: Callable[[Usage, str], None]
) -> Generator[Event, None, None]:
    """Yield the events of a run, and call ``charge`` with the tokens and the model of each response.

    The model is "" if the server does not report it.
    """
    is_open, output = False, list[str]()
    with closing(run) as events:
        try:
            for event in events:
                match event:
                    case RoundStarted():
                        is_open, output = True, []
                    case (
                        TextDelta(text)
                        | CommentaryDelta(text)
                        | ReasoningDelta(text)
                        | ToolCallDelta(_, _, text)
                    ):
                        output.append(text)
                    case RoundEnded(model, usage):
                        charge(usage if usage and usage.total else _estimate(thread, output), model)
                        is_open = False
                    case RunFailed() if not output:
                        is_open = False  # the request was refused, or never arrived
                    case _:
                        pass
                yield event
        finally:
            if is_open:
                charge(_estimate(thread, output), "")


def _estimate(thread: Thread, output: list[str]) -> Usage:
    """Return the usage as if all of the thread had been sent once."""
    texts: list[str] = []
    files = 0
    for message in thread.messages:
        for part in message.parts:
            match part:
                case Text(text) | Refusal(text) | Commentary(text) | Reasoning(text):
                    texts.append(text)
                case Call(_, name, arguments, result=result):
                    texts += [name, arguments, result.output if result else ""]
                case Attachment() if part.is_text:
                    texts.append(part.content.decode("utf-8", "replace"))
                case Attachment():
                    files += 1
    tokens = estimate_tokens("".join(texts), cautious=True) + files * FILE_TOKENS
    return Usage(input=tokens, output=estimate_tokens("".join(output), cautious=True))
