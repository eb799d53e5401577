"""The connection in the sidebar, and the dialog that chooses another one for this browser session.

An API key that is entered here stays in this session: it appears in no text and no address, and is never sent
back to the browser. Only users on the machine that serves the page may connect it to an address of their own.
"""

from dataclasses import dataclass, replace

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from assistant.backends import protocol_of
from assistant.backends.connection.local_servers import LocalServer, find_local_servers
from assistant.backends.connection.override import INVALID_ADDRESS, ConnectionOverride, display_host
from assistant.errors import QuotaError
from assistant.locale import N_
from assistant.markdown.escape import escape_markdown
from assistant.session import ChatSession
from assistant.session.connection import Connection
from assistant.settings import Settings
from assistant.ui import keys
from assistant.ui.language import _, translate
from assistant.ui.page.login import require_open
from assistant.ui.quotas import draw_limit_notice
from assistant.ui.sidebar.connection_test import draw_last_test, run_test
from assistant.ui.sidebar.model_choice import (
    ModelList,
    draw_model,
    draw_transport,
    fetch_model_list,
    forget_choice,
    forget_failure,
    known_models,
)
from assistant.ui.state import state_of

PROVIDERS = {
    "configured": N_("From .env"),
    "demo": N_("Demo"),
    "openai": "OpenAI",
    "local": N_("Local server"),
    "url": N_("Custom URL"),
}


@dataclass(slots=True)
class ConnectionDialog:
    """What the dialog remembers in this session."""

    is_open: bool = False
    local_servers: list[LocalServer] | None = None


def open_connection_dialog() -> None:
    """Open the dialog: the callback of a button, anywhere on the page."""
    state_of(ConnectionDialog).is_open = True
    st.rerun()  # the page, also for a button in a fragment


def draw_connection(session: ChatSession) -> None:
    """Draw what is connected, and the dialog while it is open."""
    connection = session.connection
    st.button(
        _("Connection"),
        key=keys.CONNECTION_OPEN,
        icon=":material/lan:",
        width="stretch",
        on_click=open_connection_dialog,
    )
    texts = [_describe(connection.connected), connection.protocol_label]
    st.caption(escape_markdown(" · ".join(filter(None, texts))))
    if state_of(ConnectionDialog).is_open:  # a rerun of the page would close it otherwise
        st.dialog(_("Connection"), on_dismiss=_close)(_draw_dialog)(session)


def _close() -> None:
    state_of(ConnectionDialog).is_open = False


def _describe(settings: Settings) -> str:
    if settings.demo:
        return _("Built-in demo")
    address = display_host(settings.base_url)
    return _("{model} at {address}", model=describe_model(settings), address=address)


def describe_model(settings: Settings) -> str:
    """Return the model that answers, or the agent or assistant, which has a model of its own."""
    match protocol_of(settings):
        case "agents":
            return _("agent {id}", id=settings.agent_id)
        case "assistants":
            return _("assistant {id}", id=settings.assistant_id)
    return settings.model


def _draw_dialog(session: ChatSession) -> None:
    require_open(session)
    connection = session.connection
    provider = _draw_provider(connection)
    if provider == "local" and not _local_servers():
        st.caption(_("No local server found on the default ports of Ollama, LM Studio, llama.cpp and vLLM."))
        st.button(
            _("Refresh"), key=keys.CONNECTION_REFRESH, icon=":material/refresh:", on_click=_forget_servers
        )
        return
    inputs, results = st.form(keys.CONNECTION_FORM, border=False), st.container(gap="xxsmall")
    with inputs:
        chosen = _draw_inputs(provider, connection, results)
    if chosen is not None:
        configured = connection.configured
        connection.override = None if chosen.settings(configured) == configured else chosen
        connection.backend.detect_again()
        _close()
        st.rerun()


def _draw_inputs(provider: str, connection: Connection, results: DeltaGenerator) -> ConnectionOverride | None:
    """Draw the form of a provider and its results, and return the connection that the user wants to use.

    Everything is committed by one of the two buttons, or by Enter, which presses the first one.
    """
    configured = connection.configured
    chosen = server = _draw_server(provider, connection)
    problem = server.input_error() if provider != "configured" else ""
    if provider == "url" and not server.base_url:
        problem = INVALID_ADDRESS
    # Each test costs the owner something, so visitors may not choose a model of the owner's connection or
    # test it.
    is_owners = provider == "configured" and not configured.demo and not connection.is_localhost
    models, is_clear = ModelList(server, []), True
    if provider == "configured" and (is_owners or configured.demo):
        transport = configured.responses_transport
        chosen = replace(server, model=configured.model, effort=configured.effort, transport=transport)
    elif not server.demo:
        # A server that was entered a moment ago is used at once only if it answers and the model is clear.
        is_known = bool(problem) or known_models(server) is not None
        typed = bool(st.session_state.get(keys.CONNECTION_MODEL))
        if not problem:
            with results:
                models = fetch_model_list(server)
        is_clear = is_known or (not models.error and (typed or len(models.models) == 1))
        chosen = _draw_model(server, provider, connection, models)
    with st.container(horizontal=True):
        used = st.form_submit_button(_("Use this connection"), key=keys.CONNECTION_USE, type="primary")
        tested = st.form_submit_button(
            _("Test"),
            key=keys.CONNECTION_TEST,
            icon=":material/network_check:",
            disabled=is_owners,
            on_click=_look_again,
            args=(connection,),
        )
    if not problem and not chosen.model and not chosen.demo:
        problem = models.error or N_("Choose or enter a model.")
    with results:
        if problem and (tested or used):
            st.error(f":small[{escape_markdown(translate(problem))}]", icon=":material/error:")
        elif tested:
            try:
                connection.reserve_test(chosen)
            except QuotaError as error:
                draw_limit_notice(error)
            else:
                run_test(chosen, configured)
        elif used and is_clear:
            return chosen
        elif not draw_last_test(chosen):
            _draw_remarks(chosen, models)
    return None


