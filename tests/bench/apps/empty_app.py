"""An empty Streamlit page: the cost of Streamlit itself."""

import streamlit as st

st.write("")
