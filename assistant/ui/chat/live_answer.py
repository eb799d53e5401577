"""The live answer: it is followed from its beginning to its end, and the script can leave it at any time."""

import threading
import time
from collections.abc import Callable, Iterator

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from assistant.events import Event, ToolResult
from assistant.runs.worker import LiveRun
from assistant.session import ChatSession
from assistant.ui.chat.answer import AnswerPlace, answer_chunks
from assistant.ui.chat.messages.message import answer_places
from assistant.ui.chat.silence import SilenceNotice
from assistant.ui.page.accessibility import announce_ending
from assistant.ui.page.login import require_open
from assistant.ui.sidebar.thread_list import is_list_due
from assistant.ui.state import page_state
from assistant.ui.streamlit_private import (
    Chunks,
    current_session_id,
    fragment_rerun_waits,
    is_connected,
    rerun_fragment,
    rerun_session,
    yield_to_streamlit,
)

GRACE_SECONDS = 0.5
"""Time in which a page that stopped following a run can follow it again; otherwise it means Stop."""

WATCH_SECONDS = 0.5
"""Interval between two updates of what is drawn beside a live answer."""

Watch = Callable[[], None]
"""Updates what is drawn beside a live answer."""


def follow_answer(session: ChatSession, run: LiveRun, watch: Watch | None, end: DeltaGenerator) -> bool:
    """Draw a live answer from its beginning to its end. Return False if it was left before its end.

    While the server is silent, ``end`` says for how long.

    Streamlit's own Stop and a click elsewhere both end this script. After a click the page runs again at
    once; if it does not, and the browser is still connected, the user meant Stop.
    """
    session.follower = follower = object()
    session_id = current_session_id()

    def connected() -> bool:
        return is_connected(session_id)

    def stop_if_left() -> None:
        if session.follower is follower and connected():
            run.stop()
            rerun_session(session_id)

    silence, queued = SilenceNotice(run, end), _queued(session)
    list_due = time.monotonic() + WATCH_SECONDS  # the first words are not delayed

    def update() -> None:
        require_open(session)
        silence.update()
        session.send_waiting()
        if watch:
            watch()
        if _queued(session) != queued:  # in another tab
            rerun_fragment()
        if time.monotonic() > list_due and is_list_due(session):
            st.rerun()

    content, below, draw_end = answer_places()
    try:
        with content:
            answer = AnswerPlace(session, run.position, below, running_seconds=run.running_seconds)
            batches = _interruptible(run.follow(connected), update)
            st.write_stream(Chunks(answer_chunks(batches, answer)))
        if not run.ended:
            return False
        announce_ending(run.message)
        draw_end(session, run.position)
        return True
    except BaseException:  # Streamlit ends a script with an exception that is not an ``Exception``
        timer = threading.Timer(GRACE_SECONDS, stop_if_left)
        timer.daemon = True
        timer.start()
        raise


def _queued(session: ChatSession) -> tuple[list[str], list[str], set[str]]:
    return session.waiting, session.steering, session.sent


def _interruptible(batches: Iterator[list[Event]], watch: Watch) -> Iterator[list[Event]]:
    """Yield the batches until a rerun waits; in between, Streamlit can end the script and ``watch`` draws."""
    due = 0.0
    for batch in batches:
        yield_to_streamlit()
        if fragment_rerun_waits():
            return
        yield batch
        results = {event.call_id for event in batch if isinstance(event, ToolResult)}
        if results & page_state().background_calls:
            page_state().background_calls -= results
            st.rerun()  # an earlier message has got its result
        if time.monotonic() >= due:
            watch()
            due = time.monotonic() + WATCH_SECONDS
