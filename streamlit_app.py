"""The page: settings, thread, what was said, the answer being written, the input. Read it top to bottom."""

import os
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import streamlit as st
from dotenv import dotenv_values
from streamlit.delta_generator import DeltaGenerator
from streamlit.errors import StreamlitSecretNotFoundError

from assistant import Assistant, SettingsError, Thread, Toolbox, functions
from assistant.access.metering import with_metering
from assistant.access.quotas import MeteredTranscriber, Transcriber, quota_guard_for, restrict_credentials
from assistant.attachments import MEGABYTE, MOST_BYTES
from assistant.backends.base import PROTOCOL_LABELS
from assistant.backends.connection.override import ConnectionOverride
from assistant.backends.files import takes
from assistant.errors import BackendError, FunctionError, QuotaError, StoreError, ThreadBusy, UnknownThread
from assistant.events import Decision
from assistant.locale import N_
from assistant.markdown.escape import escape_markdown
from assistant.messages import Message
from assistant.observability.logs import measured
from assistant.recordings.recording import Recording, sample_files
from assistant.recordings.requests import prompt_of
from assistant.runs.loop import Events, Run
from assistant.runs.replay import replay_assistant
from assistant.settings import Settings
from assistant.storage.store import Store
from assistant.threads import unguessable_id
from assistant.tools.fault_injection import with_faults
from assistant.tools.hosted import format_hosted_tools
from assistant.transports.fault_spec import parse_faults
from assistant.transports.recorder import record_run
from assistant.ui.accessibility import draw_live_region
from assistant.ui.chat.approval import draw_approval
from assistant.ui.chat.branches import Branching
from assistant.ui.chat.conversation import Visits, draw_message, follow, set_thread_url
from assistant.ui.chat.history import draw_history, now_stands
from assistant.ui.chat.queue import draw_queue
from assistant.ui.chat.rerun_tool import draw_rerun_tool
from assistant.ui.composer import (
    Draft,
    clear_draft,
    draw_draft,
    draw_returned_text,
    keep_attachments,
    read_input,
    return_text,
)
from assistant.ui.connection import draw_connection
from assistant.ui.language import _, draw_language, translate
from assistant.ui.login import draw_user, is_localhost, require_user
from assistant.ui.quotas import draw_demo_notice, draw_limit_notice
from assistant.ui.resources import (
    autosaver_for,
    backend_for,
    chosen_backend,
    live_runs,
    metrics_of,
    queued,
    recent_tapes,
    settle,
    voice_for,
)
from assistant.ui.sidebar import ThreadList, draw_link_notice, draw_threads
from assistant.ui.state import state_of
from assistant.ui.styles import draw_styles
from assistant.ui.tool_toggles import draw_tool_toggles, enabled_tools, has_changed_tools

EXAMPLES = [
    "What's the weather in Tokyo and Paris, and then find me a hotel in the warmer one",
    "What time is it in Oslo, and what's on in Lisbon?",
    "京都の今の時間と、イベントを教えて",
    'calculate(expression="(19.5 + 3) * 4")',
]
SHOWN = 8  # messages before earlier ones are asked for: each costs every turn
EARLIER = 50  # those that come then
EMPTY = 40  # places of messages that have given way, before all of the others are drawn in new ones


def secrets() -> Mapping[str, Any]:
    """Streamlit's secrets; none where there is no file of them."""
    try:
        return st.secrets.to_dict()
    except StreamlitSecretNotFoundError as error:
        if error.error_id == "no-secrets-found":
            return {}
        raise SettingsError(f"Streamlit's secrets cannot be read. {error}") from error


def open_thread(thread_id: str) -> Thread:
    """The person's thread by this id: one that is open here, or kept here, or known to the server."""
    opened = live.find(thread_id, user.id)
    if opened is None and store:
        opened = store.load(thread_id)
    # Whose a thread is that only the server knows, nobody can tell.
    if opened is None and (user.id or (store and store.exists(thread_id))):
        raise UnknownThread(N_("There is no thread by this id."), code="unknown_thread")
    return live.register(opened or backend.load_thread(thread_id))


def catch_up(thread: Thread) -> bool:
    """See what became of the thread in other processes; whether one of them is answering it now."""
    if live.get(thread):
        return False
    with suppress(StoreError):
        if store and (newer := store.load_newer(thread)):
            live.update(thread, newer)
        if store and store.leases.is_held_elsewhere(thread):
            return True
    if thread.is_unfinished:  # nobody is writing this answer any more, but perhaps the server by itself
        run = assistant.resume if backend.can_resume(thread) else assistant.mark_interrupted
        with suppress(ThreadBusy):
            answer(partial(run, thread), thread)
    return False


