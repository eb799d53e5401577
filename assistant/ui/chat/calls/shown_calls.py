"""Of an answer with very many calls, only the first are drawn; the others on demand."""

from dataclasses import dataclass, field

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from assistant.events import (
    CallAnswered,
    CallApproved,
    CallDenied,
    Event,
    HostedCall,
    HostedDelta,
    RoundStarted,
    ToolCall,
    ToolCallDelta,
    ToolProgress,
    ToolResult,
)
from assistant.ui import keys
from assistant.ui.language import ngettext
from assistant.ui.state import state_of

SHOWN_CALLS = 100
"""Number of calls that are drawn at first, and added by a click. Each takes about ten elements."""


@dataclass(slots=True)
class MoreCalls:
    """How many calls this session has added, by the thread's id and the answer's position."""

    added: dict[tuple[str, int], int] = field(default_factory=dict)


class ShownCalls:
    """Tells which events of an answer are drawn."""

    def __init__(self, thread_id: str, position: int) -> None:
        self._answer = thread_id, position
        self._left = SHOWN_CALLS + state_of(MoreCalls).added.get(self._answer, 0)
        self._shown: set[str] = set()  # the ids of this round's calls
        self._hidden: set[str] = set()
        self._count = 0  # of all hidden calls
        self._place: DeltaGenerator | None = None  # where the first hidden call would be

    def shows(self, event: Event) -> bool:
        """Return whether to draw an event; ask once for each event, in order."""
        match event:
            case RoundStarted():
                self._shown, self._hidden = set(), set()
            case ToolCallDelta(call_id) | ToolCall(call_id):
                return self._shows_call(call_id)
            case HostedCall(call_id, state=state):
                is_shown = self._shows_call(call_id)
                if state != "running":  # the next one with this id is another call
                    self._shown.discard(call_id)
                    self._hidden.discard(call_id)
                return is_shown
            case CallApproved(call_id) | CallDenied(call_id) | CallAnswered(call_id):
                return call_id not in self._hidden
            case ToolProgress(call_id) | ToolResult(call_id) | HostedDelta(call_id):
                return call_id not in self._hidden
        return True

    def _shows_call(self, call_id: str) -> bool:
        if call_id in self._shown or call_id in self._hidden:
            return call_id in self._shown
        is_shown = self._left > 0
        (self._shown if is_shown else self._hidden).add(call_id)
        self._left -= is_shown
        self._count += not is_shown
        return is_shown

    def reserve_place(self) -> None:
        """Keep a place for the button that adds calls, where the first hidden call would be."""
        self._place = self._place or st.empty()

    def draw_more(self) -> None:
        """Draw the button that adds calls, if some are hidden."""
        if self._place is None:
            return
        count = min(self._count, SHOWN_CALLS)
        self._place.button(
            ngettext("Show {count} more call", "Show {count} more calls", count),
            key=keys.more_calls(self._answer[1]),
            type="tertiary",
            icon=":material/expand_more:",
            on_click=_add_calls,
            args=[self._answer],
        )


def _add_calls(answer: tuple[str, int]) -> None:
    added = state_of(MoreCalls).added
    added[answer] = added.get(answer, 0) + SHOWN_CALLS
