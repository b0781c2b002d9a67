"""`edworkers enqueue`."""

import json
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

import pytest
from tests.integration.command_line import QUESTION, CommandLine, Jobs
from tests.integration.processes import eventually

ASKED = json.dumps(QUESTION)


@pytest.fixture
def shell(tmp_path: Path, redis_url: str) -> CommandLine:
    return CommandLine(tmp_path, redis_url)


@pytest.fixture
async def jobs(redis_url: str) -> AsyncGenerator[Jobs]:
    made = Jobs(redis_url, "ai")
    yield made
    await made.close()


async def test_a_job_is_pushed_with_a_new_id_which_is_printed(shell: CommandLine, jobs: Jobs) -> None:
    ran = await shell.run("enqueue", "ai", ASKED)
    [job] = await jobs.waiting()
    assert (ran.code, ran.out, ran.err) == (0, f"{job['id']}\n", "")
    assert job["data"] == QUESTION
    record = await jobs.control.find(job["id"])
    assert record is not None
    assert record.state == "pending"


async def test_data_may_be_a_whole_job_whose_own_id_is_kept(shell: CommandLine, jobs: Jobs) -> None:
    whole = {"id": "mine", "source": "school", "time": "2026-01-31T09:00:00Z", "data": QUESTION}
    ran = await shell.run("enqueue", "ai", json.dumps(whole))
    assert (ran.code, ran.out) == (0, "mine\n")
    assert await jobs.waiting() == [whole]


async def test_every_option_becomes_a_field_of_the_job(shell: CommandLine, jobs: Jobs) -> None:
    words = ("--id", "x", "--type", "t", "--expires-at", "2999-01-01T00:00:00Z", "--unique-key", "k", "--group", "g")
    ran = await shell.run("enqueue", "ai", ASKED, *words, "--max-attempts", "2", "--timeout", "1.5")
    assert ran.code == 0
    [job] = await jobs.waiting()
    del job["time"]
    assert job == {
        "id": "x",
        "type": "t",
        "expiresAt": "2999-01-01T00:00:00Z",
        "uniqueKey": "k",
        "group": "g",
        "maxAttempts": 2,
        "timeoutSeconds": 1.5,
        "data": QUESTION,
    }


async def test_numbers_arrive_as_they_were_given(shell: CommandLine, jobs: Jobs) -> None:
    data = {**QUESTION, "context": {"assessmentData": {"large": 12345678901234567890123, "empty": []}}}
    assert (await shell.run("enqueue", "ai", json.dumps(data))).code == 0
    [job] = await jobs.waiting()
    assert job["data"] == data


@pytest.mark.parametrize("words", [("--delay", "3600"), ("--run-at", "2999-01-31T09:00:00+01:00")])
async def test_a_job_for_later_is_delayed(shell: CommandLine, jobs: Jobs, words: tuple[str, str]) -> None:
    ran = await shell.run("enqueue", "ai", ASKED, *words, "--json")
    assert ran.code == 0
    told = ran.document
    assert (told["queue"], told["enqueued"], told["duplicate"]) == ("ai", True, False)
    record = await jobs.control.find(told["id"])
    assert record is not None
    assert record.state == "delayed"
    if words[0] == "--run-at":
        assert told["dueAt"] == "2999-01-31T08:00:00.000Z"


async def test_an_urgent_job_comes_before_those_that_wait(shell: CommandLine, jobs: Jobs) -> None:
    await jobs.push("first", QUESTION)
    assert (await shell.run("enqueue", "ai", ASKED, "--id", "now", "--urgent")).code == 0
    assert [job["id"] for job in await jobs.waiting()] == ["now", "first"]


async def test_a_duplicate_is_not_pushed_and_has_an_exit_code_of_its_own(shell: CommandLine, jobs: Jobs) -> None:
    await shell.run("enqueue", "ai", ASKED, "--id", "same")
    ran = await shell.run("enqueue", "ai", ASKED, "--id", "same")
    assert (ran.code, ran.out) == (8, "")
    assert "same is known already" in ran.err
    told = await shell.run("enqueue", "ai", ASKED, "--id", "same", "--json")
    assert (told.code, told.err) == (8, "")
    assert told.document == {"id": "same", "queue": "ai", "enqueued": False, "duplicate": True, "dueAt": None}
    assert len(await jobs.waiting()) == 1