def answer(run: Callable[[], Run], thread: Thread) -> None:
    """Let a run go, record it, and keep the thread as it grows."""
    before = recordings.for_thread(thread.id)[-1:] if thread.is_paused else []
    recording = before[0] if before else recordings.start(thread.id)  # what was paused goes on
    st.session_state.recording = recording

    def wrap(events: Events) -> Events:
        metered = with_metering(events, thread, quota.charge) if quota else events
        return measured(record_run(metered, recording), thread, metrics, toolbox)

    live.start(thread, lambda: run().through(wrap), assistant.cancel, autosaver)


def ask(run: Callable[[], Run], thread: Thread) -> None:
    """Answer what a person asks now, if there is room for it within the limits."""
    if quota:
        if live.get(thread):  # by the time it is started this may have ended, and nobody has paid for it
            raise ThreadBusy(N_("An answer is still being written here. Wait for it, or stop it."))
        quota.reserve()
    answer(run, thread)


def forget(thread_id: str) -> None:
    """Delete a thread here and at the server, if a person may have it deleted."""
    try:
        if store and (doomed := live.find(thread_id, user.id) or store.load(thread_id)):
            if run := live.get(doomed):
                run.stop()
                run.join(1)
            store.delete(thread_id)
            live.unregister(doomed)
            forget_at_server(doomed)
    except (ThreadBusy, StoreError) as error:
        st.toast(
            _("It is not deleted. {why}", why=escape_markdown(translate(str(error)))), icon=":material/error:"
        )
        return
    new_chat()


def forget_at_server(thread: Thread) -> None:
    """Delete what the server keeps of the thread, in all its branches."""
    for branch in thread.each_branch():
        try:
            backend.delete_thread(branch)
        except BackendError as error:
            words = _("It is deleted here, but not at the server. {why}", why=escape_markdown(error))
            st.toast(words, icon=":material/error:")


def new_chat() -> None:
    st.session_state.thread = Thread(owner=user.id)
    set_thread_url("")


def go_on(run: Callable[[], Run]) -> None:
    """Go on with the thread's answer, unless somebody else does already; a limit is said on the page."""
    try:
        ask(run, thread)
    except QuotaError as error:
        st.session_state.quota_error = error
    except ThreadBusy:
        pass


def retry() -> None:
    go_on(partial(assistant.resume, thread))


def decide(decisions: list[Decision]) -> None:
    go_on(partial(assistant.decide, thread, decisions))  # it counts: it may have come from a file or a tape


def edit(position: int, text: str) -> None:
    ask(partial(assistant.edit, thread, position, text), thread)


def regenerate(position: int) -> None:
    ask(partial(assistant.regenerate, thread, position), thread)


def switch(position: int, number: int) -> None:
    live.change(thread, partial(thread.switch, position, number), autosaver)


def replay(recording: Recording, speed: float) -> None:
    """Play a tape in a thread of its own, which is not kept: it was no conversation."""
    played = replay_assistant(
        recording, toolbox, speed=speed, run_functions=st.session_state.get("replay_again", False)
    )
    copy = Thread(unguessable_id(), owner=user.id)

    def clear(events: Events) -> Events:
        yield from events
        copy.backend_state.clear()  # the server that this seems to have talked to knows nothing of it

    st.session_state.recording = recordings.start(copy.id)
    made = st.session_state.recording
    live.start(
        copy,
        lambda: played.run(copy, prompt_of(recording)).through(
            lambda events: record_run(clear(events), made)
        ),
        played.cancel,
    )
    st.session_state.thread = live.register(copy)
    st.session_state.played = recording if st.session_state.get("replay_again") else None
    set_thread_url(copy.id)


def play(path: Path) -> None:
    """Play a tape that comes with the project, and show what is on it."""
    st.session_state.sandbox = True
    replay(Recording.from_lines(path.read_text(encoding="utf-8")), 1.0)


def keep_rating(message: Message) -> None:
    """Keep what a person thinks of an answer, which may have gone from the thread meanwhile."""
    for number, each in enumerate(thread.messages):
        if each is message:
            autosaver.save(thread, number, backend_state=False)


def take_back(text: str) -> None:
    """Take what waits back into the input."""
    st.session_state.prompt = queue.remove(thread, text)


