"""What the demo prints: a line for each thing that happens, then tables of how everything ended."""

import json
import os
import sys
import time
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from rich.console import Console
from rich.rule import Rule
from rich.status import Status
from rich.table import Table
from rich.text import Text

from edworkers.cli.demo.cases import Case, Ending, Scenario
from edworkers.cli.demo.check import Seen, text_of
from edworkers.cli.demo.outcome import Outcome, Row
from edworkers.cli.demo.outputs.play import QUEUES as OTHER_QUEUES
from edworkers.cli.demo.outputs.step import Place, Proof
from edworkers.cli.demo.world import FIRST_WAIT_SECONDS, LEASE_SECONDS, OUTPUTS, World
from edworkers.cli.dev.show import limits, push_command
from edworkers.cli.local import own_command
from edworkers.core.keys import QueueKeys
from edworkers.handlers.registry import pool_for_queue

_PIPED_WIDTH = 120
_VERBS = {"ai": "answered", "webhook": "delivered", "document": "converted", "email": "sent"}
_STYLES = {
    "job.done": "green",
    "job.retried": "yellow",
    "job.deferred": "yellow",
    "job.buried": "red",
    "job.duplicate": "cyan",
    "lease.reaped": "magenta",
    "runner.started": "dim",
}


class Show:
    """The screen; on a terminal its last line tells how far the demo is. A `quiet` one shows nothing."""

    def __init__(self, *, quiet: bool = False) -> None:
        width = None if sys.stdout.isatty() else _PIPED_WIDTH
        self._console = Console(quiet=quiet, width=width, highlight=False, markup=False)
        self._status = Status("", console=self._console)
        self._began = time.monotonic()
        self._names: dict[str, Case] = {}

    @contextmanager
    def progress(self) -> Generator[None]:
        """Keep a last line that tells how far it is."""
        if not self._console.is_terminal:
            yield
            return
        with self._status:
            yield

    def status(self, over: int, jobs: int) -> None:
        """Renew that line."""
        self._status.update(f"{over} of {jobs} jobs are over, {self._seconds():.0f} s")

    def _seconds(self) -> float:
        return time.monotonic() - self._began

    def say(self, text: str, style: str = "") -> None:
        """Print one line with the time since the start, cut to the width of the screen."""
        line = Text.assemble((f"{self._seconds():6.2f} s  ", "dim"), (text, style))
        self._console.print(line, no_wrap=True, overflow="ellipsis", crop=True)

    def act(self, title: str) -> None:
        """Begin a part of the demo."""
        self._console.print()
        self._console.print(Text(title, "bold"))

    def begins(self, world: World, scenario: Scenario) -> None:
        """Tell what runs where, and what is not as it would be in production."""
        self._names = {name: case for case in scenario.all for name in (case.name, f"{case.name}.ai.webhook")}
        self._console.print(Text("edworkers demo", "bold"))
        for name, fact in _facts(world):
            self._console.print(f"  {name:9} {fact}", soft_wrap=True)

    def command(self, world: World, case: Case) -> None:
        """Show the command that pushes a job, as it can be typed."""
        self._console.print("  the bytes that this command would send:", style="dim")
        command = push_command(world.redis.url, "ai", json.loads(case.payload))
        self._console.print(f"  {command}", soft_wrap=True, style="bold cyan")

    def answer(self, seen: Seen) -> None:
        """Show the answer and the webhook of the main job."""
        assert seen.record is not None  # noqa: S101
        self._console.print(f"  answer    {text_of(seen.record)}", soft_wrap=True)
        for delivery in seen.deliveries:
            signature = "signature verified" if delivery.verified else "SIGNATURE WRONG"
            told = f"POST {delivery.path} {delivery.json.get('type')}, webhook-id {delivery.headers['webhook-id']}"
            self._console.print(f"  webhook   {told}: {signature}, answered {delivery.status}", soft_wrap=True)

    def event(self, event: dict[str, Any]) -> None:
        """Show what a runner's log tells; plain questions that are answered are only counted."""
        what = str(event["event"])
        case = self._names.get(str(event.get("job")))
        if what not in _STYLES or (case is not None and case.in_short and what == "job.done"):
            return
        has_name = case is not None or event.get("queue") in OTHER_QUEUES
        name = str(event.get("job")) if has_name else "a job without an id"
        self.say(_words(what, event, name), _STYLES[what])

    def proof(self, proof: Proof, place: Place) -> None:
        """Show what an output came to."""
        step, error = proof.step, (proof.record.error or {}) if proof.record is not None else {}
        if proof.wrong:
            self.say(f"{step.name}: {step.shows}: WRONG: {'; '.join(proof.wrong)}", "bold red")
        elif step.state == "dead":
            self.say(
                f"{step.name}: {step.shows}: buried, as it should be: {' '.join(str(error.get('message')).split())}"
            )
        else:
            where = f" ({relative(place, step.output)})" if step.output else ""
            self.say(f"{step.name}: {step.shows}: looked at, and right{where}", "bold green")

    def outcome(self, outcome: Outcome) -> None:
        """Show how everything ended."""
        self._console.print()
        self._console.print(Rule("How every job ended"))
        self._console.print(_jobs(outcome.rows))
        self._console.print(Rule("What the other queues made, each looked at"))
        self._console.print(_outputs(outcome))
        self._console.print(Rule("Dead letters, with every fault"))
        self._console.print(_dead(outcome, self._names_by_payload()))
        self._console.print(Rule("Queues"))
        self._console.print(_totals(outcome))
        for usage in outcome.usage:
            self._console.print(f"  limit: {usage.used:,} of {usage.limit:,} a {usage.window} are used")
        self._console.print()
        self._verdict(outcome)

    def _names_by_payload(self) -> dict[bytes, str]:
        return {case.payload: case.name for case in self._names.values()}

    def _verdict(self, outcome: Outcome) -> None:
        if outcome.is_well:
            jobs = len(outcome.rows) + len(outcome.proofs)
            self._console.print(
                f"All {jobs} jobs ended as they should, in {outcome.seconds:.1f} s.", style="bold green"
            )
            self._console.print(f"What they made stays in {OUTPUTS} until the next demo.")
            return
        self._console.print("Not everything ended as it should:", style="bold red")
        for fault in outcome.faults():
            self._console.print(f"  - {fault}", style="red")

    def stays(self, world: World, dashboard: str) -> None:
        """Tell how to look around."""
        self._console.print(f"\nEverything stays up until Ctrl-C. The dashboard: {dashboard}/", soft_wrap=True)
        self._console.print("Look around from another terminal, too:")
        own = own_command()
        for words in ("queues", "result main", "dead list ai"):
            self._console.print(f"  REDIS_URL={world.redis.url} {own} {words}", soft_wrap=True)
        self._console.print(f"  redis-cli -p {world.redis.port} LLEN '{QueueKeys('ai').pending}'", soft_wrap=True)