async def test_a_duplicate_is_as_good_as_enqueued_for_who_wants_it_once(shell: CommandLine, jobs: Jobs) -> None:
    first = await shell.run("enqueue", "ai", ASKED, "--id", "same", "--once")
    again = await shell.run("enqueue", "ai", ASKED, "--id", "same", "--once")
    assert (first.code, first.out, again.code, again.out) == (0, "same\n", 0, "")
    assert "same is known already" in again.err
    assert len(await jobs.waiting()) == 1


async def test_what_no_runner_would_take_is_refused_also_to_who_wants_it_once(shell: CommandLine) -> None:
    assert (await shell.run("enqueue", "ai", "{}", "--id", "same", "--once")).code == 9


async def test_a_second_job_of_a_unique_key_is_a_duplicate_and_names_the_key(shell: CommandLine) -> None:
    await shell.run("enqueue", "ai", ASKED, "--unique-key", "essay-7")
    ran = await shell.run("enqueue", "ai", ASKED, "--unique-key", "essay-7")
    assert ran.code == 8
    assert "essay-7" in ran.err


@pytest.mark.parametrize("given", ["@job.json", "-", None])
async def test_data_may_come_from_a_file_or_from_stdin(
    shell: CommandLine, jobs: Jobs, tmp_path: Path, given: str | None
) -> None:
    (tmp_path / "job.json").write_text(ASKED)
    stdin = b"" if given == "@job.json" else ASKED.encode()
    ran = await shell.run("enqueue", "ai", *([given] if given else []), stdin=stdin)
    assert ran.code == 0
    assert [job["data"] for job in await jobs.waiting()] == [QUESTION]


async def test_a_file_that_is_not_there_is_named(shell: CommandLine) -> None:
    ran = await shell.run("enqueue", "ai", "@nowhere.json")
    assert ran.code == 2
    assert "nowhere.json: No such file or directory" in ran.err


async def test_every_fault_of_envelope_and_data_is_named_at_once_and_nothing_is_pushed(
    shell: CommandLine, jobs: Jobs
) -> None:
    words = ("--delay=-5", "--expires-at", "tomorrow", "--max-attempts", "0", "--type", "", "--json")
    ran = await shell.run("enqueue", "ai", '{"prompt": 1, "webhookUrl": "ftp://x"}', *words)
    assert (ran.code, ran.out) == (9, "")
    named = {fault.split(":")[0] for fault in ran.error["faults"]}
    data = {"data.conversationId", "data.userId", "data.prompt", "data.webhookUrl"}
    assert named == {"delay", "expiresAt", "maxAttempts", "type"} | data
    assert await jobs.waiting() == []


async def test_what_is_no_json_is_told_together_with_wrong_options(shell: CommandLine) -> None:
    ran = await shell.run("enqueue", "ai", '{"prompt":', "--delay=-5")
    assert ran.code == 9
    assert "not JSON: EOF" in ran.err
    assert "delay: " in ran.err


async def test_bytes_that_are_no_utf_8_are_refused_and_not_raised(shell: CommandLine) -> None:
    ran = await shell.run("enqueue", "ai", "-", stdin=b'{"prompt": "\xff"}')
    assert ran.code == 9
    assert "not UTF-8, byte 0xff" in ran.err


async def test_a_payload_that_is_too_large_is_refused(shell: CommandLine, jobs: Jobs) -> None:
    ran = await shell.run("enqueue", "ai", stdin=b" " * (1024 * 1024 + 1))
    assert ran.code == 9
    assert "too large" in ran.err


async def test_a_field_that_is_given_twice_with_other_values_is_refused(shell: CommandLine, jobs: Jobs) -> None:
    ran = await shell.run("enqueue", "ai", json.dumps({"id": "a", "data": QUESTION}), "--id", "b")
    assert ran.code == 9
    assert "id: given in the JSON and, with another value, as an option" in ran.err
    assert await jobs.waiting() == []


