"""Who may do what: API keys, this machine alone, a proxy's headers."""

import ipaddress
from collections.abc import AsyncGenerator
from pathlib import Path

import pytest
from tests.integration.server_site import GOOD, Keys, Site, problem, serving

from edworkers.core.errors import SettingsError
from edworkers.server.access import keys as keys_module
from edworkers.server.access.roles import RoleRules
from edworkers.server.settings import ProxySettings, ServerSettings, read_settings

JOBS = "/v1/queues/ai/jobs"


@pytest.fixture
def keys(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Keys:
    monkeypatch.setattr(keys_module, "_LOOK_SECONDS", 0.0)
    return Keys(tmp_path / "keys.yaml")


@pytest.fixture
async def site(redis_url: str, keys: Keys) -> AsyncGenerator[Site]:
    async with serving(redis_url, ServerSettings(auth="keys", keys_file=keys.path)) as served:
        yield served


async def test_without_a_key_nothing_is_told(site: Site) -> None:
    for path in ("/v1/queues", "/v1/queues/ai", "/v1/queues/nowhere", f"{JOBS}/x"):
        answer = await site.get(path)
        assert "API key" in problem(answer, 401, "unauthorized")["detail"]
        assert answer.headers["www-authenticate"].startswith("Bearer")
    problem(await site.post(JOBS, GOOD), 401, "unauthorized")


async def test_a_wrong_key_is_refused(site: Site, keys: Keys) -> None:
    right = keys.add("web", "enqueue")["Authorization"]
    assert (await site.post(JOBS, GOOD, headers={"Authorization": right})).status_code == 202
    wrong = (
        right[:-1] + ("A" if right[-1] != "A" else "B"),
        right.replace("_web_", "_app_"),
        "Bearer nonsense",
    )
    for given in (*wrong, "Basic dTpw", "Bearer"):
        problem(await site.post(JOBS, GOOD, headers={"Authorization": given}), 401, "unauthorized")


async def test_a_key_can_do_what_its_scopes_say_and_no_more(site: Site, keys: Keys) -> None:
    enqueue, read = keys.add("web", "enqueue"), keys.add("monitor", "read")
    operate, admin = keys.add("ops", "operate"), keys.add("root", "admin")
    calls = {
        "enqueue": ("POST", JOBS, {"id": "j1", "data": GOOD}),
        "read": ("GET", "/v1/queues", None),
        "operate": ("POST", "/v1/queues/ai/resume", None),
    }
    for headers, held in ((enqueue, "enqueue"), (read, "read"), (operate, "operate"), (admin, "admin")):
        for needed, (method, path, body) in calls.items():
            answer = await site.client.request(method, path, json=body, headers=headers)
            if held in {needed, "admin"}:
                assert answer.status_code < 300, answer.text
            else:
                found = problem(answer, 403, "missing-scope")
                assert found["requiredScopes"] == [needed]
                assert f"`{needed}`" in found["detail"]
                assert held in found["detail"]


async def test_who_enqueues_may_hear_of_a_job_and_not_list_all(site: Site, keys: Keys) -> None:
    web = keys.add("web", "enqueue")
    await site.post(JOBS, {"id": "j1", "data": GOOD}, headers=web)
    assert (await site.get(f"{JOBS}/j1/result", headers=web)).status_code == 202
    problem(await site.get(f"{JOBS}?state=pending", headers=web), 403, "missing-scope")


async def test_a_key_bound_to_queues_sees_no_other(site: Site, keys: Keys) -> None:
    bound = keys.add("web", "enqueue", "read", queues=["work"])
    assert (await site.post("/v1/queues/work/jobs", {}, headers=bound)).status_code == 202
    assert "work" in problem(await site.post(JOBS, GOOD, headers=bound), 403, "other-queue")["detail"]
    assert [queue["name"] for queue in (await site.get("/v1/queues", headers=bound)).json()["queues"]] == ["work"]


async def test_a_key_whose_time_is_over_is_refused(site: Site, keys: Keys) -> None:
    old = keys.add("old", "read", more="\n  expiresAt: 2020-01-01T00:00:00Z")
    new = keys.add("new", "read", more="\n  expiresAt: 2999-01-01T00:00:00Z")
    assert (await site.get("/v1/queues", headers=new)).status_code == 200
    problem(await site.get("/v1/queues", headers=old), 401, "unauthorized")


async def test_the_file_of_keys_is_read_again_and_a_broken_one_leaves_those_before(site: Site, keys: Keys) -> None:
    first = keys.add("first", "read")
    assert (await site.get("/v1/queues", headers=first)).status_code == 200
    keys.path.write_text("keys: [{name: X}]")
    assert (await site.get("/v1/queues", headers=first)).status_code == 200
    keys.path.write_text("keys: []")
    problem(await site.get("/v1/queues", headers=first), 401, "unauthorized")


async def test_more_requests_than_a_key_may_send_are_told_when_to_come_again(site: Site, keys: Keys) -> None:
    slow = keys.add("slow", "read", more="\n  rate: {perSecond: 0.01, burst: 3}")
    answers = [await site.get("/v1/queues", headers=slow) for _ in range(4)]
    assert [answer.status_code for answer in answers] == [200, 200, 200, 429]
    problem(answers[-1], 429, "too-many")
    assert int(answers[-1].headers["retry-after"]) > 50
    other = keys.add("other", "read")
    assert (await site.get("/v1/queues", headers=other)).status_code == 200


async def test_somebody_who_logs_in_by_a_key_gets_a_session(site: Site, keys: Keys) -> None:
    key = keys.add("ada", "read")["Authorization"].removeprefix("Bearer ")
    start = await site.get("/queues/ai?tab=dead", headers={"Accept": "text/html"})
    assert (start.status_code, start.headers["location"]) == (303, "/login?next=%2Fqueues%2Fai%3Ftab%3Ddead")
    page = await site.get(start.headers["location"])
    assert 'value="/queues/ai?tab=dead"' in page.text
    form = {"key": key, "next": "/queues/ai?tab=dead"}
    done = await site.client.post("/login", data=form, headers={"Origin": site.url})
    assert (done.status_code, done.headers["location"]) == (303, "/queues/ai?tab=dead")
    cookie = done.headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=lax" in cookie
    assert (await site.get("/v1/queues")).status_code == 200
    problem(await site.post("/v1/queues/ai/pause", headers={"Origin": site.url}), 403, "missing-scope")
    await site.post("/logout", headers={"Origin": site.url})
    problem(await site.get("/v1/queues"), 401, "unauthorized")


async def test_a_session_ends_with_the_key_that_began_it(site: Site, keys: Keys) -> None:
    key = keys.add("ada", "read", queues=["work"])["Authorization"].removeprefix("Bearer ")
    await site.client.post("/login", data={"key": key}, headers={"Origin": site.url})
    assert [queue["name"] for queue in (await site.get("/v1/queues")).json()["queues"]] == ["work"]
    keys.path.write_text("keys: []")
    problem(await site.get("/v1/queues"), 401, "unauthorized")


async def test_a_wrong_key_at_the_login_is_told_on_the_page(site: Site, keys: Keys) -> None:
    only_enqueues = keys.add("web", "enqueue")["Authorization"].removeprefix("Bearer ")
    for key, told in (("edw_x_" + "a" * 43, "unknown"), (only_enqueues, "only enqueue")):
        answer = await site.client.post("/login", data={"key": key, "next": "/"}, headers={"Origin": site.url})
        assert answer.status_code == 403
        assert told in answer.text


@pytest.mark.parametrize("to", ["https://evil.example/", "//evil.example/", "/\\evil.example", "javascript:alert(1)"])
async def test_a_login_leads_to_no_other_site(site: Site, keys: Keys, to: str) -> None:
    key = keys.add("ada", "read")["Authorization"].removeprefix("Bearer ")
    answer = await site.client.post("/login", data={"key": key, "next": to}, headers={"Origin": site.url})
    assert answer.headers["location"] == "/"


async def test_a_session_can_not_be_used_by_another_sites_page(site: Site, keys: Keys) -> None:
    key = keys.add("ada", "admin")["Authorization"].removeprefix("Bearer ")
    await site.client.post("/login", data={"key": key}, headers={"Origin": site.url})
    path = "/v1/queues/ai/pause"
    for headers in ({"Origin": "https://evil.example"}, {"Origin": "null"}, {"Sec-Fetch-Site": "cross-site"}, {}):
        problem(await site.post(path, headers=headers), 403, "cross-site")
    for headers in ({"Origin": site.url}, {"Sec-Fetch-Site": "same-origin"}):
        assert (await site.post(path, headers=headers)).status_code == 200


async def test_a_forged_session_is_none(site: Site) -> None:
    for value in ("nonsense", "eyJuYW1lIjoieCJ9.aaaa.bbbb"):
        problem(await site.get("/v1/queues", headers={"Cookie": f"edworkers={value}"}), 401, "unauthorized")


# Without a login, for this machine alone.


async def test_without_a_login_only_this_machines_own_names_are_answered(redis_url: str) -> None:
    async with serving(redis_url) as site:
        port = site.url.rpartition(":")[2]
        for host in ("evil.example", f"evil.example:{port}", "127.0.0.1.evil.example", ""):
            problem(await site.get("/v1/queues", headers={"Host": host}), 403, "forbidden-host")
        for host in (f"localhost:{port}", f"127.0.0.1:{port}", f"[::1]:{port}"):
            assert (await site.get("/v1/queues", headers={"Host": host})).status_code == 200


async def test_without_a_login_another_sites_page_can_change_nothing(redis_url: str) -> None:
    async with serving(redis_url) as site:
        problem(await site.post("/v1/queues/ai/pause", headers={"Origin": "https://evil.example"}), 403, "cross-site")
        assert (await site.post("/v1/queues/ai/pause")).status_code == 200  # curl


# Behind a proxy that knows people.


async def test_a_proxys_headers_are_believed_only_from_its_own_addresses(redis_url: str) -> None:
    roles = RoleRules(operator=frozenset({"ops"}), viewer=frozenset({"teachers"}))
    told = {"X-Forwarded-User": "ada", "X-Forwarded-Groups": "teachers, others"}
    near = ServerSettings(auth="proxy", proxy=ProxySettings((ipaddress.ip_network("127.0.0.0/8"),)), roles=roles)
    async with serving(redis_url, near) as site:
        assert (await site.get("/v1/queues", headers=told)).status_code == 200
        own = {"Origin": site.url}
        problem(await site.post("/v1/queues/ai/pause", headers={**told, **own}), 403, "missing-scope")
        operator = {**told, "X-Forwarded-Groups": "ops", **own}
        assert (await site.post("/v1/queues/ai/pause", headers=operator)).status_code == 200
        problem(await site.get("/v1/queues", headers={**told, "X-Forwarded-Groups": "none"}), 403, "missing-scope")
        problem(await site.get("/v1/queues"), 401, "unauthorized")
    far = ServerSettings(auth="proxy", proxy=ProxySettings((ipaddress.ip_network("10.0.0.0/8"),)), roles=roles)
    async with serving(redis_url, far) as site:
        problem(await site.get("/v1/queues", headers=told), 401, "unauthorized")


# How it is set up.


def test_a_server_that_others_can_reach_is_not_started_without_a_login() -> None:
    with pytest.raises(SettingsError, match=r"listen on 127\.0\.0\.1, or take keys, oidc or proxy"):
        read_settings({"EDWORKERS_SERVER_AUTH": "none"}, "0.0.0.0")
    assert read_settings({"EDWORKERS_SERVER_AUTH": "none"}, "127.0.0.1").auth == "none"


def test_every_fault_of_the_settings_is_named() -> None:
    env = {"EDWORKERS_SERVER_AUTH": "oidc", "EDWORKERS_OIDC_ISSUER": "http://id.example", "EDWORKERS_RATE_BURST": "x"}
    with pytest.raises(SettingsError) as refused:
        read_settings({**env, "EDWORKERS_PUBLIC_URL": "jobs.example"}, "0.0.0.0")
    told = "\n".join(refused.value.faults)
    for name in ("OIDC_ISSUER", "OIDC_CLIENT_ID", "OIDC_CLIENT_SECRET", "SESSION_SECRET", "ROLE_ADMIN"):
        assert name in told
    assert "EDWORKERS_RATE_BURST" in told
    assert "EDWORKERS_PUBLIC_URL" in told


def test_nothing_set_is_told_with_what_to_do() -> None:
    with pytest.raises(SettingsError, match="EDWORKERS_SERVER_AUTH: not set"):
        read_settings({}, "127.0.0.1")


def test_a_file_of_keys_with_faults_is_refused_at_the_start(tmp_path: Path) -> None:
    path = tmp_path / "keys.yaml"
    path.write_text("keys: [{name: Web, sha256: abc, scopes: [everything]}]")
    with pytest.raises(SettingsError) as refused:
        keys_module.KeysFile(path)
    found = {fault.partition(":")[0] for fault in refused.value.faults}
    assert {"keys.0.name", "keys.0.sha256", "keys.0.scopes.0"} <= found