def show_earlier() -> None:
    st.session_state.shown += EARLIER


def draw_around() -> None:
    """All that is not the conversation: nobody waits for it who has it before their eyes."""
    with head:
        protocol = draw_head()
    with tools:
        if backend.protocol in ("auto", "responses"):
            draw_tool_toggles(connected)
    with st.sidebar:
        around[:] = protocol, draw_side()


def draw_head() -> str:
    """What the page is, and what is not as it should be; gives the protocol that it names."""
    draw_styles()
    introduce_hearing()
    protocol = PROTOCOL_LABELS[backend.protocol]
    with st.container(horizontal=True, vertical_alignment="center"):
        st.title(settings.name, anchor=False)
        what = _("What goes over the wire, the functions, the code, and faults")
        st.toggle(_("Sandbox"), key="sandbox", help=what)
        st.button(_("New chat"), key="new_chat", icon=":material/edit_square:", on_click=new_chat)
    if settings.demo and not choice and owners.api_key:
        draw_demo_notice()
    elif settings.demo:
        st.info(
            _(
                "This is the built-in demo: a stand-in without a model. To connect one, open *Connection* in "
                "the sidebar, or set `OPENAI_API_KEY` (or `OPENAI_BASE_URL`) in `.env` and reload."
            ),
            icon=":material/science:",
        )
        st.caption(_("Answers stream in; every function call is shown with what came of it."))
    else:
        model = escape_markdown(settings.model)
        by = _("{model} over {protocol}", model=model, protocol=protocol) if protocol else model
        st.caption(_("Answers by {by}; every function call is shown with what came of it.", by=by))
    if settings.faults:
        st.warning(
            _("Broken on purpose: {faults}", faults=escape_markdown(settings.faults)),
            icon=":material/bug_report:",
        )
    if autosaver.error:
        words = _("Threads are not kept just now. {why}", why=escape_markdown(autosaver.error))
        st.warning(words, icon=":material/database_off:")
    if unknown:
        st.info(_("There is no thread by the id in the address, so this is a new one."))
    return protocol


def draw_side() -> str:
    """Who is here, what answers, the threads, and the language; gives the first of the threads."""
    draw_user(user)
    chosen = draw_connection(configured, choice, PROTOCOL_LABELS[backend.protocol], localhost=localhost)
    if chosen != choice:
        st.session_state.choice = chosen
        st.rerun()
    first = thread.id
    if store and not autosaver.error and not user.id and not localhost:
        draw_link_notice()
    elif store and not autosaver.error:
        lists = backend.protocol == "agents" and not user.id  # the only servers that list threads
        at_server = partial(backend.list_threads, 50) if lists else None
        try:
            thread_list = ThreadList(store, thread.id, live.running, settings.model, forget, at_server)
            first = draw_threads(thread_list)
        except StoreError as error:
            st.caption(escape_markdown(error))
    draw_language()
    return first


def stop_elsewhere() -> None:
    with suppress(StoreError):
        if store:
            store.leases.request_stop(thread)


@st.fragment(run_every=1.0)
def look_elsewhere() -> None:
    """Draw the page again when another process has kept more of the answer that it is writing."""
    with suppress(StoreError):
        if store and (store.load_newer(thread) or not store.leases.is_held_elsewhere(thread)):
            st.rerun()
    with st.container(horizontal=True, vertical_alignment="center"):
        st.caption(_("Another process of this application is writing this answer."))
        st.button(_("Stop"), key="stop_elsewhere", icon=":material/stop_circle:", on_click=stop_elsewhere)


# Settings and functions: what is wrong with them is said on the page, in one sentence.
try:
    secret = secrets()
    configured = Settings.load(os.environ, secret, dotenv_values(Path(__file__).with_name(".env")))
    toolbox = Toolbox.from_package(functions)
except (SettingsError, FunctionError) as error:
    st.set_page_config(page_title="Assistant")
    st.error(escape_markdown(error), icon=":material/error:")
    st.stop()

localhost = is_localhost()
owners, configured = configured, restrict_credentials(configured, localhost)
metrics = metrics_of(owners, id(Thread))
broken = st.session_state.get("faults", configured.faults)  # on purpose, for this session alone
with suppress(ValueError):
    toolbox = with_faults(toolbox, parse_faults(broken))
    configured = replace(configured, faults=broken)
