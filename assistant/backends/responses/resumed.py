"""A response that is read again, because it continued at the server while the connection was lost."""

from collections import Counter
from collections.abc import Generator
from contextlib import closing
from dataclasses import replace

from assistant.backends.responses.stream import CompletedResponse
from assistant.events import (
    Citation,
    CommentaryDelta,
    Event,
    HostedCall,
    HostedDelta,
    Note,
    ReasoningDelta,
    RefusalDelta,
    TextBreak,
    TextDelta,
    ToolCallDelta,
)
from assistant.parts import Call, Commentary, Part, Reasoning, Refusal, Remark, Text


def skip_shown(
    shown: list[Part], events: Generator[Event, None, CompletedResponse]
) -> Generator[Event, None, CompletedResponse]:
    """Yield the events of a response that is read again, without those of the parts that are shown."""
    known: Counter[object] = Counter()
    for part in shown:
        match part:
            case Text(text):
                known[TextDelta] += len(text)
            case Commentary(text):
                known[CommentaryDelta] += len(text)
            case Refusal(text):
                known[RefusalDelta] += len(text)
            case Reasoning(text):
                known[ReasoningDelta] += len(text)
            case Call(call_id, arguments=arguments):
                known[call_id] += len(arguments)
            case HostedCall(call_id, state=state):
                known["hosted", call_id] += state != "running"
            case Citation():
                known[part] = 1
            case Remark(text):
                known["note", text] = 1
    with closing(events):
        while True:
            try:
                event = next(events)
            except StopIteration as end:
                response: CompletedResponse = end.value
                return response
            if isinstance(event, TextDelta | CommentaryDelta | RefusalDelta | ReasoningDelta | ToolCallDelta):
                kind = event.call_id if isinstance(event, ToolCallDelta) else type(event)
                old = min(known[kind], len(event.text))
                known[kind] -= old
                if old and old == len(event.text):
                    continue
                event = replace(event, text=event.text[old:])
            elif (
                (isinstance(event, TextBreak) and (known[TextDelta] or known[CommentaryDelta]))
                or (isinstance(event, HostedCall | HostedDelta) and known["hosted", event.call_id])
                or (isinstance(event, Citation) and known[event])
                or (isinstance(event, Note) and known["note", event.text])
            ):
                continue
            yield event
