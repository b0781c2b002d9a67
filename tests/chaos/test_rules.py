"""A checker that can't fail proves nothing: each of these histories is broken in one way, which must be found."""

from dataclasses import replace

import pytest
from tests.chaos.log_writer import LogWriter, command, key, planned
from tests.chaos.promise import PLAIN, Run
from tests.chaos.rules import check

from edworkers.core.job import Entry

JOB = planned()


@pytest.fixture
def log() -> LogWriter:
    return LogWriter()


def _broken(run: Run) -> list[str]:
    return [violation.rule for violation in check(run)]


def _done(log: LogWriter, receipt: str = "first") -> None:
    log.claim(JOB, receipt)
    log.start(JOB, receipt)
    log.ack(JOB, receipt, at=10)


def test_a_job_that_is_run_once_and_done_breaks_nothing(log: LogWriter) -> None:
    _done(log)
    assert check(log.run(JOB)) == []


def test_a_job_that_lost_its_runner_and_was_done_by_the_next_breaks_nothing(log: LogWriter) -> None:
    log.claim(JOB, "first", 1000)
    log.start(JOB, "first", at=1001)
    log.reap("first")
    log.claim(JOB, "second", 3000, entry=log.again(JOB, deliveries=1))
    log.start(JOB, "second", at=3001)
    log.tell("end", JOB, "first", at=3002)
    log.ack(JOB, "second", at=3003)
    assert check(log.run(JOB)) == []


def test_a_job_that_fails_twice_and_then_succeeds_breaks_nothing(log: LogWriter) -> None:
    for attempt, receipt in enumerate(["first", "second"]):
        log.claim(JOB, receipt, entry=log.again(JOB, attempts=attempt))
        log.start(JOB, receipt, attempt + 1)
        log.retry(JOB, receipt, attempt=attempt + 1)
    log.claim(JOB, "third", entry=log.again(JOB, attempts=2))
    log.start(JOB, "third", 3)
    log.ack(JOB, "third", attempt=3)
    assert check(log.run(JOB)) == []


def test_a_job_that_redis_took_and_that_nobody_ever_claimed_is_found(log: LogWriter) -> None:
    _done(log)
    assert _broken(log.run(JOB, planned(2))) == ["lost"]


def test_a_job_that_was_begun_and_never_ended_is_found(log: LogWriter) -> None:
    log.claim(JOB, "first")
    log.start(JOB, "first")
    log.reap("first")
    assert _broken(log.run(JOB)) == ["lost", "lost"]


def test_a_job_that_is_still_held_at_the_end_is_found(log: LogWriter) -> None:
    _done(log)
    log.claim(JOB, "second", entry=Entry(JOB.payload, origin="other"))
    assert _broken(log.run(JOB)) == ["left behind"]


def test_jobs_of_one_unique_key_of_which_none_was_run_are_found(log: LogWriter) -> None:
    assert _broken(log.run(planned(1, unique_key="k"), planned(2, unique_key="k"))) == ["lost"]


def test_a_second_claim_of_a_job_that_is_held_is_found(log: LogWriter) -> None:
    log.claim(JOB, "first")
    log.start(JOB, "first")
    log.claim(JOB, "second", entry=log.again(JOB))
    log.start(JOB, "second", at=20)
    log.tell("cancelled", JOB, "first", at=15)
    log.reap("first")
    log.ack(JOB, "second", at=30)
    assert set(_broken(log.run(JOB))) == {"overlap", "entry held twice", "lease cut short"}


def test_a_job_that_is_given_back_and_claimed_again_in_one_step_breaks_nothing(log: LogWriter) -> None:
    log.claim(JOB, "first")
    log.start(JOB, "first")
    log.tell("cancelled", JOB, "first", at=1)
    log.leave("first", log.record(JOB, "pending"))
    log.claim(JOB, "second", entry=log.again(JOB))
    log.steps[-2:] = [[*log.steps[-2], *log.steps[-1]]]
    log.start(JOB, "second", at=2)
    log.ack(JOB, "second", at=3)
    assert check(log.run(JOB)) == []


def test_a_job_that_is_claimed_again_in_one_step_and_given_back_after_that_is_found(log: LogWriter) -> None:
    log.claim(JOB, "first")
    log.start(JOB, "first")
    log.tell("cancelled", JOB, "first", at=1)
    log.claim(JOB, "second", entry=log.again(JOB))
    log.leave("first", log.record(JOB, "pending"))
    log.steps[-2:] = [[*log.steps[-2], *log.steps[-1]]]
    log.start(JOB, "second", at=2)
    log.ack(JOB, "second", at=3)
    assert set(_broken(log.run(JOB))) == {"overlap", "entry held twice"}


