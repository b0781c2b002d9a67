"""A small real provider of OpenID Connect on loopback: it signs tokens, checks PKCE and the client's secret."""

import base64
import hashlib
import secrets
import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import urlencode

from joserfc import jwt
from joserfc.jwk import KeySet, RSAKey
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from edworkers.standins.serving import serving

CLIENT, SECRET = "edworkers", "secret-of-the-client"


class Provider:
    """Logs everybody in as `person`, without asking; `claims` are put over what its tokens say."""

    def __init__(self) -> None:
        self.issuer = ""
        self.person: dict[str, Any] = {"sub": "u1", "email": "ada@school.example", "groups": ["teachers"]}
        self.claims: dict[str, Any] = {}
        self.key = _new_key()
        self.signed_by: RSAKey | None = None
        """The key that signs in place of the one that is told."""
        self._codes: dict[str, dict[str, str]] = {}

    def rotate(self) -> None:
        """Sign by another key from now on, and tell of that one alone."""
        self.key = _new_key()

    async def metadata(self, _request: Request) -> Response:
        return JSONResponse(
            {
                "issuer": self.issuer,
                "authorization_endpoint": f"{self.issuer}/authorize",
                "token_endpoint": f"{self.issuer}/token",
                "jwks_uri": f"{self.issuer}/keys",
            }
        )

    async def keys(self, _request: Request) -> Response:
        return JSONResponse(KeySet([self.key]).as_dict(private=False))

    async def authorize(self, request: Request) -> Response:
        asked = dict(request.query_params)
        assert asked["response_type"] == "code"
        assert asked["code_challenge_method"] == "S256"
        code = secrets.token_urlsafe(16)
        self._codes[code] = asked
        return RedirectResponse(f"{asked['redirect_uri']}?{urlencode({'code': code, 'state': asked['state']})}", 303)

    async def token(self, request: Request) -> Response:
        form = await request.form()
        asked = self._codes.pop(str(form["code"]), None)
        expected = base64.b64encode(f"{CLIENT}:{SECRET}".encode()).decode()
        if asked is None or request.headers.get("authorization") != f"Basic {expected}":
            return JSONResponse({"error": "invalid_grant"}, 400)
        digest = hashlib.sha256(str(form["code_verifier"]).encode()).digest()
        assert base64.urlsafe_b64encode(digest).decode().rstrip("=") == asked["code_challenge"]
        assert form["redirect_uri"] == asked["redirect_uri"]
        return JSONResponse({"token_type": "Bearer", "access_token": "unused", "id_token": self._sign(asked["nonce"])})

    def _sign(self, nonce: str) -> str:
        now = int(time.time())
        usual = {"iss": self.issuer, "aud": CLIENT, "iat": now, "exp": now + 300, "nonce": nonce}
        return jwt.encode(
            {"alg": "RS256", "kid": self.key.kid}, {**usual, **self.person, **self.claims}, self.signed_by or self.key
        )


def _new_key() -> RSAKey:
    key = RSAKey.generate_key(2048, private=True)
    key.ensure_kid()
    return key


@asynccontextmanager
async def provider() -> AsyncGenerator[Provider]:
    """Serve one until the block ends."""
    made = Provider()
    routes = [
        Route("/.well-known/openid-configuration", made.metadata),
        Route("/keys", made.keys),
        Route("/authorize", made.authorize),
        Route("/token", made.token, methods=["POST"]),
    ]
    async with serving(Starlette(routes=routes), "127.0.0.1", 0) as url:
        made.issuer = url
        yield made
