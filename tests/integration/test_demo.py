"""`edworkers demo` as a real process, and what it takes for a wrong end."""

import asyncio
import json
import os
import shlex
import subprocess
import sys
import time
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import AsyncGenerator, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx2
import psutil
import pytest
from standardwebhooks import Webhook
from tests.integration.command_line import CommandLine

from edworkers.cli.demo.cases import Case, Ending, make_scenario
from edworkers.cli.demo.check import Seen, check
from edworkers.cli.demo.outcome import make_row
from edworkers.cli.demo.outputs.documents import first_documents, pictures
from edworkers.cli.demo.outputs.mails import mails
from edworkers.cli.demo.outputs.step import Place, Step, prove
from edworkers.cli.demo.run import Demo
from edworkers.cli.demo.runners import RunnerEndedError, RunnerProcess
from edworkers.cli.demo.show import Show
from edworkers.cli.demo.world import demo_pools, make_world
from edworkers.core.lifecycle import State
from edworkers.ports import JobRecord
from edworkers.standins.inbox import Delivery
from edworkers.standins.mailbox import Mailbox
from edworkers.standins.postgres import PostgresServer

COMMAND = (sys.executable, "-m", "edworkers", "demo")


def environment(folder: Path, **more: str) -> dict[str, str]:
    """Nothing of the machine's own but the PATH; temporary files in a folder where they can be looked for."""
    return {"PATH": os.environ["PATH"], "TMPDIR": str(folder), **more}


def left_in(folder: Path) -> list[str]:
    """Name what is left besides the outputs, which stay."""
    return [path.name for path in folder.iterdir() if path.name != ".edworkers"]


# The whole demo, once for all tests that only look at what it says.


