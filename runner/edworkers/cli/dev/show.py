"""What `edworkers dev` prints: the address first, for programs, then what runs and how to try it."""

import json
import secrets
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from rich.console import Console
from rich.text import Text

from edworkers.adapters.redis.address import without_password
from edworkers.cli.dev.own import FOLDER, MAILS, SAMPLE_TABLES, STORAGE, keeps_database
from edworkers.cli.dev.plan import USUAL_PORT, Plan
from edworkers.cli.local import own_command
from edworkers.cli.server_queues import read_plan
from edworkers.core.keys import QueueKeys
from edworkers.core.settings import PoolSpec, in_short

if TYPE_CHECKING:
    from edworkers.standins.inbox import Delivery
    from edworkers.standins.mailbox import Mail

_NAME_WIDTH = 10
_console = Console(highlight=False, soft_wrap=True, markup=False)


@dataclass(frozen=True, slots=True)
class Addresses:
    """Where everything listens; empty for what isn't there."""

    redis: str
    gemini: str = ""
    inbox: str = ""
    mailbox: str = ""
    database: str = ""
    server: str = ""


def show_start(plan: Plan, addresses: Addresses) -> None:
    """Print everything there is to know."""
    _console.print(without_password(addresses.redis))
    _console.print(f"\nedworkers dev: the queues of {plan.source}, on this machine\n", style="bold")
    _show([(served.pool.spec.queue, _work(served.pool.spec, plan.processes)) for served in plan.served])
    _show([(queue, "suspended by its manifest: no runner is started, its jobs wait") for queue in plan.suspended])
    _console.print()
    _show(list(_facts(plan, addresses)))
    example = _example(plan, addresses)
    if example is not None:
        job_id, command = example
        _console.print("\nTry it from another terminal:\n", style="bold")
        _console.print(f"  {command}")
        _console.print(f"  {_variables(plan, addresses)}{own_command()} result {job_id} --wait")
    _console.print("\nCtrl-C stops everything.\n")


def _show(facts: Sequence[tuple[str, str]]) -> None:
    for name, fact in facts:
        for line, text in enumerate(fact.splitlines()):
            _console.print(Text.assemble(("  " + ("" if line else name).ljust(_NAME_WIDTH), "bold"), text))


def _work(spec: PoolSpec, processes: int) -> str:
    where = "" if processes == 1 else f" in each of {processes} processes"
    attempts = "1 attempt" if spec.job.max_attempts == 1 else f"{spec.job.max_attempts} attempts"
    allowed = f"; at most {limits(spec)}" if spec.limits else "; no limit"
    return f"{spec.concurrency} at once{where}, {spec.job.timeout_seconds:g} s for each, {attempts}{allowed}"


def limits(spec: PoolSpec) -> str:
    """Say how many jobs of a queue may run in which time."""
    return ", ".join(f"{window.limit:,} a {window.window}" for window in spec.limits)


def _facts(plan: Plan, addresses: Addresses) -> Iterator[tuple[str, str]]:
    yield "dashboard", f"{addresses.server}/, and the HTTP API at {addresses.server}/v1 (/docs tells of it)"
    yield "Redis", _redis_fact(plan, addresses)
    if plan.serves("ai"):
        yield "Gemini", _gemini_fact(plan, addresses)
    if plan.serves("webhook"):
        yield "webhooks", _secret_fact(plan)
        yield "inbox", f"what is sent to {addresses.inbox}/inbox, or any path there, is checked and shown below"
    if plan.serves("email"):
        yield "mails", _mail_fact(addresses)
    if plan.serves("document") or plan.serves("scheduled"):
        yield "files", _storage_fact(plan)
    if plan.serves("scheduled"):
        yield "database", _database_fact(addresses)
    if schedules := _schedules(plan):
        yield "schedules", f"no clock runs here to begin {schedules}: the dashboard's schedules page runs each by hand"
    if plan.reload:
        yield "reload", f"runners start anew when a Python file below {Path.cwd()} changes (--no-reload: they don't)"


def _schedules(plan: Plan) -> str:
    """Name the schedules in the manifests; nothing where there is none."""
    files = dict.fromkeys(served.manifest for served in plan.served if served.manifest is not None)
    planned = [queue for file in files for queue in read_plan(file.read_text(encoding="utf-8"), str(file))]
    return ", ".join(schedule.name for queue in planned for schedule in queue.schedules)


def _redis_fact(plan: Plan, addresses: Addresses) -> str:
    if plan.own_port is None:
        which = "REDIS_URL" if "REDIS_URL" in plan.env else "REDIS_HOST"
        return f"{which} is set, so that one is used and none is started"
    kept = f"started here; its jobs are kept in {FOLDER}/redis, and are there again at the next start"
    if addresses.redis == f"redis://127.0.0.1:{USUAL_PORT}/0":
        return kept
    return f"{kept}\nother commands find it by REDIS_URL={addresses.redis}"


