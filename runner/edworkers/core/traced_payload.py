"""Puts a trace context into a job that has none, so that what is done with it later belongs to the trace."""

from typing import Any, cast

from pydantic_core import from_json, to_json

from edworkers.core.settings import MAX_PAYLOAD_BYTES


def traced_payload(payload: bytes, traceparent: str) -> bytes:
    """Give the payload with this W3C trace context; as it is where it has one, is no job, or has no room for it."""
    try:
        document: Any = from_json(payload, allow_inf_nan=False)
    except ValueError:
        return payload
    if not isinstance(document, dict):
        return payload
    made = _made(cast("dict[str, Any]", document), payload, to_json(traceparent))
    return made if len(made) <= MAX_PAYLOAD_BYTES else payload


def _made(document: dict[str, Any], payload: bytes, traceparent: bytes) -> bytes:
    if "data" not in document:
        # With `specversion` it is no job: its data is missing.
        return payload if "specversion" in document else b'{"traceparent":' + traceparent + b',"data":' + payload + b"}"
    if document.get("traceparent") is not None:
        return payload
    if "traceparent" in document:  # as null, and no name may be there twice
        return to_json({**document, "traceparent": from_json(traceparent)})
    # Its other bytes stay as its producer wrote them.
    return b'{"traceparent":' + traceparent + b"," + payload[payload.index(b"{") + 1 :]
