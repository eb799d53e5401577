"""The approval card of a call: allow it, deny it, or provide a result in its place.

Nothing runs before every open call has a decision; until then the user can change each one.
"""

from collections.abc import Callable
from dataclasses import dataclass
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
"""Maximum number of calls without a decision that have a card; the next ones get theirs after these."""

MAX_ARGUMENT_LINES = 15
"""Lines of arguments that are shown without scrolling."""


def draw_approval(
    thread: Thread, number: int, decide: Callable[[list[Decision]], None], toolbox: Toolbox
) -> None:
    """Draw a card for each open call of the message with this number, or for the first ones of very many.

    ``decide`` is called once, with a decision on every call, after the user's last decision.
    """
    # A call id is not enough: some servers repeat ids in each round and in each thread.
    message = f"{thread.id}-{number}"
    calls = {
        f"approve-{message}-{call.round}-{call.call_id}": call
        for call in thread.messages[number].undecided_calls
    }
    cards = [_Card(call, key, toolbox) for key, call in calls.items()]
    undecided = [index for index, card in enumerate(cards) if not card.decision]
    shown = cards[: undecided[MAX_CARDS]] if len(undecided) > MAX_CARDS else cards

    def settle(card: _Card, decision: Decision) -> None:
        card.decide(decision)
        if card.call in thread.open_calls():
            finish()

    def allow_all() -> None:
        for card in shown:
            if not card.decision and (approval := card.approval()):
                card.decide(approval)
        finish()

    def finish() -> None:
        still_open = thread.open_calls()
        decisions = [card.decision for card in cards if card.call in still_open]
        ready = [decision for decision in decisions if decision is not None]
        if not ready or len(ready) < len(decisions):
            return
        for card in cards:
            card.reset()
        decide(ready)

    for card in shown:
        with st.container(border=True, key=f"{card.key}-card"):  # the id of another call may end with "-run"
            card.draw(partial(settle, card))
    if len(cards) > 1:
        with st.container(horizontal=True, vertical_alignment="center"):
            text = _("{left} of {count} calls need your decision", left=len(undecided), count=len(cards))
            st.caption(text, width="content")
            key = f"approve-all-{message}-{cards[0].call.round}"
            st.button(_("Allow all"), key=key, icon=":material/done_all:", on_click=allow_all)