chosen = st.session_state.get("choice")  # another connection, for this session alone
choice = chosen if isinstance(chosen, ConnectionOverride) else None  # not, after an edit reloaded the package
connected = choice.settings(configured) if choice else configured
settings = replace(connected, hosted_tools=format_hosted_tools(enabled_tools(connected)))
sandbox = st.session_state.get("sandbox", False)
st.set_page_config(page_title=settings.name, layout="wide" if sandbox else "centered")
user = require_user(configured, secret.get("auth"))  # whoever may not come in comes no further than this line
if st.session_state.setdefault("person", user.id) != user.id:
    st.session_state.clear()  # somebody else's: drafts, files, a key, tapes
    st.rerun()
edition = id(Thread)
own = choice or settings.faults or has_changed_tools(connected)  # such a backend is this session's alone
backend = chosen_backend(settings, edition) if own else backend_for(settings, edition)
st.session_state.fetch_file = backend.fetch_file  # for what the server's own tools make
live = live_runs(edition)
queue = queued(edition)
recordings = recent_tapes(edition)
assistant = Assistant(
    backend,
    toolbox,
    max_rounds=settings.max_rounds,
    tool_timeout=settings.tool_timeout,
    approve_all=st.session_state.get("approve_all", False),
)
autosaver = autosaver_for(
    settings.database_url or f"sqlite:///{Path(__file__).with_name('threads.sqlite')}", edition
)
store: Store | None = autosaver.store.for_owner(user.id) if autosaver.store else None
visitor = st.session_state.setdefault(
    "visitor", unguessable_id("visitor")
)  # stands for a user who does not sign in
quota = quota_guard_for(
    configured, settings, user.id or visitor, store
)  # where answers are at the owner's expense
visits: Visits = st.session_state.setdefault("visits", Visits())
visits.count += 1

# Where things stand. What stands there already is drawn again when an answer has begun; see draw_around.
introduce_hearing = draw_live_region()
head = st.container()
around: list[str] = []  # the protocol and the newest thread, as they were named around the answer

# The thread: the one that the address names, or this session's own.
kept = st.session_state.get("thread")
thread = Thread(owner=user.id)
if isinstance(kept, Thread) and kept.owner == user.id:  # not, after an edit reloaded the package
    thread = kept
asked = st.query_params.get("thread")
unknown = False
if asked and asked not in (thread.id, st.session_state.get("address")):
    try:
        thread = open_thread(asked)
    except UnknownThread:
        unknown, thread = True, Thread(owner=user.id)
    except (BackendError, StoreError) as error:
        with head:
            draw_head()
        st.error(escape_markdown(error), icon=":material/error:")
        st.button(_("Retry"), key="retry", icon=":material/refresh:")
        st.stop()
elif thread.id:
    thread = live.register(thread)
if thread is not kept:
    st.session_state.shown = SHOWN
    st.session_state.pop("begin", None)
st.session_state.thread = thread
set_thread_url(thread.id)
elsewhere = catch_up(thread)
known = len(thread.messages)

# What the person says: typed, waiting since the last answer, or one of the examples.
waits = live.get(thread) is not None  # what is said now
if not waits and not elsewhere and (given_back := queue.clear_after_failure(thread)):
    state_of(Draft).returned = (
        given_back,
        _("That answer did not end well. What waited is back in the input."),
    )
draw_returned_text()
voice: Transcriber | None = voice_for(settings, edition)
voice = MeteredTranscriber(voice, quota) if voice and quota else voice
with st.bottom:  # just above the input: files and recordings that wait, messages that wait, how to stop
    above, strip, tools = st.container(), st.empty(), st.container()
said = st.chat_input(
    _("Ask anything"),
    key="prompt",
    accept_file="multiple",
    max_upload_size=MOST_BYTES // MEGABYTE,
    accept_audio=voice is not None,
)
prompt, attached = read_input(
    said,
    voice,
    accepted=takes(backend.protocol, demo=settings.demo),
    receiver=N_("the built-in demo") if settings.demo else N_("this connection"),
)
if waits and attached:
    keep_attachments(attached)
    return_text(prompt, _("Files cannot wait: send them when the answer has come to its end."))
if waits and prompt.strip():
    if not queue.add(thread, prompt):
        return_text(prompt, _("Too much waits here already. Your message is back in the input."))
    prompt = ""
left, right = st.columns([5, 4], gap="large") if sandbox else (st.container(), None)
with left:
    examples, conversation, below = st.empty(), st.container(), st.container()
