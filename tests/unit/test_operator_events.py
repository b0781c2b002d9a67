"""Which changes of a pool's conditions are told as events."""

from datetime import UTC, datetime
from typing import Any

import pytest

from edworkers_operator.events import Note, event, notes_on

NOW = datetime(2026, 5, 1, 12, tzinfo=UTC)


def one(name: str, status: str, reason: str = "Some", message: str = "why") -> dict[str, Any]:
    return {"type": name, "status": status, "reason": reason, "message": message}


@pytest.mark.parametrize(
    ("before", "after", "notes"),
    [
        pytest.param([], [one("Ready", "True"), one("Degraded", "False")], [], id="good from the start"),
        pytest.param([], [one("Stalled", "True")], [Note("Warning", "Some", "why")], id="bad from the start"),
        pytest.param([one("Ready", "True")], [one("Ready", "True", "Other")], [], id="another reason only"),
        pytest.param(
            [one("Ready", "True")],
            [one("Ready", "False", "X"), one("Degraded", "True", "X")],
            [Note("Warning", "X", "why")],
            id="a reason that two conditions share",
        ),
        pytest.param(
            [one("Ready", "True")],
            [one("Ready", "False", "RollingOut")],
            [Note("Normal", "RollingOut", "why")],
            id="calm",
        ),
        pytest.param([one("Ready", "False")], [one("Ready", "True")], [Note("Normal", "Some", "why")], id="good again"),
        pytest.param([one("Degraded", "False")], [one("Degraded", "Unknown")], [], id="unknown is no news"),
        pytest.param([one("ScalerReady", "Unknown")], [one("ScalerReady", "True")], [], id="nor what was unknown"),
        pytest.param(
            [one("Throttled", "False")],
            [one("Throttled", "Unknown", "QueueUnreadable")],
            [Note("Warning", "QueueUnreadable", "why")],
            id="a queue that can't be counted any more",
        ),
        pytest.param([one("Progressing", "False")], [one("Progressing", "True")], [], id="nor a rollout by itself"),
        pytest.param(
            [one("Throttled", "False")],
            [one("Throttled", "True", "LimitReached")],
            [Note("Normal", "LimitReached", "why")],
            id="a limit is reached",
        ),
        pytest.param(
            [one("Throttled", "True")],
            [one("Throttled", "False", "Open")],
            [Note("Normal", "QueueOpened", "why")],
            id="open",
        ),
    ],
)
def test_what_changed_is_told_once(before: Any, after: Any, notes: list[Note]) -> None:
    assert notes_on(before, after) == notes


POOL = {
    "apiVersion": "edworkers.dev/v1alpha1",
    "kind": "WorkerPool",
    "metadata": {"name": "ai", "namespace": "school", "uid": "u"},
}


def test_an_event_lies_beside_its_pool_and_names_it() -> None:
    written = event(POOL, Note("Warning", "Repaired", "put back"), "ai.1", NOW)
    assert written["metadata"] == {"name": "ai.1", "namespace": "school"}
    assert written["involvedObject"]["uid"] == "u"
    assert (written["firstTimestamp"], written["count"]) == ("2026-05-01T12:00:00Z", 1)
    assert (written["type"], written["reason"], written["message"]) == ("Warning", "Repaired", "put back")


@pytest.mark.parametrize(("message", "told"), [("x" * 5000, "x" * 1000), ("", "Repaired")])
def test_an_event_has_a_message_that_the_api_takes(message: str, told: str) -> None:
    assert event(POOL, Note("Normal", "Repaired", message), "ai.1", NOW)["message"] == told
