"""What answers a browser session: the settings in use, and the backend and functions that follow from them."""

import json
from contextlib import suppress
from dataclasses import replace

from assistant.access.auth import User
from assistant.access.metering import Meter
from assistant.access.quotas import QuotaGuard
from assistant.application import Application
from assistant.backends import LazyBackend
from assistant.backends.base import PROTOCOL_LABELS
from assistant.backends.connection.hosted_tools import connection_tools, default_tools
from assistant.backends.connection.override import ConnectionOverride
from assistant.backends.transcription import transcribe, transcription_model
from assistant.errors import AssistantError, LimitExceeded, StoreError
from assistant.events import Usage
from assistant.locale import N_, UserText
from assistant.observability.audit import Visitor
from assistant.request_options import RequestOptions
from assistant.runs.assistant import Assistant
from assistant.settings import INSTRUCTIONS, OPENAI_URL, Settings
from assistant.threads import Thread, unguessable_id
from assistant.tools.fault_injection import with_faults
from assistant.tools.hosted import HostedTool, format_hosted_tools
from assistant.tools.toolbox import Toolbox
from assistant.transports.fault_spec import parse_faults

DATABASE_UNUSABLE = N_("The database cannot be used right now.")
"""What visitors read of an error of the database."""

TEST_USAGE = Usage(input=30_000, output=1_000)
"""More than the small requests of a test use at any processing tier."""


