"""Run a function without a model: a form for its arguments, and exactly the result that a model would get."""

from dataclasses import dataclass, field
from typing import Any

import streamlit as st

from assistant.events import Outcome, ToolResult
from assistant.markdown.escape import escape_markdown
from assistant.texts import estimate_tokens
from assistant.tools.lint import (
    LintWarning,
    estimate_tool_tokens,
    estimate_toolbox_tokens,
    lint,
)
from assistant.tools.toolbox import Tool, Toolbox
from assistant.ui import keys
from assistant.ui.call_runner import run_call
from assistant.ui.chat.calls.output import MAX_SHOWN_CHARS, format_json, truncation_notice
from assistant.ui.chat.calls.views import draw_views
from assistant.ui.inspector.argument_form import draw_argument_form
from assistant.ui.language import _, ngettext, translate
from assistant.ui.state import state_of


@dataclass(slots=True)
class RunnerState:
    """The last result in this session, and the arguments that were last entered for each function."""

    function: str = ""
    result: ToolResult | None = None
    arguments: dict[str, str] = field(default_factory=dict)


def draw_function_runner(toolbox: Toolbox, time_limit: float) -> None:
    """Draw the runner; ``time_limit`` is in seconds, for functions without a time limit of their own."""
    if not toolbox:
        st.info(_("No functions yet. Add one to a file in assistant/functions and reload the page."))
        return
    warnings = lint(toolbox)
    names = list(toolbox)
    if st.session_state.get(keys.RUNNER_FUNCTION) not in names:
        st.session_state[keys.RUNNER_FUNCTION] = names[0]
    name = st.selectbox(
        _("Function"), names, key=keys.RUNNER_FUNCTION, format_func=lambda name: _label(name, warnings)
    )
    tool = toolbox[name]
    st.markdown(escape_markdown(tool.description).replace("\n", "  \n") or _("*No description.*"))
    if tool.approval:
        st.caption(_("A model's calls of this function need approval. Here it runs at once."))
    for text in _offer_texts(tool):
        st.caption(text)
    _draw_warnings([warning for warning in warnings if warning.function in (name, "")])
    arguments = _draw_arguments(tool)
    state = state_of(RunnerState)
    if st.button(_("Run"), key=keys.RUNNER_RUN, icon=":material/play_arrow:", disabled=arguments is None):
        state.function, state.result = name, run_call(tool, arguments or "", time_limit)
    if state.function == name and state.result:
        _draw_result(state.result)
    _draw_schema(tool, toolbox)


def _offer_texts(tool: Tool[..., Any]) -> list[str]:
    """Return sentences on how the function is offered to a model."""
    texts: list[str] = []
    if tool.offer.grammar:
        texts.append(_("A model writes its input as text that keeps to a grammar."))
    elif tool.text_parameter:
        texts.append(_("A model writes its input as free text."))
    if tool.offer.programs:
        texts.append(_("Programs that a model writes may call it."))
    if tool.offer.load_when_needed:
        texts.append(_("A model searches for it before it can call it."))
    return texts


def _label(name: str, warnings: list[LintWarning]) -> str:
    count = sum(warning.function == name for warning in warnings)
    return f"{name} · {ngettext('{count} warning', '{count} warnings', count)}" if count else name


def _draw_warnings(warnings: list[LintWarning]) -> None:
    for warning in warnings:
        text = escape_markdown(f"{translate(warning.problem)} {translate(warning.suggestion)}")
        st.markdown(f":orange[:material/lightbulb:] :small[{text}]")


def _draw_arguments(tool: Tool[..., Any]) -> str | None:
    """Draw the form or an input for JSON, and return the arguments as JSON; None if the form is not valid."""
    arguments = state_of(RunnerState).arguments
    if st.toggle(_("Enter arguments as JSON"), key=keys.RUNNER_AS_JSON):
        last = arguments.get(tool.name, "{}")
        return str(st.text_area(_("Arguments"), last, key=keys.runner_json(tool.name), height=120))
    text = draw_argument_form(tool)
    if text is not None:
        arguments[tool.name] = text
    return text


def _draw_result(result: ToolResult) -> None:
    seconds = result.seconds or 0.0
    time = _("{seconds} s", seconds=f"{seconds:.1f}")
    if seconds < 1:
        time = _("{count} ms", count=f"{seconds * 1000:.1f}")
    tokens = ngettext("about {count} token", "about {count} tokens", estimate_tokens(result.output))
    st.markdown(f"{_outcome_text(result.outcome, time)} · {tokens}")
    st.caption(_("Result sent to the model · {characters} characters", characters=f"{len(result.output):,}"))
    st.code(result.output, language=None, wrap_lines=True)
    draw_views(result.views, keys.RUNNER_VIEW)
    if result.detail:
        st.caption(_("Details, not sent to the model"))
        st.code(result.detail[:MAX_SHOWN_CHARS], language=None, wrap_lines=True)
        if len(result.detail) > MAX_SHOWN_CHARS:
            st.caption(truncation_notice(MAX_SHOWN_CHARS, len(result.detail)))


def _outcome_text(outcome: Outcome, time: str) -> str:
    match outcome:
        case "done":
            return f":green[:material/check_circle:] {_('Returned in {time}', time=time)}"
        case "timeout":
            return f":red[:material/timer_off:] {_('Timed out after {time}', time=time)}"
        case "invalid":
            return f":red[:material/cancel:] {_('Invalid arguments, not run')}"
    return f":red[:material/cancel:] {_('Failed after {time}', time=time)}"


def _draw_schema(tool: Tool[..., Any], toolbox: Toolbox) -> None:
    schema = tool.as_param()
    with st.expander(_("Schema sent to the model"), key=keys.RUNNER_SCHEMA, icon=":material/data_object:"):
        st.code(format_json(schema), language="json", wrap_lines=True)
    st.caption(
        _(
            "Adds about {tokens} tokens per request ({all} for all {count})",
            tokens=f"{estimate_tool_tokens(tool):,}",
            all=f"{estimate_toolbox_tokens(toolbox):,}",
            count=len(toolbox),
        )
    )
