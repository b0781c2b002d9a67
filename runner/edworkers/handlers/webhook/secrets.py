"""With what webhooks are signed, as Standard Webhooks has it, and where the secrets come from.

A variable may hold several secrets with a space between: each signs, so that receivers can change from one to the next.
"""

import base64
import binascii
from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import lru_cache
from typing import Annotated, Any

from pydantic import AfterValidator

from edworkers.handlers.data import must_match

DEFAULT_VARIABLE = "WEBHOOK_SECRET"
UNSIGNED = "none"

_PREFIX = "whsec_"
_FEWEST_BYTES, _MOST_BYTES = 24, 64
_SHAPE = f"must be {_PREFIX} and then {_FEWEST_BYTES} to {_MOST_BYTES} random bytes in base64"
_HOW_TO_MAKE = 'make one with: echo "whsec_$(openssl rand -base64 32)"'


class MissingSecretError(LookupError):
    """A job names a secret that the environment doesn't have."""


def check_secret(secret: str) -> str:
    """Refuse what is no secret of Standard Webhooks, without repeating it. Raises ValueError."""
    if not secret.startswith(_PREFIX) or not _FEWEST_BYTES <= _bytes_in(secret) <= _MOST_BYTES:
        raise ValueError(_SHAPE)
    return secret


def _bytes_in(secret: str) -> int:
    text = secret.removeprefix(_PREFIX).rstrip("=")
    try:
        return len(base64.b64decode(text + "=" * (-len(text) % 4), validate=True))
    except (binascii.Error, ValueError):
        return 0


Secret = Annotated[str, AfterValidator(check_secret)]
SecretRef = Annotated[
    str,
    AfterValidator(
        must_match(r"[A-Za-z0-9][A-Za-z0-9_-]{0,62}", "must be letters, digits, - and _, for a variable's name ends so")
    ),
]


def variable_of(ref: str) -> str:
    """Name the variable that a `secretRef` means."""
    return f"{DEFAULT_VARIABLE}_{ref.upper().replace('-', '_')}"


def find_faults(env: Mapping[str, str]) -> list[str]:
    """Say what is wrong with the secrets in the environment; no secret is repeated."""
    faults: list[str] = []
    if not env.get(DEFAULT_VARIABLE, "").strip():
        faults.append(
            f"{DEFAULT_VARIABLE}: not set; {_HOW_TO_MAKE}"
            f" and give it to the receivers, or set it to {UNSIGNED} to send unsigned what brings no secret of its own"
        )
    for variable in sorted(env):
        if variable == DEFAULT_VARIABLE or variable.startswith(f"{DEFAULT_VARIABLE}_"):
            faults += _faults_in(variable, env[variable].split())
    return faults


def _faults_in(variable: str, secrets: Sequence[str]) -> list[str]:
    if variable == DEFAULT_VARIABLE and list(secrets) == [UNSIGNED]:
        return []
    faults: list[str] = []
    for number, secret in enumerate(secrets, start=1):
        try:
            check_secret(secret)
        except ValueError as error:
            which = f"number {number} of {len(secrets)} " if len(secrets) > 1 else ""
            faults.append(f"{variable}: {which}{error}; {_HOW_TO_MAKE}")
    return faults


def choose(env: Mapping[str, str], secret: str | None, ref: str | None) -> tuple[str, ...]:
    """Give the secrets to sign with: the job's own, those it refers to, or the usual ones; none to send it unsigned.

    Raises MissingSecretError.
    """
    if secret is not None:
        return (secret,)
    if ref is None:
        usual = tuple(env.get(DEFAULT_VARIABLE, "").split())
        return () if usual == (UNSIGNED,) else usual
    variable = variable_of(ref)
    secrets = tuple(env.get(variable, "").split())
    if not secrets:
        raise MissingSecretError(f"secretRef {ref!r}: the variable {variable} is not set; set it, then replay the job")
    return secrets


def signed_headers(secrets: Sequence[str], message_id: str, now: datetime, body: bytes) -> dict[str, str]:
    """Make the headers of Standard Webhooks; with no secret there is no signature. `now` is in UTC."""
    headers = {"webhook-id": message_id, "webhook-timestamp": str(int(now.timestamp()))}
    if secrets:
        text = body.decode()
        headers["webhook-signature"] = " ".join(_signing(secret).sign(message_id, now, text) for secret in secrets)
    return headers


@lru_cache(maxsize=256)
def _signing(secret: str) -> Any:
    from standardwebhooks import Webhook

    return Webhook(secret)
