"""The function bench: try a function without a model, and see exactly what a model would get.

Not here: how a call is run (``execute.py``), or what there is to better in a function (``lint.py``).

The one rule: a call from here is run as a model's is, with its checks, its time limit and its words for
whatever goes wrong; a person has pressed Run, so nobody is asked for approval again.
"""

import json
from datetime import date, datetime
from typing import Any

import streamlit as st

from assistant.events import ToolCall, ToolResult
from assistant.locale import N_
from assistant.markdown.escape import escape_markdown
from assistant.token_estimate import estimate_tokens
from assistant.tools.execution import execute
from assistant.tools.lint import LintWarning, estimate_toolbox_tokens, function_param, lint
from assistant.tools.toolbox import Tool, Toolbox
from assistant.ui.background import in_background
from assistant.ui.chat.tool_call import SHOWN_LENGTH, first_of, indented
from assistant.ui.chat.views import draw_view
from assistant.ui.language import _, ngettext, translate

Json = dict[str, Any]

_OUTCOMES = {
    "done": (":green[:material/check_circle:]", N_("It gave its result, after {time}.")),
    "failed": (":red[:material/cancel:]", N_("It failed, after {time}.")),
    "timeout": (":red[:material/timer_off:]", N_("It took too long and was left behind, after {time}.")),
    "invalid": (
        ":red[:material/cancel:]",
        N_("It does not take these arguments, and was not run, after {time}."),
    ),
}


def draw_workbench(toolbox: Toolbox, time_limit: float) -> None:
    """Draw the bench; ``time_limit`` is in seconds, for functions without one of their own."""
    if not toolbox:
        st.info(_("There are no functions. Put one into a file in assistant/functions, and reload the page."))
        return
    remarks = lint(toolbox)
    names = list(toolbox)
    if st.session_state.get("bench_function") not in names:
        st.session_state.bench_function = names[0]
    name = st.selectbox(
        _("Function"), names, key="bench_function", format_func=lambda name: _label(name, remarks)
    )
    tool = toolbox[name]
    st.markdown(escape_markdown(tool.description).replace("\n", "  \n") or _("*It has no description.*"))
    if tool.approval:
        st.caption(_("A model's call of it waits for a person's approval. From here it is run at once."))
    _draw_remarks([each for each in remarks if each.function in (name, "")])
    arguments = _draw_arguments(tool)
    if st.button(_("Run"), key="bench_run", icon=":material/play_arrow:", disabled=arguments is None):
        st.session_state.bench_result = name, run_once(tool, arguments or "", time_limit)
    tried, result = st.session_state.get("bench_result", ("", None))
    if tried == name:
        _draw_result(result)
    _draw_schema(tool, toolbox)


def _draw_schema(tool: Tool[..., Any], toolbox: Toolbox) -> None:
    sent = json.dumps(function_param(tool), ensure_ascii=False)
    with st.expander(_("As the model is told of it"), key="bench_schema", icon=":material/data_object:"):
        st.code(indented(function_param(tool)), language="json", wrap_lines=True)
    st.caption(
        _(
            "Every request spends about {tokens} tokens on this function, and about {all} on all {count} "
            "(estimated).",
            tokens=f"{estimate_tokens(sent):,}",
            all=f"{estimate_toolbox_tokens(toolbox):,}",
            count=len(toolbox),
        )
    )


def _label(name: str, remarks: list[LintWarning]) -> str:
    count = sum(each.function == name for each in remarks)
    if not count:
        return name
    return f"{name} · {ngettext('{count} remark', '{count} remarks', count)}"


def _draw_remarks(remarks: list[LintWarning]) -> None:
    for each in remarks:
        text = escape_markdown(f"{translate(each.problem)} {translate(each.suggestion)}")
        st.markdown(f":orange[:material/lightbulb:] :small[{text}]")


# --- running ----------------------------------------------------------------------------------------


def run_once(tool: Tool[..., Any], arguments: str, time_limit: float) -> ToolResult:
    """The result of a call that is run here; meanwhile Streamlit gets the chance to end the script."""
    calls = [ToolCall("bench", tool.name, arguments)]
    with st.spinner(_("It runs …"), show_time=True):
        events = in_background(execute(calls, Toolbox(tool), time_limit))
        return next(event for event in events if isinstance(event, ToolResult))  # not its progress


def _draw_result(result: ToolResult) -> None:
    seconds = result.seconds or 0.0
    took = _("{count} ms", count=f"{seconds * 1000:.1f}")
    if seconds >= 1:
        took = _("{seconds} s", seconds=f"{seconds:.1f}")
    icon, words = _OUTCOMES.get(result.outcome, ("", escape_markdown(result.outcome)))
    st.markdown(f"{icon} {_(words, time=took)}")
    st.caption(
        _(
            "What the model gets: {characters} characters, about {tokens} tokens (estimated)",
            characters=f"{len(result.output):,}",
            tokens=f"{estimate_tokens(result.output):,}",
        )
    )
    st.code(result.output, language=None, wrap_lines=True)
    for number, view in enumerate(result.views):
        draw_view(view, f"bench_view_{number}")
    if result.detail:
        st.caption(_("For you alone"))
        st.code(result.detail[:SHOWN_LENGTH], language=None, wrap_lines=True)
        if len(result.detail) > SHOWN_LENGTH:
            st.caption(first_of(SHOWN_LENGTH, len(result.detail)))


# --- arguments --------------------------------------------------------------------------------------


