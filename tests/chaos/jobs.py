"""The jobs of a chaos run, drawn from a seed: what is pushed, how, and how each must end."""

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from pydantic_core import to_json

from edworkers.core.settings import MAX_PAYLOAD_BYTES

LONG_WORK_SECONDS = 600
"""Work that nobody waits for: it is to be cancelled."""
FAR_SECONDS = 3600
GROUPS = ("big", "big", "big", "big", "one", "two", "three")
"""The big one has more than half of the jobs that have a group."""
_GROUPED = 0.4


@dataclass(frozen=True, slots=True)
class Planned:
    """One job that is to be pushed."""

    nr: int
    kind: str
    payload: bytes
    ends: str
    """`done`, `cancelled`, or of a dead letter the kind of its error."""
    job_id: str = ""
    """Empty where the payload names none."""
    by: str = "lpush"
    """`lpush`, `rpush` or `enqueue`."""
    copies: int = 1
    unique_key: str = ""
    due: int = 0
    """Unix ms before which it must not begin."""
    cancel: str = ""
    """When it is cancelled: `waiting` or `running`."""
    follows: bool = False
    """Whether a job follows it in the second queue."""
    max_attempts: int = 3
    pad: int = 0
    group: str = ""


@dataclass(slots=True)
class Draw:
    """What a kind of job is made from."""

    nr: int
    rng: random.Random
    now: int
    """Unix ms."""
    fields: dict[str, Any] = field(default_factory=dict[str, Any])

    def id_of(self, kind: str) -> str:
        return f"{kind}-{self.nr}"


def _job(draw: Draw, kind: str, *, data: dict[str, Any], ends: str = "done", **more: Any) -> Planned:
    """Make a job with an id; `more` are fields of the plan, `draw.fields` those of the envelope."""
    job_id = draw.id_of(kind)
    group = draw.rng.choice(GROUPS) if draw.rng.random() < _GROUPED else ""
    if group:
        draw.fields = {**draw.fields, "group": group}
    # The number stands first, so that it can be found in any payload.
    payload = to_json({"id": job_id, "data": {"nr": draw.nr, **data}, **draw.fields})
    by = more.pop("by", "enqueue" if draw.rng.random() < 0.3 else "lpush")
    return Planned(draw.nr, kind, payload, ends, job_id, by, group=group, **more)


def _fast(draw: Draw) -> Planned:
    return _job(draw, "fast", data={})


def _usual(draw: Draw) -> Planned:
    return _job(draw, "usual", data={"seconds": round(draw.rng.uniform(0.05, 1), 3)})


def _long(draw: Draw) -> Planned:
    return _job(draw, "long", data={"seconds": round(draw.rng.uniform(2.5, 5), 3)})


def _flaky(draw: Draw) -> Planned:
    return _job(draw, "flaky", data={"do": "fail", "times": 2})


def _failing(draw: Draw) -> Planned:
    return _job(draw, "failing", data={"do": "fail", "times": 99}, ends="RuntimeError")


def _timeout(draw: Draw) -> Planned:
    draw.fields = {"timeoutSeconds": 0.3, "maxAttempts": 2}
    return _job(draw, "timeout", data={"seconds": LONG_WORK_SECONDS}, ends="timeout", max_attempts=2)


def _follow(draw: Draw) -> Planned:
    return _job(draw, "follow", data={"do": "follow"}, follows=True)


def _delayed(draw: Draw) -> Planned:
    due = draw.now + round(draw.rng.uniform(1000, 4000))
    draw.fields = {"runAt": datetime.fromtimestamp(due / 1000, UTC).isoformat(timespec="milliseconds")}
    return _job(draw, "delayed", data={}, due=due)


def _unique(draw: Draw) -> Planned:
    key = f"key-{draw.nr // 40}"
    draw.fields = {"uniqueKey": key}
    return _job(draw, "unique", data={"seconds": round(draw.rng.uniform(0, 0.5), 3)}, unique_key=key)


def _twice(draw: Draw) -> Planned:
    return _job(draw, "twice", data={"seconds": round(draw.rng.uniform(0, 0.3), 3)}, by="lpush", copies=2)


def _urgent(draw: Draw) -> Planned:
    return _job(draw, "urgent", data={}, by="rpush")


def _nameless(draw: Draw) -> Planned:
    data = {"nr": draw.nr, "seconds": round(draw.rng.uniform(0, 0.3), 3)}
    return Planned(draw.nr, "nameless", to_json(draw.rng.choice([data, {"data": data}])), "done")


