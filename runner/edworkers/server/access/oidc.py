"""OpenID Connect: the authorization code flow with PKCE, as a provider's own metadata says where to go."""

import base64
import hashlib
import secrets
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, cast
from urllib.parse import urlencode

import httpx2
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet
from pydantic_core import from_json

from edworkers.server.access.oidc_settings import OidcSettings
from edworkers.server.problems import Problem
from edworkers.telemetry import log

_ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA", "Ed25519")
"""By which a provider signs: never `none`, nor a secret that we have, too."""
_LEEWAY_SECONDS = 60
_KEPT_SECONDS = 3600.0
_TIMEOUT_SECONDS = 10.0
_MOST_BYTES = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody whom the provider has told of."""

    name: str
    groups: list[str]


@dataclass(frozen=True, slots=True)
class Login:
    """A login that begins: where to send the browser, and what its answer is held against."""

    url: str
    kept: dict[str, str]


class OidcClient:
    """One provider. Every call raises Problem 503 where it doesn't answer as it should."""

    def __init__(self, settings: OidcSettings, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._settings = settings
        self._monotonic = monotonic
        self._kept: dict[str, tuple[float, dict[str, Any]]] = {}

    async def begin(self, redirect_uri: str, back: str) -> Login:
        """Begin a login, after which somebody goes to the path `back`."""
        metadata = await self._metadata()
        kept = {name: secrets.token_urlsafe(32) for name in ("state", "nonce", "verifier")} | {"back": back}
        query = {
            "response_type": "code",
            "client_id": self._settings.client_id,
            "redirect_uri": redirect_uri,
            "scope": self._settings.scopes,
            "state": kept["state"],
            "nonce": kept["nonce"],
            "code_challenge": _challenge(kept["verifier"]),
            "code_challenge_method": "S256",
        }
        address: str = metadata["authorization_endpoint"]
        return Login(f"{address}{'&' if '?' in address else '?'}{urlencode(query)}", kept)

    async def finish(self, code: str, kept: Mapping[str, str], redirect_uri: str, now: int) -> Person:
        """Trade the code for who somebody is; `now` is in Unix ms. Raises Problem 401 for what can't be believed."""
        metadata = await self._metadata()
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": redirect_uri,
            "code_verifier": kept["verifier"],
        }
        answer = await self._ask("POST", metadata["token_endpoint"], form, metadata)
        token = answer.get("id_token")
        if not isinstance(token, str):
            raise refused("the provider has sent no ID token")
        return self._person(await self._claims(token, metadata, kept["nonce"], now))

    async def _claims(self, token: str, metadata: Mapping[str, Any], nonce: str, now: int) -> dict[str, Any]:
        try:
            claims = await self._verified(token, metadata)
            client = self._settings.client_id
            jwt.JWTClaimsRegistry(
                now=now // 1000,
                leeway=_LEEWAY_SECONDS,
                iss={"essential": True, "value": self._settings.issuer},
                aud={"essential": True, "value": client},
                exp={"essential": True},
                iat={"essential": True},
                sub={"essential": True},
                nonce={"essential": True, "value": nonce},
            ).validate(claims)
        except (JoseError, ValueError) as error:
            raise refused(str(error)) from error
        if claims.get("azp", client) != client:
            raise refused("it was made for another client")
        return claims

    async def _verified(self, token: str, metadata: Mapping[str, Any]) -> dict[str, Any]:
        """Check the signature; where it fails, once more by the keys that the provider has now."""
        address: str = metadata["jwks_uri"]
        try:
            return _decode(token, await self._fetch(address))
        except (JoseError, ValueError):
            self._kept.pop(address, None)
        return _decode(token, await self._fetch(address))

    def _person(self, claims: Mapping[str, Any]) -> Person:
        name = claims.get(self._settings.name_claim)
        if self._settings.name_claim == "email" and claims.get("email_verified") is False:
            name = None  # anybody could have typed it
        return Person(str(name or claims["sub"])[:200], _texts(claims.get(self._settings.groups_claim)))

    async def _metadata(self) -> dict[str, Any]:
        issuer = self._settings.issuer
        found = await self._fetch(f"{issuer.rstrip('/')}/.well-known/openid-configuration")
        needed = ("authorization_endpoint", "token_endpoint", "jwks_uri")
        if found.get("issuer") != issuer or not all(isinstance(found.get(name), str) for name in needed):
            raise _unusable(
                issuer, f"its metadata tells of another issuer, {found.get('issuer')!r}, or lacks endpoints"
            )
        return found

    async def _fetch(self, address: str) -> dict[str, Any]:
        """Get a document, of which one is kept for an hour."""
        at, document = self._kept.get(address, (-_KEPT_SECONDS, {}))
        if document and self._monotonic() - at < _KEPT_SECONDS:
            return document
        document = await self._ask("GET", address, None, {})
        self._kept[address] = self._monotonic(), document
        return document

    async def _ask(
        self, method: str, address: str, form: Mapping[str, str] | None, metadata: Mapping[str, Any]
    ) -> dict[str, Any]:
        settings = self._settings
        methods = metadata.get("token_endpoint_auth_methods_supported", ["client_secret_basic"])
        by_header = "client_secret_basic" in methods
        secret = {"client_id": settings.client_id, "client_secret": settings.client_secret}
        fields = None if form is None else {**form} if by_header else {**form, **secret}
        auth = (settings.client_id, settings.client_secret) if form is not None and by_header else None
        try:
            async with httpx2.AsyncClient(timeout=_TIMEOUT_SECONDS, follow_redirects=False) as client:
                answer = await client.request(method, address, data=fields, auth=auth)
        except httpx2.HTTPError as error:
            raise _unusable(address, str(error) or type(error).__name__) from error
        if form is not None and answer.status_code in {400, 401}:
            log.warning("login.refused", status=answer.status_code, reason=answer.text[:200])
            raise refused("the provider didn't take the code: log in again")
        return _read(answer, address)


def _decode(token: str, keys: Mapping[str, Any]) -> dict[str, Any]:
    decoded = jwt.decode(token, KeySet.import_key_set(cast("Any", keys)), algorithms=list(_ALGORITHMS))
    return dict(decoded.claims)


def _challenge(verifier: str) -> str:
    """Give what a verifier is known by before it is told (RFC 7636, S256)."""
    return base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).decode().rstrip("=")


def _texts(found: Any) -> list[str]:
    """Read a claim that is a text or a list of them."""
    if isinstance(found, str):
        return [found]
    return [str(part) for part in found] if isinstance(found, list) else []  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType]


def _read(answer: httpx2.Response, address: str) -> dict[str, Any]:
    if answer.status_code != 200 or len(answer.content) > _MOST_BYTES:
        raise _unusable(address, f"it answered {answer.status_code}")
    try:
        document: Any = from_json(answer.content)
    except ValueError as error:
        raise _unusable(address, "it answered no JSON") from error
    if not isinstance(document, dict):
        raise _unusable(address, "it answered no JSON object")
    return cast("dict[str, Any]", document)


def refused(why: str) -> Problem:
    """Say that a login can't be believed."""
    return Problem(401, "unauthorized", f"the login can't be believed: {why}")


def _unusable(address: str, why: str) -> Problem:
    log.error("login.away", address=address, reason=why)
    detail = f"the provider of logins can't be used now ({address}: {why})"
    return Problem(503, "login-away", detail, headers={"Retry-After": "5"})
