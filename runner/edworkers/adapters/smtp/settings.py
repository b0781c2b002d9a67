"""Which mail server, and how it is talked to, as the environment says it.

SMTP_URL (`smtp://user:password@host:587`, `smtps://…` for TLS from the first byte), or SMTP_HOST, SMTP_PORT, SMTP_USER
and SMTP_PASSWORD; SMTP_TLS, SMTP_CA_FILE and SMTP_CONNECTIONS for either.
"""

import re
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from ipaddress import ip_address
from typing import Literal, cast
from urllib.parse import SplitResult, unquote, urlsplit

Tls = Literal["starttls", "tls", "none"]

_TLS_WORDS = ("starttls", "tls", "none", "insecure")
_PORTS: dict[Tls, int] = {"starttls": 587, "tls": 465, "none": 25}
_HOST = re.compile(r"[A-Za-z0-9]([A-Za-z0-9.-]{0,251}[A-Za-z0-9])?|[0-9A-Fa-f:.]{2,45}")
_MOST_CONNECTIONS = 100
_CONNECTIONS = 5


@dataclass(frozen=True, slots=True)
class SmtpSettings:
    """A mail server. With `user` and `password` it is logged in to; `ca_file` names further authorities to trust."""

    host: str
    port: int
    tls: Tls = "starttls"
    user: str | None = None
    password: str | None = field(default=None, repr=False)
    ca_file: str | None = None
    connections: int = _CONNECTIONS
    """How many connections one process may have at once."""

    @property
    def name(self) -> str:
        """Host and port, for people."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def find_faults(env: Mapping[str, str]) -> list[str]:
    """Say what is wrong with the environment; no password is repeated."""
    faults: list[str] = []
    read_settings(env, faults)
    return faults


def read_settings(env: Mapping[str, str], faults: list[str]) -> SmtpSettings | None:
    """Read the settings; each thing that is wrong is one more fault, and None is given then."""
    before = len(faults)
    url = _url(env, faults)
    host = (url.hostname if url else _value(env, "SMTP_HOST")) or ""
    if not url and not faults[before:]:
        _check_host(host, faults)
    tls = _tls(env, url, host, faults)
    port = _port(env, url, faults) or _PORTS[tls]
    user, password = _login(env, url, faults)
    ca_file = _ca_file(env, faults)
    connections = _number(env, "SMTP_CONNECTIONS", _MOST_CONNECTIONS, faults) or _CONNECTIONS
    if faults[before:]:
        return None
    return SmtpSettings(host, port, tls, user, password, ca_file, connections)


def make_context(settings: SmtpSettings) -> ssl.SSLContext:
    """Make the TLS context: certificates and names are verified, always."""
    context = ssl.create_default_context()
    if settings.ca_file is not None:
        context.load_verify_locations(settings.ca_file)
    return context


def _value(env: Mapping[str, str], name: str) -> str | None:
    return env.get(name, "").strip() or None


def _url(env: Mapping[str, str], faults: list[str]) -> SplitResult | None:
    text = _value(env, "SMTP_URL")
    if text is None:
        return None
    try:
        url = urlsplit(text)
        _ = url.port
    except ValueError:
        url = None
    # What is wrong isn't shown: the password may be in any part of it.
    if url is None or url.scheme not in {"smtp", "smtps"} or not _HOST.fullmatch(url.hostname or ""):
        faults.append("SMTP_URL: must be smtp://user:password@host:587, or smtps:// for TLS from the first byte")
        return None
    if url.path not in {"", "/"} or url.query or url.fragment:
        faults.append("SMTP_URL: must end after the host and port; a / ? or # in the password is written %2F, %3F, %23")
        return None
    return url


def _check_host(host: str, faults: list[str]) -> None:
    if not host:
        faults.append("SMTP_HOST: not set; name the mail server here, or give SMTP_URL (smtp://user:password@host:587)")
    elif not _HOST.fullmatch(host):
        faults.append(f"SMTP_HOST: must be the name or address of a host, not {host[:60]!r}")


def _tls(env: Mapping[str, str], url: SplitResult | None, host: str, faults: list[str]) -> Tls:
    word = (_value(env, "SMTP_TLS") or "").lower()
    at_once = url is not None and url.scheme == "smtps"
    if word and word not in _TLS_WORDS:
        faults.append(f"SMTP_TLS: must be starttls, tls, none or insecure, not {word[:40]!r}")
    elif at_once and word not in {"", "tls"}:
        faults.append(f"SMTP_TLS: is {word}, and SMTP_URL is smtps://, which means tls: take one of them away")
    elif word == "none" and not _is_loopback(host):
        faults.append(
            "SMTP_TLS: none is only for a server on this machine; set it to starttls or tls, or to insecure if mail"
            " and password may be read by everybody on the way"
        )
    if at_once or (not word and _value(env, "SMTP_PORT") == "465" and url is None):
        return "tls"
    return cast("Tls", {"tls": "tls", "none": "none", "insecure": "none"}.get(word, "starttls"))


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _port(env: Mapping[str, str], url: SplitResult | None, faults: list[str]) -> int | None:
    if url is not None:
        return url.port
    return _number(env, "SMTP_PORT", 65535, faults)


def _number(env: Mapping[str, str], name: str, most: int, faults: list[str]) -> int | None:
    text = _value(env, name)
    if text is None:
        return None
    if text.isascii() and text.isdigit() and len(text) <= 9 and 1 <= int(text) <= most:
        return int(text)
    faults.append(f"{name}: must be a whole number from 1 to {most}, not {text[:40]!r}")
    return None


def _login(env: Mapping[str, str], url: SplitResult | None, faults: list[str]) -> tuple[str | None, str | None]:
    user, password = _value(env, "SMTP_USER"), env.get("SMTP_PASSWORD") or None
    if url is not None and url.username:
        user, password = unquote(url.username), unquote(url.password or "") or password
    if user is not None and password is None:
        faults.append("SMTP_PASSWORD: not set, and there is a user; set it, or take the user away")
    elif user is None and password is not None:
        faults.append("SMTP_USER: not set, and there is a password; set it, or take SMTP_PASSWORD away")
    return user, password


def _ca_file(env: Mapping[str, str], faults: list[str]) -> str | None:
    path = _value(env, "SMTP_CA_FILE")
    if path is not None:
        try:
            ssl.create_default_context(cafile=path)
        except (OSError, ssl.SSLError) as error:
            why = error.strerror or "there is no certificate in it"
            faults.append(f"SMTP_CA_FILE: {path}: can't be used as a file of certificates in PEM: {why}")
    return path
