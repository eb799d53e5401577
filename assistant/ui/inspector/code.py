"""The code tab: the last message and its request, as code that needs only the SDK."""

from dataclasses import replace

import streamlit as st

from assistant.codegen.curl import curl_command
from assistant.codegen.functions import stubs_in
from assistant.codegen.script import turn_script
from assistant.markdown.escape import escape_markdown
from assistant.recordings.requests import answer_request_of, base_url_of
from assistant.session import ChatSession
from assistant.tools.toolbox import Toolbox
from assistant.ui.language import _, ngettext


def draw_code(session: ChatSession) -> None:
    """Draw a script that repeats the last message, and the last recorded request as a command for curl."""
    questions = [message.text for message in session.history if message.role == "user"]
    if not questions:
        st.caption(_("Send a message to see it here as code that needs only the SDK."))
        return
    called = {call.name for message in session.history[-1:] for call in message.calls}
    toolbox = Toolbox(*(tool for tool in session.connection.toolbox.values() if tool.name in called))
    uses_chat = session.connection.backend.protocol == "chat"
    settings = replace(session.connection.settings, protocol="chat" if uses_chat else "responses")
    st.caption(
        _(
            "Your last message with the SDK alone: the loop, and the functions that were called. It needs "
            "your API key in the environment."
        )
    )
    script = turn_script(settings, toolbox, questions[-1])
    if stubs := stubs_in(script):
        text = ngettext(
            "{names} is only a stub here, because it uses other parts of the project. Complete it before you "
            "run the script.",
            "{names} are only stubs here, because they use other parts of the project. Complete them before "
            "you run the script.",
            len(stubs),
            names=", ".join(map(escape_markdown, stubs)),
        )
        st.warning(text, icon=":material/construction:")
    st.code(script, language="python", wrap_lines=True)
    if session.recordings and (request := answer_request_of(session.recordings[-1])):
        st.caption(_("One request as it was sent"))
        command = curl_command(request, base_url_of(session.recordings[-1]))
        st.code(command, language="bash", wrap_lines=True)
