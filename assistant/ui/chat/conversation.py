"""The conversation: older messages, and a fragment with the newest ones, the live answer and the input.

A message reruns the fragment alone. When an answer has ended and something outside the fragment is out of
date, or the fragment has grown beyond a few turns, one rerun of the page moves the boundary between the two.
"""

from dataclasses import dataclass

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from assistant.markdown.escape import escape_markdown
from assistant.session import ChatSession
from assistant.ui import keys
from assistant.ui.chat.approval import draw_approval
from assistant.ui.chat.examples import draw_examples
from assistant.ui.chat.live_answer import Watch, follow_answer
from assistant.ui.chat.message_area import HistoryArea, RecentArea
from assistant.ui.chat.messages.message import draw_message
from assistant.ui.chat.queue import draw_queue
from assistant.ui.composer.message_input import Submission, draw_composer, draw_unsent
from assistant.ui.composer.tool_toggles import draw_tool_toggles
from assistant.ui.language import _, translate
from assistant.ui.page.accessibility import draw_live_region
from assistant.ui.page.browser_script import draw_conversation_scripts, show_message
from assistant.ui.page.login import require_open
from assistant.ui.page.scrolling import draw_scrolling
from assistant.ui.page.thread_url import set_thread_url
from assistant.ui.quotas import draw_limit_notice
from assistant.ui.sidebar.thread_list import can_list_threads, is_list_outdated
from assistant.ui.state import page_state, state_of
from assistant.ui.streamlit_private import rerun_fragment

MAX_FRAGMENT_MESSAGES = 8
"""Maximum number of messages in the fragment; above it the boundary moves, to keep reruns fast."""

CHANGES_SECONDS = 3.0
"""Interval at which a page without a live answer looks for changes elsewhere, which takes 5 ms."""


def draw_history(session: ChatSession) -> None:
    """Draw the messages before the conversation fragment; the last exchange is the fragment's."""
    draw_conversation_scripts()
    run = session.live_run
    page = page_state()
    page.boundary = max(0, run.position - 1 if run else len(session.history) - 2)
    found, page.found = page.found, None
    if found:
        session.shown = max(session.shown, page.boundary - found.position)
    first = max(0, page.boundary - session.shown) // 2 * 2  # a question stays with its answer
    if found:
        show_message(found.position - first, found.text)
    if first:
        label = _("Show earlier messages ({count})", count=first)
        st.button(label, key=keys.EARLIER, type="tertiary", on_click=session.show_earlier)
        st.caption(_earlier_note(session))
    with state_of(HistoryArea).draw(list(session.history[first : page.boundary])):
        for position in range(first, page.boundary):
            draw_message(session, position)


def _earlier_note(session: ChatSession) -> str:
    """Return how to search messages that are not drawn: to draw them all would make each rerun slow."""
    if can_list_threads(session):
        return _("Your browser searches only the messages shown. Search chats in the sidebar searches all.")
    return _("Your browser searches only the messages shown.")


@st.fragment
def conversation(session: ChatSession, watch: Watch | None = None) -> None:
    """Draw the newest messages, the live answer and the input, and handle what the user sends.

    ``watch`` is called now and then while an answer streams, to update what is drawn beside it.
    """
    require_open(session)
    page = page_state()
    session.follower = None
    _draw_notices(session)
    if page.outdated:
        page.outdated = False
        st.rerun()
    session.return_queued()
    area = _draw_input(session)
    was_running = session.live_run is not None
    _send(session, area.message)
    if session.composer.draft:
        rerun_fragment()
    run = session.live_run
    if run and not was_running and page.inspector_open:
        st.rerun()  # the inspector shows the new run
    _draw_around_input(session, area)
    messages = list(session.history[page.boundary : run.position + 1 if run else None])
    recent = state_of(RecentArea).draw(messages)
    end = st.empty()
    draw_scrolling(session)
    draw_live_region()  # here, because a fragment can't write to what only the page has drawn
    with recent:
        for position in range(page.boundary, run.position if run else len(session.history)):
            draw_message(session, position)
        if run and not follow_answer(session, run, watch, end):
            return  # the fragment runs again, because one of its widgets was used
    if run:
        area.queue.empty()
        area.stop.empty()
        if page.inspector_open or _is_outside_outdated(session):
            st.rerun()
    if session.waiting and not (session.thread.is_paused or session.runs_elsewhere or session.live_run):
        rerun_fragment()
    with end.container():
        _draw_end(session)


