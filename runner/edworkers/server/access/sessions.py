"""Who has logged in: a signed cookie that scripts can't read and other sites' pages can't send."""

import secrets
from typing import Any, cast

from itsdangerous import BadSignature, URLSafeTimedSerializer
from starlette.requests import HTTPConnection
from starlette.responses import Response

from edworkers.server.access.identity import SCOPES_OF, Identity, Role, Scope
from edworkers.server.settings import ServerSettings

_LOGIN_SECONDS = 600
"""How long somebody may take to log in at the provider."""


class Sessions:
    """Makes and reads the cookies of one address."""

    def __init__(self, settings: ServerSettings) -> None:
        secret = settings.secret or secrets.token_urlsafe(32)
        self._people = URLSafeTimedSerializer(secret, salt="session")
        self._logins = URLSafeTimedSerializer(secret, salt="login")
        self._seconds = settings.session_seconds
        self._is_secure = settings.is_secure
        prefix = "__Host-" if settings.is_secure else ""
        self._person, self._login = f"{prefix}edworkers", f"{prefix}edworkers-login"

    def read(self, connection: HTTPConnection) -> Identity | None:
        """Tell who has logged in; None where nobody has, or too long ago."""
        found = self._load(self._people, connection.cookies.get(self._person), self._seconds)
        if found is None:
            return None
        return Identity(found["name"], frozenset(Scope(scope) for scope in found["scopes"]))

    def key_of(self, connection: HTTPConnection) -> str | None:
        """Give the SHA-256 of the key by which somebody has logged in; None where nobody has, or too long ago."""
        found = self._load(self._people, connection.cookies.get(self._person), self._seconds)
        return None if found is None else found.get("key")

    def begin(self, response: Response, identity: Identity, key: str | None = None) -> None:
        """Let somebody in from now on; `key` is the SHA-256 of their key, where they have one."""
        content = {"name": identity.name, "scopes": sorted(identity.scopes), "key": key}
        self._set(response, self._person, self._people.dumps(content), self._seconds)
        self._forget(response, self._login)

    def end(self, response: Response) -> None:
        """Let somebody in no more."""
        self._forget(response, self._person)

    def begin_login(self, response: Response, content: dict[str, str]) -> None:
        """Keep what the answer of the provider is held against."""
        self._set(response, self._login, self._logins.dumps(content), _LOGIN_SECONDS)

    def login(self, connection: HTTPConnection) -> dict[str, str] | None:
        """Give what was kept when this browser went to the provider."""
        return self._load(self._logins, connection.cookies.get(self._login), _LOGIN_SECONDS)

    def _load(self, serializer: URLSafeTimedSerializer, value: str | None, seconds: int) -> dict[str, Any] | None:
        if value is None:
            return None
        try:
            return cast("dict[str, Any]", serializer.loads(value, max_age=seconds))
        except BadSignature:
            return None

    def _set(self, response: Response, name: str, value: str, seconds: int) -> None:
        response.set_cookie(name, value, seconds, path="/", secure=self._is_secure, httponly=True, samesite="lax")

    def _forget(self, response: Response, name: str) -> None:
        response.delete_cookie(name, path="/", secure=self._is_secure, httponly=True, samesite="lax")


def person(name: str, role: Role) -> Identity:
    """Tell who somebody is that has a role."""
    return Identity(name, SCOPES_OF[role])
