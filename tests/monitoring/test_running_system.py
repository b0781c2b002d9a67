"""What dashboards and alerts ask for is there, on a running system that a real Prometheus scrapes."""

import asyncio
import re
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from tests.integration.processes import Programs, Queue
from tests.monitoring.busy_system import DEAD, TRACE_ID, BusySystem, busy_system
from tests.monitoring.foreign import FOREIGN
from tests.monitoring.prometheus import LOOK_SECONDS, Prometheus, scraping
from tests.monitoring.promtool import alerts
from tests.monitoring.queries import Query, names_in, queries

pytestmark = pytest.mark.timeout(180)

_OURS = sorted({name for query in queries() for name in names_in(query.expr) if name not in FOREIGN})
_HAPPENED = {
    'edworkers_queue_moves_total{queue="work",verb="reap"}': 2,
    "edworkers_lease_losses_total": 1,
    "edworkers_circuits_opened_total": 1,
    'edworkers_jobs_settled_total{queue="work",verb="retry"}': DEAD,
    'edworkers_jobs_settled_total{queue="work",verb="bury"}': DEAD,
    'edworkers_queue_jobs{queue="work",state="dead"}': DEAD,
    'edworkers_limit_used{queue="ai",limit="month"}': 1,
    'edworkers_ai_tokens_total{kind="prompt"}': 1,
    'edworkers_webhook_answers_total{class="2xx"}': 1,
    'edworkers_http_request_duration_seconds_count{status="4xx",method="POST"}': 1,
    'edworkers_queue_latency_seconds_count{queue="work"}': 20,
}
"""What was made to happen, and how often at least."""


async def until(look: Callable[[], Awaitable[list[str]]]) -> None:
    """Look until nothing is missing any more; what still is when time is up is told."""
    end = asyncio.get_running_loop().time() + 60
    while missing := await look():
        assert asyncio.get_running_loop().time() < end, f"not there: {missing}"
        await asyncio.sleep(LOOK_SECONDS)


async def test_a_running_system_has_all_that_dashboards_and_alerts_ask_for(
    programs: Programs, queue: Queue, tmp_path: Path
) -> None:
    async with busy_system(programs, queue) as system, scraping(tmp_path, system.targets) as prometheus:
        await all_targets_are_scraped(prometheus, system)
        await system.be_busy()
        await every_metric_has_a_series(prometheus)
        await what_happened_was_counted(prometheus)
        await every_query_of_ours_has_an_answer(prometheus)
        await every_rule_is_evaluated(prometheus)
        await dead_letters_are_told_in_words(prometheus)
        await traces_are_found_beside_durations(prometheus)


async def all_targets_are_scraped(prometheus: Prometheus, system: BusySystem) -> None:
    async def look() -> list[str]:
        healths = await prometheus.targets()
        return [name for name in system.targets if healths.get(name) != "up"]

    await until(look)


async def every_metric_has_a_series(prometheus: Prometheus) -> None:
    async def look() -> list[str]:
        return [name for name in _OURS if not await prometheus.result(f"count({name})")]

    await until(look)


async def what_happened_was_counted(prometheus: Prometheus) -> None:
    async def look() -> list[str]:
        return [name for name, least in _HAPPENED.items() if not await prometheus.result(f"sum({name}) >= {least}")]

    await until(look)


async def every_query_of_ours_has_an_answer(prometheus: Prometheus) -> None:
    asked = [query for query in queries() if _must_have_an_answer(query)]

    async def look() -> list[str]:
        return [query.where for query in asked if not await prometheus.result(query.expr)]

    await until(look)


def _must_have_an_answer(query: Query) -> bool:
    """Whether it asks only for what is ours; alerts hold their tongue, and what is near a month's end says nothing."""
    return not (query.where.startswith("alert ") or names_in(query.expr) & FOREIGN.keys() or "> 3600" in query.expr)


async def every_rule_is_evaluated(prometheus: Prometheus) -> None:
    async def look() -> list[str]:
        groups = (await prometheus.ask("rules"))["groups"]
        return [rule["name"] for group in groups for rule in group["rules"] if rule["health"] != "ok"]

    await until(look)
    found = {rule["name"] for group in (await prometheus.ask("rules"))["groups"] for rule in group["rules"]}
    assert found == alerts().keys()


async def dead_letters_are_told_in_words(prometheus: Prometheus) -> None:
    async def look() -> list[str]:
        firing = await prometheus.result('ALERTS{alertname="EdworkersDeadLettersRising", alertstate="firing"}')
        return [] if [found["metric"]["queue"] for found in firing] == ["work"] else ["the alert"]

    await until(look)
    told = [found["annotations"] for found in (await prometheus.ask("alerts"))["alerts"] if found["state"] == "firing"]
    summaries = [said["summary"] for said in told]
    assert any(re.fullmatch(r"[\d.]+ jobs of the queue work were given up in 30 minutes", one) for one in summaries)
    assert not any("{{" in text or "<no value>" in text for said in told for text in said.values())


async def traces_are_found_beside_durations(prometheus: Prometheus) -> None:
    async def look() -> list[str]:
        span = {"start": "0", "end": "99999999999"}
        found = await prometheus.ask("query_exemplars", query="edworkers_attempt_duration_seconds_bucket", **span)
        traces = {exemplar["labels"]["trace_id"] for series in found for exemplar in series["exemplars"]}
        return [] if TRACE_ID in traces else [TRACE_ID]

    await until(look)
