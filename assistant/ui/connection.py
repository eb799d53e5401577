"""The connection, in the sidebar: what answers, and the choice of something else for this browser session.

Not here: what there is to choose (``backends/connection``) and whether it works (``findings.py``).

The one rule: a key that is typed here stays in this session: it is in no text, no address, and it is never
sent back to the browser. Only on the machine that serves the page a person may send that machine to an
address of their own; see ``sidebar.is_localhost``.
"""

from dataclasses import replace

import streamlit as st

from assistant.backends.connection.local_servers import LocalServer, find_local_servers
from assistant.backends.connection.models import ListedModel, reasoning_efforts
from assistant.backends.connection.override import ConnectionOverride, display_host, form_text
from assistant.errors import BackendError
from assistant.locale import N_
from assistant.settings import Settings
from assistant.ui import sidebar
from assistant.ui.chat.tool_call import plain
from assistant.ui.connection_test import draw_findings, try_out
from assistant.ui.language import _, translate

KINDS = {
    "configured": N_("As configured"),
    "demo": N_("Demo"),
    "openai": "OpenAI",
    "local": N_("A server on this machine"),
    "url": N_("Another address"),
}
LOOK = 5.0
"""Seconds that the page waits for a list of models."""


def draw_connection(
    settings: Settings, current: ConnectionOverride | None, found: str
) -> ConnectionOverride | None:
    """Draw the panel; the choice that holds from now on, None for the settings as they are.

    ``found`` says in a few words how the server that is connected is spoken to. The caller keeps the choice,
    in the session's state and nowhere else, and draws the page again when it is another one.
    """
    if st.session_state.pop("connection_used", False):
        st.session_state.connection_panel = False
    now = current.settings(settings) if current else settings
    panel = st.expander(_("Connection"), key="connection_panel", icon=":material/lan:", on_change="rerun")
    st.caption(plain(" · ".join(filter(None, [_name(now), found]))))
    if not panel.open:
        return current
    with panel, st.container(gap="small"):
        choice = _draw_form(settings, current, now)
    if choice is None:
        return current
    st.session_state.connection_used = True
    chosen = None if choice.settings(settings) == settings else choice
    if chosen == current:
        st.rerun()  # there is nothing to do but to close the panel
    return chosen


def _name(settings: Settings) -> str:
    if settings.demo:
        return _("Built-in demo")
    return _("{model} at {address}", model=settings.model, address=display_host(settings.base_url))


def _draw_form(
    settings: Settings, current: ConnectionOverride | None, now: Settings
) -> ConnectionOverride | None:
    """Draw what can be chosen; the choice, once the person wants to use it."""
    kinds = [kind for kind in KINDS if sidebar.is_localhost() or kind not in ("local", "url")]
    servers = _local_servers() if "local" in kinds else []
    if st.session_state.get("connection") not in kinds:
        kind = _kind_of(settings, current, servers)
        st.session_state.connection = kind if kind in kinds else "configured"
    kind = st.radio(_("Answers come from"), kinds, format_func=_kind_in_words, key="connection")
    choice = _draw_server(kind, settings, current, servers)
    problem = choice.input_error() if choice and kind != "configured" else ""
    if choice and not choice.demo and (kind != "configured" or sidebar.is_localhost()):
        choice = _draw_model(choice, now, listed=not problem)
    elif choice and kind == "configured":
        choice = replace(choice, model=settings.model, effort=_effort(settings))
    # That costs something each time, which visitors shall not spend of the owner's.
    owners = kind == "configured" and not settings.demo and not sidebar.is_localhost()
    testing = st.button(
        _("Test"),
        key="connection_test",
        icon=":material/network_check:",
        width="stretch",
        disabled=not choice or owners,
    )
    between = st.container(gap="xxsmall")
    using = st.button(
        _("Use this connection"),
        key="connection_use",
        type="primary",
        width="stretch",
        disabled=not choice,
    )
    if choice is None:
        return None
    if not problem and not choice.model and not choice.demo:
        problem = _("Choose a model, or type the name of one.")
    with between:
        if problem and (testing or using):
            st.error(f":small[{plain(translate(problem))}]", icon=":material/error:")
            return None
        if testing:
            try_out(choice, settings)
        else:
            draw_findings(choice)
    return choice if using else None


def _kind_in_words(kind: str) -> str:
    return _(KINDS[kind])


def _kind_of(settings: Settings, current: ConnectionOverride | None, servers: list[LocalServer]) -> str:
    """The option that a choice is one of."""
    if current is None:
        return "configured"
    if current.demo:
        return "demo"
    if current.has_same_server(settings):
        return "configured"
    if not current.base_url:
        return "openai"
    local = any(each.base_url == current.base_url for each in servers) and not current.api_key
    return "local" if local else "url"


