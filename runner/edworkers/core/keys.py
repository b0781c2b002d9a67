"""Names of the Redis keys; those of one queue share its hash tag and so one Redis Cluster slot."""

import re
from dataclasses import dataclass

QUEUE_NAME = re.compile(r"[a-z][a-z0-9-]{0,40}")
QUEUE_NAME_IN_WORDS = "a small letter, then at most 40 small letters, digits and hyphens"


@dataclass(frozen=True, slots=True)
class QueueKeys:
    """The keys of one queue: `edworkers:{<queue>}:<name>`."""

    queue: str

    def _key(self, name: str) -> str:
        return f"edworkers:{{{self.queue}}}:{name}"

    @property
    def pending(self) -> str:
        """List of jobs that wait; producers LPUSH, runners take from the right."""
        return self._key("pending")

    @property
    def arrived(self) -> str:
        """List that passes on, for an instant, the job that woke a waiting runner."""
        return self._key("arrived")

    @property
    def inflight(self) -> str:
        """Hash: receipt to the job's entry, for each job that a runner holds."""
        return self._key("inflight")

    @property
    def lease(self) -> str:
        """Sorted set: receipt by the end of its lease (Unix ms)."""
        return self._key("lease")

    @property
    def delayed(self) -> str:
        """Sorted set: job id by the time it is due (Unix ms)."""
        return self._key("delayed")

    @property
    def entries(self) -> str:
        """Hash: job id to entry, for each member of `delayed`."""
        return self._key("entries")

    @property
    def dead(self) -> str:
        """Sorted set: id of a buried job by the time of its burial (Unix ms)."""
        return self._key("dead")

    @property
    def finished(self) -> str:
        """Sorted set: `<bytes>:<id>` of each kept record of a finished job, by its end (Unix ms)."""
        return self._key("finished")

    @property
    def outbox(self) -> str:
        """List of follow-up jobs on their way to another queue: its name, a line feed, the payload."""
        return self._key("outbox")

    @property
    def paused(self) -> str:
        """Set that exists while the queue is paused."""
        return self._key("paused")

    @property
    def gate(self) -> str:
        """String that exists while a service asked everyone to wait."""
        return self._key("gate")

    @property
    def throttled(self) -> str:
        """Set that exists while a limit keeps the queue closed for more than a minute."""
        return self._key("throttled")

    @property
    def cancel(self) -> str:
        """Sorted set: id of a job that is to be cancelled, by the time of the request (Unix ms)."""
        return self._key("cancel")

    @property
    def unique(self) -> str:
        """Hash: unique key to the id of the job that holds it."""
        return self._key("unique")

    @property
    def totals(self) -> str:
        """Hash of counters since the queue began, and `recordBytes`, what kept records take."""
        return self._key("totals")

    @property
    def runners(self) -> str:
        """Sorted set: runner by its last sign of life (Unix ms)."""
        return self._key("runners")

    @property
    def fair(self) -> str:
        """Sorted set (all scores 0) of jobs that wait, by group: `<group>` NUL `<place>` NUL `<entry>`."""
        return self._key("fair")

    @property
    def turns(self) -> str:
        """Sorted set: group by the virtual start of its next job, for each whose next job may be claimed."""
        return self._key("turns")

    @property
    def shares(self) -> str:
        """Sorted set: group by the virtual time at which what it was given ends."""
        return self._key("shares")

    @property
    def fairness(self) -> str:
        """Hash: `clock`, the queue's virtual time, and `places`, how many jobs have been given a place."""
        return self._key("fairness")

    @property
    def grouped(self) -> str:
        """Hash: receipt to group, for each job in flight that has been taken from `fair`."""
        return self._key("grouped")

    @property
    def running(self) -> str:
        """Hash: group to how many of its jobs are in flight."""
        return self._key("running")

    @property
    def shut(self) -> str:
        """Sorted set: group by the time (Unix ms) until which a limit or its circuit keeps its jobs waiting."""
        return self._key("shut")

    @property
    def circuits(self) -> str:
        """Hash: group to how often in a row its service has failed, a space, and when it last did (Unix ms)."""
        return self._key("circuits")

    @property
    def failures(self) -> str:
        """Hash: fingerprint to how many dead jobs have it, first and last burial (Unix ms), and the latest's cause."""
        return self._key("failures")

    @property
    def fingerprints(self) -> str:
        """Hash: id to fingerprint, for each job that is counted in `failures`."""
        return self._key("fingerprints")

    @property
    def ledger(self) -> str:
        """Hash: `mark`, up to when (Unix ms) dead letters are in the ledger, and which runner is at it until when."""
        return self._key("ledger")

    @property
    def events(self) -> str:
        """Pub/sub channel: `cancel <id>`, `resume`."""
        return self._key("events")

    def job(self, job_id: str) -> str:
        """Hash: the record of one job."""
        return self._key(f"job:{job_id}")

    def text(self, job_id: str) -> str:
        """Stream: what a handler has written in its latest attempt, a piece in the field `t` of each entry."""
        return self._key(f"text:{job_id}")


@dataclass(frozen=True, slots=True)
class LimiterKeys:
    """The keys of one limiter: `edworkers:{limit:<name>}:<name>`."""

    limiter: str

    @property
    def used(self) -> str:
        """Hash: `<window>@<start ms>` to what was used in that calendar window."""
        return f"edworkers:{{limit:{self.limiter}}}:used"

    @property
    def rolling(self) -> str:
        """Sorted set: `<reservation>:<count>` by the time it was reserved (Unix ms)."""
        return f"edworkers:{{limit:{self.limiter}}}:rolling"


@dataclass(frozen=True, slots=True)
class ServerKeys:
    """The keys that all servers of one Redis share: `edworkers:{server}:<name>`, in one slot of a cluster."""

    @property
    def deeds(self) -> str:
        """Stream: what people did, as JSON in the field `d` of each entry."""
        return _of_servers("deeds")

    @property
    def operations(self) -> str:
        """Sorted set: id of a bulk operation by when it was made (Unix ms)."""
        return _of_servers("operations")

    def operation(self, operation_id: str) -> str:
        """Hash: `status` and `body` (JSON) of one bulk operation."""
        return _of_servers(f"operation:{operation_id}")

    def turn(self, operation_id: str) -> str:
        """Name the string that holds the server that works on an operation, while it does."""
        return _of_servers(f"turn:{operation_id}")

    def series(self, queue: str, step_seconds: int) -> str:
        """Name the string that is a ring of samples of one queue, as many seconds apart."""
        return _of_servers(f"series:{queue}:{step_seconds}")

    def once(self, key: str) -> str:
        """Name the string that holds what was kept under the key of a request."""
        return _of_servers(f"once:{key}")

    def count(self, key: str) -> str:
        """Hash: `window`, the number of the window that is counted, and `calls`, how many there were in it."""
        return _of_servers(f"count:{key}")


def _of_servers(name: str) -> str:
    return f"edworkers:{{server}}:{name}"
