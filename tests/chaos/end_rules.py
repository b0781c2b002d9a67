"""Rules of ends: every job comes to one, the right one, once. Pure."""

from collections import Counter, defaultdict
from collections.abc import Iterator
from itertools import pairwise

from pydantic_core import from_json
from tests.chaos.history import Ending, Life
from tests.chaos.jobs import Planned
from tests.chaos.promise import Bounds, Run, Violation


def every_job_comes_to_an_end(run: Run) -> Iterator[Violation]:
    """Whatever Redis took came to an end; of jobs that share a unique key, at least one."""
    with_key: dict[str, list[int]] = defaultdict(list)
    ended = {life.nr for life in run.history.lives.values() if life.queue == run.work_queue and life.endings}
    for plan in run.planned:
        if plan.unique_key:
            with_key[plan.unique_key].append(plan.nr)
        elif plan.nr not in ended:
            life = next(iter(run.history.of_number(run.work_queue, plan.nr)), None)
            yield Violation("lost", f"{plan.kind} {plan.job_id or plan.nr} never came to an end", life)
    for key, members in with_key.items():
        if ended.isdisjoint(members):
            yield Violation("lost", f"of the jobs {members} with the unique key {key} none came to an end")


def nothing_is_left_behind(run: Run) -> Iterator[Violation]:
    """What was begun came to an end, and nothing is held when all is over."""
    for life in run.history.lives.values():
        if life.begun and not life.endings:
            yield Violation("lost", "begun, and never came to an end", life)
        if any(hold.last is None for hold in life.holds):
            yield Violation("left behind", "still held when all was over", life)
    for name in run.leftovers:
        yield Violation("left behind", f"{name} is still there when all is over")


def each_job_ends_once(run: Run) -> Iterator[Violation]:
    """One end a job; only a dead one, or one whose record was trimmed, makes way for a copy that was pushed again."""
    for life in run.history.lives.values():
        pushes = run.pushes.get(life.nr, 1) if life.queue == run.work_queue else 1
        for earlier, later in pairwise(life.endings):
            was_known = not any(earlier.at <= at <= later.at for at in life.forgotten)
            if earlier.state != "dead" and was_known:
                yield Violation("ended twice", f"{later.state} after {earlier.state}", life)
        if len(life.endings) > max(pushes, 1):
            yield Violation("ended twice", f"{len(life.endings)} ends of {pushes} pushes", life)


def each_job_ends_as_it_must(run: Run) -> Iterator[Violation]:
    """Results and reasons are the right ones."""
    plans = {plan.nr: plan for plan in run.planned}
    for life in run.history.lives.values():
        plan = plans.get(life.nr)
        if plan is None:
            yield Violation("unknown job", "nobody pushed it", life)
            continue
        for ending in life.endings:
            fault = _fault_of(ending, plan if life.queue == run.work_queue else None, life, run.bounds)
            if fault:
                yield Violation("wrong end", fault, life)


def _fault_of(ending: Ending, plan: Planned | None, life: Life, bounds: Bounds) -> str:
    """Say what is wrong with an end; without a plan it must be done."""
    expected = plan.ends if plan is not None else "done"
    if ending.state == "dead" and ending.error_kind == "poison":
        # Whatever a job is about: it may have been at work in three processes that were killed. It may lose more of
        # them, which were killed between its claim and its burial; that it is begun no more is another rule.
        lost = Counter(hold.origin for hold in life.holds if hold.fate == "reaped")
        most = max(lost.values(), default=0)
        return "" if most >= bounds.max_deliveries else f"a poison pill that lost its runner {most} times"
    if ending.state == "dead":
        return "" if ending.error_kind == expected else f"dead by {ending.error_kind}, not {expected}"
    if ending.state != expected:
        return f"{ending.state}, not {expected}"
    return _fault_in_result(ending, plan, life) if ending.state == "done" else ""


def _fault_in_result(ending: Ending, plan: Planned | None, life: Life) -> str:
    result = from_json(ending.body)
    pad = plan.pad if plan is not None else 0
    expected = {"nr": life.nr, "square": life.nr**2, "pad": pad, "receipt": ending.receipt}
    return "" if result == expected else f"the result is {result}, not {expected}"


def follow_ups_come_exactly_once(run: Run) -> Iterator[Violation]:
    """Each job that is done and has a follow-up has one, enqueued and done once; no other has any."""
    parents = {
        life.job_id: life
        for plan in run.planned
        if plan.follows
        for life in run.history.of_number(run.work_queue, plan.nr)
        if any(ending.state == "done" for ending in life.endings)
    }
    suffix = f".{run.work_queue}.{run.next_queue}"
    children: Counter[str] = Counter()
    for (queue, job_id), count in run.history.pushed.items():
        if queue == run.next_queue:
            children[job_id.removesuffix(suffix)] += count
    for parent, life in parents.items():
        if children[parent] != 1:
            yield Violation("follow-up", f"enqueued {children[parent]} times", life)
        child = run.history.lives.get((run.next_queue, parent + suffix))
        if child is None or len(child.endings) != 1:
            yield Violation("follow-up", "didn't end once", child or life)
    for job_id in children.keys() - parents.keys():
        yield Violation("follow-up", f"a job follows {job_id}, which isn't done or has none")


def unique_keys_are_held_by_one(run: Run) -> Iterator[Violation]:
    """From the first start of a job with a key to its end no other with the same key begins."""
    keys: dict[str, list[Life]] = defaultdict(list)
    for plan in run.planned:
        if plan.unique_key:
            keys[plan.unique_key] += [life for life in run.history.of_number(run.work_queue, plan.nr) if life.begun]
    for key, lives in keys.items():
        lives.sort(key=lambda life: life.starts[0])
        for earlier, later in pairwise(lives):
            if not earlier.endings or later.starts[0] < earlier.endings[-1].at:
                yield Violation("unique key", f"{later.job_id} began while {earlier.job_id} had {key}", later)


def nothing_begins_too_early(run: Run) -> Iterator[Violation]:
    """No job begins before it is due, whatever clock the runner that read it first had."""
    for plan in run.planned:
        if plan.due:
            for life in run.history.of_number(run.work_queue, plan.nr):
                if life.begun and life.begun[0].claimed_at < plan.due:
                    early = plan.due - life.begun[0].claimed_at
                    yield Violation("too early", f"claimed {early} ms before it was due", life)
