"""An answer as chunks for ``st.write_stream``; live and stored answers are drawn from the same events."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from itertools import groupby
from typing import assert_never

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from assistant.events import (
    CallAnswered,
    CallApproved,
    CallDenied,
    Citation,
    CommentaryDelta,
    Ending,
    Event,
    FormatRequested,
    HostedCall,
    HostedDelta,
    Note,
    ReasoningDelta,
    ReasoningEnded,
    RefusalDelta,
    RetryScheduled,
    RoundEnded,
    RoundStarted,
    RunCompleted,
    RunFailed,
    RunPaused,
    RunStopped,
    TextBreak,
    TextDelta,
    ThreadOpened,
    ToolCall,
    ToolCallDelta,
    ToolProgress,
    ToolResult,
)
from assistant.markdown.escape import escape_markdown
from assistant.session import ChatSession
from assistant.ui.chat.calls.call_steps import CallSteps
from assistant.ui.chat.calls.hosted import HostedCallViews, status_of
from assistant.ui.chat.calls.shown_calls import ShownCalls
from assistant.ui.chat.citations import Sources
from assistant.ui.chat.failure import draw_failure
from assistant.ui.chat.json_answer import JsonAnswer
from assistant.ui.chat.reasoning import GrowingText, ReasoningBlock
from assistant.ui.chat.status_line import StatusLine
from assistant.ui.chat.text_blocks import TextBlocks
from assistant.ui.language import _, translate
from assistant.ui.page.thread_url import set_thread_url
from assistant.ui.streamlit_private import Chunk, end_text_block


@dataclass(frozen=True, slots=True)
class AnswerPlace:
    """Where an answer is drawn.

    ``position`` is that of its message in the thread. ``below`` is the place below its text, for a status or
    an error. ``is_newest`` offers a retry after a failure. ``running_seconds`` tells for how long the call
    with an id has been running, in a live answer.
    """

    session: ChatSession
    position: int
    below: DeltaGenerator
    is_newest: bool = True
    running_seconds: Callable[[str], float] | None = None


def answer_chunks(batches: Iterable[list[Event]], place: AnswerPlace) -> Iterator[Chunk]:
    """Yield chunks for ``st.write_stream``: text as strings, everything else as functions that draw it.

    A function ends the block of text before it. A long text is split into blocks, because a block is sent
    again as a whole whenever it grows.
    """
    view = _AnswerView(place)
    current: type[Event] | None = None  # the kind of the open block of text
    text = TextBlocks(view.sources)
    for batch in batches:
        if not batch:
            yield from text.pause()
        for kind, events in groupby(batch, _block_kind):
            if kind is TextDelta or kind is RefusalDelta:
                pieces = list(events)
                view.start_text(pieces)
                if kind is TextDelta and view.json_answer is not None:
                    yield from text.flush()
                    current = None
                    yield partial(view.json_answer.add, pieces)
                    continue
                if kind is not current:
                    yield from text.flush()
                    yield end_text_block
                    current, text = kind, TextBlocks(view.sources, is_markdown=kind is TextDelta)
                yield from text.feed(pieces)
                continue
            if view.report(reports := list(events)):
                continue
            yield from text.flush()
            for event in reports:
                if (draw := view.draw(event)) is not None:
                    current = None
                    yield draw
        view.update()
    yield from text.flush()


def _block_kind(event: Event) -> type[Event]:
    return TextDelta if isinstance(event, Citation) else type(event)  # a source mark belongs to its text


class _AnswerView:
    """What is drawn of one answer so far, apart from its text."""

    def __init__(self, place: AnswerPlace) -> None:
        session, position = place.session, place.position
        self._place = place
        self._status = StatusLine(place.below)
        self._hosted = HostedCallViews(f"hosted-{position}")
        self._calls = CallSteps(session, position, self._hosted)
        self._shown_calls = ShownCalls(session.thread.id, position)
        self._is_answering = False  # whether a response is being written
        self._reasoning_blocks = 0
        self._reasoning: ReasoningBlock | None = None
        self._commentary: GrowingText | None = None
        self._has_output = False  # anything to read since the last call of a function
        self.json_answer: JsonAnswer | None = None  # draws the text of an answer that was requested as JSON
        self.sources = Sources(f"sources-{position}", session.fetch_file)

    def start_text(self, pieces: list[Event]) -> None:
        """Clear the status, because these pieces of text follow."""
        self._status.text = ""
        self._calls.start_text()
        is_text = (isinstance(piece, TextDelta | RefusalDelta) and piece.text.strip() for piece in pieces)
        self._has_output = self._has_output or any(is_text)
        self._end_reasoning()
        self._end_commentary()

    def report(self, events: Iterable[Event]) -> bool:
        """Update background calls beside the text; return False if the events are not all about such calls."""
        reports = [event for event in events if isinstance(event, ToolProgress | ToolResult)]
        if not reports or not self._calls.report(reports):
            return False
        if not self._is_answering:
            self._set_status_of_calls()
        return True

    def draw(self, event: Event) -> Callable[[], None] | None:
        """Return what draws an event in the flow of the answer; None if nothing is drawn there."""
        if not self._shown_calls.shows(event):
            return self._shown_calls.reserve_place
        if not isinstance(event, ReasoningDelta):
            self._end_reasoning(event.seconds if isinstance(event, ReasoningEnded) else None)
        if not isinstance(event, CommentaryDelta):
            self._end_commentary()
        if self.json_answer is not None:
            self.json_answer.end()
        match event:
            case TextDelta() | RefusalDelta() | TextBreak() | Citation():
                return end_text_block
            case HostedCall():
                self._status.set(status_of(event))
                self._has_output = True
                return partial(self._hosted.show, event)
            case HostedDelta():
                return partial(self._hosted.write, event)
            case CommentaryDelta(text):
                return partial(self._draw_commentary, text)
            case ReasoningDelta(text):
                self._show_thinking()  # no longer that it tries again
                return partial(self._draw_reasoning, text)
            case ReasoningEnded():
                return None
            case ToolCallDelta():
                return partial(self._write_arguments, event)
            case ToolCall():
                return partial(self._start_call, event)
            case CallApproved() | CallDenied() | CallAnswered():
                return partial(self._calls.decide, event)
            case ToolProgress():
                self._calls.progress(event)
                self._set_status_of_calls()
            case ToolResult():
                return partial(self._finish_call, event)
            case Note(text):
                return partial(_draw_note, text)
            case ThreadOpened():
                set_thread_url(self._place.session)
            case RoundStarted(number):
                self._calls.start_round(number)
                self._status.set(_("Thinking"))
                self._is_answering = True
            case FormatRequested(schema):
                self.json_answer = JsonAnswer(schema, f"json-{self._place.position}")
            case RetryScheduled():
                self._status.text = _(
                    "{reason} Trying again ({number} of {count})",
                    reason=translate(event.reason),
                    number=event.number,
                    count=event.max_number,
                )
            case RoundEnded():
                self._is_answering = False
                self._set_status_of_calls()
            case RunCompleted() | RunPaused() | RunStopped() | RunFailed():
                self._end(event)
                return self._draw_end
            case _:
                assert_never(event)
        return None

    def update(self) -> None:
        """Update the status, and for how long the calls have been running."""
        self._status.draw()
        if seconds := self._place.running_seconds:
            self._calls.draw_times(seconds)
            self._hosted.show_times(seconds)

    def _write_arguments(self, piece: ToolCallDelta) -> None:
        self._has_output = self._has_output and self._calls.has(piece.call_id)
        self._calls.write_arguments(piece.call_id, piece.name, piece.text)
        self._status.set(_("Preparing {function}", function=piece.name))

    def _start_call(self, call: ToolCall) -> None:
        self._has_output = self._has_output and self._calls.has(call.call_id)
        self._calls.start(call)
        if call.background:
            self._show_thinking()
        else:
            self._set_status_of_calls()

    def _finish_call(self, result: ToolResult) -> None:
        self._calls.finish(result)
        self._set_status_of_calls()

    def _show_thinking(self) -> None:
        """Say that the model thinks, unless its text shows that it writes."""
        self._status.text = self._status.text and _("Thinking")

    def _set_status_of_calls(self) -> None:
        self._status.set(*self._calls.status(self._is_answering))

    def _end(self, ending: Ending) -> None:
        """Show how the answer has ended."""
        caption = ""
        match ending:
            case RunCompleted() if not self._has_output:
                caption = _("The model ended its answer without any text.")
            case RunPaused():
                self._calls.pause()
                caption = _("Waiting for your approval.")
            case RunStopped(_, text):
                icon = "arrow_downward" if ending.is_steered else "stop_circle"
                caption = f":material/{icon}: {escape_markdown(translate(text))}"
        self._calls.end()
        self._hosted.abandon()
        self._status.end(caption)
        is_newest = self._place.is_newest
        if is_newest and not isinstance(ending, RunPaused) and not self._place.session.runs_elsewhere:
            self._calls.offer_reruns()
        if isinstance(ending, RunFailed):
            with self._status.replace():
                session, position = self._place.session, self._place.position
                retries = session.history[position].stats.retries
                draw_failure(ending, session.retry if is_newest else None, retries)

    def _draw_end(self) -> None:
        self._shown_calls.draw_more()
        self.sources.draw()

    def _draw_reasoning(self, text: str) -> None:
        if self._reasoning is None:
            self._reasoning_blocks += 1
            self._reasoning = ReasoningBlock(f"reasoning-{self._place.position}-{self._reasoning_blocks}")
        self._reasoning.add(text)

    def _draw_commentary(self, text: str) -> None:
        if self._commentary is None:
            self._commentary = GrowingText(st.container(), quiet=True)
        self._commentary.add(text)

    def _end_commentary(self) -> None:
        if self._commentary is not None:
            self._commentary.end()
            self._commentary = None

    def _end_reasoning(self, seconds: float | None = None) -> None:
        if self._reasoning is not None:
            self._reasoning.end(seconds)
            self._reasoning = None


def _draw_note(text: str) -> None:
    st.caption(escape_markdown(translate(text)))