def _gemini_fact(plan: Plan, addresses: Addresses) -> str:
    if addresses.gemini:
        return (
            f"GEMINI_API_KEY is not set: a stand-in answers at {addresses.gemini}; nothing it says comes from a model"
        )
    place = plan.env.get("GEMINI_BASE_URL", "the real service")
    if "GEMINI_API_KEY" in plan.made_up:
        return f"GEMINI_API_KEY is not set, but GEMINI_BASE_URL is: {place} is asked, with a made-up key"
    return f"GEMINI_API_KEY is set: {place} is asked, and what it costs is yours"


def _secret_fact(plan: Plan) -> str:
    if "WEBHOOK_SECRET" in plan.made_up:
        return f"WEBHOOK_SECRET is not set: signed with one made up for this session, {plan.env['WEBHOOK_SECRET']}"
    if plan.env["WEBHOOK_SECRET"].strip() == "none":
        return "WEBHOOK_SECRET is none: sent unsigned"
    return "signed with WEBHOOK_SECRET"


def _mail_fact(addresses: Addresses) -> str:
    if addresses.mailbox:
        return f"no SMTP server is set: what is sent is kept in {MAILS} and goes nowhere else ({addresses.mailbox})"
    return "SMTP_URL or SMTP_HOST is set: mails are sent, and arrive"


def _storage_fact(plan: Plan) -> str:
    if "STORAGE_FOLDER" in plan.made_up:
        return f"file:///… is below {STORAGE.absolute()}"
    return f"file:///… is below STORAGE_FOLDER, {plan.env['STORAGE_FOLDER']}"


def _database_fact(addresses: Addresses) -> str:
    if not addresses.database:
        return "NEON_DATABASE_URL or DATABASE_URL is set, so that one is used, and none is started"
    kept = (
        f"is kept in {FOLDER}/postgres" if keeps_database() else "goes when dev ends, as PostgreSQL can't run as root"
    )
    samples = f"its own tables, and {', '.join(SAMPLE_TABLES)} to try token-cleanup on"
    return f"started here, with {samples}; it {kept}\n{addresses.database}"


def _example(plan: Plan, addresses: Addresses) -> tuple[str, str] | None:
    """Give the id of a job and the command that pushes it."""
    inbox = f"{addresses.inbox}/inbox"
    data: dict[str, Any] | None = None
    if queue := plan.queue_of("ai"):
        more = {"webhookUrl": inbox} if addresses.inbox else {}
        data = {"conversationId": "c1", "userId": "u1", "prompt": "What is a prime number?", **more}
    elif queue := plan.queue_of("webhook"):
        data = {"url": inbox, "event": "try", "payload": {"hello": "world"}}
    if queue is None:
        return None
    job_id = f"try-{secrets.token_hex(3)}"
    return job_id, push_command(addresses.redis, queue, {"id": job_id, "data": data})


def push_command(url: str, queue: str, job: Mapping[str, Any]) -> str:
    """Write the redis-cli command that pushes a job; what it is made of has no single quotes."""
    own = "redis://127.0.0.1:"
    where = f"-p {url.removeprefix(own).partition('/')[0]}" if url.startswith(own) else f"-u {without_password(url)}"
    payload = json.dumps(job, separators=(",", ":"))
    return f"redis-cli {where} LPUSH '{QueueKeys(queue).pending}' '{payload}'"


def _variables(plan: Plan, addresses: Addresses) -> str:
    usual = addresses.redis == f"redis://127.0.0.1:{USUAL_PORT}/0"
    return "" if usual or plan.own_port is None else f"REDIS_URL={addresses.redis} "


def show_delivery(delivery: "Delivery") -> None:
    """Print one line for a webhook that arrived."""
    signature = Text("signature ok", "green") if delivery.verified else Text("SIGNATURE WRONG OR MISSING", "bold red")
    line = Text.assemble(
        ("webhook arrived", "bold"),
        f"  {delivery.path}  event {_field(delivery.json, 'type')}  ",
        signature,
        f"  job {job_of(delivery)}  answered {delivery.status}",
    )
    _console.print(line)


def show_mail(mail: "Mail") -> None:
    """Print one line for a mail that arrived."""
    told = mail.as_json()
    where = in_short(str(told["path"] or ""))
    line = Text.assemble(("mail arrived", "bold"), f"  to {in_short(', '.join(mail.recipients))}  {where}")
    _console.print(line)


def job_of(delivery: "Delivery") -> str:
    """Name the job that a delivery tells of, or else the message itself."""
    document = cast("dict[str, Any]", delivery.json) if isinstance(delivery.json, dict) else {}
    named = _field(document.get("data"), "jobId")
    return named if named != "-" else in_short(delivery.headers.get("webhook-id", "-"))


def _field(document: Any, name: str) -> str:
    value = cast("dict[str, Any]", document).get(name) if isinstance(document, dict) else None
    return in_short(value) if isinstance(value, str) else "-"
