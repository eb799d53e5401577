"""The approval card of a call: allow it, deny it, or provide a result in its place.

Nothing runs before every open call has a decision; until then the user can change each one.
"""

from collections.abc import Callable
from functools import partial

import streamlit as st

from assistant.events import CallAnswered, CallApproved, CallDenied, Decision
from assistant.locale import N_
from assistant.markdown.escape import escape_markdown
from assistant.parts import Call
from assistant.threads import Thread
from assistant.tools.arguments import InvalidArguments, changed_arguments, parse_arguments, validate_arguments
from assistant.tools.toolbox import Toolbox
from assistant.ui.chat.calls.output import MAX_SHOWN_CHARS, format_json
from assistant.ui.language import _, translate

MAX_CARDS = 50
"""Maximum number of calls without a decision that have a card; the next ones get theirs when these are decided on."""

MAX_ARGUMENT_LINES = 15
"""Lines of arguments that are shown without scrolling."""


def draw_approval(
    thread: Thread, number: int, decide: Callable[[list[Decision]], None], toolbox: Toolbox
) -> None:
    """Draw a card for each open call of the message with this number, or for the first ones of very many.

    ``decide`` is called once, with a decision on every call, after the user's last decision.
    """
    calls = thread.messages[number].undecided_calls
    # A call id is not enough: some servers repeat ids in each round and in each thread.
    keys = [f"approve-{thread.id}-{number}-{call.round}-{call.call_id}" for call in calls]
    undecided = [index for index, key in enumerate(keys) if not _decision(key)]
    end = undecided[MAX_CARDS] if len(undecided) > MAX_CARDS else len(keys)
    shown = list(zip(calls, keys, strict=True))[:end]

    def settle(call: Call, key: str, decision: Decision) -> None:
        st.session_state[f"{key}-decision"] = decision
        if call in thread.open_calls():
            finish()

    def allow_all() -> None:
        for call, key in shown:
            if not _decision(key) and (approval := _approval(call, key, toolbox)):
                st.session_state[f"{key}-decision"] = approval
        finish()

    def finish() -> None:
        still_open = thread.open_calls()
        decisions = [_decision(key) for call, key in zip(calls, keys, strict=True) if call in still_open]
        ready = [decision for decision in decisions if decision is not None]
        if not ready or len(ready) < len(decisions):
            return
        for key in keys:
            st.session_state.pop(f"{key}-decision", None)
        decide(ready)

    for call, key in shown:
        with st.container(border=True, key=key):
            if decision := _decision(key):
                _draw_decided(call, key, decision)
            elif call.server:
                _draw_remote(call, key, partial(settle, call, key))
            else:
                _draw_open(call, key, partial(settle, call, key), toolbox)
    if len(calls) > 1:
        with st.container(horizontal=True, vertical_alignment="center"):
            text = _("{left} of {count} calls need your decision", left=len(undecided), count=len(calls))
            st.caption(text, width="content")
            key = f"approve-all-{thread.id}-{number}-{calls[0].round}"
            st.button(_("Allow all"), key=key, icon=":material/done_all:", on_click=allow_all)


def _draw_remote(call: Call, key: str, settle: Callable[[Decision], None]) -> None:
    """Draw the card for a remote server's tool, which the user can allow as it is, or deny."""
    title = _("Allow {name} on the server {server}?", name=call.name, server=call.server)
    st.markdown(f":material/pan_tool: **{escape_markdown(title)}**")
    st.caption(_("It runs on that server with these arguments. The model reads its result."))
    st.code(_format_arguments(call.arguments)[:MAX_SHOWN_CHARS], language="json", wrap_lines=True)
    with st.container(horizontal=True):
        _draw_allow(key, partial(settle, CallApproved(call.call_id)))
        _draw_deny(call, key, settle)


def _draw_allow(key: str, allow: Callable[[], None], *, disabled: bool = False) -> None:
    icon = ":material/play_arrow:"
    st.button(_("Allow"), key=f"{key}-run", type="primary", icon=icon, disabled=disabled, on_click=allow)


