"""The tools of a request: what a server may lack or refuse of them, and what is requested instead."""

import re
from collections.abc import Collection

import openai
from openai import OpenAI

from assistant.backends.client import DEMO_URL
from assistant.backends.json_access import JsonObject
from assistant.backends.options.refused import refusal_words
from assistant.backends.stream_errors import status_of
from assistant.errors import RequestRefused
from assistant.events import Note
from assistant.locale import N_, Sentence
from assistant.settings import OPENAI_URL
from assistant.tools.offer import FEATURES, Feature
from assistant.tools.task_handles import WAIT, WAIT_NAME, background_param
from assistant.tools.toolbox import Toolbox

MAX_NAMESPACE_CHARS = 1_000
"""Maximum length of a namespace's description."""

COMPACTION = "context_management"

RUN_BY_SERVER: tuple[Feature, ...] = ("programs", "tool_search")
"""The features with which the server runs something between two passes of the model."""

_HOSTS = frozenset(url.split("/")[2] for url in (OPENAI_URL, DEMO_URL))

_WORDS: dict[Feature, str] = {
    "custom": r"\bcustom\b|\bgrammar|\blark\b",
    "programs": r"programmatic|\ballowed_callers\b|\boutput_schema\b",
    "tool_search": r"\btool_search\b|\bdefer_loading\b|\bnamespace",
}
"""Words by which a refusal names each feature."""

_TYPES: dict[str, Feature] = {
    "custom": "custom",
    "programmatic_tool_calling": "programs",
    "tool_search": "tool_search",
    "namespace": "tool_search",
}

_NOTES: dict[Feature, Sentence] = {
    "custom": N_("The model does not take free text for functions, so it writes JSON arguments. {refusal}"),
    "programs": N_("The model does not call functions from programs, so it calls each by itself. {refusal}"),
    "tool_search": N_("The model does not search for functions, so it is sent all of them. {refusal}"),
}


def missing_features(client: OpenAI) -> tuple[Feature, ...]:
    """Return the features that the server is not known to have.

    Many servers of the Responses API ignore the tools that they do not know, and with them the functions.
    """
    host = client.base_url.host
    return () if host in _HOSTS or host.endswith(".openai.azure.com") else FEATURES


def compaction(context: int, refused_parameters: set[str]) -> JsonObject:
    """Return the field of a request that lets the server compact a conversation before it fills ``context`` tokens."""
    if not context or COMPACTION in refused_parameters:
        return {}
    return {COMPACTION: [{"type": "compaction", "compact_threshold": context * 3 // 4}]}


def without_refused_compaction(
    body: JsonObject, refusal: RequestRefused, refused_parameters: set[str]
) -> tuple[JsonObject, Note] | None:
    """Return the request's body without compaction, and a note; None if the refusal is about another parameter."""
    if COMPACTION not in body or not re.search(r"context_management|\bcompact", refusal_words(refusal)):
        return None
    refused_parameters.add(COMPACTION)
    others = {name: value for name, value in body.items() if name != COMPACTION}
    text = N_("The model does not compact long chats, so their oldest part is left out. {refusal}")
    return others, Note(text.with_params(refusal=refusal.text))


def function_tools(toolbox: Toolbox, refused_parameters: set[str]) -> list[JsonObject]:
    """Return the functions as tools of a request, without the features that the server has refused."""
    without = [feature for feature in FEATURES if f"tools.{feature}" in refused_parameters]
    return request_tools(toolbox, without, background="async" not in refused_parameters)


def request_tools(
    toolbox: Toolbox, without: Collection[Feature] = (), *, background: bool = True
) -> list[JsonObject]:
    """Return the functions as the ``tools`` of a request to a server that lacks the features ``without``.

    Functions run in the ``background`` only if the server has that.
    """
    params: list[JsonObject] = []
    namespaces: dict[str, list[JsonObject]] = {}
    for tool in toolbox.values():
        name = "" if "tool_search" in without else tool.offer.namespace
        if name and name not in namespaces:
            namespaces[name] = []
            params.append({"type": "namespace", "name": name, "tools": namespaces[name]})
        param = background_param(tool, without) if background else tool.as_param(without)
        (namespaces[name] if name else params).append(param)
    for param in params:
        if param["type"] == "namespace":
            sentences = [tool["description"].partition("\n")[0] for tool in param["tools"]]
            param["description"] = " ".join(sentences)[:MAX_NAMESPACE_CHARS] or param["name"]
    tools = list(toolbox.values())
    if background and any(tool.background for tool in tools) and WAIT_NAME not in toolbox:
        params.append(WAIT)
    if "programs" not in without and any(tool.offer.programs for tool in tools):
        params.append({"type": "programmatic_tool_calling"})
    if "tool_search" not in without and any(tool.offer.load_when_needed for tool in tools):
        params.append({"type": "tool_search"})
    return params


def without_refused_feature(
    body: JsonObject, refusal: RequestRefused, toolbox: Toolbox, refused_parameters: set[str]
) -> tuple[JsonObject, Note] | None:
    """Return the request's body without the refused feature, and a note; None if the refusal names none.

    The feature is added to ``refused_parameters``.
    """
    before = function_tools(toolbox, refused_parameters)
    if (feature := _refused_feature(body["tools"], refusal, before)) is None:
        return None
    refused_parameters.add(f"tools.{feature}")
    others = [tool for tool in body["tools"] if tool not in before]
    tools = function_tools(toolbox, refused_parameters) + others
    return {**body, "tools": tools}, Note(_NOTES[feature].with_params(refusal=refusal.text))


def _refused_feature(
    tools: list[JsonObject], refusal: RequestRefused, offered: list[JsonObject]
) -> Feature | None:
    if status_of(refusal) not in (400, 422):
        return None
    message = _whole_message(refusal)
    requested = {_TYPES[tool["type"]] for tool in offered if tool["type"] in _TYPES}
    position = re.search(r"\btools(?:\[|\.)(\d+)", message)
    if position and int(position[1]) < len(tools):
        kind = _TYPES.get(str(tools[int(position[1])].get("type")))
        if kind in requested:
            return kind
    named = (feature for feature in FEATURES if re.search(_WORDS[feature], message))
    return next((feature for feature in named if feature in requested), None)


def without_refused_tool(body: JsonObject, refusal: RequestRefused) -> tuple[JsonObject, Note] | None:
    """Return the request's body without the refused tool, and a note; None if the refusal names none."""
    message = _whole_message(refusal)
    position = re.search(r"\btools\[(\d+)\]", message)
    for index, tool in enumerate(body["tools"]):
        if tool["type"] == "function":
            continue
        names = [tool["type"], tool.get("server_label"), *tool.get("vector_store_ids", [])]
        is_named = any(name and re.search(rf"(?<![\w-]){re.escape(name)}", message) for name in names)
        if int(position[1]) != index if position else not is_named:
            continue
        reduced = {**body, "tools": [other for other in body["tools"] if other is not tool]}
        include = [field for field in reduced.pop("include", []) if not field.startswith(tool["type"])]
        if include:
            reduced["include"] = include
        return reduced, Note(
            N_(
                "The server rejected the tool {what}. The request was sent without it. {refusal}",
                what=tool.get("server_label") or tool["type"],
                refusal=refusal.text,
            )
        )
    return None


def _whole_message(refusal: RequestRefused) -> str:
    """Return the parameter that a server's response names and its body; "" if there was no response."""
    cause = refusal.__cause__
    return f"{cause.param or ''} {cause.message}" if isinstance(cause, openai.APIStatusError) else ""
