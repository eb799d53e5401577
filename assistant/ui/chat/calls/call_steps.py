"""The steps of one answer's function calls, from the first character of their arguments to their results."""

from collections.abc import Callable, Sequence

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from assistant.events import Decision, ToolCall, ToolProgress, ToolResult
from assistant.locale import N_
from assistant.session import ChatSession
from assistant.tools.background import background_jobs
from assistant.ui.chat.calls.hosted import HostedCallViews
from assistant.ui.chat.calls.tool_call import ToolCallView
from assistant.ui.language import _, translate
from assistant.ui.state import page_state

MAX_NAMED_CALLS = 3
"""Maximum number of calls named in the status line."""


class CallSteps:
    """Draws the calls of the answer at ``position``; calls of programs are drawn inside ``hosted``.

    The calls of a round are drawn in one row. A call in the background keeps its step while later rounds
    begin.
    """

    def __init__(self, session: ChatSession, position: int, hosted: HostedCallViews) -> None:
        self._session, self._position, self._hosted = session, position, hosted
        self._toolbox = session.connection.toolbox
        self._round = 0
        self._row: DeltaGenerator | None = None
        self._rows = 0
        self._views: dict[str, ToolCallView] = {}  # the calls of this round by id
        self._all_views: list[ToolCallView] = []
        self._running: dict[str, str] = {}  # status texts of the calls without a result, by id
        self._background: dict[str, ToolCallView] = {}  # the calls that run beside the text, by id
        self._progress: dict[str, ToolProgress] = {}

    def start_round(self, number: int) -> None:
        """Begin a row for the calls of the next round."""
        self._round, self._row, self._views = number, None, dict(self._background)
        self._running = {call_id: self._running[call_id] for call_id in self._background}

    def start_text(self) -> None:
        """Draw what the model calls after this text below it."""
        if self._background:
            self._row = None

    def has(self, call_id: str) -> bool:
        """Return whether the call has a step in this round."""
        return call_id in self._views

    def write_arguments(self, call_id: str, name: str, text: str) -> None:
        """Show the next piece of a call's arguments."""
        self._view(call_id, name).write(text)

    def start(self, call: ToolCall) -> None:
        """Show that a complete call is running."""
        name = f"{call.server}: {call.name}" if call.server else call.name
        view = self._view(call.call_id, name, call.arguments, call.program)
        view.start(call.arguments, bool(call.server))
        if call.program and not self._hosted.place_of_calls(call.program):
            view.add_remark(_("from an unknown program"))
        self._running[call.call_id] = self._running_text(name, call.arguments)
        self._progress.pop(call.call_id, None)
        if call.background:
            self._background[call.call_id] = view

    def decide(self, decision: Decision) -> None:
        """Show the user's decision on a call."""
        if decision.call_id in self._running:
            self._views[decision.call_id].decide(decision)

    def progress(self, event: ToolProgress) -> None:
        """Note the progress of a call for the status."""
        self._progress[event.call_id] = event

    def finish(self, result: ToolResult) -> None:
        """Show the result of a call."""
        if self._running.pop(result.call_id, None) is not None:
            self._views[result.call_id].finish(result)

    def report(self, reports: Sequence[ToolProgress | ToolResult]) -> bool:
        """Update background calls beside the text; return False if the reports are not all about such calls."""
        if any(event.call_id not in self._background for event in reports):
            return False
        for event in reports:
            if isinstance(event, ToolProgress):
                self._progress[event.call_id] = event
                self._background[event.call_id].show_progress(event.text)
            elif view := self._background.pop(event.call_id, None):
                del self._running[event.call_id]
                view.finish(event)
        return True

    def status(self, is_answering: bool) -> tuple[str, float | None]:
        """Return what runs, for the status, and the completed share of it if that is known."""
        texts, share = list[str](), None
        for call_id, text in list(self._running.items())[:MAX_NAMED_CALLS]:
            progress = self._progress.get(call_id)
            if progress and progress.text:
                text = _("{status}: {progress}", status=text, progress=progress.text)
            texts.append(text)
            if len(self._running) == 1 and progress:
                share = progress.share
        if (more := len(self._running) - len(texts)) > 0:
            texts.append(_("and {count} more", count=more))
        if not texts and not is_answering and (names := self._earlier_calls()):
            texts.append(_("Waiting for {functions}", functions=names))
        return _(", ").join([*texts[:1], *(text[:1].lower() + text[1:] for text in texts[1:])]), share

    def draw_times(self, seconds: Callable[[str], float]) -> None:
        """Update for how long the calls have been running."""
        for call_id in self._running:
            self._views[call_id].show_time(seconds(call_id))

    def pause(self) -> None:
        """Show that the calls without a result wait for the user."""
        for call_id in self._running:
            self._views[call_id].wait()
        self._running = {}

    def end(self) -> None:
        """Show which calls were stopped, and which go on in the background."""
        jobs = background_jobs(self._session.thread)
        for call_id in self._running:
            if call_id in jobs:
                self._views[call_id].show_background()
                page_state().background_calls.add(call_id)
            else:
                self._views[call_id].abandon()
        self._running = {}

    def offer_reruns(self) -> None:
        """Offer to run the failed calls again."""
        for view in self._all_views:
            view.offer_rerun()

    def _view(self, call_id: str, name: str, arguments: str = "", program: str = "") -> ToolCallView:
        if call_id not in self._views:
            place = self._hosted.place_of_calls(program)
            if place is None:
                place = self._row = self._row or self._new_row()
            with place:
                key = f"step-{self._position}-{self._round}-{call_id}"
                view = ToolCallView(name, key, arguments, self._session)
            self._views[call_id] = view
            self._all_views.append(view)
            self._running[call_id] = self._running_text(name, "")
        return self._views[call_id]

    def _new_row(self) -> DeltaGenerator:
        self._rows += 1
        return st.container(key=f"steps-{self._position}-{self._rows}", gap="xxsmall")

    def _running_text(self, name: str, arguments: str) -> str:
        tool = self._toolbox.get(name)
        return translate(tool.status_text(arguments) if tool else N_("Running {function}", function=name))

    def _earlier_calls(self) -> str:
        """Return the names of the functions of earlier answers that still run in the background."""
        earlier = self._session.history[: self._position]
        calls = (call.name for message in earlier for call in message.open_calls if call.background)
        return _(", ").join(dict.fromkeys(calls))
