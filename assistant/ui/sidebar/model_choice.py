"""The choice of a model from the list of a server's models, of its reasoning effort and of the transport."""

from dataclasses import dataclass, replace
from typing import get_args

import streamlit as st

from assistant.backends.connection.models import ListedModel, reasoning_efforts
from assistant.backends.connection.override import ConnectionOverride, form_text
from assistant.errors import BackendError
from assistant.settings import ResponsesTransport, Settings
from assistant.ui import keys
from assistant.ui.language import _
from assistant.ui.state import state_of

LIST_SECONDS = 5.0
"""How long the page waits for a list of models."""


@dataclass(frozen=True, slots=True)
class ModelList:
    """The models of a server, or why there are none."""

    server: ConnectionOverride
    models: list[ListedModel]
    error: str = ""


@dataclass(slots=True)
class ModelChoice:
    """The last list of models in this session, and which model was suggested for which server."""

    models: ModelList | None = None
    suggested: str | None = None
    suggested_for: ConnectionOverride | None = None


def draw_model(
    server: ConnectionOverride, connected: Settings, found: ModelList, default: str
) -> ConnectionOverride:
    """Draw the choice of a model and its reasoning effort in one row, and return the server with both.

    ``connected`` are the settings of the present connection, ``found`` are the server's models, and
    ``default`` is suggested while there are none.
    """
    is_same_server = server.has_same_server(connected) and not connected.demo
    models = [model.id for model in found.models]
    selected = _suggest_model(server, models or [default], connected, is_same_server)
    with st.container(horizontal=True):
        model = st.selectbox(
            _("Model"),
            [*models, *([selected] if selected and selected not in models else [])],
            key=keys.CONNECTION_MODEL,
            accept_new_options=True,
            placeholder=_("Enter a model name"),
        )
        model = (model or "").strip()
        effort = connected.effort if is_same_server and model == connected.model else ""
        if options := reasoning_efforts(model):
            if st.session_state.get(keys.CONNECTION_EFFORT) not in ("", *options):
                st.session_state[keys.CONNECTION_EFFORT] = effort if effort in options else ""
            effort = st.selectbox(
                _("Reasoning effort"),
                ["", *options],
                key=keys.CONNECTION_EFFORT,
                format_func=lambda option: option or _("Model default"),
            )
    return replace(server, model=model, effort=effort)


def draw_transport(chosen: ConnectionOverride, connected: Settings) -> ConnectionOverride:
    """Draw how responses are requested, and return the connection with it."""
    is_same_server = chosen.has_same_server(connected) and not connected.demo
    st.session_state.setdefault(
        keys.CONNECTION_TRANSPORT, connected.responses_transport if is_same_server else "http"
    )
    transport: ResponsesTransport = st.selectbox(
        _("Responses over"),
        get_args(ResponsesTransport),
        key=keys.CONNECTION_TRANSPORT,
        format_func=lambda name: {"http": "HTTP", "websocket": "WebSocket"}[name],
        help=_(
            "Only for the Responses API. A WebSocket connection stays open, and each request sends only what is "
            "new. Not every server has it."
        ),
    )
    return replace(chosen, transport=transport)


def _suggest_model(
    server: ConnectionOverride, listed: list[str], connected: Settings, is_same_server: bool
) -> str | None:
    """Select a likely model after the server has changed, unless the user has; return the selected one."""
    choice = state_of(ModelChoice)
    selected: str | None = st.session_state.get(keys.CONNECTION_MODEL)
    if selected and (choice.suggested_for == server or selected != choice.suggested):
        return selected
    likely = [connected.model] if is_same_server else []
    likely += [model for model in (selected, connected.model, Settings().model) if model in listed]
    choice.suggested = next(filter(None, likely + listed), None)
    choice.suggested_for = server
    if choice.suggested != selected:
        st.session_state[keys.CONNECTION_MODEL] = choice.suggested
    return choice.suggested


def forget_choice() -> None:
    """Let a model be suggested again, for another provider."""
    st.session_state.pop(keys.CONNECTION_MODEL, None)
    st.session_state.pop(keys.CONNECTION_TRANSPORT, None)


def known_models(server: ConnectionOverride) -> ModelList | None:
    """Return a server's models if they were fetched last."""
    models = state_of(ModelChoice).models
    return models if models and models.server == server else None


def fetch_model_list(server: ConnectionOverride) -> ModelList:
    """Return a server's models, fetched once until the server changes or ``forget_failure``."""
    if known := known_models(server):
        return known
    from assistant.backends.client import connect  # loads the SDK
    from assistant.backends.connection.model_list import fetch_models

    with st.spinner(_("Loading models…")), connect(server.settings(Settings())) as client:
        try:
            models = ModelList(server, fetch_models(client, LIST_SECONDS))
        except BackendError as error:
            models = ModelList(server, [], form_text(error))
    state_of(ModelChoice).models = models
    return models


def forget_failure() -> None:
    """Fetch the list of models again if that failed."""
    choice = state_of(ModelChoice)
    if choice.models and choice.models.error:
        choice.models = None
