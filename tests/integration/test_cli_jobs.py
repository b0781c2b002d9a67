"""`edworkers status`, `result` and `cancel`."""

from collections.abc import AsyncGenerator
from pathlib import Path

import pytest
from tests.integration.command_line import MESSAGE, CommandLine, Jobs
from tests.integration.processes import eventually

EVIL = "\x1b[31mred\x07\x9b2J\u202e"


@pytest.fixture
def shell(tmp_path: Path, redis_url: str) -> CommandLine:
    return CommandLine(tmp_path, redis_url)


@pytest.fixture
async def jobs(redis_url: str) -> AsyncGenerator[Jobs]:
    made = Jobs(redis_url, "webhook")
    yield made
    await made.close()


async def test_a_result_is_found_by_the_id_alone(shell: CommandLine, jobs: Jobs) -> None:
    await jobs.done("j", {"text": "2", "large": 12345678901234567890})
    ran = await shell.run("result", "j")
    assert (ran.code, ran.out, ran.err) == (0, '{"text":"2","large":12345678901234567890}\n', "")
    assert (await shell.run("result", "webhook", "j")).document == ran.document


async def test_a_job_without_a_result_prints_null(shell: CommandLine, jobs: Jobs) -> None:
    await jobs.done("j", None)
    assert (await shell.run("result", "j"))[:2] == (0, "null\n")


async def test_a_result_for_programs_is_the_whole_record(shell: CommandLine, jobs: Jobs) -> None:
    await jobs.done("j", [1])
    told = (await shell.run("result", "j", "--json")).document
    assert {name: told[name] for name in ("id", "queue", "state", "attempts", "seconds", "result", "error")} == {
        "id": "j",
        "queue": "webhook",
        "state": "done",
        "attempts": 1,
        "seconds": 1.5,
        "result": [1],
        "error": None,
    }
    assert told["finishedAt"].endswith("Z")


@pytest.mark.parametrize(("ending", "code"), [("bury", 6), ("cancel", 7), ("retry", 5)])
async def test_each_way_in_which_there_is_no_result_has_its_exit_code(
    shell: CommandLine, jobs: Jobs, ending: str, code: int
) -> None:
    await jobs.push("j", MESSAGE)
    error = None if ending == "cancel" else {"kind": "timeout", "message": "not done within 15 s"}
    await jobs.end(await jobs.begin("j"), "j", ending, error, delay_ms=3_600_000)
    ran = await shell.run("result", "j")
    assert (ran.code, ran.out) == (code, "")
    assert error is None or "timeout: not done within 15 s" in ran.err
    told = await shell.run("result", "j", "--json")
    assert (told.code, told.err) == (code, "")
    assert told.document["error"] == error


async def test_an_unknown_id_names_the_queues_that_were_looked_through(shell: CommandLine) -> None:
    ran = await shell.run("result", "nowhere", "--json")
    assert (ran.code, ran.out) == (4, "")
    assert "nowhere in ai, webhook" in ran.error["error"]
    assert (await shell.run("status", "nowhere")).code == 4
    assert (await shell.run("result", "nowhere", "--wait-seconds", "0")).code == 4


async def test_an_id_that_two_queues_know_needs_the_queue(shell: CommandLine, jobs: Jobs, redis_url: str) -> None:
    await jobs.done("j", 1)
    other = Jobs(redis_url, "ai")
    await other.done("j", 2)
    await other.close()
    ran = await shell.run("result", "j")
    assert ran.code == 2
    assert "ai j: done" in ran.err
    assert "webhook j: done" in ran.err
    assert (await shell.run("result", "ai", "j")).document == 2


async def test_waiting_lasts_until_the_job_has_ended_even_if_nothing_was_known_of_it(
    shell: CommandLine, jobs: Jobs
) -> None:
    process = await shell.start("result", "j", "--wait")
    await jobs.push("j", MESSAGE)
    delivery = await jobs.begin("j")
    await jobs.end(delivery, "j", "ack", "done")
    assert (await shell.ended(process))[:2] == (0, '"done"\n')


