"""Fetch a server's list of models."""

import json

from openai import OpenAI

from assistant.backends.connection.deadline import call_with_deadline
from assistant.backends.connection.models import MAX_LIST_BYTES, ListedModel, parse_models
from assistant.backends.error_translation import translate_errors, wrong_api_error

LOOKUP_SECONDS = 10.0  # deadline for requests that need no model


def fetch_models(client: OpenAI, seconds: float = LOOKUP_SECONDS) -> list[ListedModel]:
    """Return the models that the server lists, sorted by id.

    Raises:
        BackendError: The server has no such list, or did not send it in time.
    """
    return call_with_deadline(seconds, client, _fetch)


def _fetch(client: OpenAI) -> list[ListedModel]:
    body = b""
    with translate_errors(client), client.models.with_streaming_response.list() as response:
        for chunk in response.iter_bytes():
            body += chunk
            if len(body) > MAX_LIST_BYTES:
                raise wrong_api_error(client)
    try:
        models = parse_models(json.loads(body))
    except (ValueError, RecursionError):
        models = None
    if models is None:
        raise wrong_api_error(client)
    return models