def _draw_deny(
    call: Call, key: str, settle: Callable[[Decision], None], placeholder: str | None = None
) -> None:
    """Draw the popover that denies a call, with an optional reason."""

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
    tool = toolbox.get(call.name)
    title = _("Allow **{function}**?", function=escape_markdown(call.name))
    st.markdown(f":material/pan_tool: {title}")
    if tool is None:
        st.caption(_("There is no function with this name. Provide a result, or deny the call."))
    elif tool.description:
        st.caption(escape_markdown(tool.description.split("\n\n")[0]))
    is_text = tool is not None and tool.text_of(call.arguments) is not None
    shown = _shown_arguments(call, toolbox)
    text = st.text_area(
        _("Input") if is_text else _("Arguments"),
        shown,
        height="content" if shown.count("\n") < MAX_ARGUMENT_LINES else 25 * MAX_ARGUMENT_LINES,
        key=f"{key}-arguments",
        disabled=tool is None,
        persist_state="session",
    )
    changed = _changed_arguments(call, text or "", toolbox)
    problem = _problem(call.name, changed or call.arguments, toolbox)
    if problem:
        remedy = "" if changed else _("Fix them here, or allow the call and let the model see the error.")
        st.error(escape_markdown(f"{problem} {remedy}".rstrip()), icon=":material/error:")

    def allow() -> None:
        if approval := _approval(call, key, toolbox):
            settle(approval)

    def send_result() -> None:
        settle(CallAnswered(call.call_id, st.session_state[f"{key}-output"] or ""))

    with st.container(horizontal=True):
        _draw_allow(key, allow, disabled=tool is None)
        _draw_deny(call, key, settle, _("optional"))
        with st.popover(_("Provide a result"), icon=":material/edit:", key=f"{key}-answering"):
            st.text_area(_("Result sent to the model"), key=f"{key}-output", persist_state="session")
            st.button(_("Send result"), key=f"{key}-answer", on_click=send_result)


def _draw_decided(call: Call, key: str, decision: Decision) -> None:
    match decision:
        case CallApproved(_, arguments):
            text = N_("**{function}** will run")
            if arguments:
                text = N_("**{function}** will run with your arguments")
        case CallDenied():
            text = N_("**{function}** will be denied")
        case CallAnswered():
            text = N_("**{function}** will get your result")
    with st.container(horizontal=True, vertical_alignment="center", horizontal_alignment="distribute"):
        st.markdown(f":material/check: {_(text, function=escape_markdown(call.name))}")
        st.button(_("Change"), key=f"{key}-change", type="tertiary", on_click=partial(_reset_decision, key))


def _approval(call: Call, key: str, toolbox: Toolbox) -> CallApproved | None:
    """Return the approval of a call with its arguments as edited; None if it cannot run with them."""
    if call.server:
        return CallApproved(call.call_id)
    edited = st.session_state.get(f"{key}-arguments") or ""
    changed = _changed_arguments(call, edited, toolbox)
    if call.name not in toolbox or (changed and _problem(call.name, changed, toolbox)):
        return None
    return CallApproved(call.call_id, changed)


def _decision(key: str) -> Decision | None:
    value = st.session_state.get(f"{key}-decision")
    return value if isinstance(value, Decision) else None  # of an old class, after a reload of the package


def _reset_decision(key: str) -> None:
    del st.session_state[f"{key}-decision"]


def _problem(name: str, arguments: str, toolbox: Toolbox) -> str:
    """Return a sentence on what is wrong with these arguments; empty if the function accepts them."""
    if name in toolbox:
        try:
            validate_arguments(toolbox[name], arguments)
        except InvalidArguments as error:
            return translate(error.text)
    return ""


def _shown_arguments(call: Call, toolbox: Toolbox) -> str:
    """Return the arguments as the user edits them: free text as it is, others as JSON."""
    tool = toolbox.get(call.name)
    text = tool.text_of(call.arguments) if tool else None
    return _format_arguments(call.arguments) if text is None else text


def _changed_arguments(call: Call, edited: str, toolbox: Toolbox) -> str:
    """Return the arguments as the user edited them, as JSON; "" if nothing was changed."""
    tool = toolbox.get(call.name)
    if tool is None or (text := tool.text_of(call.arguments)) is None:
        return changed_arguments(call.arguments, edited)
    return "" if edited == text else tool.with_text(edited)


def _format_arguments(arguments: str) -> str:
    try:
        return format_json(parse_arguments(arguments))
    except ValueError:
        return arguments
