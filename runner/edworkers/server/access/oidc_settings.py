"""How people log in by OpenID Connect."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from edworkers.server.access.loopback import is_loopback

_NAMES = ("EDWORKERS_OIDC_ISSUER", "EDWORKERS_OIDC_CLIENT_ID", "EDWORKERS_OIDC_CLIENT_SECRET")


@dataclass(frozen=True, slots=True)
class OidcSettings:
    """The provider, and what it knows us by."""

    issuer: str
    """Its address, below which `/.well-known/openid-configuration` is."""
    client_id: str
    client_secret: str = field(repr=False)
    scopes: str = "openid profile email"
    groups_claim: str = "groups"
    """Which claim of the ID token names a person's groups."""
    name_claim: str = "email"
    """Which claim names the person in the audit log; `sub` where it isn't there."""


def read_oidc(env: Mapping[str, str], faults: list[str]) -> OidcSettings:
    """Read the settings; what is wrong with them is added to `faults`."""
    issuer, client, secret = (env.get(name, "").strip() for name in _NAMES)
    faults += [
        f"{name}: not set, and EDWORKERS_SERVER_AUTH is oidc" for name in _NAMES if not env.get(name, "").strip()
    ]
    parts = urlsplit(issuer)
    is_private = parts.scheme == "https" or (parts.scheme == "http" and is_loopback(parts.hostname or ""))
    if issuer and not is_private:
        faults.append(f"EDWORKERS_OIDC_ISSUER: {issuer!r} must begin with https://")
    return OidcSettings(
        issuer,
        client,
        secret,
        env.get("EDWORKERS_OIDC_SCOPES") or "openid profile email",
        env.get("EDWORKERS_OIDC_GROUPS_CLAIM") or "groups",
        env.get("EDWORKERS_OIDC_NAME_CLAIM") or "email",
    )