@dataclass(frozen=True, slots=True)
class InputArea:
    """The places above the input and, for Stop, over its button; and the message that was just sent."""

    notices: DeltaGenerator
    queue: DeltaGenerator
    tools: DeltaGenerator
    stop: DeltaGenerator
    message: Submission


def _draw_input(session: ChatSession) -> InputArea:
    """Draw the input, and in an empty chat the examples, which are sent as if they were typed."""
    with st.bottom:
        notices, queue, tools = st.container(), st.empty(), st.container()
        with st.container(key=keys.COMPOSER):
            text, attachments = draw_composer(session)
            stop = st.empty()
    examples = st.empty()
    if not (session.history or text.strip() or attachments):
        with examples.container():
            text = draw_examples(session)
    if text.strip():
        examples.empty()
    return InputArea(notices, queue, tools, stop, (text, attachments))


def _send(session: ChatSession, message: Submission) -> None:
    """Send the message, if there is one, or else the next one of the queue."""
    text, attachments = message
    if text.strip() or attachments:
        session.submit(text, attachments)
        set_thread_url(session)
    elif not (session.live_run or session.runs_elsewhere):
        session.send_next()


def _draw_around_input(session: ChatSession, area: InputArea) -> None:
    with area.notices:
        if limit := session.take_limit():
            draw_limit_notice(limit)
        draw_unsent(session)
    with area.tools:
        draw_tool_toggles(session.connection)
    if session.waiting:
        with area.queue.container(gap="xxsmall"):
            draw_queue(session)
    if session.live_run:
        with area.stop:
            _draw_stop(session, keys.STOP, shortcut="Esc")


@st.fragment(run_every=CHANGES_SECONDS)
def _wait_for_changes(session: ChatSession, cursor: list[int]) -> None:
    """Rerun the page when another tab or process has changed the open chat or the list of chats.

    This is a part of the conversation: should both wait for a rerun, the conversation runs alone, so that its
    input is not lost.
    """
    require_open(session)
    if (
        session.live_run
        or session.collect_results()
        or session.thread.cursor != cursor
        or is_list_outdated(session)
        or session.is_outdated
    ):
        st.rerun()


def _draw_notices(session: ChatSession) -> None:
    for notice in session.notices:
        st.toast(escape_markdown(translate(notice)), icon=":material/error:")
    session.notices.clear()


def _draw_end(session: ChatSession) -> None:
    """Draw the approvals that the newest answer waits for, below it, and look for changes elsewhere."""
    if session.runs_elsewhere:
        _wait_for_other_process(session)
        return
    if session.history and session.thread.is_paused:
        draw_approval(session.thread, len(session.history) - 1, session.decide, session.connection.toolbox)
    _wait_for_changes(session, session.thread.cursor)


def _is_outside_outdated(session: ChatSession) -> bool:
    page = page_state()
    drawn = len(session.history) - page.boundary
    has_other_protocol = page.drawn_protocol not in ("", session.connection.backend.protocol)
    return has_other_protocol or drawn > MAX_FRAGMENT_MESSAGES or is_list_outdated(session)


def _draw_stop(session: ChatSession, key: str, shortcut: str | None = None) -> None:
    st.button(
        _("Stop"),
        key=key,
        icon=":material/stop:",
        type="primary",
        shortcut=shortcut,
        on_click=session.stop,
    )


@st.fragment(run_every=1.0)
def _wait_for_other_process(session: ChatSession) -> None:
    """Rerun the page when the process that writes this answer has saved more of it."""
    require_open(session)
    if session.changed_elsewhere():
        st.rerun()
    with st.container(horizontal=True, vertical_alignment="center"):
        st.caption(_("Another process of this application is writing this answer."))
        _draw_stop(session, keys.STOP_ELSEWHERE)
