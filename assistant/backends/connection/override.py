"""The connection that a user chose for a browser session instead of the configured one.

An API key is sent only to the server it was entered for, and appears in no text.
"""

from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import urlsplit

import httpx2

from assistant.errors import BackendError, SettingsError
from assistant.locale import N_, Sentence
from assistant.settings import OPENAI_URL, ResponsesTransport, Settings

_SERVER_SETTINGS = (
    "organization",
    "project",
    "headers",
    "agent_id",
    "assistant_id",
    "protocol",
    "context",
    "background",
    "hosted_tools",
    "limit_user",
    "limit_all",
    "budget",
    "max_output_tokens",
)
"""The settings that belong to one server and are reset when the server changes."""

INVALID_ADDRESS = N_("This is not a valid address. Include the scheme, such as http://localhost:11434/v1.")


@dataclass(frozen=True, slots=True)
class ConnectionOverride:
    """A connection chosen for one browser session; an empty ``base_url`` means OpenAI."""

    base_url: str = field(default="", repr=False)  # may contain a password
    api_key: str = field(default="", repr=False)
    model: str = ""
    effort: str = ""
    demo: bool = False
    transport: ResponsesTransport = field(default="http", repr=False)

    def settings(self, base: Settings) -> Settings:
        """Return ``base`` with this connection; settings that belong to another server are reset."""
        changes: dict[str, Any] = {
            "model": self.model or base.model,
            "effort": self.effort,
            "responses_transport": self.transport,
        }
        if not self.has_same_server(base):
            defaults = Settings()
            changes |= {"base_url": self.base_url, "api_key": self.api_key}
            changes |= {name: getattr(defaults, name) for name in _SERVER_SETTINGS}
        return replace(base, **changes)

    def has_same_server(self, settings: Settings) -> bool:
        """Return whether the settings use the same server with the same key."""
        return (self.base_url, self.api_key) == (settings.base_url, settings.api_key)

    def input_error(self) -> str:
        """Return one sentence about why this cannot be tried; empty if it can."""
        if self.demo:
            return ""
        if not self.base_url and not self.api_key:
            return N_("Enter your API key.")
        try:
            Settings.load({"OPENAI_BASE_URL": self.base_url})
            url = httpx2.URL(self.base_url or OPENAI_URL)
            if url.userinfo or not url.host:
                return N_("Remove the user name and password from the address and enter a key instead.")
        except (SettingsError, httpx2.InvalidURL, ValueError):
            return INVALID_ADDRESS
        try:
            Settings.load({"OPENAI_API_KEY": self.api_key})
        except SettingsError:
            return N_("The key contains a space or an invalid character. Copy it again, without quotes.")
        return ""


def display_host(base_url: str) -> str:
    """Return the host and port of a base URL without credentials; OpenAI's for an empty one."""
    return urlsplit(base_url or OPENAI_URL).netloc.rpartition("@")[2]


_FORM_FIELDS = {
    "OPENAI_API_KEY": N_("the key"),
    "OPENAI_BASE_URL": N_("the address"),
    "OPENAI_MODEL": N_("the model"),
}


def form_text(error: BackendError) -> str:
    """Return an error's text with form fields in place of environment variables."""
    text = error.text
    if not isinstance(text, Sentence):
        return text
    return text.with_params(
        **{name: _FORM_FIELDS.get(str(value), value) for name, value in text.params.items()}
    )
