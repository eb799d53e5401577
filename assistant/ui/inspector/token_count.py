"""What this chat's next request will hold: an estimate by parts, and the server's count on demand."""

from dataclasses import dataclass, field

import streamlit as st

from assistant.errors import BackendError
from assistant.locale import N_
from assistant.markdown.escape import escape_markdown
from assistant.messages import Message
from assistant.session import ChatSession
from assistant.session.next_request import count_request, estimate_request
from assistant.ui import keys
from assistant.ui.inspector.figures import draw_figures
from assistant.ui.language import _, translate
from assistant.ui.state import state_of

CANNOT_COUNT = N_("This server does not count tokens.")


@dataclass(slots=True)
class TokenCount:
    """The server's last count in this session, or why there is none, and the request that it is of."""

    request: object = field(default=None)
    text: str = ""


def draw_next_request(session: ChatSession) -> None:
    """Draw about how many tokens the next request has, by parts; a button has the server count them."""
    connection, waiting = session.connection, "\n".join(session.waiting)
    typed = st.session_state.get(keys.REQUEST_MESSAGE) or waiting
    message = Message.from_user(typed, session.composer.attachments)
    options = connection.options_of(session.thread)
    estimate = estimate_request(session.thread, message, options, connection.toolbox)
    st.markdown(_("**Next request** · about {count:,} tokens (estimate)", count=estimate.total))
    parts = {
        _("Instructions"): estimate.instructions,
        _("Functions"): estimate.functions,
        _("History"): estimate.history,
        _("Attachments"): estimate.attachments,
        _("Message"): estimate.message,
    }
    draw_figures((name, f"≈ {count:,}", "") for name, count in parts.items())
    st.text_input(_("Message to include"), key=keys.REQUEST_MESSAGE, placeholder=waiting or _("Ask anything"))
    # Each count is a request with an API key; a visitor makes none with the owner's key.
    if connection.backend.protocol not in ("auto", "responses") or "instructions" in connection.fixed_options:
        return
    counted = state_of(TokenCount)
    cursor = (session.thread.id, *session.thread.cursor)
    request = (cursor, session.thread.options, connection.settings, typed, len(message.attachments))
    if st.button(_("Count on the server"), key=keys.REQUEST_COUNT, icon=":material/calculate:"):
        with st.spinner(_("Counting…")):
            counted.request, counted.text = request, _count(session, message)
    if counted.request == request:
        st.caption(escape_markdown(counted.text))


def _count(session: ChatSession, message: Message) -> str:
    connection = session.connection
    options = session.thread.options.without(connection.fixed_options)
    try:
        count = count_request(connection.backend, session.thread, message, options, connection.toolbox)
    except BackendError as error:
        return translate(error.text)
    return translate(CANNOT_COUNT) if count is None else _("The server counts {count:,} tokens.", count=count)
