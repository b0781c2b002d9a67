"""`edworkers dead list|show|replay|drop`."""

import base64
from collections.abc import AsyncGenerator
from pathlib import Path

import pytest
from tests.integration.command_line import CommandLine, Jobs

EVIL = b'{"id":"bad", \x1b]0;evil\x07 \xff'


@pytest.fixture
def shell(tmp_path: Path, redis_url: str) -> CommandLine:
    return CommandLine(tmp_path, redis_url)


@pytest.fixture
async def jobs(redis_url: str) -> AsyncGenerator[Jobs]:
    made = Jobs(redis_url, "webhook")
    yield made
    await made.close()


async def _ids(jobs: Jobs) -> set[str]:
    return {record.id for record in await jobs.control.dead(0, 1000)}


async def test_dead_letters_are_listed_with_the_reason_and_nothing_that_steers(shell: CommandLine, jobs: Jobs) -> None:
    await jobs.dead("j", kind="timeout", message="not done\n\x1b[31m within 15 s")
    ran = await shell.run("dead", "list", "webhook")
    head, line = ran.out.splitlines()
    assert head.split("\t") == ["id", "buried", "kind", "message", "attempts"]
    job_id, buried, *rest = line.split("\t")
    assert (job_id, rest) == ("j", ["timeout", "not done\\n\\x1b[31m within 15 s", "1"])
    assert len(buried) == len("2026-01-31 09:00:00")


async def test_the_list_is_cut_by_limit_and_offset_and_counts_all(shell: CommandLine, jobs: Jobs) -> None:
    for number in range(5):
        await jobs.dead(f"j{number}")
    whole = (await shell.run("dead", "list", "webhook", "--json")).document
    part = (await shell.run("dead", "list", "webhook", "--limit", "2", "--offset", "1", "--json")).document
    assert (part["queue"], part["total"], part["offset"]) == ("webhook", 5, 1)
    assert part["jobs"] == whole["jobs"][1:3]
    assert part["jobs"][0].keys() == {"id", "buriedAt", "kind", "message", "attempts"}


async def test_the_list_can_be_searched_by_kind_and_by_text_in_message_or_payload(
    shell: CommandLine, jobs: Jobs
) -> None:
    await jobs.dead("a", b'{"url":"https://school.example"}', kind="timeout")
    await jobs.dead("b", kind="rejected", message="not the school's")
    await jobs.dead("c", kind="rejected", message="no job")

    async def found(*words: str) -> set[str]:
        told = (await shell.run("dead", "list", "webhook", *words, "--json")).document
        return {job["id"] for job in told["jobs"]}

    assert await found("--kind", "rejected") == {"b", "c"}
    assert await found("--matching", "school") == {"a", "b"}
    assert await found("--kind", "rejected", "--matching", "school") == {"b"}
    assert len(await found("--kind", "rejected", "--limit", "1", "--offset", "1")) == 1


async def test_all_of_a_dead_letter_is_shown_and_none_of_it_steers(shell: CommandLine, jobs: Jobs) -> None:
    faults = ["url: missing", "event: missing"]
    await jobs.dead("bad", EVIL, faults=faults, traceback="Traceback:\n  boom\x1b[2J", answer="<h1>no\x1b[2J</h1>")
    ran = await shell.run("dead", "show", "webhook", "bad")
    assert ran.code == 0
    assert "- url: missing\n" in ran.out
    assert "- event: missing\n" in ran.out
    assert "  boom\\x1b[2J" in ran.out
    assert "<h1>no\\x1b[2J</h1>" in ran.out
    assert '{"id":"bad", \\x1b]0;evil\\x07 \\xff' in ran.out
    assert not {"\x1b", "\x07"} & set(ran.out)


async def test_a_dead_letter_for_programs_has_its_bytes_in_base64(shell: CommandLine, jobs: Jobs) -> None:
    await jobs.dead("bad", EVIL, faults=["url: missing"])
    told = (await shell.run("dead", "show", "webhook", "bad", "--json")).document
    assert told["error"]["faults"] == ["url: missing"]
    assert (told["payload"], base64.b64decode(told["payloadBase64"])) == (None, EVIL)
    await jobs.dead("text", b'{"id":"text"}')
    assert (await shell.run("dead", "show", "webhook", "text", "--json")).document["payload"] == '{"id":"text"}'


async def test_the_payload_is_written_byte_for_byte(shell: CommandLine, jobs: Jobs) -> None:
    await jobs.dead("bad", EVIL)
    out, _ = await (await shell.start("dead", "show", "webhook", "bad", "--payload")).communicate()
    assert out == EVIL


async def test_a_payload_does_not_steer_a_terminal(shell: CommandLine, jobs: Jobs) -> None:
    await jobs.dead("bad", EVIL)
    code, shown = await shell.on_terminal("dead", "show", "webhook", "bad", "--payload")
    assert (code, b"\x1b" in shown, b"\\x1b]0;evil" in shown) == (0, False, True)


