"""A Streamlit page with nothing on it: what Streamlit itself costs."""

import streamlit as st

st.write("")
