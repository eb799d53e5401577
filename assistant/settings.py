"""Settings: one frozen value, made once from mappings of names to texts.

Not here: reading files or the environment; whoever starts the application hands the mappings in.

The one rule: every variable is listed once, in ``VARIABLES``, with the sentence that explains it.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, cast, get_args
from urllib.parse import urlsplit

from assistant.access.auth import parse_allowed
from assistant.access.limits import Limit, parse_limits
from assistant.errors import SettingsError
from assistant.recordings.costs import has_price
from assistant.recordings.redaction import has_secret_query, secrets_of
from assistant.tools import hosted
from assistant.transports.fault_spec import parse_faults

OPENAI_URL = "https://api.openai.com/v1"

SHORTEST = 8
"""Characters of a password."""

EFFORTS = ("none", "minimal", "low", "medium", "high", "xhigh", "max")

ProtocolName = Literal["auto", "responses", "chat", "agents", "assistants"]

INSTRUCTIONS = (
    "You are a friendly trip planner. Use the functions for facts about time, weather, hotels and events, "
    "several at once where that helps, and say so when one of them fails. Answer in the person's language, "
    "briefly, in Markdown."
)

VARIABLES: dict[str, str] = {
    "OPENAI_API_KEY": "The key of your account; leave it out to use the built-in demo.",
    "OPENAI_BASE_URL": "Another server that speaks the Responses API, such as http://localhost:11434/v1.",
    "OPENAI_MODEL": "The model that answers (gpt-6-luna).",
    "OPENAI_REASONING_EFFORT": "none, minimal, low, medium, high, xhigh or max, where the model has it.",
    "OPENAI_AGENT_ID": "An agent of the Agents API, whose functions are looked up here by name.",
    "OPENAI_ASSISTANT_ID": "An assistant, for servers that still speak the Assistants API.",
    "ASSISTANT_PROTOCOL": "auto, responses, chat, agents or assistants (auto: found out by looking).",
    "ASSISTANT_NAME": "The name above the chat (Trip planner).",
    "ASSISTANT_INSTRUCTIONS": "What the model is told about its task.",
    "ASSISTANT_MAX_ROUNDS": "How many times one answer may ask for functions, 1 to 100 (10).",
    "ASSISTANT_TOOL_TIMEOUT": "Seconds a function may take, more than 0 and at most 3600 (30).",
    "ASSISTANT_CONTEXT_TOKENS": "Tokens the model can take in, for servers that cut silently (0: no limit).",
    "ASSISTANT_DATABASE_URL": "Where threads are kept: a database's URL (a SQLite file beside the page).",
    "ASSISTANT_FAULTS": "What to break on purpose, such as cut:5 or function.delay:get_weather:3 (nothing).",
    "ASSISTANT_TRANSCRIBE_MODEL": "The model that transcribes speech (gpt-transcribe, if at OpenAI).",
    "ASSISTANT_BACKGROUND": "1 lets answers go on at the server through a lost connection, where it can (0).",
    "ASSISTANT_HOSTED_TOOLS": "The server's own tools, such as web_search, mcp:wiki=https://… (none).",
    "ASSISTANT_PASSWORD": "What everybody types to come in, 8 characters or more (the page is open).",
    "ASSISTANT_ALLOWED": "Who may sign in, such as ada@example.org, @example.com; * for everybody who can.",
    "ASSISTANT_LIMIT_USER": "What each person may spend: 9 messages/minute, 100000 tokens/day, 1 USD/day.",
    "ASSISTANT_LIMIT_ALL": "What all of them together may spend, written in the same way (no limit).",
    "ASSISTANT_LOG": "text or json: logs a line for each run and each function (warnings alone).",
}


@dataclass(frozen=True, slots=True)
class Settings:
    """Everything that can be set from outside."""

    api_key: str = field(default="", repr=False)
    base_url: str = field(default="", repr=False)  # may hold a password
    model: str = "gpt-6-luna"
    effort: str = ""
    agent_id: str = ""
    assistant_id: str = ""
    protocol: ProtocolName = "auto"
    name: str = "Trip planner"
    instructions: str = INSTRUCTIONS
    max_rounds: int = 10
    tool_timeout: float = 30.0
    context: int = 0
    database_url: str = field(default="", repr=False)
    faults: str = ""
    transcribe_model: str = ""
    background: bool = False
    hosted_tools: str = ""
    password: str = field(default="", repr=False)
    allowed: tuple[str, ...] = ()
    limit_user: tuple[Limit, ...] = ()
    limit_all: tuple[Limit, ...] = ()
    log: Literal["", "text", "json"] = ""

    @property
    def demo(self) -> bool:
        """Whether there is nothing to connect to, so that the built-in stand-in answers."""
        return not self.api_key and not self.base_url

    @property
    def secrets(self) -> set[str]:
        """The texts in these settings that nobody may read."""
        headers = {"authorization": f"Bearer {self.api_key}"}
        known = secrets_of(self.base_url, headers) | secrets_of(self.database_url, {})
        return known | {self.password} - {""}

    @classmethod
    def load(cls, *sources: Mapping[str, Any]) -> "Settings":
        """Settings from mappings of variable names to values; for each name the first source wins.

        A value that is missing or blank counts as not set.

        Raises:
            SettingsError: A value cannot be used; the text names the variable, the value, the remedy.
        """

        def text(name: str) -> str:
            for source in sources:
                value = source.get(name)
                if value is not None and str(value).strip():
                    return str(value).strip()
            return ""

        default = cls()
        settings = cls(
            api_key=_key(text("OPENAI_API_KEY")),
            base_url=_url("OPENAI_BASE_URL", text("OPENAI_BASE_URL")),
            model=text("OPENAI_MODEL") or default.model,
            effort=_one_of(EFFORTS, "OPENAI_REASONING_EFFORT", text("OPENAI_REASONING_EFFORT")),
            agent_id=text("OPENAI_AGENT_ID"),
            assistant_id=text("OPENAI_ASSISTANT_ID"),
            protocol=cast(
                "ProtocolName",
                _one_of(get_args(ProtocolName), "ASSISTANT_PROTOCOL", text("ASSISTANT_PROTOCOL")) or "auto",
            ),
            name=text("ASSISTANT_NAME") or default.name,
            instructions=text("ASSISTANT_INSTRUCTIONS") or default.instructions,
            max_rounds=_whole(
                "ASSISTANT_MAX_ROUNDS", text("ASSISTANT_MAX_ROUNDS"), default.max_rounds, 1, 100
            ),
            tool_timeout=_seconds(
                "ASSISTANT_TOOL_TIMEOUT", text("ASSISTANT_TOOL_TIMEOUT"), default.tool_timeout, 3600
            ),
            context=_whole(
                "ASSISTANT_CONTEXT_TOKENS",
                text("ASSISTANT_CONTEXT_TOKENS"),
                default.context,
                0,
                100_000_000,
            ),
            database_url=text("ASSISTANT_DATABASE_URL"),
            faults=_faults(text("ASSISTANT_FAULTS")),
            transcribe_model=text("ASSISTANT_TRANSCRIBE_MODEL"),
            background=_flag("ASSISTANT_BACKGROUND", text("ASSISTANT_BACKGROUND"), default.background),
            hosted_tools=_hosted(text("ASSISTANT_HOSTED_TOOLS")),
            password=_password(text("ASSISTANT_PASSWORD")),
            allowed=_allowed(text("ASSISTANT_ALLOWED")),
            limit_user=_limits("ASSISTANT_LIMIT_USER", text("ASSISTANT_LIMIT_USER")),
            limit_all=_limits("ASSISTANT_LIMIT_ALL", text("ASSISTANT_LIMIT_ALL")),
            log=cast("Any", _one_of(("text", "json"), "ASSISTANT_LOG", text("ASSISTANT_LOG"))),
        )
        for protocol, name in (("agents", "OPENAI_AGENT_ID"), ("assistants", "OPENAI_ASSISTANT_ID")):
            if settings.protocol == protocol and not text(name):
                raise SettingsError(f"ASSISTANT_PROTOCOL is {protocol!r}, which needs {name} as well.")
        in_money = any(limit.unit == "USD" for limit in settings.limit_user + settings.limit_all)
        if in_money and not settings.has_price:
            raise SettingsError(
                f"A limit is in USD, but what {settings.model!r} costs there is not known here. "
                "Set tokens instead."
            )
        return settings

    @property
    def has_price(self) -> bool:
        """Whether it is known what an answer costs: a model of OpenAI's, asked at OpenAI."""
        of_its_own = self.agent_id or self.assistant_id
        return has_price(self.model) and not of_its_own and self.base_url in ("", OPENAI_URL)


