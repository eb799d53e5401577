"""Parse the texts of settings; an error says what to set instead, and shows no secret."""

import re
from collections.abc import Callable
from contextlib import suppress
from typing import Any
from urllib.parse import urlsplit

from assistant.access.auth import parse_allowed
from assistant.access.local import OFF
from assistant.errors import SettingsError
from assistant.locale import N_
from assistant.recordings.redaction import has_secret_query
from assistant.tools.hosted import format_hosted_tools, parse_hosted_tools
from assistant.transports.fault_spec import parse_faults

MIN_PASSWORD_CHARS = 8
MIN_TOKEN_CHARS = 16

Parser = Callable[[str], Any]
"""Returns the value of a setting from its text, or raises ``ValueError`` with what to set instead."""


def parse_key(text: str) -> str:
    if not text.isascii() or not text.isprintable() or set(text) & set(" \"'"):
        # The text itself is not shown: it may be a key with a typo.
        raise SettingsError(
            N_(
                "OPENAI_API_KEY contains a space or another character that no key contains. "
                "Copy the key again, in one piece and without quotes."
            )
        )
    return text


def parse_password(text: str) -> str:
    if len(text) < MIN_PASSWORD_CHARS:
        reason = N_(
            "ASSISTANT_PASSWORD is too short. Use at least {count} characters.", count=MIN_PASSWORD_CHARS
        )
        raise SettingsError(reason)
    return text


def parse_local_token(text: str) -> str:
    if text.lower() == OFF:
        return OFF
    if len(text) < MIN_TOKEN_CHARS or not re.fullmatch(r"[\w-]+", text, re.ASCII):
        # The text itself is not shown.
        raise SettingsError(
            N_(
                "ASSISTANT_LOCAL_TOKEN is not a token. Use at least {count} letters, digits, - and _, or off.",
                count=MIN_TOKEN_CHARS,
            )
        )
    return text


def parse_url(text: str) -> str:
    with suppress(ValueError):
        parts = urlsplit(text)
        is_url = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
        if is_url and text.isprintable() and " " not in text:
            return text
    raise ValueError(N_("Set a URL with its scheme, such as http://localhost:11434/v1, or leave it out."))


def choice_of(*choices: str) -> Parser:
    def parse(text: str) -> str:
        if text.lower() not in choices:
            raise ValueError(N_("Set one of {choices}, or leave it out.", choices=", ".join(choices)))
        return text.lower()

    return parse


def parse_flag(text: str) -> bool:
    if text.lower() in ("1", "true", "yes", "on"):
        return True
    if text.lower() in ("0", "false", "no", "off"):
        return False
    raise ValueError(N_("Set 1 or 0."))


def integer_between(low: int, high: int) -> Parser:
    def parse(text: str) -> int:
        with suppress(ValueError):
            if low <= (number := int(text)) <= high:
                return number
        raise ValueError(N_("Set a whole number from {low} to {high}.", low=low, high=high))

    return parse


def seconds_up_to(high: int) -> Parser:
    def parse(text: str) -> float:
        with suppress(ValueError):
            if 0 < (number := float(text)) <= high:
                return number
        raise ValueError(N_("Set a number of seconds, more than 0 and at most {high}.", high=high))

    return parse


def parse_duration(text: str) -> float:
    """Return the seconds of a text such as ``30 days``."""
    match = re.fullmatch(r"([1-9][0-9]{0,4}) *(hour|day)s?", text, re.IGNORECASE)
    if match is None:
        raise ValueError(N_("Set a number of days or hours, such as 30 days, or leave it out."))
    return int(match[1]) * (86_400.0 if match[2].lower() == "day" else 3600.0)


def parse_allowed_users(text: str) -> tuple[str, ...]:
    try:
        return parse_allowed(text)
    except ValueError as error:
        raise SettingsError(
            N_(
                "ASSISTANT_ALLOWED contains {entry}. Set addresses and domains, separated by commas, such as "
                "ada@example.org, @example.com.",
                entry=repr(str(error)),
            )
        ) from None


def parse_tools(text: str) -> str:
    try:
        return format_hosted_tools(parse_hosted_tools(text))
    except ValueError as error:  # the text itself is not shown: it may contain a key
        raise SettingsError(N_("ASSISTANT_HOSTED_TOOLS is invalid. {reason}", reason=error.args[0])) from None


def check_faults(text: str) -> str:
    parse_faults(text)
    return text


def shown_value(text: str) -> str:
    """Return an invalid value in quotes, unless it seems to contain a secret."""
    if text.startswith("sk-"):
        return "a key"
    if "@" in text or has_secret_query(text):
        return "a text with a password or a key in it"
    return repr(text)
