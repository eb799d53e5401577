"""Gradio's ``ChatInterface`` on the Responses API, as its documentation shows it. The port is the argument."""

import sys
from collections.abc import Iterator
from typing import Any

import gradio
from openai import OpenAI
from openai.types.responses import ResponseTextDeltaEvent

client = OpenAI()


def respond(message: str, history: list[dict[str, Any]]) -> Iterator[str]:
    texts = [(turn["role"], "".join(part["text"] for part in turn["content"])) for turn in history]
    messages: list[Any] = [{"role": role, "content": text} for role, text in [*texts, ("user", message)]]
    answer = ""
    for event in client.responses.create(model="gpt-6-luna", input=messages, stream=True):
        if isinstance(event, ResponseTextDeltaEvent):
            answer += event.delta
            yield answer


gradio.ChatInterface(respond).launch(server_name="127.0.0.1", server_port=int(sys.argv[1]))
