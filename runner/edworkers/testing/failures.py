"""Dead jobs in memory, counted by the cause of their failure."""

from dataclasses import dataclass, field, replace

from pydantic_core import from_json

from edworkers.ports.browse import FailureGroup


@dataclass(slots=True)
class Failures:
    """The groups of one queue; jobs that were buried without a fingerprint aren't counted."""

    groups: dict[str, FailureGroup] = field(default_factory=dict[str, FailureGroup])
    fingerprints: dict[str, str] = field(default_factory=dict[str, str])
    """Of which cause each dead job is, by its id."""

    def note(self, job_id: str, fingerprint: str, now: int, cause: bytes) -> None:
        """Count a job that is buried at `now` (Unix ms); `cause` is JSON, the kind and message of its failure."""
        self.forget(job_id)
        if not fingerprint:
            return
        self.fingerprints[job_id] = fingerprint
        shown, old = from_json(cause), self.groups.get(fingerprint)
        count, first = (1, now) if old is None else (old.count + 1, old.first_at)
        self.groups[fingerprint] = FailureGroup(fingerprint, shown["kind"], shown["message"], count, first, now)

    def forget(self, job_id: str) -> None:
        """Count off a job that is dead no more."""
        fingerprint = self.fingerprints.pop(job_id, None)
        group = self.groups.pop(fingerprint, None) if fingerprint is not None else None
        if group is not None and group.count > 1:
            self.groups[group.fingerprint] = replace(group, count=group.count - 1)