def _draw_server(
    kind: str, settings: Settings, current: ConnectionOverride | None, servers: list[LocalServer]
) -> ConnectionOverride | None:
    """Draw what one option needs; the server that is meant by it, without a model yet."""
    match kind:
        case "demo":
            return ConnectionOverride(demo=True)
        case "configured":
            st.caption(plain(_name(settings)))
            return ConnectionOverride(settings.base_url, settings.api_key, demo=settings.demo)
        case "openai":
            return ConnectionOverride(api_key=_draw_key("connection_key", "", current))
        case "local":
            return _draw_local(current, servers)
    before = current.base_url if current and _kind_of(settings, current, servers) == "url" else ""
    st.session_state.setdefault("connection_url", before)
    url = st.text_input(_("Base URL"), key="connection_url", placeholder="http://localhost:11434/v1")
    url = url.strip()
    return ConnectionOverride(url, _draw_key("connection_url_key", url, current))


def _draw_key(key: str, base_url: str, current: ConnectionOverride | None) -> str:
    """Draw the input of a key; what is typed, or else the key that is in use with this server."""
    used = current.api_key if current and not current.demo and current.base_url == base_url else ""
    typed = st.text_input(
        _("Key") if key == "connection_key" else _("Key, if it asks for one"),
        key=key,
        type="password",
        autocomplete="off",
        placeholder=_("The one in use") if used else None,
        help=_("It is kept for this browser session only, and forgotten with it."),
    ).strip()
    return typed or used


def _draw_local(current: ConnectionOverride | None, servers: list[LocalServer]) -> ConnectionOverride | None:
    by_name = {each.name: each for each in servers}
    if by_name:
        if st.session_state.get("connection_local") not in by_name:
            used = (each.name for each in servers if current and each.base_url == current.base_url)
            st.session_state.connection_local = next(used, servers[0].name)
        name = st.selectbox(
            _("Server"),
            by_name,
            key="connection_local",
            format_func=lambda each: f"{each} ({display_host(by_name[each].base_url)})",
        )
    else:
        st.caption(
            _("None was found. Ollama, LM Studio, llama.cpp and vLLM are looked for at their usual ports.")
        )
        name = None
    _draw_again()
    return ConnectionOverride(by_name[name].base_url) if name else None


def _draw_again() -> None:
    st.button(
        _("Look again"),
        key="connection_again",
        type="tertiary",
        icon=":material/refresh:",
        on_click=_forget,
    )


def _forget() -> None:
    """Forget what was found, so that it is looked for again."""
    for name in ("connection_servers", "connection_models"):
        st.session_state.pop(name, None)


def _draw_model(server: ConnectionOverride, now: Settings, listed: bool) -> ConnectionOverride:
    """Draw the choice of a model of this server; the choice with it."""
    same = server.has_same_server(now) and not now.demo
    with st.container(gap=None):  # one place in any case, so that the list below stays where somebody types
        found, words = _models(server) if listed else ([], "")
    by_id = {model.id: model for model in found}
    chosen: str | None = st.session_state.get("connection_model")
    if not chosen or st.session_state.get("connection_model_of") != server:
        usual = Settings().model
        likely = [now.model if same else "", *(each for each in (chosen, now.model, usual) if each in by_id)]
        likely += [*by_id] or ([] if server.base_url else [usual])
        chosen = next(filter(None, likely), None)
        # Setting what is set already would take away what is being typed.
        if chosen != st.session_state.get("connection_model"):
            st.session_state.connection_model = chosen
        st.session_state.connection_model_of = server
    model = st.selectbox(
        _("Model"),
        [*by_id, *([chosen] if chosen and chosen not in by_id else [])],
        key="connection_model",
        accept_new_options=True,
        placeholder=_("Type the name of a model"),
    )
    if words:
        st.caption(f":material/warning: {plain(words)}")
        if st.session_state.connection != "local":
            _draw_again()
    if model in by_id and (warning := by_id[model].warning):
        st.warning(f":small[{plain(warning)}]", icon=":material/event_busy:")
    model = (model or "").strip()
    effort = _effort(now) if same and model == now.model else ""
    if options := reasoning_efforts(model):
        if st.session_state.get("connection_effort") not in ("", *options):
            st.session_state.connection_effort = effort if effort in options else ""
        effort = st.selectbox(
            _("Reasoning effort"),
            ["", *options],
            key="connection_effort",
            format_func=lambda each: each or _("The model's own"),
        )
    return replace(server, model=model, effort=effort)


def _effort(settings: Settings) -> str:
    return str(getattr(settings, "effort", ""))


def _local_servers() -> list[LocalServer]:
    """The servers of this machine, looked for once in a session until somebody asks to look again."""
    if "connection_servers" not in st.session_state:
        st.session_state.connection_servers = find_local_servers()
    servers: list[LocalServer] = st.session_state.connection_servers
    return servers


def _models(server: ConnectionOverride) -> tuple[list[ListedModel], str]:
    """A server's models, or none and why; asked once, until another server or somebody asks to look again."""
    kept = st.session_state.get("connection_models")
    if kept and kept[0] == server:
        return kept[1], kept[2]
    from assistant.backends.client import connect  # loads the SDK
    from assistant.backends.connection.model_list import fetch_models

    found: list[ListedModel] = []
    words = ""
    with st.spinner(_("Looking for models")), connect(server.settings(Settings())) as client:
        try:
            found = fetch_models(client, LOOK)
        except BackendError as error:
            words = form_text(error)
    st.session_state.connection_models = server, found, words
    return found, words
