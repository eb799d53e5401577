"""The parameters of this chat's requests: what differs from the settings, and what the server refuses."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import streamlit as st

from assistant.backends.options.fields import PROTOCOL_OPTIONS
from assistant.locale import N_
from assistant.markdown.escape import escape_markdown
from assistant.request_options import CHOICES, MAX_OUTPUT_TOKENS, MIN_OUTPUT_TOKENS, RequestOptions
from assistant.session import ChatSession
from assistant.texts import replace_surrogates
from assistant.threads import Thread
from assistant.ui import keys
from assistant.ui.inspector.token_count import draw_next_request
from assistant.ui.language import _, ngettext, translate
from assistant.ui.state import state_of

LABELS = {
    "model": N_("Model"),
    "service_tier": N_("Service tier"),
    "effort": N_("Reasoning effort"),
    "summary": N_("Reasoning summary"),
    "verbosity": N_("Verbosity"),
    "max_output_tokens": N_("Output limit (tokens)"),
    "tool_choice": N_("Tool choice"),
    "parallel_calls": N_("Parallel calls"),
    "functions": N_("Allowed functions"),
    "text_format": N_("Response format"),
    "schema": N_("JSON schema"),
    "instructions": N_("Instructions"),
    "cache_diagnostics": N_("Ask the server why its prompt cache missed"),
}
"""The options in the order in which they are drawn."""

_TOOL_CHOICES = {"": N_("Auto"), "none": N_("None"), "required": N_("Required")}
_PARALLEL = {"": N_("Auto"), "on": N_("On"), "off": N_("Off")}
_FORMATS = {"": N_("Text"), "json_object": N_("JSON object"), "json_schema": N_("JSON schema")}

_EXAMPLE = '{"type": "object", "properties": {"city": {"type": "string"}}}'


@dataclass(slots=True)
class RequestPanel:
    """What the user typed that cannot be sent, and why, by the name of the option."""

    thread: Thread | None = None
    drafts: dict[str, tuple[str, str]] = field(default_factory=dict)


def draw_request_panel(session: ChatSession) -> None:
    """Draw the parameters that the connection's protocol has; what the owner decides is disabled."""
    panel = state_of(RequestPanel)
    if panel.thread is not session.thread:
        panel.thread, panel.drafts = session.thread, {}
    offered = PROTOCOL_OPTIONS[session.connection.backend.protocol]
    if not offered:
        st.caption(_("An agent has its own model, instructions and parameters on the server."))
        return
    _draw_summary(session, panel)
    drawing = _Drawing(session, panel)
    for row in (
        ("model", "service_tier"),
        ("effort", "summary"),
        ("verbosity", "max_output_tokens"),
        ("tool_choice", "parallel_calls"),
        ("functions",),
        ("text_format",),
        ("schema",),
        ("instructions",),
        ("cache_diagnostics",),
    ):
        names = [name for name in row if name in offered]
        if "schema" in names and session.thread.options.text_format != "json_schema":
            continue
        for column, name in zip(st.columns(len(names)) if names else (), names, strict=True):
            with column:
                drawing.draw(name)
    draw_next_request(session)


def _draw_summary(session: ChatSession, panel: RequestPanel) -> None:
    """Draw how many parameters differ, and Reset."""
    changed = session.thread.options.changed
    with st.container(horizontal=True, vertical_alignment="center", horizontal_alignment="distribute"):
        if changed:
            st.markdown(
                ngettext(
                    "**{count} parameter differs from the settings**",
                    "**{count} parameters differ from the settings**",
                    len(changed),
                )
            )
        else:
            st.caption(_("As in the settings. Changes hold for this chat, from its next request on."))
        if changed or panel.drafts:
            st.button(
                _("Reset"),
                key=keys.REQUEST_RESET,
                icon=":material/undo:",
                type="tertiary",
                on_click=_reset,
                args=[session, panel],
            )
    if session.connection.fixed_options - {"service_tier"}:
        st.caption(_("Only the owner of this page changes what is greyed out."))


def _reset(session: ChatSession, panel: RequestPanel) -> None:
    panel.drafts = {}
    session.change_options(RequestOptions())


