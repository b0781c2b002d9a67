"""Finds out who asks: by an API key, a session, a proxy's headers, or because only this machine can ask."""

import ipaddress
from dataclasses import replace
from pathlib import Path

from starlette.requests import HTTPConnection

from edworkers.ports.clock import Clock
from edworkers.server.access.identity import Identity, Role, Scope
from edworkers.server.access.keys import KeysFile
from edworkers.server.access.origin import check_origin, check_own_name
from edworkers.server.access.rates import Rates
from edworkers.server.access.sessions import Sessions, person
from edworkers.server.problems import Problem
from edworkers.server.settings import ProxySettings, ServerSettings

LOCAL = Identity("local", frozenset(Scope), "local")
LOGIN_PATH = "/login"
_CHALLENGE = {"WWW-Authenticate": 'Bearer realm="edworkers"'}


class Access:
    """The gate of one server. Raises SettingsError where its keys can't be read."""

    def __init__(self, settings: ServerSettings, clock: Clock) -> None:
        self.settings = settings
        self.sessions = Sessions(settings)
        self._clock = clock
        self._keys = _open_keys(settings.keys_file)
        self._rates = Rates(clock.monotonic)

    def now(self) -> int:
        """Tell the time (Unix ms)."""
        return self._clock.now()

    @property
    def has_login(self) -> bool:
        """Whether people log in at `/login`."""
        return self.settings.auth in {"keys", "oidc"}

    async def identify(self, connection: HTTPConnection) -> Identity:
        """Tell who asks, once a request. Raises Problem 401, 403 or 429."""
        known: Identity | None = getattr(connection.state, "identity", None)
        if known is None:
            known = self._identify(connection)
            connection.state.identity = known
        return known

    def _identify(self, connection: HTTPConnection) -> Identity:
        given = connection.headers.get("authorization")
        if given is not None:
            return self._by_key(given)
        identity = self._person(connection)
        if identity is None:
            raise Problem(401, "unauthorized", self._how(), headers=_CHALLENGE)
        check_origin(connection, self.settings.public_url, must_say=identity.kind != "local")
        return identity

    def _how(self) -> str:
        key = "send an API key as `Authorization: Bearer edw_…`"
        return f"{key}, or log in at {LOGIN_PATH}" if self.has_login else key

    def _by_key(self, given: str) -> Identity:
        scheme, _, key = given.partition(" ")
        if scheme.lower() != "bearer":
            raise Problem(401, "unauthorized", f"the scheme must be Bearer: {self._how()}", headers=_CHALLENGE)
        entry = self._keys.find(key.strip(), self._clock.now()) if self._keys is not None else None
        if entry is None:
            detail = "the API key is unknown, or its time is over: check it against the server's file of keys"
            headers = {"WWW-Authenticate": f'{_CHALLENGE["WWW-Authenticate"]}, error="invalid_token"'}
            raise Problem(401, "unauthorized", detail, headers=headers)
        rate = entry.rate
        settings = self.settings
        self._rates.take(
            entry.name,
            rate.per_second if rate is not None else settings.per_second,
            rate.burst if rate is not None else settings.burst,
        )
        return entry.identity

    def identity_of_key(self, key: str) -> Identity | None:
        """Tell who has a key, for somebody who logs in by it."""
        entry = self._keys.find(key, self._clock.now()) if self._keys is not None else None
        return None if entry is None else entry.identity

    def _person(self, connection: HTTPConnection) -> Identity | None:
        if self.settings.auth == "none":
            check_own_name(connection)
            return LOCAL
        if self.settings.proxy is not None:
            return self._from_proxy(connection, self.settings.proxy)
        if self.settings.auth == "keys":
            return self._by_session(connection)
        return self.sessions.read(connection)

    def _by_session(self, connection: HTTPConnection) -> Identity | None:
        """Tell who has logged in by a key, as long as the key is good, and with what it lets them do now."""
        sha256 = self.sessions.key_of(connection)
        if sha256 is None or self._keys is None:
            return None
        entry = self._keys.find_hashed(sha256, self._clock.now())
        return None if entry is None else replace(entry.identity, kind="person")

    def _from_proxy(self, connection: HTTPConnection, proxy: ProxySettings) -> Identity | None:
        name = connection.headers.get(proxy.user_header)
        if not name or not _is_within(connection, proxy):
            return None
        groups = [group.strip() for group in connection.headers.get(proxy.groups_header, "").split(",")]
        return person(name, self.role_of(name, groups))

    def role_of(self, name: str, groups: list[str]) -> Role:
        """Give the role of somebody in these groups. Raises Problem 403 where they have none."""
        role = self.settings.roles.role(groups)
        if role is None:
            detail = f"{name} is in no group that has a role here: ask who set it up (EDWORKERS_ROLE_VIEWER and others)"
            raise Problem(403, "missing-scope", detail)
        return role


def _open_keys(path: Path | None) -> KeysFile | None:
    return None if path is None else KeysFile(path)


def _is_within(connection: HTTPConnection, proxy: ProxySettings) -> bool:
    if connection.client is None:
        return False
    try:
        address = ipaddress.ip_address(connection.client.host)
    except ValueError:
        return False
    return any(address in network for network in proxy.networks)
