"""The SDK's stream in a plain loop, without a page: a question a line in, its times as JSON a line out.

The one rule: nothing is done with the text but to keep it, so that this is what the wire and the SDK cost.
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
