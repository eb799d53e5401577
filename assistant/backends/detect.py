"""A server that nobody told us the protocol of: found out by asking it once, cheaply.

Not here: the protocols themselves.

The one rule: what is asked to find out costs no tokens and holds no field that a server might not know.
"""

import openai
from openai import OpenAI

from assistant.backends.error_translation import translate_errors, wrong_api_error

PATIENCE = 10.0
"""Seconds to wait for the answer to a question that costs a server nothing."""

_NOT_THERE = (404, 405, 501)


def speaks_responses(client: OpenAI) -> bool:
    """Whether a server has the Responses API: it refuses an empty request, and not the address.

    Raises:
        BackendError: It cannot be reached, or does not accept the key.
    """
    with translate_errors(client):
        try:
            answer = client.with_options(max_retries=0, timeout=PATIENCE).post(
                "/responses", body={}, cast_to=object
            )
        except (openai.AuthenticationError, openai.PermissionDeniedError):
            raise
        except openai.APIStatusError as error:
            return error.status_code not in _NOT_THERE
    if isinstance(answer, str):
        raise wrong_api_error(client)
    # Some answer every address, and say in the answer that they do not know it.
    return isinstance(answer, dict) and "error" not in answer
