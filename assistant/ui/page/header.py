"""The top of the page: title, what the page is, what answers, and warnings."""

from typing import Literal

import streamlit as st

from assistant.markdown.escape import escape_markdown
from assistant.session import ChatSession
from assistant.session.connection import DATABASE_UNUSABLE
from assistant.settings import Settings
from assistant.ui import keys
from assistant.ui.language import _, ngettext, translate
from assistant.ui.page.local_access import may_be_localhost
from assistant.ui.page.thread_url import set_thread_url
from assistant.ui.quotas import draw_demo_notice
from assistant.ui.sidebar.connection import describe_model, open_connection_dialog
from assistant.ui.state import page_state

ICON = "✈️"


def configure_page(settings: Settings) -> None:
    """Set the title of the page, and its layout: wide with the inspector beside the chat."""
    if settings.inspector == "off":
        page_state().inspector_open = False
    layout: Literal["wide", "centered"] = "wide" if page_state().inspector_open else "centered"
    st.set_page_config(page_title=translate(settings.name), page_icon=ICON, layout=layout)


def draw_header(session: ChatSession) -> None:
    """Draw the title, the inspector's switch, New chat (on a phone), what answers, and notices."""
    page = page_state()
    if session.open_error is None:  # else the address still names what could not be opened
        set_thread_url(session)
    with st.container(horizontal=True, vertical_alignment="center"):
        st.title(translate(session.connection.settings.name), anchor=False)
        if session.app.settings.inspector != "off":
            st.session_state[keys.INSPECTOR] = page.inspector_open
            st.toggle(
                _("Inspector"),
                key=keys.INSPECTOR,
                help=_("See requests and events, run functions, inject faults"),
                on_change=lambda: setattr(page, "inspector_open", st.session_state[keys.INSPECTOR]),
            )
        # With a fixed width, it is in the same line before and after the browser has loaded it.
        st.button(  # where the sidebar is closed at first
            _("New chat"),
            key=keys.NEW_CHAT_ON_PHONE,
            icon=":material/edit_square:",
            width=140,
            on_click=session.new,
        )
    _draw_model(session)
    _draw_changed_options(session)
    if session.connection.settings.faults:
        text = _("Active fault: {faults}", faults=escape_markdown(session.connection.settings.faults))
        st.warning(text, icon=":material/bug_report:")
    if error := session.app.autosaver.error:
        why = translate(error if session.connection.is_localhost else DATABASE_UNUSABLE)
        text = _("Chats are not being saved. {why}", why=escape_markdown(why))
        st.warning(text, icon=":material/database_off:")
    if session.thread_missing:
        st.info(_("That chat doesn't exist. Started a new one."))


def draw_open_error(session: ChatSession) -> None:
    """Draw why the thread in the address cannot be opened, and stop the script, if so."""
    if session.open_error is not None:
        text = session.connection.error_text(session.open_error)
        st.error(escape_markdown(translate(text)), icon=":material/error:")
        st.button(_("Retry"), key=keys.RETRY, icon=":material/refresh:")
        st.stop()


def _draw_model(session: ChatSession) -> None:
    settings = session.connection.settings
    about = _("An assistant that calls functions: watch the answer stream and inspect every call.")
    if settings.demo:
        st.caption(about)
        is_localhost = session.connection.is_localhost
        has_key = session.app.settings.api_key and not session.connection.override
        if has_key and not may_be_localhost(session.app.settings, is_localhost):
            draw_demo_notice()
        else:
            _draw_demo()
    else:
        options = session.thread.options.without(session.connection.fixed_options)
        model = escape_markdown(options.model or describe_model(settings))
        protocol = session.connection.protocol_label
        by = _("{model} over {protocol}", model=model, protocol=protocol) if protocol else model
        st.caption(f"{about} {_('Answers by {by}.', by=by)}")


def _draw_changed_options(session: ChatSession) -> None:
    """Draw that this chat's requests are not as in the settings; nothing if they are."""
    if count := len(session.thread.options.without(session.connection.fixed_options).changed):
        text = ngettext(
            "{count} request parameter of this chat differs from the settings.",
            "{count} request parameters of this chat differ from the settings.",
            count,
        )
        st.caption(f":material/tune: {text}")


def _draw_demo() -> None:
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        text = _("Demo mode: scripted replies, no model.")
        st.caption(f":material/science: {text}", width="content")
        st.button(
            _("Connect a model"),
            key=keys.DEMO_CONNECT,
            icon=":material/lan:",
            type="tertiary",
            width=140,
            on_click=open_connection_dialog,
        )
