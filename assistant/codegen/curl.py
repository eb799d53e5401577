"""A request as a curl command."""

import json

from assistant.json_values import Json
from assistant.recordings.redaction import redact_url
from assistant.settings import OPENAI_URL


def curl_command(request: Json, base_url: str = "") -> str:
    """Return a shell command that sends this request body and prints the answer as it streams in.

    The body decides between Chat Completions and the Responses API. The shell reads the key from
    ``OPENAI_API_KEY``.
    """
    path = "chat/completions" if "messages" in request else "responses"
    body = json.dumps(request, ensure_ascii=False, indent=2)
    # Escape unprintable characters, so that what is shown is what is sent, and no line is just "JSON".
    shown = "".join(char if char.isprintable() or char == "\n" else json.dumps(char)[1:-1] for char in body)
    address = f"{redact_url(base_url).partition('?')[0].rstrip('/') or OPENAI_URL}/{path}".replace("'", "%27")
    return (
        f"curl -sSN '{address}' \\\n"
        '  -H "Authorization: Bearer $OPENAI_API_KEY" \\\n'
        "  -H 'Content-Type: application/json' \\\n"
        f"  --data-binary @- <<'JSON'\n{shown}\nJSON\n"
    )
