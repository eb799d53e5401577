"""The state of the page in one browser session."""

from streamlit.testing.v1 import AppTest


def test_a_state_is_created_once_in_a_session_under_one_key() -> None:
    def script() -> None:
        from collections import Counter

        import streamlit as st

        from assistant.ui.state import state_of

        class Reloaded:  # another class each time, as after an edit
            runs = 0

        state_of(Counter)["runs"] += 1
        state_of(Reloaded).runs += 1
        st.text(f"{state_of(Counter)['runs']} {state_of(Reloaded).runs} {list(st.session_state)}")

    page = AppTest.from_function(script).run()
    assert page.text[0].value == "1 1 ['page']"
    assert page.run().text[0].value == "2 1 ['page']"
    assert AppTest.from_function(script).run().text[0].value == "1 1 ['page']"
