"""What the environment says of requests to strangers: the networks allowed, and the certificates of TLS."""

import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from edworkers.adapters.guarded_http.addresses import Network, parse_networks
from edworkers.core.errors import SettingsError


@dataclass(frozen=True, slots=True)
class Names:
    """The variables' names."""

    allowed: str = "WEBHOOK_ALLOWED_NETWORKS"
    """Networks that may be reached though they are not on the internet."""
    authorities: str = "WEBHOOK_CA_FILE"
    """A file with certificates to trust besides those of the system."""
    certificate: str = "WEBHOOK_CLIENT_CERT_FILE"
    """A file with the certificate to show."""
    key: str = "WEBHOOK_CLIENT_KEY_FILE"
    """A file with the key of that certificate, where it isn't in the same file."""


USUAL = Names()


def find_faults(env: Mapping[str, str], names: Names = USUAL) -> list[str]:
    """Say what is wrong with the environment, a line each."""
    _, faults = parse_networks(env.get(names.allowed, ""))
    faults = [f"{names.allowed}: {fault}" for fault in faults]
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    return faults + _trust(context, env, names) + _show(context, env, names)


def allowed_networks(env: Mapping[str, str], names: Names = USUAL) -> tuple[Network, ...]:
    """Give the networks allowed. Raises SettingsError."""
    networks, faults = parse_networks(env.get(names.allowed, ""))
    if faults:
        raise SettingsError(f"{names.allowed} can't be used:", faults)
    return networks


def tls_context(env: Mapping[str, str], names: Names = USUAL) -> ssl.SSLContext:
    """Make what TLS needs: the system's authorities and those of the setting. Raises SettingsError."""
    import httpx2

    context = httpx2.create_ssl_context()
    faults = _trust(context, env, names) + _show(context, env, names)
    if faults:
        raise SettingsError("the certificates can't be used:", faults)
    return context


def _trust(context: ssl.SSLContext, env: Mapping[str, str], names: Names) -> list[str]:
    path = env.get(names.authorities, "").strip()
    if not path:
        return []
    try:
        context.load_verify_locations(cafile=path)
    except ssl.SSLError:
        return [f"{names.authorities}: {path} has no certificate in it; it must be PEM, as -----BEGIN CERTIFICATE-----"]
    except OSError as error:
        return [_unreadable(names.authorities, path, error)]
    return []


def _show(context: ssl.SSLContext, env: Mapping[str, str], names: Names) -> list[str]:
    certificate, key = env.get(names.certificate, "").strip(), env.get(names.key, "").strip()
    if not certificate:
        return [f"{names.key}: is set without {names.certificate}, of which it would be the key"] if key else []
    faults = [
        _unreadable(name, path, error)
        for name, path in ((names.certificate, certificate), (names.key, key))
        if path and (error := _reading_error(path)) is not None
    ]
    if faults:
        return faults
    try:
        context.load_cert_chain(certificate, key or None, password="")
    except (ssl.SSLError, OSError) as error:
        return [_unusable(names, certificate, key, error)]
    return []


def _unusable(names: Names, certificate: str, key: str, error: OSError) -> str:
    if "KEY_VALUES_MISMATCH" in str(error):
        return f"{names.key}: {key or certificate} is the key of another certificate than {certificate}"
    where = f"{key} (and {certificate})" if key else certificate
    return (
        f"{names.certificate}: {where} must hold a certificate and its key as PEM, the key without a password"
        f"{'' if key else f'; give a key in a file of its own by {names.key}'}"
    )


def _reading_error(path: str) -> OSError | None:
    try:
        Path(path).read_bytes()
    except OSError as error:
        return error
    return None


def _unreadable(name: str, path: str, error: OSError) -> str:
    return f"{name}: {path} can't be read: {error.strerror or error}"
