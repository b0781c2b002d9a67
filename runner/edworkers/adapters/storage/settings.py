"""Where objects are stored, read from the environment."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import urlsplit


@dataclass(frozen=True, slots=True)
class S3Settings:
    """How to reach S3-compatible storage."""

    endpoint: str | None
    """None for Amazon's own."""
    region: str
    credentials: Mapping[str, str] = field(repr=False)
    """By obstore's names: keys, or where to get them from."""


@dataclass(frozen=True, slots=True)
class StorageSettings:
    """What storage there is."""

    s3: S3Settings | None
    folder: Path | None


_KEYS = {
    "AWS_ACCESS_KEY_ID": "access_key_id",
    "AWS_SECRET_ACCESS_KEY": "secret_access_key",
    "AWS_SESSION_TOKEN": "session_token",
}
_ROLES = {
    "AWS_WEB_IDENTITY_TOKEN_FILE": "web_identity_token_file",
    "AWS_ROLE_ARN": "role_arn",
    "AWS_CONTAINER_CREDENTIALS_FULL_URI": "container_credentials_full_uri",
    "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE": "container_authorization_token_file",
}
"""What Amazon's Kubernetes sets in a pod whose service account has a role."""


def find_faults(env: Mapping[str, str], *, needed: bool = False) -> list[str]:
    """Say what is wrong with the environment, a line each; with `needed` also that there is no storage at all."""
    faults: list[str] = []
    settings = storage_settings(env, faults)
    if needed and not faults and settings.s3 is None and settings.folder is None:
        faults.append(
            "STORAGE_FOLDER or AWS_ACCESS_KEY_ID: there is no storage; set the folder for files, "
            "or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY (and AWS_ENDPOINT_URL) for S3"
        )
    return faults


def storage_settings(env: Mapping[str, str], faults: list[str]) -> StorageSettings:
    """Read what storage there is, and add to `faults` what is wrong with it."""
    return StorageSettings(s3=_s3(env, faults), folder=_folder(env, faults))


def _folder(env: Mapping[str, str], faults: list[str]) -> Path | None:
    text = env.get("STORAGE_FOLDER", "").strip()
    if not text:
        return None
    folder = Path(text)
    if not folder.is_absolute():
        faults.append(f"STORAGE_FOLDER: must be an absolute path, not {text!r}")
    elif not folder.is_dir():
        faults.append(f"STORAGE_FOLDER: there is no folder {text}; make it, or mount it there")
    return folder


def _s3(env: Mapping[str, str], faults: list[str]) -> S3Settings | None:
    endpoint = _text(env, "AWS_ENDPOINT_URL")
    credentials = _named(env, _KEYS) or _named(env, _ROLES)
    if not credentials:
        if endpoint is not None:
            faults.append("AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY: must be set where AWS_ENDPOINT_URL is")
        return None
    faults += _faults_of_keys(env)
    if endpoint is not None:
        faults += _faults_of_endpoint(endpoint)
    if find_spec("obstore") is None:
        faults.append("the Python package obstore is not installed: pip install 'edworkers[storage]'")
    return S3Settings(endpoint, _text(env, "AWS_REGION") or "us-east-1", credentials)


def _named(env: Mapping[str, str], names: Mapping[str, str]) -> dict[str, str]:
    return {ours: text for theirs, ours in names.items() if (text := _text(env, theirs)) is not None}


def _faults_of_keys(env: Mapping[str, str]) -> list[str]:
    there = _named(env, _KEYS)
    if not there:
        return []
    missing = [name for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY") if _KEYS[name] not in there]
    return [f"{name}: must be set, as the other half of the credentials is" for name in missing]


def _text(env: Mapping[str, str], name: str) -> str | None:
    return env.get(name, "").strip() or None


def _faults_of_endpoint(endpoint: str) -> list[str]:
    try:
        parts = urlsplit(endpoint)
        usable = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return ["AWS_ENDPOINT_URL: must be an address such as https://s3.example.org"]
    if not usable or parts.query or parts.fragment:
        return ["AWS_ENDPOINT_URL: must be an address such as https://s3.example.org"]
    if "@" in parts.netloc:
        return ["AWS_ENDPOINT_URL: must not have a user name or password in it"]
    return []
