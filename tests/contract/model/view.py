"""All that there is to see of a queue, in the same words for the model, the memory and Redis."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from tests.contract.model.jobs import Job, Known
from tests.contract.model.model import Model
from tests.contract.world import QUEUE

from edworkers.adapters.redis.record_fields import read_history
from edworkers.core.job import read_entry
from edworkers.core.lifecycle import State
from edworkers.ports.browse import JobHistory
from edworkers.testing.history import history_fields
from edworkers.testing.store import Record, Store


class Seen(NamedTuple):
    """A job as it lies somewhere."""

    payload: bytes
    deliveries: int
    attempts: int
    origin: str
    is_put_off: bool


class SeenRecord(NamedTuple):
    """What the record of an id says."""

    state: State
    attempts: int
    unique: str
    origin: str
    payload: bytes | None
    fingerprint: str
    past: tuple[tuple[int, str], ...]
    """The number and the outcome of each attempt that ended without the job being done."""
    logs: int
    """How many lines."""


@dataclass(slots=True)
class View:
    """One look. `times` are compared with some slack, all else exactly."""

    pending: list[Seen] = field(default_factory=list[Seen])
    arrived: list[Seen] = field(default_factory=list[Seen])
    lines: dict[str, list[Seen]] = field(default_factory=dict[str, list[Seen]])
    inflight: dict[str, Seen] = field(default_factory=dict[str, Seen])
    lease: set[str] = field(default_factory=set[str])
    delayed: set[str] = field(default_factory=set[str])
    entries: dict[str, Seen] = field(default_factory=dict[str, Seen])
    grouped: dict[str, str] = field(default_factory=dict[str, str])
    running: dict[str, int] = field(default_factory=dict[str, int])
    dead: dict[str, int] = field(default_factory=dict[str, int])
    finished: dict[str, int] = field(default_factory=dict[str, int])
    outbox: list[bytes] = field(default_factory=list[bytes])
    unique: dict[str, str] = field(default_factory=dict[str, str])
    cancels: set[str] = field(default_factory=set[str])
    totals: dict[str, int] = field(default_factory=dict[str, int])
    paused: bool = False
    failures: dict[str, int] = field(default_factory=dict[str, int])
    """How often the services of groups have failed in a row."""
    causes: dict[str, int] = field(default_factory=dict[str, int])
    """How many dead jobs have each fingerprint, as it is counted."""
    fingerprints: dict[str, str] = field(default_factory=dict[str, str])
    records: dict[str, SeenRecord] = field(default_factory=dict[str, SeenRecord])
    times: dict[str, float] = field(default_factory=dict[str, float])
    """Unix ms by the clock in memory: of leases, delays, ends, expiries, gates."""

    def payloads(self) -> list[bytes]:
        """List the bytes of every job, once for each place where it lies."""
        lists = (self.pending, self.arrived, *self.lines.values(), self.inflight.values(), self.entries.values())
        buried = [record.payload for record in self.records.values() if record.payload is not None]
        return [*(seen.payload for seens in lists for seen in seens), *buried]


def _seen(raw: bytes) -> Seen:
    entry = read_entry(raw)
    return Seen(entry.payload, entry.deliveries, entry.attempts, entry.origin, entry.due > 0)


def _seen_all(raws: Iterable[bytes]) -> list[Seen]:
    return [_seen(raw) for raw in raws]


def _expected(job: Job) -> Seen:
    return Seen(job.payload, job.deliveries, job.attempts, job.origin, job.put_off)


def _times(kind: str, times: Mapping[str, float]) -> dict[str, float]:
    return {f"{kind} {name}": at for name, at in times.items()}


def _still(kind: str, until: float, now: float) -> dict[str, float]:
    return {kind: until} if until > now else {}


def _after(now: float, times: Mapping[str, float]) -> dict[str, float]:
    return {name: at for name, at in times.items() if at > now}


# What is expected.


def of_model(model: Model) -> View:
    now = model.now()
    known = {job_id: found for job_id in list(model.known) if (found := model.find(job_id)) is not None}
    fingerprints = {job_id: known[job_id].fingerprint for job_id in model.dead if known[job_id].fingerprint}
    return View(
        pending=[_expected(job) for job in model.pending],
        arrived=[_expected(job) for job in model.arrived],
        lines={group: [_expected(job) for job in line] for group, line in model.lines.items() if line},
        inflight={receipt: _expected(held.job) for receipt, held in model.held.items()},
        lease=set(model.held),
        delayed=set(model.delayed),
        entries={name: _expected(job) for name, (_, job) in model.delayed.items()},
        grouped={receipt: held.group for receipt, held in model.held.items() if held.group is not None},
        running=_count_groups(model),
        dead={job_id: kept.bytes for job_id, kept in model.dead.items()},
        finished={job_id: kept.bytes for job_id, kept in model.finished.items()},
        outbox=[raw for raw, _ in model.outbox],
        unique=dict(model.unique),
        cancels=set(model.cancels),
        totals={name: count for name, count in model.totals.items() if count},
        paused=model.paused,
        failures={group: known.failures for group, known in model.circuits.failing.items()},
        causes=Counter(fingerprints.values()),
        fingerprints=fingerprints,
        records={job_id: _expected_record(found) for job_id, found in known.items()},
        times={
            **_times("lease", {receipt: held.deadline for receipt, held in model.held.items()}),
            **_times("delayed", {name: due for name, (due, _) in model.delayed.items()}),
            **_times("dead", {job_id: kept.at for job_id, kept in model.dead.items()}),
            **_times("finished", {job_id: kept.at for job_id, kept in model.finished.items()}),
            **_times("expires", {job_id: found.expires for job_id, found in known.items() if found.expires}),
            **_times("failed", {group: known.at for group, known in model.circuits.failing.items()}),
            **_times("shut", _after(now, model.circuits.shut)),
            **_still("gate", model.gate_until, now),
            **_still("throttled", model.throttled_until, now),
        },
    )


def _count_groups(model: Model) -> dict[str, int]:
    groups = [held.group for held in model.held.values() if held.group is not None]
    return {group: groups.count(group) for group in groups}


def _expected_record(known: Known) -> SeenRecord:
    payload = known.job.payload if known.state is State.DEAD else None
    past = tuple((ended.number, ended.outcome) for ended in known.history.past)
    fingerprint = known.fingerprint if known.state is State.DEAD else ""
    return SeenRecord(
        known.state, known.attempts, known.unique, known.origin, payload, fingerprint, past, known.history.logs
    )


# What is in memory.


def of_store(store: Store) -> View:
    now, fair = store.clock.now(), store.fair
    records = {job_id: found for job_id in list(store.records) if (found := store.find(job_id)) is not None}
    return View(
        pending=_seen_all(store.pending),
        arrived=_seen_all(store.arrived),
        lines={group: _seen_all(line) for group, line in fair.lines.items() if line},
        inflight={receipt: _seen(raw) for receipt, raw in store.inflight.items()},
        lease=set(store.lease),
        delayed=set(store.delayed),
        entries={name: _seen(raw) for name, raw in store.entries.items()},
        grouped=dict(fair.grouped),
        running=+fair.running,
        dead={job_id: kept.bytes for job_id, kept in store.dead.items()},
        finished={job_id: kept.bytes for job_id, kept in store.finished.items()},
        outbox=list(store.outbox),
        unique=dict(store.unique),
        cancels=set(store.cancel),
        totals={name: count for name, count in store.totals.items() if count},
        paused=store.paused,
        failures={group: known.failures for group, known in fair.circuits.items()},
        causes={name: group.count for name, group in store.failures.groups.items()},
        fingerprints=dict(store.failures.fingerprints),
        records={job_id: _stored_record(record) for job_id, record in records.items()},
        times={
            **_times("lease", store.lease),
            **_times("delayed", store.delayed),
            **_times("dead", {job_id: kept.at for job_id, kept in store.dead.items()}),
            **_times("finished", {job_id: kept.at for job_id, kept in store.finished.items()}),
            **_times("expires", {job_id: found.expires_at for job_id, found in records.items() if found.expires_at}),
            **_times("failed", {group: known.at for group, known in fair.circuits.items()}),
            **_times("shut", _after(now, fair.shut)),
            **_still("gate", store.gate_until, now),
            **_still("throttled", store.throttled_until, now),
        },
    )


def _stored_record(record: Record) -> SeenRecord:
    history = read_history(history_fields(record))
    return SeenRecord(
        record.state,
        record.attempts,
        record.unique,
        record.origin,
        record.payload,
        record.fingerprint,
        _past(record.state, history),
        len(history.logs),
    )


def _past(state: State, history: JobHistory) -> tuple[tuple[int, str], ...]:
    """Tell what was noted of a job's past: the burial of one that is dead isn't yet."""
    noted = history.past[:-1] if state is State.DEAD else history.past
    return tuple((attempt.number, attempt.outcome) for attempt in noted)


# What is in Redis.

LOOK = """
local time, p, records = redis.call('TIME'), ARGV[1], {}
local function all(name) return redis.call('LRANGE', p .. name, 0, -1) end
local function hash(name) return redis.call('HGETALL', p .. name) end
local function scores(name) return redis.call('ZRANGE', p .. name, 0, -1, 'WITHSCORES') end
for _, key in ipairs(redis.call('KEYS', p .. 'job:*')) do
  records[#records + 1] = {key, redis.call('HGETALL', key), redis.call('PTTL', key)}
end
return {time, all('pending'), all('arrived'), redis.call('ZRANGE', p .. 'fair', 0, -1), hash('inflight'),
        scores('lease'), scores('delayed'), hash('entries'), hash('grouped'), hash('running'), scores('dead'),
        scores('finished'), all('outbox'), hash('unique'), scores('cancel'), hash('totals'),
        redis.call('EXISTS', p .. 'paused'), redis.call('PTTL', p .. 'gate'), redis.call('PTTL', p .. 'throttled'),
        scores('shut'), hash('circuits'), hash('failures'), hash('fingerprints'), records}
"""


async def of_redis(client: Any, shift: int) -> View:
    """Look at everything at one moment; by `shift` ms the clock in memory is ahead of that of Redis."""
    prefix = f"edworkers:{{{QUEUE}}}:"
    time, *parts = await client.execute_command("EVAL", LOOK, 0, prefix)
    return _read(parts, prefix, int(time[0]) * 1000 + int(time[1]) // 1000 + shift, shift)


def _pairs(flat: list[bytes]) -> dict[str, bytes]:
    return {name.decode(): value for name, value in zip(flat[::2], flat[1::2], strict=True)}


def _read(parts: list[Any], prefix: str, now: int, shift: int) -> View:
    pending, arrived, fair, inflight, lease, delayed, entries, grouped, running, dead, finished, *rest = parts
    outbox, unique, cancel, totals, paused, gate, throttled, shut, circuits, causes, fingerprints, records = rest
    at = {
        name: {member: float(score) + shift for member, score in _pairs(flat).items()}
        for name, flat in {"lease": lease, "delayed": delayed, "dead": dead, "finished": finished, "shut": shut}.items()
    }
    kept = {name: _kept(at[name]) for name in ("dead", "finished")}
    ttls = {key.decode().removeprefix(f"{prefix}job:"): now + ttl for key, _, ttl in records if ttl >= 0}
    return View(
        pending=_seen_all(pending),
        arrived=_seen_all(arrived),
        lines=_lines(fair),
        inflight={receipt: _seen(raw) for receipt, raw in _pairs(inflight).items()},
        lease=set(at["lease"]),
        delayed=set(at["delayed"]),
        entries={name: _seen(raw) for name, raw in _pairs(entries).items()},
        grouped={receipt: group.decode() for receipt, group in _pairs(grouped).items()},
        running={group: int(count) for group, count in _pairs(running).items()},
        dead={job_id: size for job_id, (size, _) in kept["dead"].items()},
        finished={job_id: size for job_id, (size, _) in kept["finished"].items()},
        outbox=list(outbox),
        unique={key: job_id.decode() for key, job_id in _pairs(unique).items()},
        cancels=set(_pairs(cancel)),
        totals={name: int(count) for name, count in _pairs(totals).items() if int(count)},
        paused=bool(paused),
        failures={group: int(value.split()[0]) for group, value in _pairs(circuits).items()},
        causes={name: int(value.split()[0]) for name, value in _pairs(causes).items()},
        fingerprints={job_id: fingerprint.decode() for job_id, fingerprint in _pairs(fingerprints).items()},
        records={key.decode().removeprefix(f"{prefix}job:"): _read_record(_pairs(flat)) for key, flat, _ in records},
        times={
            **_times("lease", at["lease"]),
            **_times("delayed", at["delayed"]),
            **_times("dead", {job_id: ended for job_id, (_, ended) in kept["dead"].items()}),
            **_times("finished", {job_id: ended for job_id, (_, ended) in kept["finished"].items()}),
            **_times("expires", ttls),
            **_times("failed", {group: int(value.split()[1]) + shift for group, value in _pairs(circuits).items()}),
            **_times("shut", _after(now, at["shut"])),
            **_still("gate", now + gate, now),
            **_still("throttled", now + throttled, now),
        },
    )


def _kept(ends: Mapping[str, float]) -> dict[str, tuple[int, float]]:
    """Read `<bytes>:<id>`; no id may be listed twice."""
    kept = {member.partition(":")[2]: (int(member.partition(":")[0]), at) for member, at in ends.items()}
    assert len(kept) == len(ends), f"an id is kept twice: {sorted(ends)}"
    return kept


def _lines(members: Iterable[bytes]) -> dict[str, list[Seen]]:
    lines: dict[str, list[Seen]] = {}
    for member in members:
        group, _, raw = member.split(b"\0", 2)
        lines.setdefault(group.decode(), []).append(_seen(raw))
    return lines


def _read_record(fields: Mapping[str, bytes]) -> SeenRecord:
    state, history = State(fields["state"].decode()), read_history({name.encode(): at for name, at in fields.items()})
    return SeenRecord(
        state,
        int(fields.get("attempts", 0)),
        fields.get("unique", b"").decode(),
        fields.get("origin", b"").decode(),
        fields.get("payload"),
        history.fingerprint or "",
        _past(state, history),
        len(history.logs),
    )