def test_a_lease_that_is_taken_before_it_has_run_out_is_found(log: LogWriter) -> None:
    log.claim(JOB, "first", 1000)
    log.reap("first")
    log.claim(JOB, "second", 2999, entry=log.again(JOB, deliveries=1))
    log.start(JOB, "second")
    log.ack(JOB, "second")
    assert _broken(log.run(JOB)) == ["lease cut short"]


def test_a_handler_that_is_at_work_beside_one_that_was_only_put_off_is_found(log: LogWriter) -> None:
    log.claim(JOB, "first")
    log.start(JOB, "first", at=1)
    log.leave("first", log.record(JOB, "pending"))
    log.claim(JOB, "second", entry=log.again(JOB))
    log.start(JOB, "second", at=2)
    log.tell("cancelled", JOB, "first", at=3)
    log.ack(JOB, "second", at=4)
    assert _broken(log.run(JOB)) == ["two at work"]


def test_a_job_may_begin_by_the_step_that_claims_it(log: LogWriter) -> None:
    log.claim(JOB, "first")
    log.steps[-1].append(log.record(JOB, "inflight"))
    log.tell("begin", JOB, "first")
    log.ack(JOB, "first", at=10)
    assert check(log.run(JOB)) == []


def test_a_start_of_a_job_that_nobody_holds_is_found(log: LogWriter) -> None:
    _done(log)
    log.steps.append([log.record(JOB, "inflight")])
    assert _broken(log.run(JOB)) == ["start without a lease"]


def test_an_attempt_too_many_is_found(log: LogWriter) -> None:
    for attempt in range(1, 5):
        log.claim(JOB, f"receipt-{attempt}", entry=log.again(JOB, attempts=attempt - 1))
        log.start(JOB, f"receipt-{attempt}", attempt)
        if attempt < 4:
            log.retry(JOB, f"receipt-{attempt}", attempt=attempt)
    log.ack(JOB, "receipt-4", attempt=4)
    assert _broken(log.run(JOB)) == ["attempts"]


def test_an_attempt_that_is_not_counted_is_found(log: LogWriter) -> None:
    log.claim(JOB, "first")
    log.start(JOB, "first")
    log.retry(JOB, "first")
    log.claim(JOB, "second", entry=log.again(JOB))
    log.start(JOB, "second", 1)
    log.ack(JOB, "second")
    assert _broken(log.run(JOB)) == ["attempts"]


def test_a_copy_that_ends_after_the_first_ones_record_was_trimmed_is_none(log: LogWriter) -> None:
    done_once(log, "first")
    log.steps.append([command("UNLINK", key("job:other-9"), key(f"job:{JOB.job_id}"))])
    done_once(log, "second")
    assert _broken(log.run(JOB, pushes={JOB.nr: 2})) == []


def test_a_copy_that_ends_beside_the_first_ones_record_is_found(log: LogWriter) -> None:
    log.steps.append([command("UNLINK", key(f"job:{JOB.job_id}"))])
    done_once(log, "first")
    done_once(log, "second")
    assert _broken(log.run(JOB, pushes={JOB.nr: 2})) == ["ended twice"]


def done_once(log: LogWriter, receipt: str) -> None:
    log.claim(JOB, receipt)
    log.start(JOB, receipt, at=1)
    log.ack(JOB, receipt)


@pytest.mark.parametrize(
    ("lost", "begun", "broken"),
    [
        (3, 3, []),
        (4, 4, ["attempts"]),
        (4, 3, []),  # the fourth runner was killed before it could bury the job
        (2, 2, ["wrong end"]),
    ],
)
def test_a_poison_pill_is_begun_three_times_and_buried_then(
    log: LogWriter, lost: int, begun: int, broken: list[str]
) -> None:
    pill = planned(ends="poison")
    for deliveries in range(lost):
        receipt, at = f"receipt-{deliveries}", deliveries * 2000
        log.claim(pill, receipt, at, entry=log.again(pill, deliveries=deliveries))
        if deliveries < begun:
            log.start(pill, receipt, at=at)
        log.reap(receipt)
    log.claim(pill, "last", 8000, entry=log.again(pill, deliveries=lost))
    log.bury(pill, "last", "poison")
    assert _broken(log.run(pill)) == broken


def test_a_job_that_is_called_a_poison_pill_without_reason_is_found(log: LogWriter) -> None:
    log.claim(JOB, "first")
    log.bury(JOB, "first", "poison")
    assert _broken(log.run(JOB)) == ["wrong end"]


