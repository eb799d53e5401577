"""An OpenID Connect provider for tests, whose page offers users to sign in as.

It implements the authorization code flow (OpenID Connect Core 1.0, section 3.1) as far as a client needs it.
"""

import time
from base64 import b64decode
from typing import Any, Self
from urllib.parse import parse_qs, unquote, urlencode, urlsplit

from joserfc import jwt
from joserfc.jwk import RSAKey

from tests.servers.loopback import LoopbackServer, QuietHandler

CLIENT, SECRET = "the-page", "canary-of-the-provider"


class IdentityServer:
    """Signs in one of ``people``, a mapping of names to claims; use it in a ``with`` block."""

    def __init__(self, people: dict[str, dict[str, Any]]) -> None:
        self.people = people
        self.key = RSAKey.generate_key(2048, {"kid": "1"})
        self.nonces: dict[str, str] = {}  # by code
        self._server = LoopbackServer(type("Bound", (_Handler,), {"provider": self}))
        self.url = self._server.url

    def __enter__(self) -> Self:
        self._server.__enter__()
        return self

    def __exit__(self, *exception: object) -> None:
        self._server.__exit__()

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


class _Handler(QuietHandler):
    provider: IdentityServer

    def do_GET(self) -> None:
        address = urlsplit(self.path)
        fields = self._query()
        url = self.provider.url
        match address.path:
            case "/.well-known/openid-configuration":
                self._send(
                    200,
                    {
                        "issuer": url,
                        "authorization_endpoint": f"{url}/authorize",
                        "token_endpoint": f"{url}/token",
                        "jwks_uri": f"{url}/keys",
                        "response_types_supported": ["code"],
                        "subject_types_supported": ["public"],
                        "id_token_signing_alg_values_supported": ["RS256"],
                    },
                )
            case "/keys":
                self._send(200, {"keys": [self.provider.key.as_dict(private=False)]})
            case "/authorize" if fields["client_id"] == CLIENT:
                links = ""
                for name in self.provider.people:
                    code = f"{name}-{fields['state']}"
                    self.provider.nonces[code] = fields["nonce"]
                    back = fields["redirect_uri"] + "?" + urlencode({"code": code, "state": fields["state"]})
                    links += f'<p><a href="{back}">{name}</a></p>'
                html = f"<!doctype html><title>Who are you?</title>{links}".encode()
                self._send(200, html, (("content-type", "text/html"),))
            case _:
                self.send_error(404)

    def do_POST(self) -> None:
        body = parse_qs(self.rfile.read(int(self.headers["Content-Length"])).decode())
        basic = b64decode(self.headers.get("Authorization", "").removeprefix("Basic ")).decode()
        if [unquote(each) for each in basic.split(":")] == [CLIENT, SECRET]:
            self._send(200, self.provider.token(body["code"][0]))
        else:
            self.send_error(401)
