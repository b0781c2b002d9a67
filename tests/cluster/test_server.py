"""The server that the chart installs: jobs over HTTP with its first key, and what a cluster adds to the pages."""

import base64
from collections.abc import Iterator

import httpx2
import pytest
from tests.cluster.kube import Kube, eventually, running, worker_pool
from tests.cluster.release import Forwarding

pytestmark = pytest.mark.timeout(240)

SCHEDULE = {"name": "yearly", "schedule": "0 6 1 1 *", "job": {"type": "echo", "data": {"word": "new year"}}}


@pytest.fixture(scope="module")
def address(kube: Kube) -> Iterator[str]:
    forwarding = Forwarding(kube, "edworkers-server", 80)
    yield f"http://127.0.0.1:{forwarding.port}"
    forwarding.close()


@pytest.fixture
def key(kube: Kube) -> str:
    secret = kube.get("secret", "edworkers-server")
    assert secret is not None, "the chart made no key"
    return base64.b64decode(secret["data"]["key"]).decode()


@pytest.fixture
def api(address: str, key: str) -> Iterator[httpx2.Client]:
    with httpx2.Client(base_url=address, headers={"Authorization": f"Bearer {key}"}, timeout=30) as client:
        yield client


def until_known(api: httpx2.Client, queue: str) -> None:
    """Wait for the operator's list of pools to reach the server's pod, which its kubelet looks for once a minute."""
    eventually(lambda: api.get(f"/v1/queues/{queue}").status_code == 200)


def test_a_job_over_http_brings_a_pod_and_its_result(kube: Kube, api: httpx2.Client, pool_name: str) -> None:
    kube.apply(worker_pool(pool_name))
    kube.until_ready(pool_name)
    until_known(api, pool_name)
    taken = api.post(f"/v1/queues/{pool_name}/jobs", json={"type": "echo", "data": {"word": "hello"}})
    assert taken.status_code == 202, taken.text
    path = f"/v1/queues/{pool_name}/jobs/{taken.json()['jobId']}/result"
    eventually(lambda: api.get(path).status_code == 200)
    assert api.get(path).json()["result"] == {"word": "hello"}


def test_without_a_key_nothing_is_told(address: str) -> None:
    assert httpx2.get(f"{address}/v1/queues").status_code == 401
    assert httpx2.get(f"{address}/").status_code in {302, 303, 401}
    assert httpx2.get(f"{address}/readyz").status_code == 200


def test_whoever_logs_in_with_the_key_sees_the_pods_of_each_pool(
    kube: Kube, api: httpx2.Client, address: str, key: str, pool_name: str
) -> None:
    kube.apply(worker_pool(pool_name, autoscaling={"minReplicas": 1, "maxReplicas": 3}, schedules=[SCHEDULE]))
    kube.until_ready(pool_name)
    eventually(lambda: len(running(kube.pods_of(pool_name))) == 1)
    until_known(api, pool_name)
    with httpx2.Client(base_url=address, headers={"Origin": address}, follow_redirects=True, timeout=30) as browser:
        entered = browser.post("/login", data={"key": key})
        assert entered.status_code == 200, entered.text

        def page() -> str:
            return browser.get(f"/queues/{pool_name}").text

        eventually(lambda: "1 ready of 1 wanted (1 to 3)" in page(), page)
    schedules = api.get("/v1/schedules").json()["schedules"]
    assert [told["name"] for told in schedules if told["queue"] == pool_name] == ["yearly"]
