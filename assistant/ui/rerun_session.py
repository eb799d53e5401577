"""A page that is drawn again although its script does not run: from any thread, for any session.

``st.rerun`` works only within a script. A browser that is connected is asked for nothing here: what it sees
changes as if it had asked.

The one rule: what is not public in Streamlit is used here and nowhere else; a test pins it.
"""

from streamlit.runtime import exists, get_instance


def rerun_session(session_id: str) -> None:
    """Run the script of this session once more, with what its widgets hold; nothing if it is gone."""
    session = get_instance().get_app_session(session_id) if exists() else None
    if session is not None:
        session._call_soon_on_event_loop(lambda: session.request_rerun(session._client_state))
