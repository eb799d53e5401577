"""The choice of a model and its reasoning effort, from the list of a server's models."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import streamlit as st

from assistant.backends.connection.models import ListedModel, reasoning_efforts
from assistant.backends.connection.override import ConnectionOverride, form_text
from assistant.errors import BackendError
from assistant.markdown.escape import escape_markdown
from assistant.settings import Settings
from assistant.ui import keys
from assistant.ui.language import _, translate
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
    """The last list of models in this session, and the server that the selected model was suggested for."""

    models: ModelList | None = None
    suggested_for: ConnectionOverride | None = None


def draw_model(
    server: ConnectionOverride, connected: Settings, *, listed: bool, refreshable: bool
) -> ConnectionOverride:
    """Draw the choice of a model and its reasoning effort, and return the server with both.

    ``listed`` says whether the server can be asked for its models, ``refreshable`` whether to offer to ask
    again after a failure. ``connected`` are the settings of the present connection.
    """
    is_same_server = server.has_same_server(connected) and not connected.demo
    with st.container(gap=None):  # always one element, so that the list below does not move while typing
        found = _models(server) if listed else ModelList(server, [])
    models = {model.id: model for model in found.models}
    selected = _suggest_model(server, list(models), connected, is_same_server)
    model = st.selectbox(
        _("Model"),
        [*models, *([selected] if selected and selected not in models else [])],
        key=keys.CONNECTION_MODEL,
        accept_new_options=True,
        placeholder=_("Enter a model name"),
    )
    if found.error:
        st.caption(f":material/warning: {escape_markdown(translate(found.error))}")
        if refreshable:
            draw_refresh(forget_models)
    if model in models and (warning := models[model].warning):
        st.warning(f":small[{escape_markdown(translate(warning))}]", icon=":material/event_busy:")
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


def _suggest_model(
    server: ConnectionOverride, listed: list[str], connected: Settings, is_same_server: bool
) -> str | None:
    """Select a likely model after the server has changed; return the selected one."""
    choice = state_of(ModelChoice)
    selected: str | None = st.session_state.get(keys.CONNECTION_MODEL)
    if selected and choice.suggested_for == server:
        return selected
    default = Settings().model
    likely = [connected.model] if is_same_server else []
    likely += [model for model in (selected, connected.model, default) if model in listed]
    likely += listed or ([] if server.base_url else [default])
    suggested = next(filter(None, likely), None)
    if suggested != selected:  # assigning the same value again would discard what is being typed
        st.session_state[keys.CONNECTION_MODEL] = suggested
    choice.suggested_for = server
    return suggested


def _models(server: ConnectionOverride) -> ModelList:
    """Return a server's models, fetched once until the server changes or a refresh."""
    choice = state_of(ModelChoice)
    if choice.models and choice.models.server == server:
        return choice.models
    from assistant.backends.client import connect  # loads the SDK
    from assistant.backends.connection.model_list import fetch_models

    with st.spinner(_("Loading models…")), connect(server.settings(Settings())) as client:
        try:
            choice.models = ModelList(server, fetch_models(client, LIST_SECONDS))
        except BackendError as error:
            choice.models = ModelList(server, [], form_text(error))
    return choice.models


def forget_models() -> None:
    """Forget the list of models, so that it is fetched again."""
    state_of(ModelChoice).models = None


def draw_refresh(forget: Callable[[], None]) -> None:
    """Draw the button that looks up servers or models again."""
    st.button(
        _("Refresh"),
        key=keys.CONNECTION_REFRESH,
        type="tertiary",
        icon=":material/refresh:",
        on_click=forget,
    )
