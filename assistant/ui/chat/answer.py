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
    Decision,
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
from assistant.locale import N_
from assistant.markdown.block_splitter import BlockSplitter
from assistant.markdown.escape import escape_markdown
from assistant.markdown.sanitizer import MarkdownSanitizer
from assistant.session import ChatSession
from assistant.tools.background import background_jobs
from assistant.ui.chat.calls.hosted import HostedCallViews, status_of
from assistant.ui.chat.calls.shown_calls import ShownCalls
from assistant.ui.chat.calls.tool_call import ToolCallView
from assistant.ui.chat.citations import Marks, Sources
from assistant.ui.chat.failure import draw_failure
from assistant.ui.chat.json_answer import JsonAnswer
from assistant.ui.chat.reasoning import GrowingText, ReasoningBlock
from assistant.ui.language import _, translate
from assistant.ui.page.accessibility import announce
from assistant.ui.page.thread_url import set_thread_url
from assistant.ui.state import page_state
from assistant.ui.streamlit_private import Chunk, end_text_block

MAX_NAMED_CALLS = 3
"""Maximum number of calls named in the status line."""


@dataclass(frozen=True, slots=True)
class AnswerPlace:
    """Where an answer is drawn.

    ``position`` is that of its message in the thread. ``below`` is the place below its text, for a status or
    an error. ``is_newest`` offers a retry after a failure. ``running_seconds`` tells for how long the call with
    an id has been running, in a live answer.
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
    text = _TextBlocks(view.sources)
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
                    current, text = kind, _TextBlocks(view.sources, is_markdown=kind is TextDelta)
                yield from text.feed(pieces)
                continue
            if view.report(reports := list(events)):
                continue
            yield from text.flush()
            for event in reports:
                if (draw := view.draw(event)) is not None:
                    current = None
                    yield draw
        view.draw_status()
        view.draw_times()
    yield from text.flush()


def _block_kind(event: Event) -> type[Event]:
    return TextDelta if isinstance(event, Citation) else type(event)  # a source mark belongs to its text


class _TextBlocks:
    """One text of the model on its way to the page: sources marked, Markdown sanitized, split into blocks."""

    def __init__(self, sources: Sources, *, is_markdown: bool = True) -> None:
        self._marks, self._is_markdown = Marks(sources), is_markdown
        self._sanitizer, self._splitter = MarkdownSanitizer(), BlockSplitter()

    def feed(self, events: Iterable[Event]) -> Iterator[Chunk]:
        """Yield what can be drawn of these events."""
        text = ""
        for event in events:
            match event:
                case Citation():
                    text += self._marks.cite(event)
                case TextDelta(delta):
                    text += self._marks.feed(delta)
                case RefusalDelta(delta):
                    text += self._marks.feed(escape_markdown(delta))
        yield from self._split(self._sanitizer.feed(text) if self._is_markdown else text)

    def pause(self) -> Iterator[Chunk]:
        """Yield text that was held back only because of what might follow."""
        if text := self._splitter.flush():
            yield text

    def flush(self) -> Iterator[Chunk]:
        """Yield all text that was held back; the text has ended."""
        if marks := self._marks.flush():
            yield from self._split(self._sanitizer.feed(marks))
        yield from self._split(self._sanitizer.flush())
        yield from self.pause()

    def _split(self, text: str) -> Iterator[Chunk]:
        for piece in self._splitter.feed(text):
            yield end_text_block if piece is None else piece


class _AnswerView:
    """What is drawn of one answer so far, apart from its text."""

    def __init__(self, place: AnswerPlace) -> None:
        session, position = place.session, place.position
        self._place, self._toolbox = place, session.connection.toolbox
        self._status = ""  # the line below an unfinished answer
        self._share: float | None = None  # completed share of the work, 0 to 1
        self._drawn_status: tuple[str, float | None] = "", None
        self._round = 0
        self._row: DeltaGenerator | None = None  # holds the calls of this round
        self._rows = 0
        self._calls: dict[str, ToolCallView] = {}  # the calls of this round by id
        self._all_calls: list[ToolCallView] = []
        self._shown_calls = ShownCalls(session.thread.id, position)
        self._running: dict[str, str] = {}  # status texts of the calls without a result, by id
        self._background: dict[str, ToolCallView] = {}  # the calls that run beside the text, by id
        self._is_answering = False  # whether a response is being written
        self._progress: dict[str, ToolProgress] = {}
        self._reasoning_blocks = 0
        self._reasoning: ReasoningBlock | None = None
        self._commentary: GrowingText | None = None
        self._has_output = False  # anything to read since the last call of a function
        self._hosted = HostedCallViews(f"hosted-{position}")
        self.json_answer: JsonAnswer | None = None  # draws the text of an answer that was requested as JSON
        self.sources = Sources(f"sources-{position}", session.fetch_file)

    def start_text(self, pieces: list[Event]) -> None:
        """Clear the status, because these pieces of text follow."""
        self._status = ""
        if self._background:
            self._row = None  # what the model calls after this text is drawn below it
        is_text = (isinstance(piece, TextDelta | RefusalDelta) and piece.text.strip() for piece in pieces)
        self._has_output = self._has_output or any(is_text)
        self._end_reasoning()
        self._end_commentary()

    def report(self, events: Iterable[Event]) -> bool:
        """Update background calls beside the text; return False if the events are not all about such calls."""
        reports = [event for event in events if isinstance(event, ToolProgress | ToolResult)]
        if not reports or any(event.call_id not in self._background for event in reports):
            return False
        for event in reports:
            if isinstance(event, ToolProgress):
                self._progress[event.call_id] = event
                self._background[event.call_id].show_progress(event.text)
            elif view := self._background.pop(event.call_id, None):
                del self._running[event.call_id]
                view.finish(event)
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
                self._status, self._share = status_of(event), None
                self._has_output = True
                return partial(self._hosted.show, event)
            case HostedDelta():
                return partial(self._hosted.write, event)
            case CommentaryDelta(text):
                return partial(self._draw_commentary, text)
            case ReasoningDelta(text):
                self._status = self._status and _("Thinking")  # no longer that it tries again
                return partial(self._draw_reasoning, text)
            case ReasoningEnded():
                return None
            case ToolCallDelta(call_id, name, text):
                return partial(self._write_arguments, call_id, name, text)
            case ToolCall():
                return partial(self._start_call, event)
            case CallApproved() | CallDenied() | CallAnswered():
                return partial(self._decide, event)
            case ToolProgress(call_id):
                self._progress[call_id] = event
                self._set_status_of_calls()
            case ToolResult():
                return partial(self._finish_call, event)
            case Note(text):
                return partial(_draw_note, text)
            case ThreadOpened():
                set_thread_url(self._place.session)
            case RoundStarted(number):
                self._round, self._row, self._calls = number, None, dict(self._background)
                self._running = {call_id: self._running[call_id] for call_id in self._background}
                self._status, self._share, self._is_answering = _("Thinking"), None, True
            case FormatRequested(schema):
                self.json_answer = JsonAnswer(schema, f"json-{self._place.position}")
            case RetryScheduled(number, max_number, reason=reason):
                self._status = _(
                    "{reason} Trying again ({number} of {count})",
                    reason=translate(reason),
                    number=number,
                    count=max_number,
                )
            case RoundEnded():
                self._is_answering = False
                self._set_status_of_calls()
            case RunCompleted():
                self._end("" if self._has_output else _("The model ended its answer without any text."))
                self._offer_reruns()
                return self._draw_end
            case RunPaused():
                for call_id in self._running:
                    self._calls[call_id].wait()
                self._running = {}
                self._end(_("Waiting for your approval."))
                return self._draw_end
            case RunStopped(_, text):
                icon = "arrow_downward" if event.is_steered else "stop_circle"
                self._end(f":material/{icon}: {escape_markdown(translate(text))}")
                self._offer_reruns()
                return self._draw_end
            case RunFailed():
                self._end()
                self._offer_reruns()
                self._draw_failure(event)
                return self._draw_end
            case _:
                assert_never(event)
        return None

    def draw_status(self) -> None:
        """Update the line below the answer."""
        share = self._share if self._status else None
        if (self._status, share) == self._drawn_status:
            return
        if self._status != self._drawn_status[0]:
            announce(self._status)
        self._drawn_status = self._status, share
        text = f":shimmer[{escape_markdown(self._status)} …]"
        if share is not None:
            self._place.below.progress(share, text)
        elif self._status:
            self._place.below.markdown(text)
        else:
            self._place.below.empty()

    def draw_times(self) -> None:
        """Update for how long the calls have been running."""
        if seconds := self._place.running_seconds:
            for call_id in self._running:
                self._calls[call_id].show_time(seconds(call_id))
            self._hosted.show_times(seconds)

    def _call(self, call_id: str, name: str, arguments: str = "", program: str = "") -> ToolCallView:
        if call_id not in self._calls:
            self._has_output = False
            place = self._hosted.place_of_calls(program)
            if place is None:
                place = self._row = self._row or self._new_row()
            with place:
                key = f"step-{self._place.position}-{self._round}-{call_id}"
                call = ToolCallView(name, key, arguments, self._place.session)
            self._calls[call_id] = call
            self._all_calls.append(call)
            self._running[call_id] = self._status_of(name, "")
        return self._calls[call_id]

    def _new_row(self) -> DeltaGenerator:
        self._rows += 1
        return st.container(key=f"steps-{self._place.position}-{self._rows}", gap="xxsmall")

    def _write_arguments(self, call_id: str, name: str, text: str) -> None:
        self._call(call_id, name).write(text)
        self._status, self._share = _("Preparing {function}", function=name), None

    def _start_call(self, call: ToolCall) -> None:
        name = f"{call.server}: {call.name}" if call.server else call.name
        view = self._call(call.call_id, name, call.arguments, call.program)
        view.start(call.arguments, bool(call.server))
        if call.program and not self._hosted.place_of_calls(call.program):
            view.add_remark(_("from an unknown program"))
        self._running[call.call_id] = self._status_of(name, call.arguments)
        self._progress.pop(call.call_id, None)
        if call.background:
            self._background[call.call_id] = view
            self._status = self._status and _("Thinking")
        else:
            self._set_status_of_calls()

    def _decide(self, decision: Decision) -> None:
        if decision.call_id in self._running:
            self._calls[decision.call_id].decide(decision)

    def _finish_call(self, result: ToolResult) -> None:
        if self._running.pop(result.call_id, None) is not None:
            self._calls[result.call_id].finish(result)
        self._set_status_of_calls()

    def _status_of(self, name: str, arguments: str) -> str:
        tool = self._toolbox.get(name)
        return translate(tool.status_text(arguments) if tool else N_("Running {function}", function=name))

    def _set_status_of_calls(self) -> None:
        texts, self._share = [], None
        for call_id, text in list(self._running.items())[:MAX_NAMED_CALLS]:
            progress = self._progress.get(call_id)
            if progress and progress.text:
                text = _("{status}: {progress}", status=text, progress=progress.text)
            texts.append(text)
            if len(self._running) == 1 and progress:
                self._share = progress.share
        if (more := len(self._running) - len(texts)) > 0:
            texts.append(_("and {count} more", count=more))
        if not texts and not self._is_answering and (names := self._earlier_calls()):
            texts.append(_("Waiting for {functions}", functions=names))
        self._status = _(", ").join([*texts[:1], *(text[:1].lower() + text[1:] for text in texts[1:])])

    def _earlier_calls(self) -> str:
        """Return the names of the functions of earlier answers that still run in the background."""
        earlier = self._place.session.history[: self._place.position]
        calls = (call.name for message in earlier for call in message.open_calls if call.background)
        return _(", ").join(dict.fromkeys(calls))

    def _end(self, text: str = "") -> None:
        jobs = background_jobs(self._place.session.thread)
        for call_id in self._running:
            if call_id in jobs:
                self._calls[call_id].go_on()
                page_state().background_calls.add(call_id)
            else:
                self._calls[call_id].abandon()
        self._hosted.abandon()
        self._running = {}
        self._status = ""
        if text:
            self._drawn_status = "", None
            self._place.below.caption(text)

    def _draw_end(self) -> None:
        self._shown_calls.draw_more()
        self.sources.draw()

    def _offer_reruns(self) -> None:
        if self._place.is_newest and not self._place.session.runs_elsewhere:
            for call in self._all_calls:
                call.offer_rerun()

    def _draw_failure(self, failure: RunFailed) -> None:
        self._drawn_status = "", None
        with self._place.below.container():
            session, position = self._place.session, self._place.position
            retries = session.history[position].stats.retries
            draw_failure(failure, session.retry if self._place.is_newest else None, retries)

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