def _facts(world: World) -> Iterator[tuple[str, str]]:
    yield "Redis", f"{world.redis.url}, a new one that goes with the demo"
    yield "Gemini", f"a stand-in answers at {world.gemini.url}; nothing it says comes from a model"
    yield "webhooks", f"signed with a secret made up for the demo, sent to {world.inbox.url}"
    for name, queue in world.queues.items():
        spec, usual = queue.spec, pool_for_queue(name)
        raised = ", raised for so many jobs" if spec.limits != usual.limits else ""
        allowed = f"at most {limits(spec)}{raised}" if spec.limits else "no limit"
        yield name, f"{spec.concurrency} at once, {spec.job.max_attempts} attempts, {allowed}"
    usual = pool_for_queue("ai")
    yield (
        "hurry",
        (
            f"the demo's own manifests set backoff.initialSeconds to {FIRST_WAIT_SECONDS:g}"
            f" (usually {usual.job.backoff.initial_seconds:g}) and leaseSeconds to {LEASE_SECONDS:g}"
            f" (usually {usual.lease_seconds:g})"
        ),
    )


def _words(what: str, event: dict[str, Any], name: str) -> str:
    reason, wait = " ".join(str(event.get("reason", "")).split()), event.get("next_in_seconds")
    match what:
        case "runner.started":
            return f"a runner for {event['queue']} is there, {event['concurrency']} at once"
        case "job.done":
            verb = _VERBS.get(event["queue"], "done")
            return f"{name}: {verb} at attempt {event['attempt']}, {event['seconds']:.2f} s"
        case "job.retried":
            return f"{name}: attempt {event['attempt']} failed, again in {wait:.1f} s: {reason}"
        case "job.deferred":
            return f"{name}: waits {f'{wait:.1f} s ' if wait else ''}at no cost: {reason}"
        case "job.buried":
            return f"{name}: dead: {reason}"
        case "job.duplicate":
            return f"{name}: dropped as a duplicate"
        case _:
            return f"{event['jobs']} job is taken back from a runner that is gone"


