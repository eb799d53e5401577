"""Detect a server's protocol with one request that costs no tokens."""

import openai
from openai import OpenAI

from assistant.backends.error_translation import translate_errors, wrong_api_error

DETECT_SECONDS = 10.0
"""Maximum duration of the request: it costs the server nothing."""

_NO_SUCH_PATH = (404, 405, 501)


def speaks_responses(client: OpenAI) -> bool:
    """Return whether a server has the Responses API: it refuses an empty request, but not the address.

    Raises:
        BackendError: The server is unreachable, or does not accept the key.
    """
    with translate_errors(client):
        try:
            body = client.with_options(max_retries=0, timeout=DETECT_SECONDS).post(
                "/responses", body={}, cast_to=object
            )
        except (openai.AuthenticationError, openai.PermissionDeniedError):
            raise
        except openai.APIStatusError as error:
            return error.status_code not in _NO_SUCH_PATH
    if isinstance(body, str):
        raise wrong_api_error(client)
    # Some servers answer every path with 200, and report the unknown path in the body.
    return isinstance(body, dict) and "error" not in body