def _draw_model(
    server: ConnectionOverride, provider: str, connection: Connection, models: ModelList
) -> ConnectionOverride:
    """Draw the choice of one of these models, and of the transport, and return the server with both."""
    default = Settings().model if provider == "openai" else ""
    chosen = draw_model(server, connection.connected, models, default)
    if provider != "local" and protocol_of(chosen.settings(connection.configured)) in ("auto", "responses"):
        chosen = draw_transport(chosen, connection.connected)
    return chosen


def _look_again(connection: Connection) -> None:
    """Forget what was found out about the server: a test often follows a change there."""
    forget_failure()
    connection.backend.detect_again()


def _draw_remarks(connection: ConnectionOverride, models: ModelList) -> None:
    """Draw why there is no list of models, or what to know about the selected one."""
    warning = next((model.warning for model in models.models if model.id == connection.model), "")
    for text, icon in ((models.error, ":material/warning:"), (warning, ":material/event_busy:")):
        if text:
            st.warning(f":small[{escape_markdown(translate(text))}]", icon=icon)


def _draw_provider(connection: Connection) -> str:
    providers = [name for name in PROVIDERS if connection.is_localhost or name not in ("local", "url")]
    if st.session_state.get(keys.CONNECTION) not in providers:
        provider = _provider_in_use(connection)
        st.session_state[keys.CONNECTION] = provider if provider in providers else "configured"
    return st.radio(
        _("Provider"),
        providers,
        format_func=lambda name: translate(PROVIDERS[name]),
        key=keys.CONNECTION,
        horizontal=True,
        on_change=forget_choice,
    )


def _provider_in_use(connection: Connection) -> str:
    used = connection.override
    if used is None or (used.has_same_server(connection.configured) and not used.demo):
        return "configured"
    if used.demo:
        return "demo"
    if not used.base_url:
        return "openai"
    local = [server.base_url for server in _local_servers()] if connection.is_localhost else []
    return "local" if used.base_url in local and not used.api_key else "url"


# --- the server -------------------------------------------------------------------------------------


def _draw_server(provider: str, connection: Connection) -> ConnectionOverride:
    """Draw the inputs of one provider, and return its server, still without a model."""
    match provider:
        case "demo":
            return ConnectionOverride(demo=True)
        case "configured":
            configured = connection.configured
            st.caption(escape_markdown(_describe(configured)))
            return ConnectionOverride(configured.base_url, configured.api_key, demo=configured.demo)
        case "openai":
            key = _draw_api_key(_("API key"), keys.CONNECTION_API_KEY, "", connection.override)
            return ConnectionOverride(api_key=key)
        case "local":
            return _draw_local_server(connection)
    used = connection.override
    entered = used.base_url if used and _provider_in_use(connection) == "url" else ""
    st.session_state.setdefault(keys.CONNECTION_URL, entered)
    url = st.text_input(
        _("Base URL"), key=keys.CONNECTION_URL, placeholder="http://localhost:11434/v1"
    ).strip()
    key = _draw_api_key(_("API key (optional)"), keys.CONNECTION_URL_API_KEY, url, used)
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


def _draw_local_server(connection: Connection) -> ConnectionOverride:
    servers = {server.name: server for server in _local_servers()}
    if st.session_state.get(keys.CONNECTION_LOCAL) not in servers:
        current = connection.override
        used = [name for name, server in servers.items() if current and server.base_url == current.base_url]
        st.session_state[keys.CONNECTION_LOCAL] = [*used, *servers][0]
    name = st.selectbox(
        _("Server"),
        servers,
        key=keys.CONNECTION_LOCAL,
        format_func=lambda name: f"{name} ({display_host(servers[name].base_url)})",
    )
    return ConnectionOverride(servers[name].base_url)


def _local_servers() -> list[LocalServer]:
    """Return the servers on this machine, looked up once in a session until a refresh."""
    dialog = state_of(ConnectionDialog)
    if dialog.local_servers is None:
        dialog.local_servers = find_local_servers()
    return dialog.local_servers


def _forget_servers() -> None:
    state_of(ConnectionDialog).local_servers = None
