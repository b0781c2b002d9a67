"""The model finds what is wrong: each script, with one fault put into it, is caught breaking a promise."""

import hashlib
from typing import NamedTuple

import pytest
from hypothesis import Phase
from hypothesis.errors import FlakyFailure
from tests.contract.model.play import play_on

from edworkers.adapters.redis import calls
from edworkers.adapters.redis.scripts import Script, script


class Fault(NamedTuple):
    """A piece of a script, and what is put in its place."""

    script: str
    right: str
    wrong: str
    times: int = 1
    """How often the piece stands there."""


FAULTS = {
    "a reaped job keeps its lease": Fault("reap", "redis.call('ZREM', KEYS[4], receipt)\n", "\n"),
    "a loss of the runner is not counted": Fault("reap", "entry.deliveries = entry.deliveries + 1", ""),
    "a receipt that is gone still settles": Fault(
        "cycle",
        "if redis.call('HDEL', K.inflight, s.receipt) == 0 then return false end",
        "redis.call('HDEL', K.inflight, s.receipt)",
    ),
    "a promoted job's entry stays": Fault("promote", "redis.call('HDEL', KEYS[3], id)\n", "\n"),
    "a claimed job has no lease": Fault("cycle", "redis.call('ZADD', K.lease, unpack(leases))", ""),
    "a repeated claim takes more": Fault("cycle", "elseif want > 0 and ARGV[4] ~= '1' then", "elseif want > 0 then"),
    "a pause stops nobody": Fault("cycle", "if redis.call('EXISTS', K.paused) == 1 then return -1 end", ""),
    "a release costs an attempt": Fault(
        "cycle", "entry.origin = s.more[1]", "entry.origin, entry.attempts = s.more[1], entry.attempts + 1"
    ),
    "a job without a lease begins": Fault("cycle", "if not held then return 'lost' end", ""),
    "a unique key keeps nobody out": Fault("cycle", "if holder and holder ~= s.id then return 'duplicate' end", ""),
    "a cancelled job begins": Fault(
        "cycle", "if A.cancels and redis.call('ZSCORE', K.cancel, s.id) then", "if false then"
    ),
    "a running job's record is forgotten": Fault("cycle", "redis.call('PERSIST', s.job)", ""),
    "a trimmed record's bytes still count": Fault("trim", "redis.call('HINCRBY', KEYS[4], 'recordBytes', -bytes)", ""),
    "a replayed job stays dead": Fault("replay", "unkeep(KEYS[2], KEYS[4], job, id)", ""),
    "a dropped job still counts for its cause": Fault("drop", "uncount_failure(KEYS[4], KEYS[5], ARGV[1])", ""),
    "a replayed job still counts for its cause": Fault("replay", "uncount_failure(KEYS[6], KEYS[7], id)", ""),
    "a trimmed job still counts for its cause": Fault("trim", "uncount_failure(KEYS[5], KEYS[6], id)", ""),
    "a dead job that makes way still counts for its cause": Fault(
        "enqueue", "uncount_failure(KEYS[7], KEYS[8], id)", ""
    ),
    "a dead job that is pushed anew still counts for its cause": Fault(
        "cycle", "uncount_failure(K.failures, K.fingerprints, s.id)", ""
    ),
    "a cause without a job is kept": Fault("replay", "if count and tonumber(count) > 1 then", "if count then"),
    "a start that is repeated counts as a loss": Fault(
        "cycle", "if (receipt or origin) ~= s.receipt then", "if true then"
    ),
    "a replay forgets an attempt": Fault("replay", "redis.call('HINCRBY', job, 'past', 1)", "1"),
    "logs of earlier attempts are lost": Fault("cycle", "is_old and add_logs(s.job, logs) or logs", "logs"),
    "a history takes no bytes": Fault("cycle", "size + past_bytes(s.job)", "size"),
    "a group has one more running than it may": Fault(
        "cycle", "return A.group_max > 0 and A.group_max or", "return A.group_max > 0 and A.group_max + 1 or"
    ),
    "a group goes again and again": Fault("cycle", "group, 1), text(at + 1)", "group, 1), at"),
    "a circuit opens one failure late": Fault(
        "cycle",
        "return A.has_failing and failures_of(group) >= A.failures",
        "return A.has_failing and failures_of(group) > A.failures",
    ),
    "two try at once whether a service works again": Fault(
        "cycle", "if is_tripped(group) then return 1 end", "if is_tripped(group) then return 2 end"
    ),
    "what was begun before a circuit opened counts again": Fault(
        "cycle",
        "if failures >= A.failures and tonumber(redis.call('ZSCORE', K.shut, group) or 0) > now then return end",
        "",
    ),
    "a job begins at its claim that names its id": Fault(
        "cycle", """not (string.find(raw, '"id"', 1, true)""", "not (false"
    ),
    "a repeated claim doesn't say what has begun": Fault("cycle", "== 1 and '1' or '0'", "== 2 and '1' or '0'"),
    "a minute allows one more": Fault("reserve", "allow(minute -", "allow(minute + 1 -"),
}


@pytest.mark.timeout(900)
@pytest.mark.parametrize("name", FAULTS)
def test_the_model_finds_that(name: str, redis_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    fault = FAULTS[name]
    right = script(fault.script).text
    assert right.count(fault.right) == fault.times, "the script has changed: put the fault into what it is now"
    wrong = right.replace(fault.right, fault.wrong)
    broken = Script(wrong, hashlib.sha1(wrong.encode(), usedforsecurity=False).hexdigest())
    monkeypatch.setattr(calls, "script", lambda wanted: broken if wanted == fault.script else script(wanted))
    # By an assertion, by an answer that can't be read, or by one that came out otherwise when it was played again.
    with pytest.raises((AssertionError, ValueError, FlakyFailure)):
        play_on(
            redis_url,
            monkeypatch,
            max_examples=1000,
            derandomize=True,
            database=None,
            phases=[Phase.generate],
            report_multiple_bugs=False,
        )
