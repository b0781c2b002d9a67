"""Mails from `edworkers enqueue` through a real runner to a mailbox."""

from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic_core import to_json
from tests.integration.command_line import CommandLine
from tests.integration.mailing import ADA, FROM
from tests.integration.processes import Programs

from edworkers.standins.mailbox import Fault, Mailbox

MANIFEST = Path(__file__).parents[2] / "manifests" / "examples" / "email.yaml"
pytestmark = pytest.mark.timeout(60)

LATE = "status-451-times-2@home.example"


@pytest.fixture
def manifest(tmp_path: Path) -> Path:
    """The shipped manifest, with hardly a wait between attempts."""
    pool = yaml.safe_load(MANIFEST.read_text(encoding="utf-8"))
    pool["spec"]["job"]["backoff"] = {"initialSeconds": 0.01, "factor": 1, "maxSeconds": 1, "jitter": 0}
    path = tmp_path / "email.yaml"
    path.write_text(yaml.safe_dump(pool), encoding="utf-8")
    return path


@pytest.fixture
def shell(tmp_path: Path, redis_url: str) -> CommandLine:
    return CommandLine(tmp_path, redis_url)


async def test_mails_arrive_are_tried_again_and_are_buried(
    programs: Programs, shell: CommandLine, mailbox: Mailbox, manifest: Path
) -> None:
    runner = await programs.start("run", "email", "--pool", str(manifest), **mailbox.env, MAIL_FROM=FROM)
    await runner.says("runner.started")

    async def enqueue(job_id: str, **data: Any) -> Any:
        text = to_json({"to": ADA, "subject": "News", "text": "Hello", **data}).decode()
        words = ("enqueue", "email", text, "--id", job_id, "--pool", str(manifest), "--wait", "--json")
        return await shell.run(*words)

    mailbox.faults.append(Fault("RCPT", reply="450 4.7.1 greylisted"))
    ran = await enqueue("late")
    assert (ran.code, ran.document["attempts"]) == (0, 2)
    assert ran.document["result"]["messageId"] == "<job.late@school.example>"
    [mail] = mailbox.mails
    assert mail.message["message-id"] == "<job.late@school.example>"

    buried = await enqueue("gone", to="status-550@home.example")
    assert buried.code == 6
    assert "there is no such mailbox" in buried.out + buried.err

    parted = await enqueue("parted", to=[ADA, LATE])
    assert parted.document["result"]["putOff"] == [LATE]
    await mailbox.mails.reached(3)
    assert [mail.recipients for mail in mailbox.mails[1:]] == [(ADA,), (LATE,)]
    assert {str(mail.message["message-id"]) for mail in mailbox.mails[1:]} == {"<job.parted@school.example>"}
    assert mailbox.connections <= 3


async def test_a_runner_does_not_start_with_settings_that_can_send_nothing(programs: Programs) -> None:
    runner = await programs.start("run", "email", SMTP_TLS="perhaps", DKIM_DOMAIN="school.example")
    assert await runner.ended() == 2
    for name in ("SMTP_HOST", "SMTP_TLS", "MAIL_FROM", "DKIM_SELECTOR", "DKIM_PRIVATE_KEY_FILE"):
        assert name in runner.text
