"""How long a job waits while a service of ours is away: storage, the mail server, the database.

What failed is no fault of the job, and a service that is away is seldom back within seconds. So the last attempts are
far apart, whatever the pool's backoff is; attempts are still counted, so that no job waits for ever.
"""

from zlib import crc32

from edworkers.ports import JobContext

_BEFORE_THE_LAST = 1800.0
_BEFORE_THE_LAST_BUT_ONE = 60.0
_SPREAD = 0.1
"""By which part a wait is longer or shorter, so that jobs that failed together don't come back together."""


def until_back(job: JobContext) -> float | None:
    """Give the seconds to wait at least before the next attempt; None where there is none, or the backoff is enough."""
    left = job.max_attempts - job.attempt
    wait = {1: _BEFORE_THE_LAST, 2: _BEFORE_THE_LAST_BUT_ONE}.get(left)
    if wait is None:
        return None
    share = crc32(job.id.encode(errors="backslashreplace")) / 2**32
    return round(wait * (1 - _SPREAD + 2 * _SPREAD * share), 1)