def test_a_late_result_that_is_taken_is_found(log: LogWriter) -> None:
    log.claim(JOB, "first")
    log.start(JOB, "first", at=1)
    log.reap("first")
    log.claim(JOB, "second", 2000, entry=log.again(JOB, deliveries=1))
    log.start(JOB, "second", at=2001)
    log.tell("end", JOB, "first", at=2002)
    log.steps.append([log.record(JOB, "done", "result", log.result(JOB, "first"))])
    log.tell("end", JOB, "second", at=2003)
    log.leave("second")
    assert _broken(log.run(JOB)) == ["late settlement"]


def test_a_late_failure_that_is_taken_is_found(log: LogWriter) -> None:
    log.claim(JOB, "first")
    log.start(JOB, "first")
    log.reap("first")
    log.steps.append([log.record(JOB, "delayed", "error", b'{"message":"receipt=first fails"}')])
    log.claim(JOB, "second", 2000, entry=log.again(JOB, deliveries=1))
    log.start(JOB, "second")
    log.ack(JOB, "second")
    assert _broken(log.run(JOB)) == ["late settlement"]


def test_a_late_burial_that_is_taken_is_found(log: LogWriter) -> None:
    job = planned(ends="timeout")
    log.claim(job, "first")
    log.start(job, "first")
    log.reap("first")
    log.steps.append([log.record(job, "dead", "error", b'{"kind":"timeout"}')])
    assert _broken(log.run(job)) == ["late settlement"]


def test_a_job_that_is_cancelled_while_it_is_put_off_breaks_nothing(log: LogWriter) -> None:
    job = planned(ends="cancelled")
    log.claim(job, "first")
    log.leave("first", log.record(job, "delayed"))
    log.steps.append([log.record(job, "cancelled")])
    assert check(log.run(job)) == []


def test_a_result_of_which_no_handler_knows_is_found(log: LogWriter) -> None:
    log.claim(JOB, "first")
    log.leave("first", log.record(JOB, "done", "result", log.result(JOB, "first")))
    assert _broken(log.run(JOB)) == ["nobody's result"]


def test_a_result_of_a_handler_that_never_came_to_its_end_is_found(log: LogWriter) -> None:
    log.claim(JOB, "first")
    log.start(JOB, "first")
    log.leave("first", log.record(JOB, "done", "result", log.result(JOB, "first")))
    assert _broken(log.run(JOB)) == ["nobody's result"]


def test_a_job_that_is_done_twice_is_found(log: LogWriter) -> None:
    _done(log)
    log.claim(JOB, "second", entry=Entry(JOB.payload, origin="other"))
    log.start(JOB, "second", at=20)
    log.ack(JOB, "second", at=21)
    assert _broken(log.run(JOB, pushes={1: 2})) == ["ended twice"]


def test_a_dead_job_that_comes_back_though_nobody_pushed_it_again_is_found(log: LogWriter) -> None:
    job = planned(ends="RuntimeError")
    for receipt in ("first", "second"):
        log.claim(job, receipt)
        log.bury(job, receipt, "RuntimeError")
    assert _broken(log.run(job)) == ["ended twice"]
    assert check(log.run(job, pushes={1: 2})) == []


@pytest.mark.parametrize("ends", ["cancelled", "RuntimeError", "rejected"])
def test_a_job_that_is_done_and_should_have_ended_otherwise_is_found(log: LogWriter, ends: str) -> None:
    _done(log)
    assert _broken(log.run(planned(ends=ends))) == ["wrong end"]


def test_a_job_that_is_dead_and_should_have_been_done_is_found(log: LogWriter) -> None:
    log.claim(JOB, "first")
    log.bury(JOB, "first", "timeout")
    assert _broken(log.run(JOB)) == ["wrong end"]


def test_a_wrong_result_is_found(log: LogWriter) -> None:
    log.claim(JOB, "first")
    log.start(JOB, "first")
    log.tell("end", JOB, "first")
    log.leave("first", log.record(JOB, "done", "result", log.result(JOB, "first", square=2)))
    assert _broken(log.run(JOB)) == ["wrong end"]


def test_a_job_that_nobody_pushed_is_found(log: LogWriter) -> None:
    _done(log)
    assert _broken(log.run()) == ["unknown job"]


def _child(log: LogWriter, times: int = 1) -> None:
    child = planned(job_id=f"{JOB.job_id}.work.next", payload=b'{"id":"usual-1.work.next","data":{"nr":1}}')
    for _ in range(times):
        log.steps.append([log.record(child, "pending", "queuedAt", 1, queue="next")])
    log.claim(child, "child", queue="next")
    log.start(child, "child", queue="next")
    log.ack(child, "child", queue="next")


