"""How the demo came out: a row for each job, and what is wrong, if anything is."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from edworkers.cli.demo.cases import Case, Ending, Scenario
from edworkers.cli.demo.check import Seen, check, ending_of, text_of
from edworkers.cli.demo.outputs.step import Proof
from edworkers.ports import Depths, JobRecord, Usage


@dataclass(frozen=True, slots=True)
class Row:
    """One job: how it should have ended and how it did."""

    case: Case
    found: tuple[Ending, ...]
    """Each of its ends; two where it was replayed."""
    seconds: float | None
    wrong: tuple[str, ...]

    @property
    def expected(self) -> tuple[Ending, ...]:
        """How it should have ended."""
        return (self.case.ending,) if self.case.replayed is None else (self.case.ending, self.case.replayed)


@dataclass(frozen=True, slots=True)
class Outcome:
    """Everything that the demo has to tell at its end."""

    rows: tuple[Row, ...]
    main: Seen | None
    dead: tuple[JobRecord, ...]
    depths: Mapping[str, Depths]
    usage: tuple[Usage, ...]
    proofs: tuple[Proof, ...]
    """What the other queues made, each looked at."""
    wrong: tuple[str, ...]
    """What is wrong with the whole."""
    seconds: float

    @property
    def is_well(self) -> bool:
        """Whether everything ended as it should."""
        return not self.faults()

    def faults(self) -> list[str]:
        """Name everything that is wrong."""
        of_rows = [f"{row.case.name}: {fault}" for row in self.rows for fault in row.wrong]
        of_proofs = [f"{proof.step.name}: {fault}" for proof in self.proofs for fault in proof.wrong]
        return [*of_rows, *of_proofs, *self.wrong]

    def as_json(self) -> dict[str, Any]:
        """Give it all for programs."""
        return {
            "ok": self.is_well,
            "seconds": round(self.seconds, 3),
            "faults": self.faults(),
            "jobs": [_row_as_json(row) for row in self.rows],
            "outputs": [proof.as_json() for proof in self.proofs],
            "answer": text_of(self.main.record) if self.main is not None and self.main.record is not None else None,
            "webhook": self.main.deliveries[0].as_json() if self.main is not None and self.main.deliveries else None,
            "dead": [{"queue": dead.queue, "id": dead.id, "error": dead.error} for dead in self.dead],
            "totals": {queue: dict(depths.totals) for queue, depths in self.depths.items()},
            "limits": [usage._asdict() for usage in self.usage],
        }


def _row_as_json(row: Row) -> dict[str, Any]:
    return {
        "name": row.case.name,
        "shows": row.case.shows,
        "ok": not row.wrong,
        "expected": [asdict(ending) for ending in row.expected],
        "found": [asdict(ending) for ending in row.found],
        "seconds": row.seconds,
        "faults": list(row.wrong),
    }


def make_row(case: Case, seen: Seen | None, before_replay: Seen | None = None) -> Row:
    """Compare one job's ends with what they should be; `seen` is None for one that was never pushed."""
    if seen is None:
        return Row(case, (), None, ("was never pushed",))
    if case.replayed is None:
        return Row(case, (ending_of(seen),), seen.seconds, tuple(check(case, seen)))
    if before_replay is None:
        return Row(case, (ending_of(seen),), seen.seconds, (*check(case, seen), "was not replayed"))
    wrong = (*check(case, before_replay), *check(case, seen, case.replayed))
    return Row(case, (ending_of(before_replay), ending_of(seen)), seen.seconds, wrong)


def faults_of_whole(
    scenario: Scenario, proofs: Sequence[Proof], depths: Mapping[str, Depths], dead: Sequence[JobRecord]
) -> Iterator[str]:
    """Say what is wrong with the queues as a whole: everything is over, and nothing is there that nobody pushed."""
    for queue, depth in depths.items():
        left = depth.pending + depth.inflight + depth.delayed
        if left:
            yield f"queue {queue}: {left} jobs are still waiting or running"
    dropped = depths["ai"].totals.get("duplicate", 0)
    if dropped != scenario.dropped:
        yield f"queue ai: {scenario.dropped} pushes should have been dropped as duplicates, {dropped} were"
    if depths["ai"].totals.get("reap", 0) == 0:
        yield "queue ai: the job of the killed runner was not taken back"
    endings = [case.replayed or case.ending for case in scenario.all]
    expected = sum((ending.state == "dead") + (ending.webhook == "dead") for ending in endings)
    expected += sum(proof.step.state == "dead" for proof in proofs)
    if len(dead) != expected:
        yield f"dead letters: there should be {expected}, there are {len(dead)}"
