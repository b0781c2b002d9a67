"""DKIM: the signature by which a receiver knows that a domain stands behind a message (RFC 6376)."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

_SIGNED = (
    "from",
    "from",  # once more than it is there: a second From added on the way breaks the signature
    "reply-to",
    "to",
    "cc",
    "subject",
    "date",
    "message-id",
    "in-reply-to",
    "references",
    "mime-version",
    "content-type",
    "list-id",
    "list-unsubscribe",
    "list-unsubscribe-post",
)
_LABEL = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?(\.[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)*")
_LEAST_BITS = 1024


@dataclass(frozen=True, slots=True)
class DkimKey:
    """What messages are signed with: an RSA key in PEM, whose public half lies at `selector`._domainkey.`domain`."""

    domain: str
    selector: str
    pem: bytes = field(repr=False)


def sign(message: bytes, key: DkimKey) -> bytes:
    """Give the message with a DKIM-Signature before it, relaxed/relaxed."""
    import dkim  # type: ignore[import-untyped]

    there = {line.split(b":", 1)[0].lower() for line in message.partition(b"\r\n\r\n")[0].split(b"\r\n")}
    signature = dkim.sign(
        message,
        key.selector.encode(),
        key.domain.encode(),
        key.pem,
        canonicalize=(b"relaxed", b"relaxed"),
        include_headers=[name.encode() for name in _SIGNED if name.encode() in there],
    )
    return bytes(signature) + message


def read_key(env: Mapping[str, str], faults: list[str]) -> DkimKey | None:
    """Read the key; none where there are no DKIM settings. No key is repeated in a fault."""
    domain, selector = (env.get(name, "").strip().lower() for name in ("DKIM_DOMAIN", "DKIM_SELECTOR"))
    inline, path = env.get("DKIM_PRIVATE_KEY", "").strip(), env.get("DKIM_PRIVATE_KEY_FILE", "").strip()
    if not (domain or selector or inline or path):
        return None
    before = len(faults)
    for name, value in (("DKIM_DOMAIN", domain), ("DKIM_SELECTOR", selector)):
        if not _LABEL.fullmatch(value):
            faults.append(f"{name}: {'must be a name in DNS' if value else 'not set, and messages are to be signed'}")
    if bool(inline) == bool(path):
        which = "and DKIM_PRIVATE_KEY are both set: take one away" if inline else "not set, nor is DKIM_PRIVATE_KEY"
        faults.append(f"DKIM_PRIVATE_KEY_FILE: {which}")
        return None
    name = "DKIM_PRIVATE_KEY" if inline else "DKIM_PRIVATE_KEY_FILE"
    pem = inline.replace("\\n", "\n").encode() if inline else _read(path, faults)
    if pem is not None:
        faults += [f"{name}: {fault}" for fault in _key_faults(pem)]
    return DkimKey(domain, selector, pem) if pem is not None and len(faults) == before else None


def _read(path: str, faults: list[str]) -> bytes | None:
    try:
        return Path(path).read_bytes()
    except OSError as error:
        faults.append(f"DKIM_PRIVATE_KEY_FILE: {path}: {error.strerror or error}")
        return None


def _key_faults(pem: bytes) -> list[str]:
    from dkim.crypto import UnparsableKeyError, parse_pem_private_key  # type: ignore[import-untyped]

    try:
        bits = _modulus(parse_pem_private_key(pem)).bit_length()
    except (UnparsableKeyError, ValueError, TypeError, KeyError, IndexError):
        return ["must be an RSA key in PEM without a password; make one with: openssl genrsa -traditional 2048"]
    return [f"has {bits} bits, and receivers want 2048"] if bits < _LEAST_BITS else []


def _modulus(key: Any) -> int:
    """Take the modulus from what a library without types has read."""
    return int(key["modulus"])