class _Drawing:
    """Draws the widget of each option with its mark, its problem and the server's refusal."""

    def __init__(self, session: ChatSession, panel: RequestPanel) -> None:
        self._session, self._panel = session, panel
        connection, options = session.connection, session.thread.options
        self._options = options
        self._settings = connection.options_of(Thread())
        self._functions = list(connection.toolbox)
        self._refusals = connection.backend.refusals(
            connection.toolbox, options.without(connection.fixed_options)
        )
        self._changed = options.without(connection.fixed_options).changed

    def draw(self, name: str) -> None:
        """Draw one option."""
        match name:
            case "effort" | "summary" | "verbosity" | "service_tier":
                self._draw_choice(name)
            case "tool_choice":
                self._draw_segments(name, _TOOL_CHOICES, self._options.tool_choice)
            case "parallel_calls":
                current = {None: "", True: "on", False: "off"}[self._options.parallel_calls]
                on = {"": None, "on": True, "off": False}
                self._draw_segments(name, _PARALLEL, current, lambda value: on[value])
            case "text_format":
                self._draw_segments(name, _FORMATS, self._options.text_format)
            case "functions":
                self._draw_functions()
            case "max_output_tokens":
                self._draw_limit()
            case "model":
                self._draw_model()
            case "cache_diagnostics":
                st.toggle(**self._widget(name, self._options.cache_diagnostics, bool))
            case "schema":
                self._draw_text(name, self._options.schema, str, _EXAMPLE)
                if not self._options.schema:
                    st.caption(_("Until there is a schema, the answer is text."))
            case "instructions":
                self._draw_instructions()
        self._draw_problem(name)

    def _draw_choice(self, name: str) -> None:
        own = {"summary": "auto"}.get(name) or str(getattr(self._settings, name))
        default = _("{value} (settings)", value=own) if own else _("Model default")
        if name == "service_tier":
            default = _("Project default")
        widget = self._widget(name, getattr(self._options, name), str)
        st.selectbox(options=["", *CHOICES[name]], format_func=lambda value: value or default, **widget)

    def _draw_segments(
        self, name: str, choices: Mapping[str, str], current: str, convert: Callable[[Any], Any] = str
    ) -> None:
        widget = self._widget(name, current, convert)
        texts = {value: translate(text) for value, text in choices.items()}
        st.segmented_control(options=list(choices), format_func=texts.__getitem__, required=True, **widget)

    def _draw_functions(self) -> None:
        chosen = [name for name in self._functions if self._options.allows(name)]

        def convert(names: Sequence[str]) -> tuple[str, ...] | None:
            return None if len(names) == len(self._functions) else tuple(names)

        st.pills(
            options=self._functions,
            selection_mode="multi",
            wrap=True,
            **self._widget("functions", chosen, convert),
        )

    def _draw_limit(self) -> None:
        limit = self._settings.max_output_tokens
        st.number_input(
            value=None,
            min_value=MIN_OUTPUT_TOKENS,
            max_value=limit or MAX_OUTPUT_TOKENS,
            step=1,
            placeholder=_("{value:,} (settings)", value=limit) if limit else _("Model default"),
            **self._widget(
                "max_output_tokens", self._options.max_output_tokens or None, lambda value: value or 0
            ),
        )

    def _draw_model(self) -> None:
        is_fixed = "model" in self._session.connection.fixed_options
        has_own = self._session.connection.backend.protocol == "assistants"
        placeholder = _("The assistant's own") if has_own else self._settings.model
        current = "" if is_fixed else self._options.model
        st.text_input(
            placeholder=placeholder, **self._widget("model", current, lambda value: (value or "").strip())
        )

    def _draw_instructions(self) -> None:
        connection = self._session.connection
        own = (self._settings.instructions or "") if connection.shows_source else ""
        current = self._options.instructions
        if current is None or "instructions" in connection.fixed_options:
            current = own

        def convert(text: str) -> str | None:
            is_own = text == own if connection.shows_source else not text
            return None if is_own else text

        self._draw_text("instructions", current, convert, "" if own else _("The page's own instructions"))

    def _draw_text(self, name: str, current: str, convert: Callable[[Any], Any], placeholder: str) -> None:
        draft, _problem = self._panel.drafts.get(name, (current, ""))
        st.text_area(height=120, placeholder=placeholder, **self._widget(name, draft, convert))

    def _widget(self, name: str, value: Any, convert: Callable[[Any], Any]) -> dict[str, Any]:
        """Return the arguments of a widget that shows this value and changes the option."""
        key = keys.request_option(name)
        st.session_state[key] = value  # the chat's: another chat may have been opened
        label = translate(LABELS[name])
        return {
            "label": _("**{label}** · changed", label=label) if name in self._changed else label,
            "key": key,
            "disabled": name in self._session.connection.fixed_options or self._session.runs_elsewhere,
            "on_change": _change,
            "args": [self._session, self._panel, name, convert],
        }

    def _draw_problem(self, name: str) -> None:
        """Draw why a value is not sent: it cannot be, or the server refuses it."""
        _draft, problem = self._panel.drafts.get(name, ("", ""))
        if problem:
            text = _("{problem} The last valid value is still sent.", problem=translate(problem))
            st.error(f":small[{escape_markdown(replace_surrogates(text))}]", icon=":material/error:")
        if (reason := self._refusals.get(name)) and (name in self._changed or name == "tool_choice"):
            text = _("Refused by the server and left out: {reason}", reason=reason)
            st.warning(f":small[{escape_markdown(replace_surrogates(text))}]", icon=":material/block:")


def _change(session: ChatSession, panel: RequestPanel, name: str, convert: Callable[[Any], Any]) -> None:
    """Change an option to its widget's value; what cannot be sent stays in the widget."""
    value = st.session_state[keys.request_option(name)]
    panel.drafts.pop(name, None)
    try:
        session.change_options(replace(session.thread.options, **{name: convert(value)}))
    except ValueError as error:
        panel.drafts[name] = str(value), error.args[0]
