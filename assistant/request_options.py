"""The parameters of one chat's requests, as far as they differ from the settings."""

import json
from collections.abc import Container
from dataclasses import dataclass, fields, replace
from typing import Any

from assistant.json_values import is_too_deep
from assistant.locale import N_
from assistant.texts import is_sendable, shorten

MAX_INSTRUCTIONS_CHARS = 200_000
"""Maximum length of a chat's own instructions: about 50,000 tokens."""

MAX_SCHEMA_CHARS = 50_000
"""Maximum length of the JSON schema of the answers."""

MAX_MODEL_CHARS = 200

MIN_OUTPUT_TOKENS = 16
"""Minimum of ``max_output_tokens`` that the Responses API accepts."""

MAX_OUTPUT_TOKENS = 100_000_000


CHOICES = {
    "effort": ("none", "minimal", "low", "medium", "high", "xhigh", "max"),
    "summary": ("none", "auto", "concise", "detailed"),
    "verbosity": ("low", "medium", "high"),
    "tool_choice": ("none", "required"),
    "service_tier": ("default", "flex", "priority", "ultrafast"),
    "text_format": ("json_object", "json_schema"),
}
"""The values of the options that have a fixed set of them; "" leaves the option to the settings."""


@dataclass(frozen=True, slots=True)
class RequestOptions:
    """What a chat's requests change; a field with its default leaves the parameter as the settings have it.

    Attributes:
        model: The model that answers.
        effort: The reasoning effort.
        summary: The summary of the reasoning; "none" requests no summary.
        verbosity: How much the model writes.
        max_output_tokens: The maximum size of a response; never above the settings' own limit.
        tool_choice: Whether the model may, must or must not call a tool.
        functions: The names of the functions that the model may call; None for all.
        parallel_calls: Whether the model may call several functions at once.
        service_tier: The processing tier.
        text_format: The format of the answer; "" is text.
        schema: The JSON schema of the answer, as text, with the format "json_schema".
        instructions: The instructions in place of the settings'; "" for none at all.
        cache_diagnostics: Whether the server compares each request with the one before it, see
            ``prompt_cache_diagnostics``.
    """

    model: str = ""
    effort: str = ""
    summary: str = ""
    verbosity: str = ""
    max_output_tokens: int = 0
    tool_choice: str = ""
    functions: tuple[str, ...] | None = None
    parallel_calls: bool | None = None
    service_tier: str = ""
    text_format: str = ""
    schema: str = ""
    instructions: str | None = None
    cache_diagnostics: bool = False

    @property
    def changed(self) -> tuple[str, ...]:
        """The names of the fields that do not leave their parameter to the settings."""
        return tuple(field.name for field in fields(self) if getattr(self, field.name) != field.default)

    def without(self, names: Container[str]) -> "RequestOptions":
        """Return the options with the defaults of these fields."""
        defaults: dict[str, Any] = {
            field.name: field.default for field in fields(self) if field.name in names
        }
        return replace(self, **defaults) if defaults else self

    def over(self, settings: "RequestOptions") -> "RequestOptions":
        """Return the parameters to send: this chat's, and the settings' where it changes nothing.

        The settings' limit of the output is never exceeded.
        """
        merged = replace(settings, **{name: getattr(self, name) for name in self.changed})
        limits = [limit for limit in (self.max_output_tokens, settings.max_output_tokens) if limit]
        return replace(merged, max_output_tokens=min(limits, default=0))

    def allows(self, function: str) -> bool:
        """Return whether the model may call the function with this name."""
        return self.functions is None or function in self.functions


def check_options(options: RequestOptions) -> None:
    """Raise ``ValueError`` with one sentence if options cannot be sent, such as those of an imported chat."""
    for name, choices in CHOICES.items():
        if (value := getattr(options, name)) not in ("", *choices):
            raise ValueError(N_("{value} is no value of {name}.", value=shorten(value, 40), name=name))
    if options.max_output_tokens and not MIN_OUTPUT_TOKENS <= options.max_output_tokens <= MAX_OUTPUT_TOKENS:
        raise ValueError(
            N_(
                "The output limit is a number from {least} to {most:,}.",
                least=MIN_OUTPUT_TOKENS,
                most=MAX_OUTPUT_TOKENS,
            )
        )
    texts = [options.model, options.instructions or "", options.schema, *(options.functions or ())]
    if not all(map(is_sendable, texts)) or len(options.model) > MAX_MODEL_CHARS:
        raise ValueError(N_("The request has characters that cannot be sent."))
    check_instructions(options.instructions or "")
    if options.schema:
        parse_schema(options.schema)


def check_instructions(text: str) -> None:
    """Raise ``ValueError`` with one sentence if instructions are too long to be sent with every request."""
    if len(text) > MAX_INSTRUCTIONS_CHARS:
        raise ValueError(
            N_(
                "The instructions have {count:,} characters. At most {limit:,} are sent with each request.",
                count=len(text),
                limit=MAX_INSTRUCTIONS_CHARS,
            )
        )


def parse_schema(text: str) -> dict[str, Any]:
    """Return the JSON schema in a text.

    Raises:
        ValueError: The text is not a JSON object; the message says where.
    """
    if len(text) > MAX_SCHEMA_CHARS:
        raise ValueError(
            N_(
                "The schema has {count:,} characters. It may have up to {limit:,}.",
                count=len(text),
                limit=MAX_SCHEMA_CHARS,
            )
        )
    try:
        schema = json.loads(text, parse_constant=_refuse_constant)
    except json.JSONDecodeError as error:
        raise ValueError(
            N_(
                "The schema is not JSON. Line {line}, column {column}: {problem}.",
                line=error.lineno,
                column=error.colno,
                problem=error.msg,
            )
        ) from None
    except (ValueError, RecursionError):  # NaN, a number of 5,000 digits, or a thousand brackets
        raise ValueError(N_("The schema is not JSON.")) from None
    if is_too_deep(schema):
        raise ValueError(N_("The schema is nested too deeply."))
    if not isinstance(schema, dict):
        example = '{"type": "object"}'
        raise ValueError(N_("The schema is not a JSON object, such as {example}.", example=example))
    if not is_sendable(json.dumps(schema, ensure_ascii=False)):
        raise ValueError(N_("The schema has characters that cannot be sent."))
    return schema


def _refuse_constant(name: str) -> None:
    raise ValueError(name)
