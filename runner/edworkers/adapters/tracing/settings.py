"""Whether and where traces are sent, by OpenTelemetry's own variables."""

import importlib.util
from collections.abc import Mapping
from urllib.parse import urlsplit

ENDPOINT = "OTEL_EXPORTER_OTLP_ENDPOINT"
TRACES_ENDPOINT = "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"
_PROTOCOLS = ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL")
_OTLP_HTTP = "http/protobuf"
_NEEDED = ("opentelemetry.sdk", "opentelemetry.exporter.otlp.proto.http")


def is_wanted(env: Mapping[str, str]) -> bool:
    """Say whether traces are to be sent: an endpoint is given, and nothing turns them off."""
    if env.get("OTEL_SDK_DISABLED", "").strip().lower() == "true":
        return False
    if env.get("OTEL_TRACES_EXPORTER", "otlp").strip().lower() == "none":
        return False
    return bool(env.get(TRACES_ENDPOINT) or env.get(ENDPOINT))


def find_faults(env: Mapping[str, str]) -> list[str]:
    """Say what is wrong with the environment, where traces are to be sent."""
    if not is_wanted(env):
        return []
    faults = [
        f"{name}: {url!r} is no address; give one such as http://collector:4318"
        for name in (TRACES_ENDPOINT, ENDPOINT)
        if (url := env.get(name)) and not _is_address(url)
    ]
    named = next((name for name in _PROTOCOLS if env.get(name)), None)
    if named is not None and env[named] != _OTLP_HTTP:
        faults.append(f"{named}: {env[named]!r} isn't spoken; it is {_OTLP_HTTP}, mostly on port 4318")
    if not _is_installed():
        faults.append(f"{ENDPOINT}: to send traces needs more: pip install 'edworkers[otel]'")
    return faults


def _is_address(url: str) -> bool:
    try:
        parts = urlsplit(url)
        return parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False


def _is_installed() -> bool:
    try:
        return all(importlib.util.find_spec(name) is not None for name in _NEEDED)
    except ModuleNotFoundError:
        return False
