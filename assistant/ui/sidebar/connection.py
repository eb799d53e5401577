"""The connection panel in the sidebar: what is connected, and another connection for this browser session.

An API key that is entered here stays in this session: it appears in no text and no address, and is never sent
back to the browser. Only users on the machine that serves the page may connect it to an address of their own.
"""

from dataclasses import dataclass, field, replace

import streamlit as st

from assistant.backends.connection.local_servers import LocalServer, find_local_servers
from assistant.backends.connection.override import ConnectionOverride, display_host
from assistant.locale import N_
from assistant.markdown.escape import escape_markdown
from assistant.settings import Settings
from assistant.ui import keys
from assistant.ui.language import _, translate
from assistant.ui.sidebar.connection_test import draw_last_test, run_test
from assistant.ui.sidebar.model_choice import draw_model, draw_refresh, forget_models
from assistant.ui.state import state_of

PROVIDERS = {
    "configured": N_("From .env"),
    "demo": N_("Demo"),
    "openai": "OpenAI",
    "local": N_("Local server"),
    "url": N_("Custom URL"),
}


@dataclass(slots=True)
class ConnectionPanel:
    """What the panel remembers in this session."""

    local_servers: list[LocalServer] | None = None
    close: bool = False
    """Whether to close the panel in the next run, after a connection was chosen."""


@dataclass(frozen=True, slots=True)
class _Form:
    """What the panel is drawn from; ``localhost``: the user is on the machine that serves the page."""

    configured: Settings
    current: ConnectionOverride | None
    localhost: bool
    local_servers: list[LocalServer] = field(default_factory=list)

    @property
    def connected(self) -> Settings:
        return self.current.settings(self.configured) if self.current else self.configured

    def provider_of_current(self) -> str:
        current = self.current
        if current is None or (current.has_same_server(self.configured) and not current.demo):
            return "configured"
        if current.demo:
            return "demo"
        if not current.base_url:
            return "openai"
        is_local = any(server.base_url == current.base_url for server in self.local_servers)
        return "local" if is_local and not current.api_key else "url"


def draw_connection(
    settings: Settings, current: ConnectionOverride | None, protocol: str, *, localhost: bool
) -> ConnectionOverride | None:
    """Draw the panel, and return the connection to use from now on; None for that of the settings.

    ``protocol`` is the label of the connected server's protocol. The caller keeps the connection in the
    session only, and runs the script again if it has changed.
    """
    state = state_of(ConnectionPanel)
    if state.close:
        st.session_state[keys.CONNECTION_PANEL] = False
        state.close = False
    form = _Form(settings, current, localhost)
    panel = st.expander(_("Connection"), key=keys.CONNECTION_PANEL, icon=":material/lan:", on_change="rerun")
    st.caption(escape_markdown(" · ".join(filter(None, [_describe(form.connected), protocol]))))
    if not panel.open:
        return current
    with panel, st.container(gap="small"):
        chosen = _draw_form(form)
    if chosen is None:
        return current
    state.close = True
    connection = None if chosen.settings(settings) == settings else chosen
    if connection == current:
        st.rerun()  # only the panel has to be closed
    return connection


def _describe(settings: Settings) -> str:
    if settings.demo:
        return _("Built-in demo")
    return _("{model} at {address}", model=settings.model, address=display_host(settings.base_url))


def _draw_form(form: _Form) -> ConnectionOverride | None:
    """Draw the choice of a connection, and return it once the user wants to use it."""
    if form.localhost:
        form = replace(form, local_servers=_local_servers())
    provider = _draw_provider(form)
    server = _draw_server(provider, form)
    problem = server.input_error() if server and provider != "configured" else ""
    connection = server
    if server and not server.demo and (provider != "configured" or form.localhost):
        connection = draw_model(server, form.connected, listed=not problem, refreshable=provider != "local")
    elif server and provider == "configured":
        connection = replace(server, model=form.configured.model, effort=form.configured.effort)
    # Each test costs the owner something, so visitors may not test the owner's connection.
    is_owners = provider == "configured" and not form.configured.demo and not form.localhost
    tested = st.button(
        _("Test"),
        key=keys.CONNECTION_TEST,
        icon=":material/network_check:",
        width="stretch",
        disabled=not connection or is_owners,
    )
    results = st.container(gap="xxsmall")
    used = st.button(
        _("Use this connection"),
        key=keys.CONNECTION_USE,
        type="primary",
        width="stretch",
        disabled=not connection,
    )
    if connection is None:
        return None
    if not problem and not connection.model and not connection.demo:
        problem = N_("Choose or enter a model.")
    with results:
        if problem and (tested or used):
            st.error(f":small[{escape_markdown(translate(problem))}]", icon=":material/error:")
            return None
        if tested:
            run_test(connection, form.configured)
        else:
            draw_last_test(connection)
    return connection if used else None