@pytest.fixture(scope="module")
def summary(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    folder = tmp_path_factory.mktemp("demo")
    others = {"REDIS_URL": "redis://127.0.0.1:1", "GEMINI_API_KEY": "wrong", "AI_WORKER_CONCURRENCY": "x"}
    ran = subprocess.run(
        (*COMMAND, "--json", "--jobs", "3"), env=environment(folder, **others), cwd=folder, stdout=PIPE, check=False
    )
    document: dict[str, Any] = json.loads(ran.stdout)
    kept = json.loads(next((folder / ".edworkers" / "demo").rglob("delivery.json")).read_text(encoding="utf-8"))
    return {**document, "code": ran.returncode, "left": left_in(folder), "kept": kept}


def found(summary: dict[str, Any], name: str) -> list[dict[str, Any]]:
    [job] = [job for job in summary["jobs"] if job["name"] == name]
    endings: list[dict[str, Any]] = job["found"]
    return endings


def test_the_demo_ends_well_whatever_is_set_for_other_queues(summary: dict[str, Any]) -> None:
    assert summary["faults"] == []
    assert summary["ok"]
    assert summary["code"] == 0
    assert summary["left"] == []


def test_the_main_job_is_answered_and_its_webhook_is_signed(summary: dict[str, Any]) -> None:
    assert "How do I add 1/2 and 1/3?" in summary["answer"]
    assert summary["webhook"]["verified"]
    assert summary["webhook"]["json"]["type"] == "ai.completed"
    assert summary["webhook"]["json"]["data"]["text"] == summary["answer"]


def test_the_delivery_that_is_kept_can_be_verified_again_by_anybody(summary: dict[str, Any]) -> None:
    [delivery] = summary["kept"]["deliveries"]
    webhook = Webhook(summary["kept"]["secret"])
    said = {name: delivery["headers"][name] for name in ("webhook-id", "webhook-timestamp")}
    moment = datetime.fromtimestamp(int(said["webhook-timestamp"]), UTC)
    signature = webhook.sign(said["webhook-id"], moment, delivery["body"])
    assert signature in delivery["headers"]["webhook-signature"].split()
    assert json.loads(delivery["body"]) == delivery["json"]


def test_what_fails_is_tried_again_put_off_or_buried(summary: dict[str, Any]) -> None:
    assert [found(summary, "retry")[0][name] for name in ("state", "attempts", "asked")] == ["done", 2, 2]
    assert [found(summary, "quota")[0][name] for name in ("state", "attempts", "asked")] == ["done", 1, 2]
    assert [found(summary, "failing")[0][name] for name in ("state", "attempts", "asked")] == ["dead", 2, 2]
    assert [found(summary, "killed")[0][name] for name in ("state", "asked")] == ["done", 2]
    assert [ending["state"] for ending in found(summary, "replayed")] == ["dead", "done"]
    assert found(summary, "busy")[0]["answers"] == [503, 503, 204]
    assert summary["totals"]["ai"]["reap"] == 1


def test_malformed_jobs_are_dead_letters_with_every_fault(summary: dict[str, Any]) -> None:
    rejected = [dead for dead in summary["dead"] if dead["error"]["kind"] == "rejected"]
    assert sorted(len(dead["error"]["faults"]) for dead in rejected) == [1, 1, 1, 1, 5, 5]


def test_the_other_queues_made_what_they_should(summary: dict[str, Any]) -> None:
    made = {output["name"]: (output["queue"], output["state"], output["ok"]) for output in summary["outputs"]}
    assert made == {
        "lesson": ("document", "done", True),
        "exercises": ("document", "done", True),
        "broken": ("document", "dead", True),
        "pictures": ("document", "done", True),
        "lesson-mail": ("email", "done", True),
        "bounce": ("email", "dead", True),
        "tokens": ("scheduled", "done", True),
        "report": ("scheduled", "done", True),
        "digest": ("scheduled", "done", True),
        "backup": ("scheduled", "done", True),
    }


# What it takes for a wrong output.


@pytest.fixture
async def place(tmp_path: Path) -> AsyncGenerator[Place]:
    async with Mailbox.serve() as mailbox:
        yield Place(tmp_path, mailbox, PostgresServer(1, tmp_path, {}))


def step_of(steps: Sequence[Step], name: str) -> Step:
    return next(step for step in steps if step.name == name)


def ended(step: Step, state: State = State.DONE, **fields: Any) -> JobRecord:
    return JobRecord(step.name, step.queue, state, **fields)


async def test_a_pdf_that_has_other_text_or_pages_is_wrong(place: Place) -> None:
    from weasyprint import HTML

    HTML(string="<p>Nothing of it").write_pdf(place.folder / "lesson.pdf")
    step = step_of(first_documents(place), "lesson")
    proof = await prove(step, place, ended(step, result={"pages": 2, "sha256": "other"}))
    assert any("checksum" in fault for fault in proof.wrong)
    assert any("should have 2 pages, has 1" in fault for fault in proof.wrong)
    assert any("'Prime numbers' can't be read" in fault for fault in proof.wrong)


async def test_a_mail_that_did_not_arrive_and_a_picture_that_is_missing_are_wrong(place: Place) -> None:
    mail = step_of(mails(place), "lesson-mail")
    assert (await prove(mail, place, ended(mail))).wrong == ("0 mails arrived for ada@school.example",)
    step = pictures(place)
    assert len((await prove(step, place, ended(step))).wrong) == 2


async def test_a_job_that_ended_otherwise_or_for_another_reason_is_wrong(place: Place) -> None:
    step = step_of(first_documents(place), "broken")
    assert "should end dead, is done" in (await prove(step, place, ended(step))).wrong[0]
    other = ended(step, State.DEAD, error={"message": "not done within 300 s"})
    assert "should tell of 'damaged'" in (await prove(step, place, other)).wrong[0]
    assert "no record" in (await prove(step, place, None)).wrong[0]


# As people run it.


@pytest.fixture
async def kept(tmp_path: Path) -> AsyncGenerator[Process]:
    """A demo that stays up afterwards."""
    process = await asyncio.create_subprocess_exec(
        *(*COMMAND, "--keep", "--jobs", "1"), env=environment(tmp_path), cwd=tmp_path, stdin=DEVNULL, stdout=PIPE
    )
    yield process
    if process.returncode is None:
        process.terminate()
        await process.communicate()


async def lines_until(process: Process, words: str) -> list[str]:
    assert process.stdout is not None
    said: list[str] = []
    while line := (await process.stdout.readline()).decode():
        said.append(line.rstrip())
        if words in line:
            return said
    raise AssertionError(f"the demo ended without saying {words!r}: {said}")


async def test_kept_up_it_can_be_looked_at_and_ends_without_a_trace(kept: Process, tmp_path: Path) -> None:
    said = await lines_until(kept, "result main")
    assert any("jobs ended as they should" in line for line in said), said
    dashboard = next(line for line in said if "The dashboard: " in line).rpartition(" ")[2]
    async with httpx2.AsyncClient(timeout=30) as browser:
        assert (await browser.get(dashboard)).status_code == 200
    url = shlex.split(said[-1])[0].removeprefix("REDIS_URL=")
    ran = await CommandLine(tmp_path, url).run("result", "main")
    assert "How do I add 1/2 and 1/3?" in ran.document["text"]
    processes = psutil.Process(kept.pid).children(recursive=True)
    assert {"redis-server", "postgres", "python"} <= {process.name() for process in processes}
    kept.terminate()
    await kept.communicate()
    assert kept.returncode == 0
    assert not [process for process in processes if process.is_running()]
    assert left_in(tmp_path) == []


async def test_stopped_in_the_middle_it_leaves_nothing_behind_and_fails(kept: Process, tmp_path: Path) -> None:
    await lines_until(kept, "a runner for ai is there")
    processes = psutil.Process(kept.pid).children(recursive=True)
    assert {"redis-server", "postgres", "python"} <= {process.name() for process in processes}
    kept.terminate()
    await kept.communicate()
    assert kept.returncode == 130
    assert not [process for process in processes if process.is_running()]
    assert left_in(tmp_path) == []


async def test_what_is_not_over_at_the_deadline_is_named() -> None:
    async with make_world(demo_pools(0)) as world:
        scenario = make_scenario(world.inbox.url, 2)
        outcome = await Demo(world, scenario, Show(quiet=True), time.monotonic()).play(0)
    faults = outcome.faults()
    assert not outcome.is_well
    assert "not everything was over after 0 s" in faults
    assert {"main: was never pushed", "plain-2: was never pushed"} <= set(faults)


async def test_a_runner_that_ends_by_itself_is_told_with_its_last_words(tmp_path: Path) -> None:
    (tmp_path / "ai.yaml").write_text("nothing", encoding="ascii")
    runner = await RunnerProcess.start("ai", tmp_path / "ai.yaml", environment(tmp_path), lambda _: None)
    await runner.ended()
    with pytest.raises(RunnerEndedError, match=r"ended by itself(.|\n)*each document must be a WorkerPool"):
        runner.check()


# What it takes for a wrong end.

CASE = Case("j1", "a question", b'{"id":"j1"}', Ending(webhook="done", answers=(204,)), "Why?", "/answers")
RECORD = JobRecord(
    "j1", "ai", State.DONE, attempts=1, started_at=2000, finished_at=2500, result={"text": "You asked: Why?"}
)
TOLD = {"type": "ai.completed", "data": {"jobId": "j1", "text": "You asked: Why?"}}
DELIVERY = Delivery("/answers", {"webhook-id": "j1"}, TOLD, verified=True, status=204, at=datetime.now(UTC))
WEBHOOK = JobRecord("j1.ai.webhook", "webhook", State.DONE, attempts=1)
SEEN = Seen(RECORD, WEBHOOK, (DELIVERY,), asked=1, pushed_at=1000)

REFUSED = Case("j2", "two faults", b"{bad}", Ending("dead", 0, 0, "rejected", ("id: ", "delay: ")))
DEAD = JobRecord(
    "j2", "ai", State.DEAD, error={"kind": "rejected", "faults": ["delay: no", "id: no"]}, payload=b"{bad}"
)
SEEN_DEAD = Seen(DEAD, None, (), asked=0, pushed_at=1000)


def test_a_job_that_ended_as_it_should_is_well() -> None:
    assert check(CASE, SEEN) == []
    assert check(REFUSED, SEEN_DEAD) == []


@pytest.mark.parametrize(
    ("seen", "fault"),
    [
        (replace(SEEN, record=None), "state: should be 'done', is 'dropped'"),
        (replace(SEEN, record=replace(RECORD, state=State.DELAYED)), "state: should be 'done', is 'delayed'"),
        (replace(SEEN, record=replace(RECORD, attempts=2)), "attempts: should be 1, is 2"),
        (replace(SEEN, asked=2), "asked: should be 1, is 2"),
        (replace(SEEN, deliveries=()), "answers: should be (204,), is ()"),
        (replace(SEEN, webhook=None), "webhook: should be 'done', is ''"),
        (replace(SEEN, record=replace(RECORD, result={"text": "You asked: What?"})), "answer: should tell"),
        (replace(SEEN, deliveries=(replace(DELIVERY, verified=False),)), "webhook: its signature is wrong"),
        (replace(SEEN, deliveries=(replace(DELIVERY, json={**TOLD, "type": "x"}),)), "webhook: its type should be"),
        (replace(SEEN, deliveries=(replace(DELIVERY, json=None),)), "webhook: its type should be"),
        (replace(SEEN, deliveries=(replace(DELIVERY, json={**TOLD, "data": {}}),)), "webhook: it should tell"),
    ],
)
def test_whatever_is_wrong_with_an_answered_job_is_named(seen: Seen, fault: str) -> None:
    assert any(found.startswith(fault) for found in check(CASE, seen))
    assert make_row(CASE, seen).wrong


@pytest.mark.parametrize(
    ("record", "fault"),
    [
        (replace(DEAD, payload=b"{bad }"), "payload: the bytes"),
        (replace(DEAD, error={"kind": "rejected", "faults": ["id: no"]}), "faults: should be"),
        (replace(DEAD, error={"kind": "rejected", "faults": ["id: no", "delay: no", "x: no"]}), "faults: should be"),
        (replace(DEAD, error={"kind": "poison"}), "kind: should be 'rejected', is 'poison'"),
    ],
)
def test_whatever_is_wrong_with_a_dead_letter_is_named(record: JobRecord, fault: str) -> None:
    assert any(found.startswith(fault) for found in check(REFUSED, replace(SEEN_DEAD, record=record)))


def test_a_delayed_job_that_starts_too_early_is_wrong() -> None:
    assert check(replace(CASE, not_before_seconds=1), SEEN) == []
    assert check(replace(CASE, not_before_seconds=2), SEEN) == ["started: 1.000 s too early"]


def test_a_job_that_should_have_been_dropped_but_ran_is_wrong() -> None:
    dropped = replace(CASE, ending=Ending("dropped", 0, 0))
    assert "state: should be 'dropped', is 'done'" in check(dropped, SEEN)


def test_a_dead_letter_that_was_not_replayed_is_wrong() -> None:
    case = replace(REFUSED, replayed=Ending())
    assert make_row(case, SEEN_DEAD).wrong == ("was not replayed",)
    assert "state: should be 'done', is 'dead'" in make_row(case, SEEN_DEAD, SEEN_DEAD).wrong
