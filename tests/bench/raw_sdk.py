"""The SDK's stream in a plain loop without a page: the cost of the network and the SDK.

Reads one question per line, collects the text, and writes its times as one line of JSON.
"""

import json
import sys
import time

from openai import OpenAI

client = OpenAI()
for question in sys.stdin:
    pressed = time.monotonic()
    seen: list[float] = []
    pieces: list[str] = []
    for event in client.responses.create(model="gpt-6-luna", input=question, stream=True):
        if event.type == "response.output_text.delta":
            pieces.append(event.delta)
            seen[1:] = [time.monotonic()]
    print(json.dumps({"pressed": pressed, "first": seen[0], "last": seen[-1]}), flush=True)
