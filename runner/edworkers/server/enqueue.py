"""From JSON that came over HTTP to a job that may be enqueued, or to every fault in it."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from pydantic import BaseModel
from pydantic_core import to_json

from edworkers.core.errors import InvalidJobError
from edworkers.pipeline.claim import Handlers
from edworkers.pipeline.enqueue import prepare
from edworkers.ports import Enqueue, Handler
from edworkers.server.platform import ServedQueue


class _Anything(BaseModel, extra="allow"):
    """Data whose model isn't installed here."""


async def _nowhere(_data: Any, _job: Any) -> None:
    raise NotImplementedError


_UNCHECKED: Handlers = {None: Handler(data=_Anything, run=_nowhere)}


def handlers_of(served: ServedQueue) -> Handlers:
    """Give the handlers by whose models a queue's jobs are checked."""
    return _UNCHECKED if served.module is None else {handler.type: handler for handler in served.module.handlers}


def make_job(
    served: ServedQueue,
    body: bytes,
    document: Mapping[str, Any],
    *,
    new_id: str,
    now: int,
    urgent: bool = False,
) -> Enqueue:
    """Make a job of a JSON object, `document`, whose bytes are `body`; `now` is in Unix ms.

    An object with `data` (or a CloudEvents event) is the whole job, any other its data. What was sent stays byte for
    byte as it is; an id and the time are put before it. Raises InvalidJobError with every fault.
    """
    is_envelope = "data" in document or "specversion" in document
    own: Mapping[str, Any] = document if is_envelope else {}
    added = {"id": new_id, "time": datetime.fromtimestamp(now / 1000, UTC).isoformat()}
    missing = {name: value for name, value in added.items() if own.get(name) is None}
    payload = _put_before(body, document, missing, is_envelope=is_envelope)
    try:
        return prepare(payload, handlers_of(served), served.spec.job, new_id=new_id, now=now, urgent=urgent)
    except InvalidJobError as error:
        summary = f"the queue {served.spec.queue!r} takes no such job:"
        more = _faults_of_data(served, own, error, now) if is_envelope else []
        raise InvalidJobError(summary, [*error.faults, *more]) from error


def _put_before(body: bytes, document: Mapping[str, Any], missing: Mapping[str, str], *, is_envelope: bool) -> bytes:
    if any(name in document for name in missing) and is_envelope:  # as null, and no name may be there twice
        return to_json({**document, **missing})
    head = to_json(missing)[:-1]
    if not is_envelope:
        return head + b',"data":' + body + b"}"
    return head + b"," + body.strip()[1:] if missing else body


def _faults_of_data(served: ServedQueue, own: Mapping[str, Any], error: InvalidJobError, now: int) -> list[str]:
    """Look at the data by itself: a runner doesn't where the envelope around it is wrong."""
    kind = own.get("type")
    usable = {"type": kind} if isinstance(kind, str) and kind else {}
    alone = to_json({**usable, "data": own.get("data", {})})
    try:
        prepare(alone, handlers_of(served), served.spec.job, new_id="none", now=now)
    except InvalidJobError as more:
        return [fault for fault in more.faults if fault not in error.faults]
    return []
