"""The conversation on the page: messages that are stored, and an answer that is being written.

Not here: what a run is (``run.py``) or how it is kept going (``live.py``).

The one rule: live and stored answers are drawn by the same code from the same events.
"""

import threading
import time
from collections.abc import Callable, Iterable, Iterator
from functools import cache, partial
from itertools import groupby

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from assistant.events import (
    CallAnswered,
    CallApproved,
    CallDenied,
    Citation,
    Decision,
    Event,
    HostedCall,
    HostedDelta,
    Note,
    ReasoningDelta,
    ReasoningEnded,
    RefusalDelta,
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
from assistant.messages import Message
from assistant.runs.worker import LiveRun
from assistant.tools.toolbox import Toolbox
from assistant.ui.accessibility import announce, announce_ending
from assistant.ui.attachments import draw_attachments
from assistant.ui.chat.branches import Branching, draw_branches, draw_editor, draw_pencil, is_being_edited
from assistant.ui.chat.citations import Marks, Sources
from assistant.ui.chat.failure import draw_failure
from assistant.ui.chat.footer import draw_footer, in_time
from assistant.ui.chat.hosted import HostedSteps, in_progress
from assistant.ui.chat.tool_call import ToolCallView
from assistant.ui.language import _, translate
from assistant.ui.streamlit_private import (
    Chunk,
    Chunks,
    Expander,
    current_session_id,
    end_text_block,
    is_connected,
    rerun_session,
    yield_to_streamlit,
)

GRACE = 0.5
"""Seconds in which a page that left a run may come back before its leaving means Stop."""


MOST_WORDS = 3
"""How many calls are named in the line that says what is happening."""

MOST_BELOW = 3
"""Elements below the newest answer: its line, a comment, the button for another answer."""

WATCH_EVERY = 0.5
"""Seconds between two looks at something else that goes on."""

ASIDE_AFTER = 0.3
"""Seconds for which what stands beside an answer lets it go first: a browser draws one thing at a time.

What has not been drawn again after half a second begins to fade in the browser.
"""

SEEN_AFTER = 0.1
"""The same, when the answer has ended meanwhile: until its last words are drawn."""


class Visits:
    """Counts how often the page's script has run in one browser session."""

    def __init__(self) -> None:
        self.count = 0


def draw_message(
    place: DeltaGenerator,
    message: Message,
    number: int,
    retry: Callable[[], None] | None = None,
    keep: Callable[[], None] | None = None,
    branching: Branching | None = None,
) -> None:
    """Draw the thread's message of this number in its place; ``retry`` is offered if it is a failure.

    ``keep`` is called when a person has rated it; see ``footer.py``. ``branching`` lets a person edit their
    message, have an answer again, and switch between what that made.
    """
    if message.role == "user":
        with place:
            if branching and is_being_edited(branching.thread, number):
                draw_editor(branching, number)
            else:
                with st.container(
                    horizontal=True,
                    horizontal_alignment="distribute",
                    vertical_alignment="center",
                    wrap=False,
                ):
                    st.text(message.text, width="stretch")
                    if branching:
                        draw_pencil(branching, number)
            draw_attachments(message)
            if branching:
                draw_branches(branching, number)
        return
    below = cache(place.empty)
    with place.container():
        told = chunks([list(message.events())], number, below, retry)
        for is_text, some in groupby(told, lambda chunk: isinstance(chunk, str)):
            if is_text:  # its pieces are one block
                st.markdown("".join(chunk for chunk in some if isinstance(chunk, str)))
                continue
            for chunk in some:
                if not isinstance(chunk, str):
                    chunk()
    outdone = branching is not None and number == len(branching.thread.messages) - 3
    with place:
        if keep:
            below()  # as after a live answer, so that the buttons stay where they are
        draw_footer(message, number, keep)
        if branching:
            draw_branches(branching, number)
        for _ in range(MOST_BELOW if outdone else 0):
            st.empty()  # else its buttons would be seen for as long as the next answer is written


def set_thread_url(thread_id: str) -> None:
    """Put the open thread, or none yet, into the address; what else stands there, a person put there."""
    st.session_state.address = thread_id
    if thread_id:
        if st.query_params.get("thread") != thread_id:  # the browser is told each time
            st.query_params["thread"] = thread_id
    else:
        st.query_params.pop("thread", None)


def follow(
    run: LiveRun,
    visits: Visits,
    retry: Callable[[], None],
    watch: Callable[[], None] | None = None,
    toolbox: Toolbox | None = None,
    keep: Callable[[], None] | None = None,
    branching: Branching | None = None,
    aside: Callable[[], None] | None = None,
) -> None:
    """Draw the answer of a run that goes on, from its beginning to its end, as it comes.

    The ``toolbox`` knows the words for what its functions do; ``keep`` is called when a person has rated the
    answer. ``watch`` is called now and then meanwhile, to draw something else that goes on; ``aside`` is
    called once, to draw what need not be there first.

    Streamlit's Stop button and a click elsewhere look the same here: both end this script. After a click
    the script runs again at once; if it does not, and the browser is still there, the person meant Stop.
    """
    count = visits.count
    session_id = current_session_id()

    def sees() -> bool:
        """Whether the browser is connected. One that is gone may come back to this very script."""
        return is_connected(session_id)

    def stop_unless_back() -> None:
        if visits.count == count and sees():
            run.stop()
            rerun_session(session_id)

    place = st.chat_message("assistant")
    try:
        with place.container():
            batches = _awake(_not_first(run.follow(sees), aside or end_text_block), watch or end_text_block)
            st.write_stream(Chunks(chunks(batches, run.position, cache(place.empty), retry, toolbox)))
        announce_ending(run.message)
        with place:
            draw_footer(run.message, run.position, keep)
            if branching:
                draw_branches(branching, run.position)
    except BaseException:  # Streamlit ends a script with an exception that is no Exception
        timer = threading.Timer(GRACE, stop_unless_back)
        timer.daemon = True
        timer.start()
        raise


def _not_first(batches: Iterator[list[Event]], aside: Callable[[], None]) -> Iterator[list[Event]]:
    """The same batches; ``aside`` is drawn once, when what comes first has had a moment to be seen."""
    due: float | None = time.monotonic() + ASIDE_AFTER
    for batch in batches:
        yield batch
        if due is not None and time.monotonic() >= due:
            aside()
            due = None
    if due is not None:
        time.sleep(SEEN_AFTER)
        aside()


def _awake(batches: Iterator[list[Event]], watch: Callable[[], None]) -> Iterator[list[Event]]:
    """The same batches; in between, Streamlit gets the chance to end the script, and ``watch`` to draw."""
    due = 0.0
    for batch in batches:
        yield_to_streamlit()
        yield batch
        if time.monotonic() >= due:
            watch()
            due = time.monotonic() + WATCH_EVERY


def chunks(
    batches: Iterable[list[Event]],
    number: int,
    footer: Callable[[], DeltaGenerator],
    retry: Callable[[], None] | None = None,
    toolbox: Toolbox | None = None,
) -> Iterator[Chunk]:
    """What ``st.write_stream`` takes: text as strings, everything else as a callable that draws itself.

    A callable ends the block of text before it. A long text is several blocks, for
    all of a block is sent again when it grows. ``footer`` gives the place below the answer, made when it is
    needed: most stored answers have nothing there.
    """
    answer = _Answer(number, footer, retry, toolbox or Toolbox())
    speaking: type[Event] | None = None  # what the block of text at the end is, if there is one
    sanitizer, blocks, marks = MarkdownSanitizer(), BlockSplitter(), Marks(answer.sources)
    for batch in batches:
        if not batch and (held := blocks.flush()):
            yield held
        for kind, events in groupby(batch, _kind):
            if kind is TextDelta or kind is RefusalDelta:
                answer.speak()
                if kind is not speaking:
                    yield from _rest(sanitizer, blocks, marks)
                    yield end_text_block
                    speaking, sanitizer, blocks = kind, MarkdownSanitizer(), BlockSplitter()
                text = "".join(
                    marks.cite(event) if isinstance(event, Citation) else marks.take(_words(event))
                    for event in events
                )
                yield from _drawn(blocks.feed(sanitizer.feed(text) if kind is TextDelta else text))
                continue
            yield from _rest(sanitizer, blocks, marks)
            for event in events:
                draw = answer.draw(event)
                if draw is not None:
                    speaking = None
                    yield draw
        answer.say_what_happens()
    yield from _rest(sanitizer, blocks, marks)


def _rest(sanitizer: MarkdownSanitizer, blocks: BlockSplitter, marks: Marks) -> Iterator[Chunk]:
    """What was held back of a text that goes no further."""
    if held := marks.rest():
        yield from _drawn(blocks.feed(sanitizer.feed(held)))
    yield from _drawn(blocks.feed(sanitizer.flush()))
    if held := blocks.flush():
        yield held


def _drawn(pieces: Iterable[str | None]) -> Iterator[Chunk]:
    """The pieces of a text as chunks: a block ends wherever there is none."""
    for piece in pieces:
        yield end_text_block if piece is None else piece


def _kind(event: Event) -> type[Event]:
    """What an event is drawn with: the mark of a source belongs to the text."""
    return TextDelta if isinstance(event, Citation) else type(event)


def _words(event: Event) -> str:
    """The Markdown of a piece of text. A refusal's is none: it is shown as it is."""
    match event:
        case TextDelta(text):
            return text
        case RefusalDelta(text):
            return escape_markdown(text)
    return ""


class _Answer:
    """What of one answer is on the page so far."""

    def __init__(
        self,
        number: int,
        footer: Callable[[], DeltaGenerator],
        retry: Callable[[], None] | None,
        toolbox: Toolbox,
    ) -> None:
        self._toolbox = toolbox
        self._doing = ""  # in words, shown below the answer while it goes on
        self._share: float | None = None  # of it that is done
        self._shown: tuple[str, float | None] = "", None
        self._number = number  # of the message in its thread: the first part of every key
        self._footer = footer
        self._retry = retry
        self._round = 0
        self._row: DeltaGenerator | None = None  # holds the calls of this round
        self._steps: dict[str, ToolCallView] = {}  # the calls of this round, by call id
        self._running: dict[str, str] = {}  # those without a result: call id -> what they do, in words
        self._progress: dict[str, ToolProgress] = {}
        self._thoughts = 0
        self._thought: ReasoningBlock | None = None
        self._hosted = HostedSteps(f"hosted-{number}")
        self.sources = Sources(f"sources-{number}")

    def speak(self) -> None:
        """Text follows."""
        self._doing = ""
        self._end_thought()

    def draw(self, event: Event) -> Callable[[], None] | None:
        """How to draw an event in the flow of the answer; None where nothing belongs there."""
        if not isinstance(event, ReasoningDelta):
            self._end_thought(event.seconds if isinstance(event, ReasoningEnded) else None)
        match event:
            case TextDelta() | RefusalDelta() | TextBreak() | Citation():
                return end_text_block
            case HostedCall():
                self._doing, self._share = in_progress(event), None
                return partial(self._hosted.show, event)
            case HostedDelta():
                return partial(self._hosted.write, event)
            case ReasoningDelta(text):
                return partial(self._think, text)
            case ReasoningEnded():
                return None
            case ToolCallDelta(call_id, name, text):
                return partial(self._write, call_id, name, text)
            case ToolCall(call_id, name, arguments, server):
                shown = f"{server}: {name}" if server else name
                return partial(self._ask, call_id, shown, arguments, bool(server))
            case CallApproved() | CallDenied() | CallAnswered():
                return partial(self._decide, event)
            case ToolProgress(call_id):
                self._progress[call_id] = event
                self._say_what_runs()
            case ToolResult():
                return partial(self._finish, event)
            case Note(text):
                return partial(_remark, text)
            case ThreadOpened(thread_id):
                set_thread_url(thread_id)
            case RoundStarted(number):
                self._round, self._row, self._steps, self._running = number, None, {}, {}
                self._doing, self._share, self._progress = _("Thinking"), None, {}
            case RoundEnded():
                self._say_what_runs()
            case RunCompleted():
                self._end()
                return self.sources.draw
            case RunPaused():
                for call_id in self._running:
                    self._steps[call_id].wait()
                self._running = {}
                self._end(_("Waiting for your decision."))
                return self.sources.draw
            case RunStopped(_, text):
                self._end(f":material/stop_circle: {escape_markdown(translate(text))}")
                return self.sources.draw
            case RunFailed():
                self._end()
                self._fail(event)
                return self.sources.draw
        return None

    def say_what_happens(self) -> None:
        """Bring the line below the answer up to date."""
        share = self._share if self._doing else None
        if (self._doing, share) == self._shown:
            return
        if self._doing != self._shown[0]:
            announce(self._doing)
        self._shown = self._doing, share
        words = f":shimmer[{escape_markdown(self._doing)} …]"
        if share is not None:
            self._footer().progress(share, words)
        elif self._doing:
            self._footer().markdown(words)
        else:
            self._footer().empty()

    def _step(self, call_id: str, name: str, arguments: str = "") -> ToolCallView:
        if call_id not in self._steps:
            if self._row is None:
                self._row = st.container(gap="xxsmall")
            with self._row:
                key = f"step-{self._number}-{self._round}-{call_id}"
                self._steps[call_id] = ToolCallView(name, key, arguments)
            self._running[call_id] = self._words(name, "")
        return self._steps[call_id]

    def _write(self, call_id: str, name: str, text: str) -> None:
        self._step(call_id, name).write(text)
        self._doing, self._share = _("Preparing {function}", function=name), None

    def _ask(self, call_id: str, name: str, arguments: str, remote: bool) -> None:
        self._step(call_id, name, arguments).ask(arguments, remote)
        self._running[call_id] = self._words(name, arguments)
        self._say_what_runs()

    def _decide(self, decision: Decision) -> None:
        if decision.call_id in self._running:
            self._steps[decision.call_id].decide(decision)

    def _finish(self, result: ToolResult) -> None:
        if self._running.pop(result.call_id, None) is not None:
            self._steps[result.call_id].finish(result)
        self._say_what_runs()

    def _words(self, name: str, arguments: str) -> str:
        tool = self._toolbox.get(name)
        return translate(tool.status_text(arguments) if tool else N_("Running {function}", function=name))

    def _say_what_runs(self) -> None:
        said, self._share = [], None
        for call_id, words in list(self._running.items())[:MOST_WORDS]:
            progress = self._progress.get(call_id)
            said.append(
                _("{doing}: {how_far}", doing=words, how_far=progress.text)
                if progress and progress.text
                else words
            )
            if len(self._running) == 1 and progress:
                self._share = progress.share
        if (more := len(self._running) - len(said)) > 0:
            said.append(_("and {count} more", count=more))
        self._doing = _(", ").join([*said[:1], *(each[:1].lower() + each[1:] for each in said[1:])])

    def _end(self, remark: str = "") -> None:
        for call_id in self._running:
            self._steps[call_id].abandon()
        self._hosted.abandon()
        self._running = {}
        self._doing = ""
        if remark:
            self._shown = "", None
            self._footer().caption(remark)

    def _fail(self, failure: RunFailed) -> None:
        self._shown = "", None
        with self._footer().container():
            draw_failure(failure, self._retry)

    def _think(self, text: str) -> None:
        if self._thought is None:
            self._thoughts += 1
            self._thought = ReasoningBlock(f"thought-{self._number}-{self._thoughts}")
        self._thought.add(text)

    def _end_thought(self, seconds: float | None = None) -> None:
        if self._thought is not None:
            self._thought.end(seconds)
            self._thought = None


class ReasoningBlock:
    """The quiet block that holds what a model shows of its reasoning."""

    def __init__(self, key: str) -> None:
        self._expander = Expander(key, f":shimmer[{_('Reasoning')}]", "compact")
        self._body = self._expander.body.container()
        self._prose, self._blocks = MarkdownSanitizer(), BlockSplitter()
        self._block: DeltaGenerator | None = None  # the one that grows
        self._text = ""  # of that block

    def add(self, text: str) -> None:
        for piece in self._blocks.feed(self._prose.feed(text)):
            self._draw(piece)

    def end(self, seconds: float | None) -> None:
        for piece in self._blocks.feed(self._prose.flush()):
            self._draw(piece)
        self._draw(self._blocks.flush())
        took = _("Reasoning")
        if seconds:
            took = _("Reasoned for {time}", time=in_time(max(1.0, seconds), tenths=False))
        self._expander.update(took, "complete")

    def _draw(self, piece: str | None) -> None:
        if piece is None:
            self._block, self._text = None, ""
        elif piece:
            self._block = self._block or self._body.empty()
            self._text += piece
            self._block.markdown(self._text)


def _remark(text: str) -> None:
    st.caption(escape_markdown(translate(text)))