def ending_words(ending: Ending) -> str:
    """Say in a few words how a job ended."""
    words = ending.state
    if ending.kind:
        words += f": {ending.kind}"
    if ending.faults:
        words += f", {len(ending.faults)} fault{'s' if len(ending.faults) > 1 else ''}"
    if ending.asked > 1:
        words += f", {ending.asked} questions"
    if ending.answers:
        words += f"; webhook {ending.webhook}: {', '.join(map(str, ending.answers))}"
    return words


def _endings_words(endings: Sequence[Ending]) -> str:
    return "\nreplayed: ".join(map(ending_words, endings))


def _jobs(rows: Sequence[Row]) -> Table:
    table = Table("job", "what it shows", "should end", "ended", "attempts", "time", "", box=None, padding=(0, 1))
    for column in table.columns[4:6]:
        column.justify = "right"
    for row in (row for row in rows if not row.case.in_short):
        attempts = str(row.found[-1].attempts) if row.found else "-"
        table.add_row(
            Text(row.case.name, "bold"),
            row.case.shows,
            _endings_words(row.expected),
            _endings_words(row.found),
            attempts,
            "-" if row.seconds is None else f"{row.seconds:.2f} s",
            Text("WRONG", "bold red") if row.wrong else Text("ok", "green"),
        )
    _add_many(table, [row for row in rows if row.case.in_short])
    return table


def _add_many(table: Table, rows: Sequence[Row]) -> None:
    if not rows:
        return
    done = sum(row.found[-1].state == "done" for row in rows if row.found)
    slowest = max((row.seconds for row in rows if row.seconds is not None), default=0)
    well = not any(row.wrong for row in rows)
    table.add_row(
        Text(f"{rows[0].case.name} …{len(rows)}", "bold"),
        rows[0].case.shows,
        f"{len(rows)} done",
        f"{done} done",
        "1 each" if well else "-",
        f"{slowest:.2f} s",
        Text("ok", "green") if well else Text("WRONG", "bold red"),
    )


def _outputs(outcome: Outcome) -> Table:
    table = Table("job", "queue", "what it shows", "look at", "", box=None, padding=(0, 1))
    for proof in outcome.proofs:
        step = proof.step
        where = f"{OUTPUTS / step.output}" if step.output else ""
        verdict = Text("WRONG", "bold red") if proof.wrong else Text("ok", "green")
        table.add_row(Text(step.name, "bold"), step.queue, step.shows, where, verdict)
    return table


def relative(place: Place, output: str) -> str:
    """Name an output as it is reached from here."""
    return os.path.relpath(place.folder / output)


def _dead(outcome: Outcome, names: dict[bytes, str]) -> Table:
    table = Table("job", "bytes kept", "why", box=None, padding=(0, 1))
    table.columns[1].justify = "right"
    for record in reversed(outcome.dead):
        payload = record.payload or b""
        error = record.error or {}
        faults = error.get("faults") or [error.get("message", "")]
        why = "\n".join(" ".join(str(fault).split()) for fault in faults)
        table.add_row(Text(names.get(payload, record.id), "bold"), f"{len(payload):,}", f"{error.get('kind')}: {why}")
    return table


def _totals(outcome: Outcome) -> Table:
    verbs = {"ack": "done", "retry": "retried", "defer": "put off", "bury": "buried", "duplicate": "dropped"}
    more = {"reap": "taken back", "replay": "replayed"}
    table = Table("queue", *verbs.values(), *more.values(), "waiting now", box=None, padding=(0, 1))
    for queue, depths in outcome.depths.items():
        counts = [str(depths.totals.get(verb, 0)) for verb in (*verbs, *more)]
        table.add_row(Text(queue, "bold"), *counts, str(depths.pending + depths.inflight + depths.delayed))
    return table
