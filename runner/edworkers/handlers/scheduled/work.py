"""How a task is begun: with the environment, and with the errors that it may meet told as failures."""

from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

from edworkers.adapters.postgres.connection import database_url
from edworkers.adapters.postgres.connection import find_faults as faults_of_database
from edworkers.core.outcome import Failed, Outcome
from edworkers.handlers.environment import not_installed
from edworkers.handlers.scheduled.failures import failure_of
from edworkers.ports import Handle, JobContext

Work = Callable[[Mapping[str, str], Any, JobContext], Awaitable[Outcome]]
"""A task: what it is to do comes from the job's data; connections are its own, and closed at its end."""

_NO_DATABASE = (
    "NEON_DATABASE_URL: not set; give the address of the database, as in postgresql://user:password@host:5432/app"
)


class TaskError(Exception):
    """A task that can't be done as it is; `failed` says why, and what to do."""

    def __init__(self, failed: Failed) -> None:
        super().__init__(failed.message)
        self.failed = failed


def refused(kind: str, message: str) -> TaskError:
    """Make the error of a job that no further attempt would help."""
    return TaskError(Failed(kind, message, retryable=False))


def opens(work: Work) -> Callable[[Mapping[str, str]], AbstractAsyncContextManager[Handle]]:
    """Make what a `Handler` opens of a task. Nothing is connected to before a job comes, nor after it."""

    @asynccontextmanager
    async def open_task(env: Mapping[str, str]) -> AsyncGenerator[Handle]:
        async def handle(data: Any, job: JobContext) -> Outcome:
            try:
                return await work(env, data, job)
            except TaskError as error:
                return error.failed
            except Exception as error:
                failed = failure_of(error, job)
                if failed is None:
                    raise
                return failed

        yield handle

    return open_task


def find_faults(env: Mapping[str, str]) -> list[str]:
    """Say what is wrong with the environment for any of the tasks."""
    missing = [] if database_url(env) else [_NO_DATABASE]
    return [*not_installed("scheduled", "psycopg"), *missing, *faults_of_database(env)]
