"""The models that a server lists, asked for within so many seconds.

Not here: what stands in such a list (``connections.py``).

The one rule: nobody waits longer than they said, however slowly a server trickles.
"""

import json
from collections.abc import Callable
from queue import Empty, SimpleQueue
from threading import Thread
from typing import TypeVar, cast

from openai import OpenAI

from assistant.backends.client import Request, host, not_the_api, translate_errors
from assistant.backends.connection.choices import BIGGEST_LIST, Model, listed
from assistant.errors import BackendError, Interrupted, ServerFailed

T = TypeVar("T")

LOOK = 10.0
"""Seconds for what a server only has to look up."""


def models(client: OpenAI, seconds: float = LOOK) -> list[Model]:
    """The models that the server lists, by name.

    Raises:
        BackendError: There is no such list, or not within these seconds.
    """
    return within(seconds, client, _models)


def _models(client: OpenAI, request: Request) -> list[Model]:
    body = b""
    with translate_errors(client), client.models.with_streaming_response.list() as response:
        request.answered_by(response.http_response)
        for chunk in response.iter_bytes():
            body += chunk
            if len(body) > BIGGEST_LIST:
                raise not_the_api(client)
    try:
        found = listed(json.loads(body))
    except (ValueError, RecursionError):
        found = None
    if found is None:
        raise not_the_api(client)
    return found


def within(seconds: float, client: OpenAI, ask: Callable[[OpenAI, Request], T]) -> T:
    """What is answered within these seconds, however slowly the server trickles.

    Raises:
        BackendError: It was refused, failed, or took longer; then the connection is given up.
    """
    request, answers = Request(), SimpleQueue[tuple[T | None, BackendError | None]]()

    def work() -> None:
        try:
            answers.put((ask(client.with_options(timeout=seconds, max_retries=0), request), None))
        except BackendError as error:
            answers.put((None, error))
        except Exception as error:
            told = f"{host(client)} could not be asked: {type(error).__name__}."
            answers.put((None, ServerFailed(told, code="client")))

    Thread(target=work, daemon=True).start()
    try:
        answer, error = answers.get(timeout=seconds)
    except Empty:
        request.cancel()
        error = Interrupted(f"{host(client)} was silent for too long. Try again.", code="timeout", retry=True)
    if error is not None:
        raise error
    return cast("T", answer)
