"""The one object that all sessions of this process share."""

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import streamlit as st
from streamlit.errors import StreamlitSecretNotFoundError

from assistant.application import Application
from assistant.errors import FunctionError, SettingsError
from assistant.markdown.escape import escape_markdown
from assistant.ui.language import translate
from assistant.ui.streamlit_private import harden_server


def application() -> Application:
    """Return the application with the current settings and functions; draw what is wrong with them, if so."""
    app = _application(Path(sys.modules["__main__"].__file__ or "").parent)
    try:
        app.configure(_secrets())
    except (SettingsError, FunctionError) as error:
        st.set_page_config(page_title="Assistant")
        st.error(escape_markdown(translate(error.text)), icon=":material/error:")
        st.stop()
    return app


def refresh(app: Application) -> None:
    """Read the settings again if that is due; for what runs without the page."""
    app.refresh(_secrets)


def _is_current(app: Application) -> bool:
    """Return whether the object belongs to the package as Streamlit reloaded it after an edit."""
    return type(app) is sys.modules["assistant.application"].Application


@st.cache_resource(show_spinner=False, validate=_is_current, on_release=lambda app: app.close())
def _application(folder: Path) -> Application:
    harden_server()
    return Application(folder)


def _secrets() -> Mapping[str, Any]:
    """Return Streamlit's secrets; empty where there is no file of them."""
    try:
        return st.secrets.to_dict()
    except StreamlitSecretNotFoundError as error:
        if error.error_id == "no-secrets-found":
            return {}
        raise SettingsError(f"Streamlit's secrets cannot be read. {error}") from error
