"""How a server is set up, read from the environment; every fault is named at once."""

import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

from edworkers.core.errors import SettingsError
from edworkers.server.access.loopback import is_loopback
from edworkers.server.access.oidc_settings import OidcSettings, read_oidc
from edworkers.server.access.roles import RoleRules, read_rules

Auth = Literal["none", "keys", "oidc", "proxy"]
_AUTHS: tuple[Auth, ...] = ("none", "keys", "oidc", "proxy")
_NOT_STARTED = "nothing was started, for these settings can't be used:"
_LEAST_SECRET = 32
Network = ipaddress.IPv4Network | ipaddress.IPv6Network


@dataclass(frozen=True, slots=True)
class ProxySettings:
    """A proxy that has found out who asks, and says so in headers."""

    networks: tuple[Network, ...]
    """From where its connections come; what others say in these headers is not believed."""
    user_header: str = "X-Forwarded-User"
    groups_header: str = "X-Forwarded-Groups"


@dataclass(frozen=True, slots=True)
class ServerSettings:
    """How a server is set up."""

    auth: Auth = "none"
    """How people are known."""
    keys_file: Path | None = None
    """Where the API keys are; None where there are none."""
    public_url: str | None = None
    """At which address people reach it, without a slash at its end; None for that of each request."""
    secret: str | None = field(default=None, repr=False)
    """Signs the cookies of people who have logged in; the same on all servers of one address."""
    session_seconds: int = 12 * 3600
    oidc: OidcSettings | None = None
    proxy: ProxySettings | None = None
    roles: RoleRules = field(default_factory=RoleRules)
    per_second: float = 100
    """How many requests a second one key may send to one server, where its own entry doesn't say."""
    burst: int = 200
    """How many at once."""

    @property
    def is_secure(self) -> bool:
        """Whether people reach it by HTTPS alone."""
        return self.public_url is not None and self.public_url.startswith("https://")


def read_settings(env: Mapping[str, str], host: str) -> ServerSettings:
    """Read how a server that listens on `host` is set up. Raises SettingsError with every fault."""
    faults: list[str] = []
    keys_file = Path(env["EDWORKERS_API_KEYS_FILE"]) if env.get("EDWORKERS_API_KEYS_FILE") else None
    auth = _auth(env, host, keys_file, faults)
    settings = ServerSettings(
        auth=auth,
        keys_file=keys_file,
        public_url=_public_url(env, faults),
        secret=_secret(env, auth, faults),
        session_seconds=round(_positive(env, "EDWORKERS_SESSION_SECONDS", 12 * 3600, faults)),
        oidc=read_oidc(env, faults) if auth == "oidc" else None,
        proxy=_proxy(env, faults) if auth == "proxy" else None,
        roles=read_rules(env),
        per_second=_positive(env, "EDWORKERS_RATE_PER_SECOND", 100, faults),
        burst=round(_positive(env, "EDWORKERS_RATE_BURST", 200, faults)),
    )
    if auth in {"oidc", "proxy"} and not settings.roles.says_something:
        faults.append(
            "EDWORKERS_ROLE_ADMIN, EDWORKERS_ROLE_OPERATOR, EDWORKERS_ROLE_VIEWER: none is set, so that nobody could "
            "do anything: give each the groups that have the role, with commas between them, or * for everybody"
        )
    if faults:
        raise SettingsError(_NOT_STARTED, faults)
    return settings


def _auth(env: Mapping[str, str], host: str, keys_file: Path | None, faults: list[str]) -> Auth:
    said = env.get("EDWORKERS_SERVER_AUTH") or ("keys" if keys_file is not None else "")
    auth: Auth | None = next((known for known in _AUTHS if known == said), None)
    if auth is None:
        found = f"{said!r} is none of {', '.join(_AUTHS)}" if said else "not set"
        faults.append(
            f"EDWORKERS_SERVER_AUTH: {found}. Take `keys` with EDWORKERS_API_KEYS_FILE, `oidc`, or `proxy`; or `none`, "
            "which lets everybody on this machine in, for a server on 127.0.0.1"
        )
    if auth == "none" and not is_loopback(host):
        faults.append(
            f"EDWORKERS_SERVER_AUTH: none lets everybody in, and {host} can be reached from other machines: listen on "
            "127.0.0.1, or take keys, oidc or proxy"
        )
    if auth == "keys" and keys_file is None:
        faults.append("EDWORKERS_API_KEYS_FILE: not set; make a key with `edworkers server new-key NAME --scope admin`")
    return "keys" if auth is None else auth


def _secret(env: Mapping[str, str], auth: Auth, faults: list[str]) -> str | None:
    secret = env.get("EDWORKERS_SESSION_SECRET") or None
    if secret is None and auth == "oidc":
        faults.append("EDWORKERS_SESSION_SECRET: not set; it signs cookies: make one with `openssl rand -base64 32`")
    if secret is not None and len(secret) < _LEAST_SECRET:
        faults.append(f"EDWORKERS_SESSION_SECRET: must have {_LEAST_SECRET} characters or more")
    return secret


def _public_url(env: Mapping[str, str], faults: list[str]) -> str | None:
    url = env.get("EDWORKERS_PUBLIC_URL", "").rstrip("/")
    if not url:
        return None
    parts = urlsplit(url)
    if parts.scheme not in {"http", "https"} or not parts.netloc or parts.path or parts.query:
        faults.append(
            f"EDWORKERS_PUBLIC_URL: {url!r} is no address such as https://jobs.school.example, without a path"
        )
    return url


def _proxy(env: Mapping[str, str], faults: list[str]) -> ProxySettings:
    networks: list[Network] = []
    for word in env.get("EDWORKERS_PROXY_NETWORKS", "").replace(",", " ").split():
        try:
            networks.append(ipaddress.ip_network(word))
        except ValueError as error:
            faults.append(f"EDWORKERS_PROXY_NETWORKS: {error}")
    if not networks and not faults:
        faults.append("EDWORKERS_PROXY_NETWORKS: not set; name the proxy's addresses, such as 10.0.0.0/8")
    default = ProxySettings(tuple(networks))
    return ProxySettings(
        default.networks,
        env.get("EDWORKERS_PROXY_USER_HEADER") or default.user_header,
        env.get("EDWORKERS_PROXY_GROUPS_HEADER") or default.groups_header,
    )


def _positive(env: Mapping[str, str], name: str, default: float, faults: list[str]) -> float:
    text = env.get(name)
    if not text:
        return default
    try:
        value = float(text)
    except ValueError:
        value = 0
    if not 1 <= value <= 1_000_000:  # nan is none of these either
        faults.append(f"{name}: {text!r} is no number from 1 to 1000000")
        return default
    return value