async def test_a_job_is_shown_with_times_and_progress(shell: CommandLine, jobs: Jobs) -> None:
    await jobs.push("j", MESSAGE)
    delivery = await jobs.begin("j")
    assert await jobs.queue.report_progress("j", delivery.receipt, b'{"fraction":0.4,"note":"page 2 of 5"}')
    ran = await shell.run("status", "j")
    shown = dict(line.split(maxsplit=1) for line in ran.out.splitlines())
    assert (ran.code, shown["state"], shown["attempts"], shown["progress"]) == (0, "inflight", "1", "40% page 2 of 5")
    assert " UTC (" in shown["started"]
    told = (await shell.run("status", "webhook", "j", "--json")).document
    assert told["progress"] == {"fraction": 0.4, "note": "page 2 of 5"}
    assert told["startedAt"].endswith("Z")


async def test_what_a_job_says_can_not_steer_the_terminal(shell: CommandLine, jobs: Jobs) -> None:
    await jobs.push("j", MESSAGE)
    await jobs.end(await jobs.begin("j"), "j", "retry", {"kind": EVIL, "message": EVIL}, delay_ms=3_600_000)
    await jobs.done("k", {"text": EVIL + "π"})
    for words in (("status", "j"), ("result", "j"), ("result", "k"), ("status", "k", "--json")):
        ran = await shell.run(*words)
        assert not set(EVIL) & set("\x1b\x07\x9b\u202e") & set(ran.out + ran.err), words
    assert (await shell.run("result", "k")).document == {"text": EVIL + "π"}


async def test_a_terminal_that_knows_only_ascii_gets_json_in_ascii(shell: CommandLine, jobs: Jobs) -> None:
    await jobs.done("k", {"text": "π 🎉"})
    ran = await shell.run("result", "k", PYTHONIOENCODING="ascii")
    assert ran.out.isascii()
    assert ran.document == {"text": "π 🎉"}


async def test_a_delayed_job_is_cancelled_at_once_and_not_twice(shell: CommandLine, jobs: Jobs) -> None:
    await jobs.push("j", MESSAGE)
    await jobs.end(await jobs.begin("j"), "j", "retry", {}, delay_ms=3_600_000)
    assert (await shell.run("cancel", "webhook", "j"))[:2] == (0, "cancelled j\n")
    again = await shell.run("cancel", "webhook", "j", "--json")
    assert (again.code, again.document["cancel"]) == (10, "finished")


async def test_the_end_of_a_running_job_is_asked_for(shell: CommandLine, jobs: Jobs) -> None:
    await jobs.push("j", MESSAGE)
    await jobs.begin("j")
    ran = await shell.run("cancel", "webhook", "j", "--json")
    assert (ran.code, ran.document) == (0, {"id": "j", "queue": "webhook", "cancel": "requested", "known": True})


async def test_to_cancel_what_nobody_knows_says_so(shell: CommandLine) -> None:
    ran = await shell.run("cancel", "webhook", "nowhere")
    assert ran.code == 0
    assert "no record of nowhere" in ran.out


@pytest.mark.parametrize(
    "words", [("status", "a b"), ("status", "ai", "x", "y"), ("result", "é"), ("cancel", "ai", "")]
)
async def test_what_can_be_no_id_is_a_usage_error(shell: CommandLine, words: tuple[str, ...]) -> None:
    ran = await shell.run(*words)
    assert (ran.code, ran.out) == (2, "")
    assert (await shell.run(*words, "--json")).error["faults"] == []


async def test_the_progress_of_a_job_is_shown_on_a_terminal_until_it_ends(shell: CommandLine, jobs: Jobs) -> None:
    await jobs.push("j", MESSAGE)
    delivery = await jobs.begin("j")
    assert await jobs.queue.report_progress("j", delivery.receipt, b'{"fraction":0.4,"note":"page two\\u001b[5m"}')
    code, shown = await shell.on_terminal("result", "j", "--wait-seconds", "0.3")
    assert code == 5
    assert b"j: inflight, attempt 1, page two\\x1b[5m" in shown


async def test_a_result_is_indented_on_a_terminal(shell: CommandLine, jobs: Jobs) -> None:
    await jobs.done("j", {"text": "2"})
    assert await shell.on_terminal("result", "j") == (0, b'{\r\n  "text": "2"\r\n}\r\n')


async def test_ctrl_c_ends_the_waiting_and_not_the_job(shell: CommandLine, jobs: Jobs) -> None:
    process = await shell.start("enqueue", "webhook", '{"url":"https://x.example","event":"e","payload":{}}', "--wait")
    assert process.stdin is not None
    process.stdin.close()

    async def is_pushed() -> bool:
        return await jobs.waiting() != []

    await eventually(is_pushed)
    process.send_signal(2)
    assert (await shell.ended(process)).code == 130
    assert len(await jobs.waiting()) == 1
