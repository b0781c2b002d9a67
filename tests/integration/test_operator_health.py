"""The operator's HTTP endpoints, by themselves."""

import pytest
from tests.integration.processes import fetch

from edworkers_operator.health import serve
from edworkers_operator.metrics import Metrics


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
    metrics.watch(lambda: 3, lambda: 7)
    metrics.reconciles.labels("done").inc(5)
    async with serve(0, metrics.registry) as port:
        status, text = await fetch(f"127.0.0.1:{port}", "/metrics")
    assert status == 200
    for line in (
        'edworkers_operator_reconciles_total{outcome="done"} 5.0',
        "edworkers_operator_work_queue_depth 3.0",
        "edworkers_operator_pools 7.0",
    ):
        assert line in text.splitlines()
