"""What people who may only look read over the API: what the dashboard's pages show them, and no more."""

import ipaddress
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

import pytest
from pydantic_core import from_json, to_json
from tests.integration.processes import Queue
from tests.integration.server_site import Keys, Site, events_of, serving

from edworkers.compose import open_pipe, open_queue
from edworkers.core.settings import PoolSpec
from edworkers.ports import Settlement, Start
from edworkers.server.access import keys as keys_module
from edworkers.server.access.roles import RoleRules
from edworkers.server.settings import ProxySettings, ServerSettings

JOBS = "/v1/queues/work/jobs"
SEARCH = "/v1/queues/work/search?state=dead&text="
DATA = {"userId": "u1", "fullName": "Anna Verhoeven", "prompt": "Why am I so sad?", "class": "5b"}
SECRETS = ("Anna", "Verhoeven", "sad", "hunter22", "Take heart", "anna@lyceum.invalid")
ERROR = {
    "kind": "rejected",
    "message": "no mailbox anna@lyceum.invalid",
    "faults": ["password=hunter22 is wrong"],
    "traceback": "raise Refused('anna@lyceum.invalid')",
}


def told_nothing(text: str) -> bool:
    return not any(secret in text for secret in SECRETS)


@pytest.fixture
def keys(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Keys:
    monkeypatch.setattr(keys_module, "_LOOK_SECONDS", 0.0)
    return Keys(tmp_path / "keys.yaml")


@pytest.fixture
async def site(redis_url: str, keys: Keys) -> AsyncGenerator[Site]:
    async with serving(redis_url, ServerSettings(auth="keys", keys_file=keys.path)) as served:
        yield served


@pytest.fixture
async def jobs(site: Site, keys: Keys, redis_url: str) -> dict[str, str]:
    """A dead job and one that is done, both with somebody's data; gives the key of a program that reads."""
    producer = keys.add("web", "enqueue")
    async with open_pipe({"REDIS_URL": redis_url}) as client:
        queue = open_queue(client, PoolSpec(queue="work", handlers="h"), runner="r1", lease_ms=60_000)
        for job_id, verb, document in (("dead", "bury", ERROR), ("done", "ack", {"answer": "Take heart"})):
            sent = {"id": job_id, "data": DATA, "group": "anna@lyceum.invalid"}
            assert (await site.post(JOBS, sent, headers=producer)).status_code == 202
            [delivery] = (await queue.cycle([], [], 1)).deliveries
            receipt = delivery.receipt
            await queue.cycle([], [Start(receipt, job_id, receipt, 1)], 0)
            await queue.report_progress(job_id, receipt, b'{"fraction":0.5,"note":"Anna has it"}')
            ended = Settlement(receipt, job_id, receipt, verb, int(verb == "bury"), 1, to_json(document), seconds=0.5)
            assert (await queue.cycle([ended], [], 0)).lost == ()
    work = Queue(redis_url, redis_url)
    await work.client.xadd(work.key("text:done"), {"t": "Take heart"})
    await work.close()
    return keys.add("monitor", "read")


async def log_in(site: Site, keys: Keys, name: str, *scopes: str) -> None:
    key = keys.add(name, *scopes)["Authorization"].removeprefix("Bearer ")
    answer = await site.client.post("/login", data={"key": key}, headers={"Origin": site.url})
    assert answer.status_code == 303


async def read_all(site: Site, **more: Any) -> dict[str, str]:
    """Read the jobs in every way there is."""
    paths = (
        *(f"{JOBS}/dead", f"{JOBS}/done", f"{JOBS}/dead/result", f"{JOBS}/done/result", f"{JOBS}?state=dead"),
        *(f"{JOBS}?state=done", "/v1/queues/work/dead", "/v1/queues/work/failures", f"{SEARCH}rejected"),
        *(f"{JOBS}/dead/events", f"{JOBS}/done/events"),
    )
    return {path: (await site.get(path, **more)).text for path in paths}


async def test_somebody_who_may_only_look_reads_all_of_it_masked(site: Site, keys: Keys, jobs: dict[str, str]) -> None:
    await log_in(site, keys, "vera", "read", "enqueue")
    for path, told in (await read_all(site)).items():
        assert told_nothing(told), (path, told)
    listed = (await site.get("/v1/queues/work/dead")).json()["jobs"]
    assert [(job["id"], job["errorMessage"]) for job in listed] == [("dead", "no mailbox [email]")]
    job = (await site.get(f"{JOBS}/dead")).json()
    data = from_json(job["payload"])["data"]
    assert data == {"userId": "u1", "fullName": "[redacted]", "prompt": "[16 characters]", "class": "5b"}
    assert job["error"]["message"] == "no mailbox [email]"
    assert jobs


async def test_a_proxys_viewer_reads_it_masked_and_its_operator_as_it_is(
    site: Site, jobs: dict[str, str], redis_url: str
) -> None:
    roles = RoleRules(operator=frozenset({"ops"}), viewer=frozenset({"teachers"}))
    near = ServerSettings(auth="proxy", proxy=ProxySettings((ipaddress.ip_network("127.0.0.0/8"),)), roles=roles)
    async with serving(redis_url, near) as proxied:
        viewer = await read_all(proxied, headers={"X-Forwarded-User": "v", "X-Forwarded-Groups": "teachers"})
        assert all(told_nothing(told) for told in viewer.values())
        operator = await read_all(proxied, headers={"X-Forwarded-User": "o", "X-Forwarded-Groups": "ops"})
        assert "Anna Verhoeven" in operator[f"{JOBS}/dead"]
        assert "Take heart" in operator[f"{JOBS}/done/result"]
    assert site
    assert jobs


async def test_a_programs_key_that_reads_sees_it_as_it_is(site: Site, jobs: dict[str, str]) -> None:
    told = await read_all(site, headers=jobs)
    assert "Anna Verhoeven" in told[f"{JOBS}/dead"]
    assert "Anna Verhoeven" in told[f"{JOBS}?state=dead"]
    assert "anna@lyceum.invalid" in told[f"{JOBS}/dead/result"]
    assert "Take heart" in told[f"{JOBS}/done/events"]


async def found(site: Site, text: str, **more: Any) -> list[str]:
    return [job["id"] for job in (await site.get(f"{SEARCH}{text}", **more)).json()["jobs"]]


async def test_nothing_hidden_is_found_by_who_can_not_see_it(site: Site, keys: Keys, jobs: dict[str, str]) -> None:
    await log_in(site, keys, "vera", "read")
    for hidden in ("Verhoeven", "so sad", "lyceum", "hunter22"):
        assert await found(site, hidden) == [], hidden
        assert await found(site, hidden, headers=jobs) == ["dead"], hidden
        page = await site.get(f"/search?text={hidden}&state=dead", headers={"Accept": "text/html"})
        assert "/queues/work/jobs/dead" not in page.text, hidden
    for shown in ("DEAD", "rejected", "5b", "mailbox"):
        assert await found(site, shown) == ["dead"], shown


async def test_a_running_jobs_text_is_told_by_its_length(
    site: Site, keys: Keys, jobs: dict[str, str], redis_url: str
) -> None:
    work = Queue(redis_url, redis_url)
    await work.client.xadd(work.key("text:done"), {"t": "Take heart"})
    await work.close()
    await log_in(site, keys, "vera", "read")
    async with site.client.stream("GET", f"{JOBS}/done/events") as answer:
        told = [(name, data) async for name, data, _ in events_of(answer)]
    assert {data["text"] for name, data in told if name == "text"} == {"[10 characters]"}
    assert told[-1][1]["result"] == {"answer": "[10 characters]"}
    assert jobs


async def test_more_names_to_mask_are_those_of_the_logs(redis_url: str, keys: Keys) -> None:
    keys_auth = ServerSettings(auth="keys", keys_file=keys.path)
    async with serving(redis_url, keys_auth, env={"EDWORKERS_REDACT": "class"}) as site:
        await site.post(JOBS, {"id": "j1", "data": DATA}, headers=keys.add("web", "enqueue"))
        await log_in(site, keys, "vera", "read")
        job = (await site.get(f"{JOBS}/j1")).json()
    assert from_json(job["payload"])["data"]["class"] == "[redacted]"
