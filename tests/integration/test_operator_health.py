"""The operator's HTTP endpoints, by themselves."""

import httpx2
import pytest
from prometheus_client import parser as text_format
from prometheus_client.openmetrics.parser import text_string_to_metric_families as openmetrics_families
from tests.integration.processes import fetch

from edworkers.core.metric_names import METRICS
from edworkers_operator.health import serve
from edworkers_operator.metrics import Metrics
from edworkers_operator.view import Key


async def test_the_endpoints_answer_until_the_block_ends() -> None:
    async with serve(0, Metrics().registry) as port:
        address = f"127.0.0.1:{port}"
        assert await fetch(address, "/livez") == (200, "ok\n")
        assert await fetch(address, "/readyz") == (200, "ok\n")
        assert (await fetch(address, "/else"))[0] == 404
    with pytest.raises(ConnectionRefusedError):
        await fetch(address, "/livez")


async def test_what_is_counted_and_what_is_asked_for_is_told() -> None:
    metrics = Metrics()
    conditions = [{"type": "Ready", "status": "True"}, {"type": "Degraded", "status": "Unknown"}]
    pools = {Key("school", "ai"): {"status": {"conditions": conditions}}, Key("school", "new"): {}}
    metrics.watch(lambda: 3, lambda: pools)
    metrics.reconciles.labels("done").inc(5)
    async with serve(0, metrics.registry) as port:
        status, text = await fetch(f"127.0.0.1:{port}", "/metrics")
    assert status == 200
    for line in (
        'edworkers_operator_reconciles_total{outcome="done"} 5.0',
        "edworkers_operator_work_queue_depth 3.0",
        'edworkers_operator_reconciles_total{outcome="failed"} 0.0',
        "edworkers_operator_pools 2.0",
        condition("Ready", "True", 1),
        condition("Ready", "False", 0),
        condition("Ready", "Unknown", 0),
        condition("Degraded", "Unknown", 1),
    ):
        assert line in text.splitlines()


def condition(name: str, status: str, value: float) -> str:
    labels = f'condition="{name}",pool="ai",pool_namespace="school",status="{status}"'
    return f"edworkers_operator_pool_condition{{{labels}}} {value:.1f}"


async def test_every_metric_of_the_table_is_told_in_both_formats() -> None:
    metrics = Metrics()
    ready = {"status": {"conditions": [{"type": "Ready", "status": "True"}]}}
    metrics.watch(lambda: 0, lambda: {Key("school", "ai"): ready})
    async with serve(0, metrics.registry) as port, httpx2.AsyncClient() as client:
        address = f"http://127.0.0.1:{port}/metrics"
        plain = await client.get(address)
        modern = await client.get(address, headers={"Accept": "application/openmetrics-text; version=1.0.0"})
    assert plain.headers["content-type"].startswith("text/plain; version=0.0.4")
    assert modern.headers["content-type"].startswith("application/openmetrics-text; version=1.0.0")
    for text, parse in ((plain.text, text_format.text_string_to_metric_families), (modern.text, openmetrics_families)):
        told = {sample.name: sample.labels for family in parse(text) for sample in family.samples}
        for metric in METRICS:
            if "operator" in metric.told_by:
                name = f"{metric.name}_count" if metric.type == "histogram" else metric.name
                assert told[name].keys() == set(metric.labels)