class Connection:
    """The connection of one browser session. ``configure`` derives the second group from the first.

    Attributes:
        override: The connection that the user chose for this session instead of the configured one.
        faults: The faults to inject in this session, as text; None for the configured ones.
        tool_choices: The server's own tools that the user switched on or off, by the tool as text.
        approve_all: Whether the user decides on every call.
        user_id: The user's id; where users do not sign in, an id of this session.
        is_localhost: Whether the user is on the machine that serves the page.

        configured: The settings of the owner, as far as this visitor may use them.
        settings: The settings in use.
        toolbox: The functions, with faults injected.
        backend, assistant: What answers.
        quota: The guard of the user's limits; None without limits.
        fixed_options: The names of the request options that a chat may not change, because the owner pays.
    """

    def __init__(self, app: Application, user: User, visitor: Visitor) -> None:
        """``visitor`` identifies the user in the audit log."""
        self._app, self._visitor = app, visitor
        self.user_id = user.id or unguessable_id("visitor")
        self._private: tuple[Settings, LazyBackend] | None = None
        self.override: ConnectionOverride | None = None
        self.faults: str | None = None
        self.tool_choices: dict[str, bool] = {}
        self.approve_all = False
        self.configure()

    def configure(self, *, is_localhost: bool = False) -> None:
        """Update everything that depends on settings; called whenever the page runs."""
        self.is_localhost = is_localhost
        self.configured = self._app.settings.restricted(is_localhost)
        faults = self.configured.faults if self.faults is None else self.faults
        toolbox = self._app.toolbox
        with suppress(ValueError):  # a fault that is being typed
            toolbox = with_faults(toolbox, parse_faults(faults))
            self.configured = replace(self.configured, faults=faults)
        enabled = self.enabled_tools
        self.settings: Settings = replace(self.connected, hosted_tools=format_hosted_tools(enabled))
        self.toolbox: Toolbox = toolbox
        is_private = self.override or self.settings.faults or enabled != default_tools(self.connected)
        self.backend = self._private_backend() if is_private else self._app.backends.shared(self.settings)
        self.quota: QuotaGuard | None = self._app.quota(self.settings, self.user_id, self._audit_limit)
        self.fixed_options: frozenset[str] = self._fixed_options()
        self.assistant = Assistant(
            self.backend,
            toolbox,
            max_rounds=self.settings.max_rounds,
            tool_timeout=self.settings.tool_timeout,
            approve_all=self.approve_all,
            fixed_options=self.fixed_options,
            is_steered=self._app.is_steered,
        )

    @property
    def connected(self) -> Settings:
        """The settings with the user's connection, before the choice of tools."""
        return self.override.settings(self.configured) if self.override else self.configured

    @property
    def protocol_label(self) -> str:
        """The name of the connection's protocol for the page; empty until it is detected."""
        return PROTOCOL_LABELS[self.backend.protocol]

    @property
    def shows_source(self) -> bool:
        """Whether the user may see the functions' source, the owner's instructions and the server's address."""
        return self.is_localhost or self._app.settings.inspector == "all"

    def error_text(self, error: AssistantError) -> UserText:
        """Return what this user may read of an error; only local users learn where the database is and what is in it."""
        if isinstance(error, StoreError) and not self.is_localhost:
            return DATABASE_UNUSABLE
        return error.text

    @property
    def hidden_texts(self) -> frozenset[str]:
        """The owner's texts that recordings for this user leave out."""
        owner = self._app.settings
        texts = {owner.instructions, owner.base_url.rstrip("/")} - {INSTRUCTIONS, OPENAI_URL, ""}
        return frozenset() if self.shows_source else frozenset(texts)

    @property
    def can_transcribe(self) -> bool:
        """Whether this connection turns audio into text."""
        return bool(transcription_model(self.settings)) and not (self.quota and self.quota.has_budget)

    @property
    def enabled_tools(self) -> tuple[HostedTool, ...]:
        """The server's own tools that requests offer."""
        defaults = default_tools(self.connected)
        return tuple(
            tool
            for tool in connection_tools(self.connected)
            if self.tool_choices.get(str(tool), tool in defaults)
        )

    def meter(self, thread: Thread) -> Meter | None:
        """Return what counts the next run of a thread; None without limits."""
        if self.quota is None:
            return None
        options = self.options_of(thread)
        schemas = json.dumps([tool.as_param() for tool in self.toolbox.values()]) + options.schema
        quota = self.quota
        if quota.has_budget and quota.model:
            quota = replace(quota, model=options.model)
        return Meter(quota, thread, (options.instructions or "") + schemas)

    def options_of(self, thread: Thread) -> RequestOptions:
        """Return the parameters of the thread's next request: its own, over the settings'."""
        settings = self.settings
        return thread.options.without(self.fixed_options).over(
            RequestOptions(
                model=settings.requested_model,
                effort=settings.effort,
                max_output_tokens=settings.output_limit,
                instructions=settings.instructions,
            )
        )

    def _fixed_options(self) -> frozenset[str]:
        """Return what only the owner may change: what decides the price, and what the page is for."""
        own, used = self.configured, self.settings
        if used.demo or (used.base_url, used.api_key) != (own.base_url, own.api_key):
            return frozenset()
        if not self.is_localhost:
            return frozenset({"model", "effort", "service_tier", "instructions"})
        return frozenset({"service_tier"}) if self.quota else frozenset()  # its price is not counted

    def reserve_test(self, tested: ConnectionOverride) -> None:
        """Count a test of a connection with the owner's key where there is a budget.

        Raises:
            QuotaError: The budget does not allow it.
        """
        quota = self._app.quota(tested.settings(self.configured), self.user_id, self._audit_limit)
        if quota and quota.has_budget:
            quota.reserve(TEST_USAGE)

    def transcribe(self, audio: bytes) -> str:
        """Return the text of an audio file; raises ``BackendError`` or ``QuotaError``."""
        if self.quota:
            self.quota.reserve_audio(audio)
        return transcribe(self.settings, audio)

    def fetch_file(self, thread: Thread, container_id: str, file_id: str) -> bytes:
        """Return a file that the server's code created in a thread. It counts as a message.

        Raises:
            BackendError: The file is not available, or no response in the thread named it.
            QuotaError: A limit is reached.
        """
        if self.quota:
            self.quota.reserve(Usage(), messages=1)
        return self.backend.fetch_file(thread, container_id, file_id)

    def switch_tool(self, tool: HostedTool, on: bool) -> None:
        """Switch one of the server's own tools on or off for the rest of this session."""
        self.tool_choices[str(tool)] = on
        self.configure(is_localhost=self.is_localhost)

    def _audit_limit(self, error: LimitExceeded) -> None:
        self._app.audit.write("limit_reached", self._visitor, scope=error.scope, limit=error.limit)

    def _private_backend(self) -> LazyBackend:
        """Return this session's own backend; an earlier one may still answer, and closes itself later."""
        if self._private is None or self._private[0] != self.settings:
            self._private = self.settings, self._app.backends.private(self.settings)
        return self._private[1]