def _key(value: str) -> str:
    # The value itself is never shown: it may be a key with a slip in it.
    if not value.isascii() or not value.isprintable() or set(value) & set(" \"'"):
        raise SettingsError(
            "OPENAI_API_KEY holds a space or a character that no key has. Copy the key again, "
            "in one piece and without quotes."
        )
    return value


def _one_of(allowed: tuple[str, ...], name: str, value: str) -> str:
    if value and value.lower() not in allowed:
        raise SettingsError(f"{name} is {_shown(value)}. Set one of {', '.join(allowed)}, or leave it out.")
    return value.lower()


def _url(name: str, value: str) -> str:
    if not value:
        return ""
    try:
        parts = urlsplit(value)
        usable = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        usable = False
    if not usable or not value.isprintable() or " " in value:
        raise SettingsError(
            f"{name} is {_shown(value)}, which is not an address. Write it with its scheme, "
            "such as http://localhost:11434/v1, or leave it out."
        )
    return value


def _hosted(value: str) -> str:
    try:
        return hosted.format_hosted_tools(hosted.parse_hosted_tools(value))
    except ValueError as error:
        raise SettingsError(f"ASSISTANT_HOSTED_TOOLS cannot be used. {error}") from None


def _password(value: str) -> str:
    if value and len(value) < SHORTEST:  # the value itself is never shown
        raise SettingsError(f"ASSISTANT_PASSWORD is too short. Set one of {SHORTEST} characters or more.")
    return value


