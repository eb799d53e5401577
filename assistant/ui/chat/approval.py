"""The card on which a person decides about a call that waits: run it, deny it, or answer it in its place.

Not here: what becomes of a decision (``run.py``) or the call's own expander (``steps.py``).

The one rule: nothing happens before every open call is decided on, and until then each decision can be
taken back.
"""

from collections.abc import Callable
from functools import partial

import streamlit as st

from assistant.events import CallAnswered, CallApproved, CallDenied, Decision
from assistant.locale import N_
from assistant.markdown.escape import escape_markdown
from assistant.messages import Call
from assistant.threads import Thread
from assistant.tools.arguments import InvalidArguments, changed_arguments, parse_arguments, validate_arguments
from assistant.tools.toolbox import Toolbox
from assistant.ui.chat.tool_call import SHOWN_LENGTH, indented
from assistant.ui.language import _, translate

MOST_LINES = 15
"""Lines of arguments up to which all are in sight; more are scrolled."""


def draw_approval(
    thread: Thread, number: int, decide: Callable[[list[Decision]], None], toolbox: Toolbox
) -> None:
    """Draw a card for each open call of the thread's message of this number.

    ``decide`` is called once, with a decision on each of them, when the person has made the last.
    """
    calls = thread.messages[number].open_calls
    # All of this, for some servers give the same id in each round and in each thread.
    keys = [f"approve-{thread.id}-{number}-{call.round}-{call.call_id}" for call in calls]

    def settle(call: Call, key: str, decision: Decision) -> None:
        st.session_state[f"{key}-decision"] = decision
        still_open = thread.open_calls()
        decisions = [_decision(key) for call, key in zip(calls, keys, strict=True) if call in still_open]
        made = [decision for decision in decisions if decision is not None]
        if call not in still_open or len(made) < len(decisions):
            return
        for key in keys:
            st.session_state.pop(f"{key}-decision", None)
        decide(made)

    for call, key in zip(calls, keys, strict=True):
        with st.container(border=True, key=key):
            if decision := _decision(key):
                _draw_decided(call, key, decision)
            elif call.server:
                _draw_remote(call, key, partial(settle, call, key))
            else:
                _draw_open(call, key, partial(settle, call, key), toolbox)
    if len(calls) > 1:
        left = sum(_decision(key) is None for key in keys)
        st.caption(
            _(
                "{left} of {count} calls need your decision",
                count=len(calls),
                left=left,
            )
        )


def _draw_remote(call: Call, key: str, settle: Callable[[Decision], None]) -> None:
    """The card for a remote server's tool: it can be let run there as it was asked for, or be denied."""
    words = _("Allow {name} on the server {server}?", name=call.name, server=call.server)
    st.markdown(f":material/pan_tool: **{escape_markdown(words)}**")
    st.caption(_("It runs on that server with these arguments. The model reads its result."))
    st.code(_shown(call.arguments)[:SHOWN_LENGTH], language="json", wrap_lines=True)
    with st.container(horizontal=True):
        st.button(
            _("Allow"),
            key=f"{key}-run",
            type="primary",
            icon=":material/play_arrow:",
            on_click=partial(settle, CallApproved(call.call_id)),
        )
        _draw_denying(call, key, settle)


def _draw_denying(
    call: Call, key: str, settle: Callable[[Decision], None], placeholder: str | None = None
) -> None:
    """What denies a call, with a reason if a person gives one."""

    def deny() -> None:
        settle(CallDenied(call.call_id, st.session_state[f"{key}-reason"] or ""))

    with st.popover(_("Deny"), icon=":material/block:", key=f"{key}-denying"):
        st.text_input(
            _("Reason (sent to the model)"),
            key=f"{key}-reason",
            placeholder=placeholder,
            persist_state="session",
        )
        st.button(_("Deny call"), key=f"{key}-deny", on_click=deny)


def _draw_open(call: Call, key: str, settle: Callable[[Decision], None], toolbox: Toolbox) -> None:
    found = toolbox.get(call.name)
    words = _("Allow **{function}**?", function=escape_markdown(call.name))
    st.markdown(f":material/pan_tool: {words}")
    if found is None:
        st.caption(_("There is no function with this name. Provide a result, or deny the call."))
    elif found.description:
        st.caption(escape_markdown(found.description.split("\n\n")[0]))
    shown = _shown(call.arguments)
    text = st.text_area(
        _("Arguments"),
        shown,
        height="content" if shown.count("\n") < MOST_LINES else 25 * MOST_LINES,
        key=f"{key}-arguments",
        disabled=found is None,
        persist_state="session",
    )
    changed = changed_arguments(call.arguments, text or "")
    problem = _problem(call.name, changed or call.arguments, toolbox)
    if problem:
        remedy = "" if changed else _("Fix them here, or allow the call and let the model see the error.")
        st.error(escape_markdown(f"{problem} {remedy}".rstrip()), icon=":material/error:")

    def run() -> None:
        changed = changed_arguments(call.arguments, st.session_state[f"{key}-arguments"] or "")
        if not changed or not _problem(call.name, changed, toolbox):
            settle(CallApproved(call.call_id, changed))

    def answer() -> None:
        settle(CallAnswered(call.call_id, st.session_state[f"{key}-output"] or ""))

    with st.container(horizontal=True):
        st.button(
            _("Allow"),
            key=f"{key}-run",
            type="primary",
            icon=":material/play_arrow:",
            disabled=found is None,
            on_click=run,
        )
        _draw_denying(call, key, settle, _("optional"))
        with st.popover(_("Provide a result"), icon=":material/edit:", key=f"{key}-answering"):
            st.text_area(_("Result sent to the model"), key=f"{key}-output", persist_state="session")
            st.button(_("Send result"), key=f"{key}-answer", on_click=answer)


def _draw_decided(call: Call, key: str, decision: Decision) -> None:
    match decision:
        case CallApproved(_, arguments):
            words = N_("**{function}** will run")
            if arguments:
                words = N_("**{function}** will run with your arguments")
        case CallDenied():
            words = N_("**{function}** will be denied")
        case CallAnswered():
            words = N_("**{function}** will get your result")
    with st.container(horizontal=True, vertical_alignment="center", horizontal_alignment="distribute"):
        st.markdown(f":material/check: {_(words, function=escape_markdown(call.name))}")
        st.button(_("Change"), key=f"{key}-change", type="tertiary", on_click=partial(_take_back, key))


def _decision(key: str) -> Decision | None:
    kept = st.session_state.get(f"{key}-decision")
    return kept if isinstance(kept, Decision) else None  # not, after an edit reloaded the package


def _take_back(key: str) -> None:
    del st.session_state[f"{key}-decision"]


def _problem(name: str, arguments: str, toolbox: Toolbox) -> str:
    """Why a function does not take these arguments, in a sentence; nothing if it does."""
    if name in toolbox:
        try:
            validate_arguments(toolbox[name], arguments)
        except InvalidArguments as error:
            return translate(error.text)
    return ""


def _shown(arguments: str) -> str:
    try:
        return indented(parse_arguments(arguments))
    except ValueError:
        return arguments