def test_a_follow_up_job_that_comes_once_breaks_nothing(log: LogWriter) -> None:
    _done(log)
    _child(log)
    assert check(log.run(planned(follows=True))) == []


def test_a_follow_up_job_that_is_lost_is_found(log: LogWriter) -> None:
    _done(log)
    assert set(_broken(log.run(planned(follows=True)))) == {"follow-up"}


def test_a_follow_up_job_that_is_enqueued_twice_is_found(log: LogWriter) -> None:
    _done(log)
    _child(log, 2)
    assert _broken(log.run(planned(follows=True))) == ["follow-up"]


def test_a_follow_up_job_of_one_that_has_none_is_found(log: LogWriter) -> None:
    _done(log)
    _child(log)
    assert _broken(log.run(JOB)) == ["follow-up"]


def test_two_jobs_with_one_unique_key_that_run_at_once_are_found(log: LogWriter) -> None:
    one, other = planned(1, unique_key="k"), planned(2, unique_key="k")
    log.claim(one, "one")
    log.start(one, "one")
    log.claim(other, "other")
    log.start(other, "other")
    log.ack(one, "one")
    log.ack(other, "other")
    assert _broken(log.run(one, other)) == ["unique key"]


def test_two_jobs_with_one_unique_key_that_run_one_after_the_other_break_nothing(log: LogWriter) -> None:
    one, other = planned(1, unique_key="k"), planned(2, unique_key="k")
    log.claim(one, "one")
    log.start(one, "one")
    log.claim(other, "other")
    log.ack(one, "one")
    log.start(other, "other")
    log.ack(other, "other")
    assert check(log.run(one, other)) == []


def test_a_job_that_begins_before_it_is_due_is_found(log: LogWriter) -> None:
    _done(log)
    assert _broken(log.run(planned(due=1))) == ["too early"]


def test_a_group_of_which_too_many_jobs_run_at_once_is_found_unless_the_queue_is_plain(log: LogWriter) -> None:
    jobs = [planned(nr, group="g") for nr in range(1, 8)]
    for job in jobs:
        log.claim(job, f"receipt-{job.nr}")
        log.start(job, f"receipt-{job.nr}")
    for job in jobs:
        log.ack(job, f"receipt-{job.nr}")
    assert _broken(log.run(*jobs)) == ["group"]
    assert check(replace(log.run(*jobs), bounds=PLAIN)) == []


def test_a_group_of_which_as_many_jobs_run_as_may_breaks_nothing(log: LogWriter) -> None:
    jobs = [planned(nr, group="g") for nr in range(1, 13)]
    for several in (jobs[:6], jobs[6:]):
        for job in several:
            log.claim(job, f"receipt-{job.nr}")
            log.start(job, f"receipt-{job.nr}")
        for job in several:
            log.ack(job, f"receipt-{job.nr}")
    assert check(log.run(*jobs)) == []


def test_a_key_that_is_left_over_is_found(log: LogWriter) -> None:
    _done(log)
    assert _broken(replace(log.run(JOB), leftovers=["edworkers:{work}:running"])) == ["left behind"]


def test_a_handler_that_begins_without_a_delivery_is_found(log: LogWriter) -> None:
    _done(log)
    log.tell("begin", JOB, "never-given")
    assert _broken(log.run(JOB)) == ["stray"]


def test_a_handler_that_begins_twice_under_one_receipt_is_found(log: LogWriter) -> None:
    log.claim(JOB, "first")
    log.start(JOB, "first")
    log.tell("begin", JOB, "first")
    log.ack(JOB, "first")
    assert _broken(log.run(JOB)) == ["stray"]


def test_what_breaks_a_promise_is_told_with_the_whole_history_of_its_job(log: LogWriter) -> None:
    log.claim(JOB, "first", 1000)
    log.start(JOB, "first", at=1001)
    log.reap("first")
    (violation, *_) = check(log.run(JOB))
    told = str(violation)
    assert "usual-1" in told
    assert "first claimed at 1000, lease to 3000, then reaped" in told
    assert "attempt 1 from 1001000000" in told


def test_commands_on_other_keys_are_passed_over(log: LogWriter) -> None:
    log.steps.append([command("SELECT", 0), command("PING"), command("SET", "mine", 1)])
    log.steps.append([command("LPUSH", key("pending"), JOB.payload)])
    _done(log)
    assert check(log.run(JOB)) == []
