"""The page, from top to bottom: sign-in, the open chat, header and sidebar, and the conversation."""

import streamlit as st

from assistant.ui.chat.conversation import conversation, draw_history
from assistant.ui.page.header import configure_page, draw_header, draw_open_error
from assistant.ui.page.local_access import configure_local_access, draw_local_access
from assistant.ui.page.login import require_login
from assistant.ui.page.styles import draw_styles
from assistant.ui.resources import application
from assistant.ui.sidebar.panel import draw_sidebar
from assistant.ui.state import chat_session, page_state

# What one process shares: settings, functions, storage, runs and recordings.
app = application()
configure_page(app.settings)

# The user of the page. For everyone who is not authorised, the script ends here.
login = require_login(app)

# The user's open chat, in ``st.session_state``: the thread's id, its messages as the history, and the choices
# made in this browser session. Another id in the URL opens another thread.
session = chat_session(app, login.user, login)
configure_local_access(session)
session.open(st.query_params.get("thread", ""))

# The page around the conversation. A message does not run this part again. The sidebar comes first, because
# it moves what is beside it.
draw_sidebar(session)
with st.container():
    draw_header(session)
    draw_local_access(app.settings, session.connection.is_localhost)
draw_open_error(session)

# The inspector beside the chat, if it is open, is drawn first: the conversation lasts until the answer has
# ended. The chat is always a column: Streamlit knows a fragment by its place, and a message to another place
# would be lost.
watch = None
chat, *panel = st.columns([5, 4] if page_state().inspector_open else 1, gap="large")
draw_styles()  # below the columns, so that nothing moves when they are loaded
if panel:
    from assistant.ui.inspector.panel import draw_inspector  # not loaded until it is opened

    with panel[0]:
        watch = draw_inspector(session)

# The conversation: the older messages, and a fragment with the newest ones, the live answer and the input. It
# feeds the generator of the answer's events into ``st.write_stream``.
with chat:
    with st.container():
        draw_history(session)
    conversation(session, watch)

# The page is complete, so this delays nothing.
app.load_sdk()
app.freeze_gc()
