"""Why a run cost what it did: the tokens of each request, and which part of its prompt was not cached."""

from collections.abc import Sequence

import streamlit as st

from assistant.json_values import number, text
from assistant.locale import N_
from assistant.markdown.escape import escape_markdown
from assistant.recordings.costs import ResponseTokens, cost_of, price_source
from assistant.recordings.prompts import Difference, PromptUse, Section, prompts_of
from assistant.recordings.recording import Recording
from assistant.recordings.timeline import Measurement
from assistant.recordings.wire_events import Tokens
from assistant.settings import Settings
from assistant.texts import replace_surrogates
from assistant.ui.inspector.figures import draw_figures
from assistant.ui.inspector.recording_list import RecordingView
from assistant.ui.language import _, translate

DEMO = "Demo"
"""The model of the built-in demo, whose tokens cost nothing."""

MAX_REQUESTS = 20
"""Requests that are drawn; the timing has a table of all."""

_SECTIONS: dict[Section, str] = {
    "model": N_("the model"),
    "service_tier": N_("the service tier"),
    "effort": N_("the reasoning effort"),
    "verbosity": N_("the verbosity"),
    "format": N_("the response format"),
    "tools": N_("the functions"),
    "instructions": N_("the instructions"),
    "conversation": N_("the conversation"),
}

_REASONS = {
    "model_changed": N_("the model has changed"),
    "prompt_cache_key_changed": N_("the cache key has changed"),
    "tools_changed": N_("the tools have changed"),
    "text_format_changed": N_("the response format has changed"),
    "reasoning_effort_changed": N_("the reasoning effort has changed"),
    "verbosity_changed": N_("the verbosity has changed"),
    "context_compacted": N_("the context was compacted"),
    "input_changed": N_("the input has changed"),
    "service_tier_changed": N_("the service tier has changed"),
}


def draw_costs(selected: RecordingView, recordings: Sequence[Recording], size: int) -> None:
    """Draw each request of the selected recording; ``recordings`` are those that came before it, and others."""

    def uses(recording: Recording) -> list[PromptUse]:
        position = next(index for index, each in enumerate(recordings) if each is recording)
        return prompts_of([each for each in recordings[: position + 1] if each.thread == recording.thread])

    figures = selected.compute(Measurement, size).figures()
    responses = {response.exchange: response for response in figures.responses}
    found = [use for use in selected.compute(uses, size) if use.exchange in responses]
    if not found:
        st.caption(escape_markdown(replace_surrogates(translate(figures.cost_note))))
        return
    for count, use in enumerate(found[:MAX_REQUESTS], 1):
        with st.container(border=True, gap="small"):
            _draw_request(count, responses[use.exchange], use)
    if len(found) > MAX_REQUESTS:
        st.caption(_("Showing the first {count}.", count=MAX_REQUESTS))
    st.caption(_price_note(figures.responses, translate(figures.cost_note)))


def _price_note(responses: Sequence[ResponseTokens], note: str) -> str:
    """Return where the prices are from, or why a cost is unknown."""
    if all(response.model == DEMO for response in responses):
        return escape_markdown(translate(price_source(Settings().model)))
    if any(response.cost is None for response in responses):
        return escape_markdown(replace_surrogates(note))
    sources = dict.fromkeys(translate(price_source(response.model)) for response in responses)
    return escape_markdown(" ".join([*sources, _("For tokens alone: hosted tools cost extra.")]))


def _draw_request(count: int, response: ResponseTokens, use: PromptUse) -> None:
    tokens = response.tokens
    title = _("Request {number}", number=count)
    parts = [f"**{title}**", escape_markdown(replace_surrogates(response.model)), _cost(response)]
    st.markdown(" · ".join(filter(None, parts)))
    fresh = max(0, tokens.input - tokens.cached - tokens.written)
    counts = [
        (_("Input"), tokens.input, ""),
        (_("From the cache"), tokens.cached, _("Part of the input, at a tenth of its price or less")),
        (_("Written to the cache"), tokens.written, _("Part of the input, at 1.25 times its price")),
        (_("At full price"), fresh, _("The rest of the input")),
        (_("Output"), tokens.output, ""),
        (_("Reasoning"), tokens.reasoning, _("Part of the output")),
    ]
    draw_figures((name, f"{count:,}", explanation) for name, count, explanation in counts)
    _draw_prompt(use, tokens)
    _draw_diagnostics(use)


def _cost(response: ResponseTokens) -> str:
    """Return what a request cost; of the demo's, which cost nothing, what they would at the default model."""
    if response.cost is not None:
        return f"\\${response.cost:.6f}"
    if response.model != DEMO:
        return ""
    tokens, model = response.tokens, Settings().model
    cost = cost_of(
        model, input=tokens.input, cached=tokens.cached, written=tokens.written, output=tokens.output
    )
    return _("free; \\${cost} with {model}", cost=f"{cost:.6f}", model=model) if cost is not None else ""


def _draw_prompt(use: PromptUse, tokens: Tokens) -> None:
    """Draw how the prompt continues the one before, and what that means for the cache."""
    if use.is_first:
        st.caption(_("The first request of this chat here: nothing to compare it with."))
    elif use.difference is None:
        line = _(
            "It begins with the whole request before it ({bytes:,} bytes), which can come from the cache.",
            bytes=use.same_bytes,
        )
        if not tokens.cached:
            line += " " + _("Nothing did: the cache forgets after a while, and takes no short prompts.")
        st.caption(line)
    else:
        st.markdown(
            _(
                ":material/difference: The first difference from the request before it is in **{section}**, after "
                "{bytes:,} bytes. From there on, nothing can come from the cache.",
                section=translate(_SECTIONS[use.difference.section]),
                bytes=use.same_bytes,
            )
        )
        st.code(_excerpts(use.difference), language="diff", wrap_lines=False)


def _excerpts(difference: Difference) -> str:
    """Return the text before and now, and a mark below the first character that differs."""
    lines = [difference.before, difference.after]
    before, after = (replace_surrogates(line.replace("\n", "↵").replace("\t", "→")) for line in lines)
    return f"- {before}\n+ {after}\n  {' ' * difference.same_chars}^"


def _draw_diagnostics(use: PromptUse) -> None:
    """Draw what the server says of its cache, if it was asked."""
    match use.diagnostics.get("type"):
        case "cache_hit":
            words = _("it found the request before in its cache")
        case "cache_miss":
            reason = text(use.diagnostics.get("reason"))
            words = translate(_REASONS[reason]) if reason in _REASONS else reason
            missed = int(number(use.diagnostics.get("cache_missed_tokens")) or 0)
            words = _("{reason}; about {count:,} tokens missed the cache", reason=words, count=missed)
        case "comparison_response_not_found":
            words = _("it no longer has the response before")
        case "unavailable":
            words = _("it cannot tell")
        case _:
            return
    st.caption(
        f":material/dns: {_('The server says: {words}.', words=escape_markdown(replace_surrogates(words)))}"
    )
