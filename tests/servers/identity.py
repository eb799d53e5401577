"""An OpenID Connect provider for tests, whose page offers users to sign in as.

It implements the authorization code flow (OpenID Connect Core 1.0, section 3.1) as far as a client needs it.
"""

import json
import threading
import time
from base64 import b64decode
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self
from urllib.parse import parse_qs, unquote, urlencode, urlsplit

from joserfc import jwt
from joserfc.jwk import RSAKey

CLIENT, SECRET = "the-page", "canary-of-the-provider"


class IdentityServer:
    """Signs in one of ``people``, a mapping of names to claims; use it in a ``with`` block."""

    def __init__(self, people: dict[str, dict[str, Any]]) -> None:
        self.people = people
        self.key = RSAKey.generate_key(2048, {"kid": "1"})
        self.nonces: dict[str, str] = {}  # by code
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), type("Bound", (_Handler,), {"provider": self}))
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, args=[0.01], daemon=True).start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def token(self, code: str) -> dict[str, Any]:
        """Return the response to a client with this code."""
        name = code.partition("-")[0]
        now = int(time.time())
        claims = {
            "iss": self.url,
            "aud": CLIENT,
            "iat": now,
            "exp": now + 600,
            "nonce": self.nonces.pop(code),
        }
        signed = jwt.encode({"alg": "RS256", "kid": "1"}, claims | self.people[name], self.key)
        return {"access_token": "access", "token_type": "Bearer", "expires_in": 600, "id_token": signed}


class _Handler(BaseHTTPRequestHandler):
    provider: IdentityServer

    def do_GET(self) -> None:
        address = urlsplit(self.path)
        fields = {name: values[0] for name, values in parse_qs(address.query).items()}
        url = self.provider.url
        match address.path:
            case "/.well-known/openid-configuration":
                self._send(
                    {
                        "issuer": url,
                        "authorization_endpoint": f"{url}/authorize",
                        "token_endpoint": f"{url}/token",
                        "jwks_uri": f"{url}/keys",
                        "response_types_supported": ["code"],
                        "subject_types_supported": ["public"],
                        "id_token_signing_alg_values_supported": ["RS256"],
                    }
                )
            case "/keys":
                self._send({"keys": [self.provider.key.as_dict(private=False)]})
            case "/authorize" if fields["client_id"] == CLIENT:
                links = ""
                for name in self.provider.people:
                    code = f"{name}-{fields['state']}"
                    self.provider.nonces[code] = fields["nonce"]
                    back = fields["redirect_uri"] + "?" + urlencode({"code": code, "state": fields["state"]})
                    links += f'<p><a href="{back}">{name}</a></p>'
                self._send(f"<!doctype html><title>Who are you?</title>{links}")
            case _:
                self.send_error(404)

    def do_POST(self) -> None:
        body = parse_qs(self.rfile.read(int(self.headers["Content-Length"])).decode())
        basic = b64decode(self.headers.get("Authorization", "").removeprefix("Basic ")).decode()
        if [unquote(each) for each in basic.split(":")] == [CLIENT, SECRET]:
            self._send(self.provider.token(body["code"][0]))
        else:
            self.send_error(401)

    def _send(self, what: object) -> None:
        content = what if isinstance(what, str) else json.dumps(what)
        self.send_response(200)
        self.send_header("Content-Type", "text/html" if isinstance(what, str) else "application/json")
        self.send_header("Content-Length", str(len(content.encode())))
        self.end_headers()
        self.wfile.write(content.encode())

    def log_message(self, format: str, *args: object) -> None:
        pass