@pytest.mark.parametrize("words", [("--delay", "nan"), ("--timeout", "inf"), ("--id", "two words"), ("--delay", "x")])
async def test_an_option_that_makes_no_sense_is_a_usage_error(shell: CommandLine, words: tuple[str, str]) -> None:
    ran = await shell.run("enqueue", "ai", ASKED, *words, "--json")
    assert ran.code == 2
    assert words[0] in ran.error["error"]


def _lines(*documents: Any) -> bytes:
    return b"".join(json.dumps(document).encode() + b"\n" for document in documents)


async def test_json_lines_are_pushed_in_their_order_over_several_batches(shell: CommandLine, jobs: Jobs) -> None:
    ids = [f"job-{number}" for number in range(1201)]
    stdin = _lines(*({"id": job_id, "data": QUESTION} for job_id in ids))
    ran = await shell.run("enqueue", "ai", "--lines", stdin=stdin)
    assert (ran.code, ran.out, ran.err) == (0, "enqueued 1201 jobs on ai\n", "")
    assert [job["id"] for job in await jobs.waiting()] == ids


async def test_json_lines_that_are_known_already_are_counted_apart(shell: CommandLine, tmp_path: Path) -> None:
    (tmp_path / "jobs.jsonl").write_bytes(_lines({"id": "a", "data": QUESTION}, {"id": "b", "data": QUESTION}) + b"\n ")
    words = ("enqueue", "ai", "--lines", "@jobs.jsonl", "--json")
    assert (await shell.run("enqueue", "ai", ASKED, "--id", "b")).code == 0
    first, again = await shell.run(*words), await shell.run(*words)
    assert (first.code, first.document) == (0, {"queue": "ai", "enqueued": ["a"], "duplicates": ["b"]})
    assert (again.code, again.document) == (8, {"queue": "ai", "enqueued": [], "duplicates": ["a", "b"]})


async def test_one_bad_line_keeps_all_of_them_out_and_every_bad_one_is_named(shell: CommandLine, jobs: Jobs) -> None:
    good = _lines(*[QUESTION] * 600)
    ran = await shell.run("enqueue", "ai", "--lines", "--json", stdin=good + b'{"prompt":1}\n[]\n' + b"x" * 1_048_600)
    assert (ran.code, ran.out) == (9, "")
    lines = [fault.split(":")[0] for fault in ran.error["faults"]]
    assert lines == ["line 601"] * 3 + ["line 602", "line 603"]
    assert await jobs.waiting() == []


async def test_very_many_faults_are_counted_and_not_all_told(shell: CommandLine) -> None:
    ran = await shell.run("enqueue", "ai", "--lines", "--json", stdin=b"[]\n" * 60)
    assert len(ran.error["faults"]) == 51
    assert ran.error["faults"][-1] == "and 10 more faults"


async def test_waiting_for_the_end_prints_the_result(shell: CommandLine, jobs: Jobs) -> None:
    process = await shell.start("enqueue", "ai", ASKED, "--id", "w", "--wait")

    async def is_pushed() -> bool:
        return await jobs.waiting() != []

    await eventually(is_pushed)
    await jobs.end(await jobs.begin("w"), "w", "ack", {"text": "2"})
    ran = await shell.ended(process)
    assert (ran.code, ran.document) == (0, {"text": "2"})


async def test_a_duplicate_is_waited_for_as_the_job_that_was_known(shell: CommandLine, jobs: Jobs) -> None:
    await jobs.done("e", "said before")
    ran = await shell.run("enqueue", "ai", ASKED, "--id", "e", "--wait")
    assert (ran.code, ran.document) == (0, "said before")
    assert "enqueued before" in ran.err


async def test_waiting_no_longer_than_asked_ends_with_a_code_of_its_own(shell: CommandLine) -> None:
    ran = await shell.run("enqueue", "ai", ASKED, "--id", "w", "--wait-seconds", "0", "--json")
    assert ran.code == 5
    assert (ran.document["id"], ran.document["state"]) == ("w", "pending")


async def test_lines_go_with_no_option_that_is_for_one_job(shell: CommandLine) -> None:
    ran = await shell.run("enqueue", "ai", "--lines", "--id", "x", "--json", stdin=b"{}")
    assert ran.code == 2
    assert "--lines" in ran.error["error"]
