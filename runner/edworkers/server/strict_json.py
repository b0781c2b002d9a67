"""JSON that says one thing only: UTF-8, no NaN, no name given twice, not nested without end."""

import json
from typing import Any, cast

from pydantic_core import from_json

from edworkers.core.settings import in_short
from edworkers.server.problems import Problem


def read_json(body: bytes) -> Any:
    """Read a document. Raises Problem 400 where it isn't JSON, or could be read in two ways."""
    try:
        document: Any = from_json(body, allow_inf_nan=False)
        # Readers of JSON don't agree on which of two fields counts: what was checked might not be what runs.
        json.loads(body, object_pairs_hook=_each_once)
    except ValueError as error:
        raise Problem(400, "not-json", _explain(str(error), body)) from error
    return document


def read_object(body: bytes) -> dict[str, Any]:
    """Read an object. Raises Problem 400 where it isn't one."""
    document = read_json(body)
    if not isinstance(document, dict):
        raise Problem(400, "not-json", "the body must be a JSON object")
    return cast("dict[str, Any]", document)


def _each_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    fields = dict(pairs)
    if len(fields) < len(pairs):
        names = [name for name, _ in pairs]
        twice = sorted({in_short(name) for name in names if names.count(name) > 1})[:5]
        raise ValueError(f"given twice in one object: {', '.join(twice)}")
    return fields


def _explain(message: str, body: bytes) -> str:
    if not body.strip():
        return "the body is empty; send JSON"
    if "recursion limit" in message:
        return "nested too deeply: at most 200 levels are read"
    try:
        body.decode()
    except UnicodeDecodeError as error:
        return f"not JSON: not UTF-8, byte 0x{body[error.start]:02x} at position {error.start}"
    return message if message.startswith("given twice") else f"not JSON: {message}"