async def test_a_large_payload_is_cut_for_people(shell: CommandLine, jobs: Jobs) -> None:
    await jobs.dead("large", b"x" * 5000)
    ran = await shell.run("dead", "show", "webhook", "large")
    assert "904 bytes more: --payload writes them all" in ran.out
    assert "x" * 4097 not in ran.out


async def test_a_job_that_is_not_dead_is_not_shown_as_such(shell: CommandLine, jobs: Jobs) -> None:
    await jobs.done("j", 1)
    ran = await shell.run("dead", "show", "webhook", "j")
    assert ran.code == 4
    assert "it is done" in ran.err
    assert (await shell.run("dead", "show", "webhook", "nowhere")).code == 4


async def test_a_dead_job_is_replayed_as_it_came(shell: CommandLine, jobs: Jobs) -> None:
    await jobs.dead("j", b'{"id":"j","data":{}}')
    ran = await shell.run("dead", "replay", "webhook", "j", "--yes")
    assert (ran.code, ran.out) == (0, "replayed 1 of 1 dead letters of webhook\n")
    record = await jobs.control.find("j")
    assert record is not None
    assert record.state == "pending"
    assert (await jobs.queue.cycle((), (), 1)).deliveries[0].raw.endswith(b'{"id":"j","data":{}}')


async def test_those_that_were_not_dead_are_named_and_the_others_are_done(shell: CommandLine, jobs: Jobs) -> None:
    await jobs.dead("j")
    ran = await shell.run("dead", "drop", "webhook", "nowhere", "j", "--yes")
    assert (ran.code, ran.out) == (4, "dropped 1 of 2 dead letters of webhook\n")
    assert "- nowhere" in ran.err
    told = await shell.run("dead", "drop", "webhook", "j", "--yes", "--json")
    assert (told.code, told.document) == (4, {"queue": "webhook", "dropped": [], "notDropped": ["j"]})


async def test_all_of_them_are_replayed_over_several_pages(shell: CommandLine, jobs: Jobs) -> None:
    ids = {f"j{number}" for number in range(120)}
    for job_id in ids:
        await jobs.dead(job_id)
    told = (await shell.run("dead", "replay", "webhook", "--all", "--yes", "--json")).document
    assert (set(told["replayed"]), told["notReplayed"]) == (ids, [])
    assert (await jobs.control.depths()).pending == 120


async def test_only_those_of_a_kind_are_dropped(shell: CommandLine, jobs: Jobs) -> None:
    await jobs.dead("a", kind="timeout")
    await jobs.dead("b", kind="rejected")
    assert (await shell.run("dead", "drop", "webhook", "--all", "--kind", "timeout", "--yes")).code == 0
    assert await _ids(jobs) == {"b"}


async def test_nothing_to_do_is_no_fault_and_no_question(shell: CommandLine) -> None:
    ran = await shell.run("dead", "drop", "webhook", "--all")
    assert (ran.code, ran.out) == (0, "dropped 0 of 0 dead letters of webhook\n")


@pytest.mark.parametrize("verb", ["replay", "drop"])
async def test_without_a_terminal_a_change_needs_yes(shell: CommandLine, jobs: Jobs, verb: str) -> None:
    await jobs.dead("j")
    ran = await shell.run("dead", verb, "webhook", "j", stdin=b"y\n")
    assert ran.code == 2
    assert "--yes" in ran.err
    assert await _ids(jobs) == {"j"}


@pytest.mark.parametrize(("typed", "code", "left"), [(b"y\n", 0, set[str]()), (b"n\n", 1, {"j"})])
async def test_on_a_terminal_it_is_asked_first(
    shell: CommandLine, jobs: Jobs, typed: bytes, code: int, left: set[str]
) -> None:
    await jobs.dead("j")
    ended, shown = await shell.on_terminal("dead", "drop", "webhook", "--all", typed=typed)
    assert b"drop 1 dead letters of webhook?" in shown
    assert (ended, await _ids(jobs)) == (code, left)


@pytest.mark.parametrize("words", [(), ("j", "--all"), ("j", "--kind", "timeout")])
async def test_it_must_be_said_which_ones_are_meant(shell: CommandLine, words: tuple[str, ...]) -> None:
    assert (await shell.run("dead", "drop", "webhook", *words, "--yes")).code == 2


async def test_a_table_is_drawn_on_a_terminal_however_narrow(shell: CommandLine, jobs: Jobs) -> None:
    await jobs.dead("a-long-id-0123456789", message="[bold]not[/bold] " * 30 + "\x1b]0;evil\x07")
    code, shown = await shell.on_terminal("dead", "list", "webhook", columns=60)
    assert code == 0
    assert b"[bold]" in shown
    assert b"\x1b]0" not in shown
    assert b"1 of 1 dead letters of webhook" in shown
