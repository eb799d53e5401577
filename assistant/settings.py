"""Settings: one frozen value, loaded from mappings such as the environment.

Each setting is one field of ``Settings``, with its variable, its explanation and its parser.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any, Literal, get_args

from assistant.access.limits import Limit, parse_budget, parse_limits
from assistant.access.local import OFF
from assistant.errors import SettingsError
from assistant.locale import N_
from assistant.recordings.costs import costs_tokens_only, has_price
from assistant.recordings.redaction import secrets_of
from assistant.request_options import CHOICES, MAX_OUTPUT_TOKENS, MIN_OUTPUT_TOKENS
from assistant.setting_parsers import (
    Parser,
    check_faults,
    choice_of,
    integer_between,
    parse_allowed_users,
    parse_duration,
    parse_flag,
    parse_key,
    parse_local_token,
    parse_password,
    parse_tools,
    parse_url,
    seconds_up_to,
    shown_value,
)

OPENAI_URL = "https://api.openai.com/v1"

MAX_ROUNDS = 100
MAX_TOOL_SECONDS = 3600

DEFAULT_MAX_OUTPUT_TOKENS = 16_384
"""The maximum size of a response where tokens or USD are limited, unless a setting says another."""

INSTRUCTIONS = (
    "You are a friendly trip planner. Use the functions for facts about time, weather, hotels and events, "
    "several at once where that helps, and say so when one of them fails. Answer in the user's language, "
    "briefly, in Markdown."
)

ProtocolName = Literal["auto", "responses", "chat", "agents", "assistants"]

ResponsesTransport = Literal["http", "websocket"]
"""How responses of the Responses API are requested."""

# --- settings ---------------------------------------------------------------------------------------


def _setting(
    variable: str, explanation: str, default: Any = "", parse: Parser = str, *, secret: bool = False
) -> Any:
    """Return a field of ``Settings``; a secret is not part of its ``repr``."""
    metadata = {"variable": variable, "explanation": explanation, "parse": parse}
    return field(default=default, repr=not secret, metadata=metadata)


@dataclass(frozen=True, slots=True)
class Settings:
    """Everything that can be configured. Explanations end with the default in parentheses."""

    api_key: str = _setting(
        "OPENAI_API_KEY",
        "API key of the model's server; without it, the demo answers.",
        "",
        parse_key,
        secret=True,
    )
    base_url: str = _setting(
        "OPENAI_BASE_URL",
        "URL of a server other than OpenAI's, such as http://localhost:11434/v1.",
        "",
        parse_url,
        secret=True,  # it may contain a password
    )
    organization: str = _setting("OPENAI_ORG_ID", "Organization for requests to this server (none).")
    project: str = _setting("OPENAI_PROJECT_ID", "Project for requests to this server (none).")
    headers: str = _setting(
        "OPENAI_CUSTOM_HEADERS",
        "More headers for requests to this server, one Name: value per line (none).",
        "",
        secret=True,
    )
    model: str = _setting("OPENAI_MODEL", "Model that answers (gpt-6-luna).", "gpt-6-luna")
    effort: str = _setting(
        "OPENAI_REASONING_EFFORT",
        "none, minimal, low, medium, high, xhigh or max, as far as the model supports it.",
        "",
        choice_of(*CHOICES["effort"]),
    )
    agent_id: str = _setting(
        "OPENAI_AGENT_ID", "Agent of the Agents API; its functions are found here by name."
    )
    assistant_id: str = _setting(
        "OPENAI_ASSISTANT_ID", "Assistant, for servers that still support the Assistants API."
    )
    protocol: ProtocolName = _setting(  # noqa: RUF009
        "ASSISTANT_PROTOCOL",
        "auto, responses, chat, agents or assistants (auto: detected).",
        "auto",
        choice_of(*get_args(ProtocolName)),
    )
    name: str = _setting("ASSISTANT_NAME", "Title of the page (Trip planner).", N_("Trip planner"))
    instructions: str = _setting("ASSISTANT_INSTRUCTIONS", "Instructions for the model.", INSTRUCTIONS)
    max_rounds: int = _setting(
        "ASSISTANT_MAX_ROUNDS",
        "Maximum number of responses per answer, 1 to 100 (10).",
        10,
        integer_between(1, MAX_ROUNDS),
    )
    tool_timeout: float = _setting(
        "ASSISTANT_TOOL_TIMEOUT",
        "Timeout of a function call in seconds, more than 0 and at most 3600 (30).",
        30.0,
        seconds_up_to(MAX_TOOL_SECONDS),
    )
    context: int = _setting(
        "ASSISTANT_CONTEXT_TOKENS",
        "Context size of the model in tokens: longer chats are compacted by OpenAI, or cut (0: unlimited).",
        0,
        integer_between(0, 100_000_000),
    )
    database_url: str = _setting(
        "ASSISTANT_DATABASE_URL",
        "URL of the database that stores chats (a SQLite file beside the page).",
        secret=True,
    )
    retention: float = _setting(
        "ASSISTANT_RETENTION",
        "How long chats stay after their last change, such as 30 days or 12 hours (until they are deleted).",
        0.0,
        parse_duration,
    )
    faults: str = _setting(
        "ASSISTANT_FAULTS",
        "Faults to inject, such as cut:5 or function.delay:get_weather:3 (none).",
        "",
        check_faults,
    )
    transcribe_model: str = _setting(
        "ASSISTANT_TRANSCRIBE_MODEL", "Model that transcribes speech (gpt-transcribe at OpenAI)."
    )
    responses_transport: ResponsesTransport = _setting(  # noqa: RUF009
        "ASSISTANT_RESPONSES_TRANSPORT",
        "http, or websocket: responses over a connection that stays open, where the server has it (http).",
        "http",
        choice_of(*get_args(ResponsesTransport)),
    )
    background: bool = _setting(
        "ASSISTANT_BACKGROUND",
        "1: answers continue on the server when the connection is lost, if it supports that (0).",
        False,
        parse_flag,
    )
    hosted_tools: str = _setting(
        "ASSISTANT_HOSTED_TOOLS",
        "Tools that the server runs, such as web_search, mcp:wiki=https://… (none).",
        "",
        parse_tools,
    )
    password: str = _setting(
        "ASSISTANT_PASSWORD",
        "Password that all users share, at least 8 characters (none: the page is open).",
        "",
        parse_password,
        secret=True,
    )
    allowed: tuple[str, ...] = _setting(
        "ASSISTANT_ALLOWED",
        "Users who may sign in, such as ada@example.org, @example.com; * for everyone who can sign in.",
        (),
        parse_allowed_users,
    )
    local_token: str = _setting(
        "ASSISTANT_LOCAL_TOKEN",
        "Token that proves a visitor to be on this machine, at least 16 characters; off: no visitor is (random).",
        "",
        parse_local_token,
        secret=True,
    )
    limit_user: tuple[Limit, ...] = _setting(
        "ASSISTANT_LIMIT_USER",
        "Usage limits per user, such as 9 messages/minute, 100000 tokens/day, 1 USD/day (none).",
        (),
        parse_limits,
    )
    limit_all: tuple[Limit, ...] = _setting(
        "ASSISTANT_LIMIT_ALL",
        "Usage limits for all users together, in the same format (none).",
        (),
        parse_limits,
    )
    budget: tuple[Limit, ...] = _setting(
        "ASSISTANT_BUDGET",
        "What your key may cost at most, yourself included, such as 20 USD/month or 2 USD/day (none).",
        (),
        parse_budget,
    )
    max_output_tokens: int = _setting(
        "ASSISTANT_MAX_OUTPUT_TOKENS",
        "Maximum size of a response in tokens, reasoning included (16384 where tokens or USD are limited).",
        0,
        integer_between(MIN_OUTPUT_TOKENS, MAX_OUTPUT_TOKENS),
    )
    max_answers: int = _setting(
        "ASSISTANT_MAX_ANSWERS",
        "Maximum number of answers in progress in one process, 1 to 10000 (500); each user has at most 10.",
        500,
        integer_between(1, 10_000),
    )
    log: Literal["", "text", "json"] = _setting(
        "ASSISTANT_LOG",
        "text or json: log a line per run and per function call (only warnings).",
        "",
        choice_of("text", "json"),
    )
    audit_log: str = _setting(
        "ASSISTANT_AUDIT_LOG",
        "File for a line of JSON per login, refusal, export, deletion and so on; or stderr (none).",
    )
    inspector: Literal["", "all", "off"] = _setting(
        "ASSISTANT_INSPECTOR",
        "off: no inspector; all: visitors may also see source code, instructions and address (only localhost).",
        "",
        choice_of("all", "off"),
    )
    map_tiles: bool = _setting(
        "ASSISTANT_MAP_TILES",
        "1: maps show streets, which the browser of each visitor loads from CARTO (0: a grid of degrees).",
        False,
        parse_flag,
    )
    metrics_port: int = _setting(
        "ASSISTANT_METRICS_PORT",
        "Port that serves the metrics of the runs to Prometheus, at /metrics (none).",
        0,
        integer_between(1, 65535),
    )

    @classmethod
    def load(cls, *sources: Mapping[str, Any]) -> "Settings":
        """Return settings from mappings of variables to values; for each variable the first source wins.

        A missing or blank value is not set.

        Raises:
            SettingsError: A value is invalid; the message names the variable, the value and the remedy.
        """
        values = {}
        for setting in fields(cls):
            variable, parse = setting.metadata["variable"], setting.metadata["parse"]
            texts = (str(source[variable]).strip() for source in sources if source.get(variable) is not None)
            text = next(filter(None, texts), "")
            try:
                if text:
                    values[setting.name] = parse(text)
            except ValueError as error:
                reason = error.args[0] if error.args else ""
                raise SettingsError(
                    N_("{name} is {value}. {reason}", name=variable, value=shown_value(text), reason=reason)
                ) from None
        settings = cls(**values)
        settings._check()
        return settings

    def _check(self) -> None:
        """Raise ``SettingsError`` if settings do not fit each other."""
        for protocol, identifier in (("agents", "agent_id"), ("assistants", "assistant_id")):
            if self.protocol == protocol and not getattr(self, identifier):
                needed = {item.name: item.metadata["variable"] for item in fields(self)}[identifier]
                text = N_(
                    "ASSISTANT_PROTOCOL is {protocol}, which needs {name}.", protocol=protocol, name=needed
                )
                raise SettingsError(text)
        limits = self.limit_user + self.limit_all
        if any(limit.unit == "USD" for limit in limits) and not self.has_price:
            text = N_(
                "A limit is in USD, but the price of {model} is unknown. Limit tokens instead.",
                model=self.model,
            )
            raise SettingsError(text)
        if self.budget and not (self.has_price and costs_tokens_only(self.model)):
            text = N_(
                "ASSISTANT_BUDGET is set, but the price of {model} is unknown, so nothing could be sent. Set "
                "OPENAI_MODEL to a model with a list price at OpenAI, or remove ASSISTANT_BUDGET.",
                model=self.model,
            )
            raise SettingsError(text)
        if self.budget and self.hosted_tools:
            text = N_(
                "ASSISTANT_BUDGET and ASSISTANT_HOSTED_TOOLS are set, but what these tools cost is not known in "
                "advance. Remove one of them."
            )
            raise SettingsError(text)

    def restricted(self, is_localhost: bool) -> "Settings":
        """Return the settings for a visitor, without the owner's connection if nothing says who may use it.

        A password, a list of users or a limit on all users says so. Local visitors may always use it.
        """
        is_allowed = is_localhost or self.password or self.allowed or self.limit_all
        if is_allowed or not self.has_key:
            return self
        return replace(self, api_key="", base_url="", organization="", project="", headers="")

    @property
    def has_key(self) -> bool:
        """Whether requests are charged to the owner: there is a key, also one in the server's address."""
        return bool(self.api_key or secrets_of(self.base_url, {}))

    @property
    def output_limit(self) -> int:
        """The maximum size of a response in tokens; 0 for the server's own."""
        limits = self.limit_user + self.limit_all + self.budget
        is_limited = any(limit.unit != "messages" for limit in limits)
        return self.max_output_tokens or (DEFAULT_MAX_OUTPUT_TOKENS if is_limited else 0)

    @property
    def uses_websocket(self) -> bool:
        """Whether responses arrive over a WebSocket; not with a budget, for a message could make one cost more."""
        return self.responses_transport == "websocket" and not self.budget

    @property
    def demo(self) -> bool:
        """Whether no server is configured, so that the built-in demo answers."""
        return not self.api_key and not self.base_url

    @property
    def owners_headers(self) -> dict[str, str]:
        """The headers that identify the owner to their server, besides the key, in lower case."""
        pairs = (line.partition(":") for line in self.headers.splitlines() if ":" in line)
        named = {"openai-organization": self.organization, "openai-project": self.project}
        return {name: value for name, value in named.items() if value} | {
            name.strip().lower(): value.strip() for name, _, value in pairs
        }

    @property
    def requested_model(self) -> str:
        """The model that requests name; that of the demo is called Demo."""
        return "Demo" if self.demo else self.model

    @property
    def secrets(self) -> set[str]:
        """The texts in these settings that must not be shown."""
        headers = {"authorization": f"Bearer {self.api_key}"}
        texts = secrets_of(self.base_url, headers) | secrets_of(self.database_url, self.owners_headers)
        return texts | ({self.password, self.local_token} - {"", OFF})

    @property
    def has_price(self) -> bool:
        """Whether the cost of an answer is known: an OpenAI model at OpenAI, chosen here."""
        is_chosen_here = not self.agent_id and not self.assistant_id
        return has_price(self.model) and is_chosen_here and self.base_url in ("", OPENAI_URL)