if not thread.messages and not prompt.strip() and not attached:
    with examples.container(horizontal=True, key="examples"):
        for number, example in enumerate(EXAMPLES):
            if st.button(example, key=f"example_{number}"):
                prompt = example
        for name, path in sample_files().items() if settings.demo else ():
            st.button(
                _("Play a tape: {name}", name=translate(name.replace("_", " "))),
                key=f"tape_{name}",
                icon=":material/play_circle:",
                type="tertiary",
                on_click=play,
                args=[path],
            )
if prompt.strip() or attached:
    examples.empty()
    try:
        ask(partial(assistant.run, thread, prompt, attached), thread)
        if said:  # what waits does not go with an example
            clear_draft()
    except ThreadBusy as busy:
        keep_attachments(attached)
        return_text(prompt, _("{why} Your message is back in the input.", why=translate(str(busy))))
    except QuotaError as error:
        keep_attachments(attached)
        st.session_state.quota_error = error
        return_text(prompt, _("It is not asked yet: your message is back in the input."))
elif not waits and not elsewhere:
    try:
        queue.send_next(thread, lambda text: ask(partial(assistant.run, thread, text), thread))
    except ThreadBusy:
        pass  # it waits on
    except QuotaError as error:
        st.session_state.quota_error = error
        return_text(queue.clear(thread), _("It is not asked yet: your message is back in the input."))

with above:
    if "quota_error" in st.session_state:
        draw_limit_notice(st.session_state.pop("quota_error"))
    draw_draft(voice)

# The conversation: what was said, and the answer that is being written.
run = live.get(thread)
if waits and not run:
    st.rerun()  # it ended a moment ago, so what waits is due
can_wait = run is not None and visits.count > 1
if not can_wait:
    draw_around()
if run or queue.waiting(thread):
    with strip.container(gap="xxsmall"):
        draw_queue(queue, thread, take_back)
        if run:
            st.button(_("Stop"), key="stop", icon=":material/stop_circle:", shortcut="Esc", on_click=run.stop)
if elsewhere and not run:
    with below:
        look_elsewhere()
end = run.position if run else len(thread.messages)
first = max(0, end - st.session_state.shown) // 2 * 2  # a question goes with its answer
begin = min(first, st.session_state.get("begin", first))
begin = st.session_state.begin = begin if first - begin <= EMPTY else first
watch = None
if right is not None:
    from assistant.ui.sandbox.panel import Sandbox, draw_sandbox  # much to load, and most never look

    recorded_here = recordings.for_thread(thread.id) or ([st.session_state.recording] if run else [])
    with right:
        watch = draw_sandbox(
            Sandbox(
                thread,
                recorded_here,
                toolbox,
                settings,
                backend.protocol,
                replay,
                play,
                st.session_state.get("played"),
                localhost,
            ),
            live=run is not None,
        )
with conversation:
    with st.container():
        if first:
            words = _("Show earlier messages ({count})", count=first)
            st.button(words, key="earlier", type="tertiary", on_click=show_earlier)
    branching = Branching(thread, edit, regenerate, switch)
    earlier, layout = thread.messages[begin:end], (begin, sandbox)

    def draw_earlier(place: DeltaGenerator, position: int) -> None:
        message, number = earlier[position], begin + position
        newest = message is thread.messages[-1]
        keep = partial(keep_rating, message) if newest and not elsewhere else None
        draw_message(place, message, number, retry if newest else None, keep, branching)

    draw_rest = draw_history(earlier, layout, draw_earlier, first - begin)

    def draw_aside() -> None:
        draw_rest()
        if can_wait:
            draw_around()

    if run:
        keep = partial(keep_rating, thread.messages[run.position])
        follow(run, visits, retry, watch, toolbox, keep, branching, draw_aside)
        now_stands([*earlier, thread.messages[run.position]], layout)
        strip.empty()
    else:
        draw_aside()
    outdated = sandbox or around != [PROTOCOL_LABELS[backend.protocol], thread.id]
    waits_on = bool(queue.waiting(thread)) and not thread.is_paused and not elsewhere
    if waits_on or (outdated and (run or len(thread.messages) > known)):
        st.rerun()  # the answer has ended, and what was drawn around it is no longer true
    with st.container():  # one element, whose place the next message takes
        if thread.is_paused and not elsewhere:
            draw_approval(thread, len(thread.messages) - 1, decide, toolbox)
        elif thread.messages and not thread.is_unfinished and not elsewhere:
            draw_rerun_tool(thread, toolbox, settings.tool_timeout)
st.set_page_config(page_icon="✈️")  # last, for Streamlit takes a while to know its first emoji
settle()
