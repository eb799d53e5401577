"""Streamlit's own chat tutorial on the Responses API, without any tuning.

``?turns=200`` in the address gives the chat a history for the benchmark.
"""

import streamlit as st
from openai import OpenAI

from tests.bench.answers import answer

client = OpenAI()
if "messages" not in st.session_state:
    turns = int(st.query_params.get("turns", 0))
    messages = [("user", "tokens=50 rate=0 turn=0"), ("assistant", "".join(answer(50, 0)))] * turns
    st.session_state.messages = [{"role": role, "content": text} for role, text in messages]

for message in st.session_state.messages:
    with st.chat_message(message["role"]):
        st.markdown(message["content"])

if prompt := st.chat_input("Ask anything"):
    st.session_state.messages.append({"role": "user", "content": prompt})
    with st.chat_message("user"):
        st.markdown(prompt)
    with st.chat_message("assistant"):
        stream = client.responses.create(model="gpt-6-luna", input=st.session_state.messages, stream=True)
        text = st.write_stream(stream)
    st.session_state.messages.append({"role": "assistant", "content": text})