def _allowed(value: str) -> tuple[str, ...]:
    try:
        return parse_allowed(value)
    except ValueError as error:
        raise SettingsError(
            f"ASSISTANT_ALLOWED holds {str(error)!r}. Set addresses and domains with commas between them, "
            "such as ada@example.org, @example.com."
        ) from None


def _limits(name: str, value: str) -> tuple[Limit, ...]:
    try:
        return parse_limits(value)
    except ValueError as error:
        raise SettingsError(f"{name} is {value!r}. {error}") from None


def _faults(value: str) -> str:
    try:
        parse_faults(value)
    except ValueError as error:
        raise SettingsError(f"ASSISTANT_FAULTS cannot be used. {error}") from None
    return value


def _whole(name: str, value: str, default: int, low: int, high: int) -> int:
    if not value:
        return default
    try:
        number = int(value)
    except ValueError:
        number = low - 1
    if not low <= number <= high:
        raise SettingsError(f"{name} is {_shown(value)}. Set a whole number from {low} to {high}.")
    return number


def _seconds(name: str, value: str, default: float, high: float) -> float:
    if not value:
        return default
    try:
        number = float(value)
    except ValueError:
        number = 0.0
    if not 0 < number <= high:
        raise SettingsError(
            f"{name} is {_shown(value)}. Set a number of seconds, more than 0 and at most {high:g}."
        )
    return number


def _flag(name: str, value: str, default: bool) -> bool:
    if not value:
        return default
    if value.lower() in ("1", "true", "yes", "on"):
        return True
    if value.lower() in ("0", "false", "no", "off"):
        return False
    raise SettingsError(f"{name} is {_shown(value)}. Set 1 or 0.")


def _shown(value: str) -> str:
    """A value that cannot be used, unless it seems to be a secret in the wrong place or with a slip in it."""
    if value.startswith("sk-"):
        return "a key"
    if "@" in value or has_secret_query(value):
        return "a text with a password or a key in it"
    return repr(value)