@dataclass(frozen=True, slots=True)
class _Card:
    """The card of one call. The keys of its widgets, and of its decision, begin with ``key``."""

    call: Call
    key: str
    toolbox: Toolbox

    @property
    def decision(self) -> Decision | None:
        """The user's decision so far."""
        value = st.session_state.get(f"{self.key}-decision")
        # It is of an old class after a reload of the package.
        return value if isinstance(value, Decision) else None

    def decide(self, decision: Decision) -> None:
        """Keep the user's decision until all calls have one."""
        st.session_state[f"{self.key}-decision"] = decision

    def reset(self) -> None:
        """Forget the decision."""
        st.session_state.pop(f"{self.key}-decision", None)

    def approval(self) -> CallApproved | None:
        """Return the approval of the call with its arguments as edited; None if it cannot run with them."""
        if self.call.server:
            return CallApproved(self.call.call_id)
        changed = self._changed_arguments(st.session_state.get(f"{self.key}-arguments") or "")
        if self.call.name not in self.toolbox or (changed and self._problem(changed)):
            return None
        return CallApproved(self.call.call_id, changed)

    def draw(self, settle: Callable[[Decision], None]) -> None:
        """Draw the decision, or what the user can decide; ``settle`` is called with that."""
        if decision := self.decision:
            self._draw_decided(decision)
        elif self.call.server:
            self._draw_remote(settle)
        else:
            self._draw_open(settle)

    def _draw_decided(self, decision: Decision) -> None:
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
            st.markdown(f":material/check: {_(text, function=escape_markdown(self.call.name))}")
            st.button(_("Change"), key=f"{self.key}-change", type="tertiary", on_click=self.reset)

    def _draw_remote(self, settle: Callable[[Decision], None]) -> None:
        """Draw the card for a remote server's tool, which the user can allow as it is, or deny."""
        title = _("Allow {name} on the server {server}?", name=self.call.name, server=self.call.server)
        st.markdown(f":material/pan_tool: **{escape_markdown(title)}**")
        st.caption(_("It runs on that server with these arguments. The model reads its result."))
        arguments = _format_arguments(self.call.arguments)[:MAX_SHOWN_CHARS]
        st.code(arguments, language="json", wrap_lines=True)
        with st.container(horizontal=True):
            self._draw_allow(partial(settle, CallApproved(self.call.call_id)))
            self._draw_deny(settle)

    def _draw_open(self, settle: Callable[[Decision], None]) -> None:
        call, tool = self.call, self.toolbox.get(self.call.name)
        title = _("Allow **{function}**?", function=escape_markdown(call.name))
        st.markdown(f":material/pan_tool: {title}")
        if tool is None:
            st.caption(_("There is no function with this name. Provide a result, or deny the call."))
        elif tool.description:
            st.caption(escape_markdown(tool.description.split("\n\n")[0]))
        free_text = tool.text_of(call.arguments) if tool else None
        shown = _format_arguments(call.arguments) if free_text is None else free_text
        text = st.text_area(
            _("Arguments") if free_text is None else _("Input"),
            shown,
            height="content" if shown.count("\n") < MAX_ARGUMENT_LINES else 25 * MAX_ARGUMENT_LINES,
            key=f"{self.key}-arguments",
            disabled=tool is None,
            persist_state="session",
        )
        changed = self._changed_arguments(text or "")
        if problem := self._problem(changed or call.arguments):
            remedy = "" if changed else _("Fix them here, or allow the call and let the model see the error.")
            st.error(escape_markdown(f"{problem} {remedy}".rstrip()), icon=":material/error:")

        def allow() -> None:
            if approval := self.approval():
                settle(approval)

        def send_result() -> None:
            settle(CallAnswered(call.call_id, st.session_state[f"{self.key}-output"] or ""))

        with st.container(horizontal=True):
            self._draw_allow(allow, disabled=tool is None)
            self._draw_deny(settle, _("optional"))
            with st.popover(_("Provide a result"), icon=":material/edit:", key=f"{self.key}-answering"):
                st.text_area(_("Result sent to the model"), key=f"{self.key}-output", persist_state="session")
                st.button(_("Send result"), key=f"{self.key}-answer", on_click=send_result)

    def _draw_allow(self, allow: Callable[[], None], *, disabled: bool = False) -> None:
        key, icon = f"{self.key}-run", ":material/play_arrow:"
        st.button(_("Allow"), key=key, type="primary", icon=icon, disabled=disabled, on_click=allow)

    def _draw_deny(self, settle: Callable[[Decision], None], placeholder: str | None = None) -> None:
        """Draw the popover that denies the call, with an optional reason."""

        def deny() -> None:
            settle(CallDenied(self.call.call_id, st.session_state[f"{self.key}-reason"] or ""))

        with st.popover(_("Deny"), icon=":material/block:", key=f"{self.key}-denying"):
            st.text_input(
                _("Reason (sent to the model)"),
                key=f"{self.key}-reason",
                placeholder=placeholder,
                persist_state="session",
            )
            st.button(_("Deny call"), key=f"{self.key}-deny", on_click=deny)

    def _problem(self, arguments: str) -> str:
        """Return a sentence on what is wrong with these arguments; empty if the function accepts them."""
        if tool := self.toolbox.get(self.call.name):
            try:
                validate_arguments(tool, arguments)
            except InvalidArguments as error:
                return translate(error.text)
        return ""

    def _changed_arguments(self, edited: str) -> str:
        """Return the arguments as the user edited them, as JSON; "" if nothing was changed."""
        tool = self.toolbox.get(self.call.name)
        if tool is None or (text := tool.text_of(self.call.arguments)) is None:
            return changed_arguments(self.call.arguments, edited)
        return "" if edited == text else tool.with_text(edited)


def _format_arguments(arguments: str) -> str:
    try:
        return format_json(parse_arguments(arguments))
    except ValueError:
        return arguments
