"""A queue whose jobs are looked at, and those who move them meanwhile, for tests."""

from collections.abc import Callable
from typing import Any

from pydantic_core import to_json
from tests.integration.command_line import Jobs

from edworkers.adapters.redis.browse import RedisBrowser
from edworkers.adapters.redis.queue import RedisQueue
from edworkers.core.lifecycle import State
from edworkers.core.settings import Groups, Retention
from edworkers.ports.browse import JobSummary, Wanted


class Browsed(Jobs):
    """One queue with a browser."""

    def __init__(self, redis_url: str, queue: str = "work", groups: Groups | None = None) -> None:
        super().__init__(redis_url, queue)
        self.name = queue
        self.queue = RedisQueue(
            self.client, queue, runner="pod.1", lease_ms=600_000, retention=Retention(), groups=groups
        )
        self.browser = RedisBrowser(self.client, queue, group_by=groups.by if groups is not None else None)

    def key(self, name: str) -> str:
        return f"edworkers:{{{self.name}}}:{name}"

    async def push_many(self, ids: list[str], **more: Any) -> None:
        if ids:
            await self.client.lpush(self.key("pending"), *(to_json({"id": job_id, "data": more}) for job_id in ids))

    async def every(
        self, state: State, count: int, meanwhile: Callable[[int], Any] | None = None
    ) -> tuple[list[JobSummary], list[int]]:
        """Read page after page, with something done between them; gives all jobs and how many each page had."""
        jobs: list[JobSummary] = []
        sizes: list[int] = []
        cursor: str | None = None
        while True:
            page = await self.browser.page(state, cursor, count)
            jobs += page.jobs
            sizes.append(len(page.jobs))
            cursor = page.next
            if cursor is None:
                return jobs, sizes
            if meanwhile is not None:
                await meanwhile(len(sizes))

    async def find_all(self, state: State, wanted: Wanted, at_most: int = 100) -> list[str]:
        """Search to the end; gives the ids of what was found."""
        ids: list[str] = []
        cursor: str | None = None
        while True:
            found = await self.browser.search(state, wanted, cursor, at_most)
            assert found.looked_at <= at_most
            ids += [job.id for job in found.jobs]
            cursor = found.next
            if cursor is None:
                return ids


def ids_of(jobs: Any) -> list[str]:
    return [job.id for job in jobs]
