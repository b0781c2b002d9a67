"""The pool of the queue `scheduled`, and its tasks."""

from edworkers.core.settings import Autoscaling, Backoff, JobPolicy, PoolSpec
from edworkers.handlers.scheduled import database_backup, notification_batch, report, token_cleanup
from edworkers.ports import HandlerModule

POOL = PoolSpec(
    queue="scheduled",
    handlers="edworkers.handlers.scheduled",
    concurrency=1,
    # Nobody waits for these: one pod, so that the database has little to do at once.
    autoscaling=Autoscaling(max_replicas=1, target_per_replica=1),
    job=JobPolicy(timeout_seconds=1800, max_attempts=3, backoff=Backoff(initial_seconds=60, factor=5, max_seconds=600)),
)

MODULE = HandlerModule(
    pool=POOL,
    handlers=(token_cleanup.HANDLER, report.HANDLER, database_backup.HANDLER, *notification_batch.HANDLERS),
)