def _malformed(draw: Draw) -> Planned:
    nr = draw.nr
    ways = (
        b'{"nr":%d, "data": {' % nr,
        b'["nr",{"nr":%d}]' % nr,
        b'{"data":{"nr":%d,"wrong":true}}' % nr,
        b'{"data":{"nr":%d},"runat":"2030-01-01T00:00:00Z"}' % nr,
        b'{"nr":%d,"\xff":1}' % nr,
        b'\x1e1 2 3 4 "nr":%d' % nr,
    )
    return Planned(nr, "malformed", draw.rng.choice(ways), "rejected")


def _progress(draw: Draw) -> Planned:
    return _job(draw, "progress", data={"do": "progress", "seconds": round(draw.rng.uniform(0.1, 2), 3)})


def _cancelled_waiting(draw: Draw) -> Planned:
    due = draw.now + FAR_SECONDS * 1000
    draw.fields = {"runAt": datetime.fromtimestamp(due / 1000, UTC).isoformat(timespec="milliseconds")}
    return _job(draw, "putoff", data={}, ends="cancelled", due=due, cancel="waiting")


def _cancelled_running(draw: Draw) -> Planned:
    return _job(draw, "endless", data={"seconds": LONG_WORK_SECONDS}, ends="cancelled", cancel="running")


def _block(draw: Draw) -> Planned:
    return _job(draw, "block", data={"do": "block", "seconds": 3})


def _isolated(draw: Draw) -> Planned:
    draw.fields = {"type": "isolated"}
    return _job(draw, "isolated", data={"seconds": round(draw.rng.uniform(0, 3), 3)})


def _isolated_timeout(draw: Draw) -> Planned:
    draw.fields = {"type": "isolated", "timeoutSeconds": 0.5, "maxAttempts": 2}
    data = {"do": "block", "seconds": LONG_WORK_SECONDS}
    return _job(draw, "isolatedtimeout", data=data, ends="timeout", max_attempts=2)


def _isolated_cancelled(draw: Draw) -> Planned:
    draw.fields = {"type": "isolated"}
    data = {"do": "block", "seconds": LONG_WORK_SECONDS}
    return _job(draw, "isolatedendless", data=data, ends="cancelled", cancel="running")


def _huge(draw: Draw) -> Planned:
    pad = MAX_PAYLOAD_BYTES - 2000
    return _job(draw, "huge", data={"pad": "x" * pad}, pad=pad)


def _oversize(draw: Draw) -> Planned:
    payload = to_json({"data": {"nr": draw.nr, "pad": "x" * MAX_PAYLOAD_BYTES}})
    return Planned(draw.nr, "oversize", payload, "rejected")


def _poison(draw: Draw) -> Planned:
    return _job(draw, "poison", data={"do": "kill"}, ends="poison", by="lpush")


@dataclass(frozen=True, slots=True)
class Kind:
    make: Callable[[Draw], Planned]
    share: float
    """Of every thousand jobs, about how many are of this kind."""
    most: int = 10**9


KINDS = (
    Kind(_poison, 1, most=12),
    Kind(_huge, 2, most=12),
    Kind(_oversize, 1, most=4),
    Kind(_block, 2, most=20),
    Kind(_cancelled_running, 8),
    Kind(_cancelled_waiting, 8),
    Kind(_delayed, 30),
    Kind(_failing, 30),
    Kind(_flaky, 80),
    Kind(_follow, 90),
    Kind(_isolated, 20),
    Kind(_isolated_timeout, 3),
    Kind(_isolated_cancelled, 3),
    Kind(_long, 40),
    Kind(_malformed, 20),
    Kind(_nameless, 40),
    Kind(_progress, 20),
    Kind(_timeout, 15),
    Kind(_twice, 30),
    Kind(_unique, 50),
    Kind(_urgent, 20),
    Kind(_usual, 230),
)
"""What isn't of one of these is `fast`."""


def kinds_of(count: int, rng: random.Random) -> list[Callable[[Draw], Planned]]:
    """Draw the order of `count` jobs by kind, at least one of each.

    The first is a poison pill, for those take longest; the others are spread over the first half.
    """
    kinds = [kind.make for kind in KINDS for _ in range(max(1, min(kind.most, round(kind.share * count / 1000))))]
    kinds += [_fast] * max(0, count - len(kinds))
    rng.shuffle(kinds)
    pills = [at for at, make in enumerate(kinds) if make is _poison]
    for pill, wanted in zip(pills, range(0, len(kinds) // 2, len(kinds) // 2 // len(pills) or 1), strict=False):
        kinds[pill], kinds[wanted] = kinds[wanted], kinds[pill]
    return kinds


def draw_jobs(count: int, rng: random.Random, now: Callable[[], int]) -> Iterator[Planned]:
    """Make the jobs one by one, as they are asked for: `now` (Unix ms) is when one is pushed."""
    for nr, make in enumerate(kinds_of(count, rng), 1):
        yield make(Draw(nr, rng, now()))
