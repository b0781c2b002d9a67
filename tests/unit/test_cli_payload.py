"""From what a producer typed to a job, or to every fault in it."""

import io
import json
from typing import Any

import pytest

from edworkers.cli.lines import check_lines
from edworkers.cli.payload import Maker
from edworkers.core.errors import InvalidJobError
from edworkers.core.settings import MAX_PAYLOAD_BYTES, JobPolicy
from edworkers.handlers import webhook
from edworkers.ports import Enqueue

NOW = 1_769_860_800_000
DATA = {"url": "https://school.example/hooks", "event": "done", "payload": {}}


def _make(given: Any, **fields: Any) -> Enqueue:
    raw = given if isinstance(given, bytes) else json.dumps(given).encode()
    return _maker(**fields).make(raw, new_id="new", now=NOW)


def _maker(**fields: Any) -> Maker:
    return Maker({handler.type: handler for handler in webhook.MODULE.handlers}, JobPolicy(), fields)


def _faults(given: Any, **fields: Any) -> list[str]:
    with pytest.raises(InvalidJobError) as refused:
        _make(given, **fields)
    return [fault.split(":")[0] for fault in refused.value.faults]


def test_the_id_is_in_the_payload_as_the_runner_makes_another_where_it_is_not() -> None:
    for given in (DATA, {"data": DATA}, {"id": None, "data": DATA}):
        made = _make(given)
        assert (made.job_id, json.loads(made.payload)["id"]) == ("new", "new")


def test_an_event_of_cloudevents_is_taken_as_a_job() -> None:
    event = {"specversion": "1.0", "id": "e1", "source": "s", "type": "t", "data": DATA}
    assert json.loads(_make(event).payload).items() >= event.items()


def test_a_delay_counts_from_now() -> None:
    assert _make(DATA, delay=1.5).due == NOW + 1500
    assert _make(DATA).due == 0


def test_the_same_value_twice_is_no_fault() -> None:
    assert _make({"id": "a", "data": DATA}, id="a").job_id == "a"


@pytest.mark.parametrize(
    ("given", "fields", "faults"),
    [
        ({"data": DATA, "runAt": "2027-01-31T09:00:00Z"}, {"delay": 1.0}, ["runAt, delay"]),
        ({"data": DATA, "group": "a"}, {"group": "b"}, ["group"]),
        ({"data": {"url": 1}}, {"delay": -1.0}, ["delay", "data.url", "data.event", "data.payload"]),
        ({"url": 1}, {}, ["data.url", "data.event", "data.payload"]),
        ([], {"group": ""}, ["must be a JSON object, not an array", "group"]),
        (b"", {"delay": -1.0}, ["not JSON", "delay"]),
        ({"data": 1}, {}, ["data"]),
        ({**DATA, "expiresAt": "x"}, {}, ["data.expiresAt"]),
    ],
)
def test_every_fault_is_named_once(given: Any, fields: dict[str, Any], faults: list[str]) -> None:
    assert _faults(given, **fields) == faults


def test_a_job_that_has_expired_is_refused() -> None:
    with pytest.raises(InvalidJobError, match="expired"):
        _make(DATA, expiresAt="2020-01-01T00:00:00Z")


def test_a_job_that_is_put_together_may_not_become_too_large() -> None:
    data = {**DATA, "payload": {"text": "x" * (MAX_PAYLOAD_BYTES - 80)}}
    assert _faults(data)[0] == "too large"


def test_lines_are_given_back_in_batches_of_bounded_size() -> None:
    large = {**DATA, "payload": {"text": "x" * 900_000}}
    source = io.BytesIO(b"\n".join(json.dumps(large).encode() for _ in range(9)))
    ids = iter("abcdefghi")
    with check_lines(source, _maker(delay=60.0), lambda: next(ids), lambda: NOW, lambda _count: None) as checked:
        batches = list(checked.batches())
    assert [len(batch) for batch in batches] == [4, 4, 1]
    assert [job.job_id for batch in batches for job in batch] == list("abcdefghi")
    assert {job.due for batch in batches for job in batch} == {NOW + 60_000}