def _draw_provider(form: _Form) -> str:
    providers = [name for name in PROVIDERS if form.localhost or name not in ("local", "url")]
    if st.session_state.get(keys.CONNECTION) not in providers:
        provider = form.provider_of_current()
        st.session_state[keys.CONNECTION] = provider if provider in providers else "configured"
    return st.radio(
        _("Provider"), providers, format_func=lambda name: translate(PROVIDERS[name]), key=keys.CONNECTION
    )


# --- the server -------------------------------------------------------------------------------------


def _draw_server(provider: str, form: _Form) -> ConnectionOverride | None:
    """Draw the inputs of one provider, and return its server, still without a model."""
    match provider:
        case "demo":
            return ConnectionOverride(demo=True)
        case "configured":
            st.caption(escape_markdown(_describe(form.configured)))
            return ConnectionOverride(
                form.configured.base_url, form.configured.api_key, demo=form.configured.demo
            )
        case "openai":
            key = _draw_api_key(_("API key"), keys.CONNECTION_API_KEY, "", form.current)
            return ConnectionOverride(api_key=key)
        case "local":
            return _draw_local_server(form)
    entered = form.current.base_url if form.current and form.provider_of_current() == "url" else ""
    st.session_state.setdefault(keys.CONNECTION_URL, entered)
    url = st.text_input(
        _("Base URL"), key=keys.CONNECTION_URL, placeholder="http://localhost:11434/v1"
    ).strip()
    key = _draw_api_key(_("API key (optional)"), keys.CONNECTION_URL_API_KEY, url, form.current)
    return ConnectionOverride(url, key)


def _draw_api_key(label: str, key: str, base_url: str, current: ConnectionOverride | None) -> str:
    """Draw the input of an API key, and return the entered key, else the one in use with this server."""
    used = current.api_key if current and not current.demo and current.base_url == base_url else ""
    entered = st.text_input(
        label,
        key=key,
        type="password",
        autocomplete="off",
        placeholder=_("The key in use") if used else None,
        help=_("Kept only for this browser session."),
    ).strip()
    return entered or used


def _draw_local_server(form: _Form) -> ConnectionOverride | None:
    servers = {server.name: server for server in form.local_servers}
    if not servers:
        st.caption(_("No local server found on the default ports of Ollama, LM Studio, llama.cpp and vLLM."))
        draw_refresh(_forget_local_servers)
        return None
    if st.session_state.get(keys.CONNECTION_LOCAL) not in servers:
        used = [
            name
            for name, server in servers.items()
            if form.current and server.base_url == form.current.base_url
        ]
        st.session_state[keys.CONNECTION_LOCAL] = [*used, *servers][0]
    name = st.selectbox(
        _("Server"),
        servers,
        key=keys.CONNECTION_LOCAL,
        format_func=lambda name: f"{name} ({display_host(servers[name].base_url)})",
    )
    draw_refresh(_forget_local_servers)
    return ConnectionOverride(servers[name].base_url)


def _local_servers() -> list[LocalServer]:
    """Return the servers on this machine, looked up once in a session until a refresh."""
    panel = state_of(ConnectionPanel)
    if panel.local_servers is None:
        panel.local_servers = find_local_servers()
    return panel.local_servers


def _forget_local_servers() -> None:
    state_of(ConnectionPanel).local_servers = None
    forget_models()