def _draw_arguments(tool: Tool[..., Any]) -> str | None:
    """Draw what the arguments are given by; the JSON text a model would write, None if it is none yet."""
    last = f"bench_written_{tool.name}"
    if st.toggle(_("Write the arguments as JSON"), key="bench_raw"):
        written = st.session_state.get(last, "{}")
        return str(st.text_area(_("Arguments"), written, key=f"bench_json_{tool.name}", height=120))
    schema = tool.parameters
    required, arguments, is_whole = schema.get("required", []), {}, True
    for name, given in schema.get("properties", {}).items():
        part, nullable = _plain_part(given, schema)
        optional = nullable or name not in required
        try:
            value = _draw_value(name, part, schema, optional, f"bench_{tool.name}_{name}")
        except ValueError as error:
            st.error(escape_markdown(f"{name}: {error}"), icon=":material/error:")
            is_whole = False
        else:
            if value is not None or name in required:  # strict mode knows a null only
                arguments[name] = value
    if not is_whole:
        return None
    text = json.dumps(arguments, ensure_ascii=False)
    st.session_state[last] = text
    return text


def _plain_part(part: Json, root: Json) -> tuple[Json, bool]:
    """A part of a schema without references, and without the null that it may be; whether it may be null."""
    nullable, description = False, ""
    while "$ref" in part or {"type": "null"} in part.get("anyOf", []):
        description = description or part.get("description", "")
        if "$ref" in part:
            part = root["$defs"][part["$ref"].rpartition("/")[2]]
        else:
            nullable, branches = True, [each for each in part["anyOf"] if each != {"type": "null"}]
            part = branches[0] if len(branches) == 1 else {"anyOf": branches}
    if isinstance(kinds := part.get("type"), list):
        nullable, part = True, {**part, "type": kinds[0]}  # that or null: a schema for models has no others
    if "const" in part:
        part = {**part, "enum": [part["const"]]}
    return {**part, "description": description or part.get("description", "")}, nullable


def _draw_value(name: str, part: Json, root: Json, optional: bool, key: str) -> Any:
    """Draw the input of one argument; None is what an empty one gives, where it may be left out.

    Raises:
        ValueError: What stands in it is no value; the text says why.
    """
    label = escape_markdown(name)
    given: Json = {"key": key, "help": escape_markdown(part["description"]) or None}
    if part.get("type") == "array":
        part = {**part, "items": _plain_part(part.get("items", {}), root)[0]}
    empty = _("not given") if optional else None
    match part:
        case {"enum": [*choices]}:
            return st.selectbox(
                label, choices, index=None if optional else 0, format_func=str, placeholder=empty, **given
            )
        case {"type": "boolean"} if optional:
            return st.selectbox(
                label, [True, False], index=None, format_func=json.dumps, placeholder=empty, **given
            )
        case {"type": "boolean"}:
            return st.checkbox(label, **given)
        case {"type": "integer" | "number" as kind}:
            return _draw_number(label, part, int if kind == "integer" else float, empty, given)
        case {"type": "string", "format": "date"}:
            day = st.date_input(label, None if optional else "today", **given)
            return day.isoformat() if isinstance(day, date) else None
        case {"type": "string", "format": "date-time"}:
            moment = st.datetime_input(label, None if optional else "now", **given)
            return moment.isoformat() if isinstance(moment, datetime) else None
        case {"type": "string"}:
            text = st.text_input(label, placeholder=part.get("format") or empty, **given)
            return text or (None if optional else "")
        case {"type": "array", "items": {"enum": [*choices]}}:
            return st.multiselect(label, choices, format_func=str, **given) or (None if optional else [])
        case {"type": "array", "items": {"type": "string" | "integer" | "number" as kind}}:
            text = st.text_area(f"{label} :gray[({_('one in each line')})]", placeholder=empty, **given)
            values = [_element(kind, line.strip()) for line in text.splitlines() if line.strip()]
            return values or (None if optional else [])
        case _:
            return _draw_json(label, part, root, optional, given)


def _draw_number(
    label: str, part: Json, kind: type[int] | type[float], empty: str | None, given: Json
) -> Any:
    low, high = _bound(part, kind, "minimum"), _bound(part, kind, "maximum")
    begin = low if low is not None else kind(min(0, high or 0))
    return st.number_input(label, low, high, None if empty else begin, kind(1), placeholder=empty, **given)


def _bound(part: Json, kind: type[int] | type[float], name: str) -> Any:
    value = part.get(name, part.get(f"exclusiveM{name[1:]}"))
    return kind(value) if value is not None and abs(value) < 2**53 else None  # a browser has no larger ones


def _draw_json(label: str, part: Json, root: Json, optional: bool, given: Json) -> Any:
    example = "" if optional else indented(_example(part, root))
    text = st.text_area(
        f"{label} :gray[(JSON)]", example, placeholder=_("not given") if optional else None, **given
    )
    if optional and not text.strip():
        return None
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ValueError(_("this is not JSON. {why}.", why=str(error))) from error


def _element(kind: str, text: str) -> Any:
    try:
        return {"string": str, "integer": int, "number": float}[kind](text)
    except ValueError:
        words = _("{text} is not a whole number.", text=repr(text))
        if kind != "integer":
            words = _("{text} is not a number.", text=repr(text))
        raise ValueError(words) from None


def _example(part: Json, root: Json, depth: int = 0) -> Any:
    """A value that looks like what the schema wants."""
    part, nullable = _plain_part(part, root)
    if nullable or depth > 4:
        return None
    match part:
        case {"enum": [value, *_]}:
            return value
        case {"anyOf": [first, *_]}:
            return _example(first, root, depth + 1)
        case {"type": "object", "properties": properties}:
            return {name: _example(each, root, depth + 1) for name, each in properties.items()}
    return {"string": "", "boolean": False, "integer": 0, "number": 0, "array": [], "object": {}}.get(
        part.get("type", "null")
    )
