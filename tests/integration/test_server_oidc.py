"""Logging in by OpenID Connect, at a provider that really signs."""

from collections.abc import AsyncGenerator
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx2
import pytest
from tests.integration.processes import Queue
from tests.integration.server_site import Site, problem, serving
from tests.servers import oidc
from tests.servers.oidc import CLIENT, SECRET, Provider

from edworkers.server.access.oidc_settings import OidcSettings
from edworkers.server.access.roles import RoleRules
from edworkers.server.settings import ServerSettings

ROLES = RoleRules(admin=frozenset({"heads"}), operator=frozenset({"ops"}), viewer=frozenset({"teachers"}))


@pytest.fixture
async def provider() -> AsyncGenerator[Provider]:
    async with oidc.provider() as served:
        yield served


@pytest.fixture
async def site(redis_url: str, provider: Provider) -> AsyncGenerator[Site]:
    settings = ServerSettings(
        auth="oidc", oidc=OidcSettings(provider.issuer, CLIENT, SECRET), secret="s" * 32, roles=ROLES
    )
    async with serving(redis_url, settings) as served:
        yield served


async def go(site: Site, url: str) -> httpx2.Response:
    """Follow a redirect as a browser does."""
    return await site.client.get(url)


async def log_in(site: Site, start: str = "/login") -> httpx2.Response:
    """Go the whole way; returns the answer of the callback."""
    at_provider = await go(site, (await site.get(start)).headers["location"])
    return await go(site, at_provider.headers["location"])


async def test_somebody_comes_back_from_the_provider_to_where_they_wanted_to_go(site: Site) -> None:
    first = await site.get("/queues/ai", headers={"Accept": "text/html"})
    done = await log_in(site, first.headers["location"])
    assert (done.status_code, done.headers["location"]) == (303, "/queues/ai")
    assert (await site.get("/v1/queues")).status_code == 200
    problem(await site.post("/v1/queues/ai/pause", headers={"Origin": site.url}), 403, "missing-scope")


async def test_groups_say_what_somebody_may_do(site: Site, provider: Provider) -> None:
    provider.person["groups"] = ["teachers", "ops"]
    await log_in(site)
    assert (await site.post("/v1/queues/ai/pause", headers={"Origin": site.url})).status_code == 200
    deeds, _ = await site.app.state.platform.books.deeds(None, 1)
    assert deeds[0].who == "ada@school.example"


async def test_who_may_only_look_sees_nobodys_data_and_who_operates_does(
    site: Site, provider: Provider, redis_url: str
) -> None:
    work = Queue(redis_url, redis_url)
    await work.push({"id": "j1", "data": {"userId": "u1", "fullName": "Anna Verhoeven"}})
    await work.close()
    provider.person["groups"] = ["teachers"]
    await log_in(site)
    masked = (await site.get("/v1/queues/work/jobs/j1")).text
    provider.person["groups"] = ["ops"]
    await log_in(site)
    whole = (await site.get("/v1/queues/work/jobs/j1")).text
    assert ("u1" in masked, "Verhoeven" in masked, "Verhoeven" in whole) == (True, False, True)


async def test_somebody_in_no_group_that_has_a_role_is_refused(site: Site, provider: Provider) -> None:
    provider.person["groups"] = ["pupils"]
    problem(await log_in(site), 403, "missing-scope")
    problem(await site.get("/v1/queues"), 401, "unauthorized")


async def test_an_address_that_nobody_has_verified_is_no_name(site: Site, provider: Provider) -> None:
    provider.person |= {"email": "head@school.example", "email_verified": False, "groups": "ops"}
    await log_in(site)
    await site.post("/v1/queues/ai/pause", headers={"Origin": site.url})
    deeds, _ = await site.app.state.platform.books.deeds(None, 1)
    assert deeds[0].who == "u1"


@pytest.mark.parametrize(
    "claims",
    [
        {"iss": "https://evil.example"},
        {"aud": "another"},
        {"aud": [CLIENT, "another"], "azp": "another"},
        {"exp": 1_000_000_000},
        {"exp": None},
        {"nonce": "another"},
        {"nonce": None},
        {"sub": None},
    ],
)
async def test_a_token_that_is_not_for_this_login_is_refused(
    site: Site, provider: Provider, claims: dict[str, Any]
) -> None:
    provider.claims = claims
    problem(await log_in(site), 401, "unauthorized")
    problem(await site.get("/v1/queues"), 401, "unauthorized")


async def test_a_token_signed_by_somebody_else_is_refused(site: Site, provider: Provider) -> None:
    before = provider.key
    provider.rotate()
    provider.signed_by = before
    problem(await log_in(site), 401, "unauthorized")


async def test_a_provider_may_sign_by_new_keys(site: Site, provider: Provider) -> None:
    assert (await log_in(site)).status_code == 303
    provider.rotate()
    assert (await log_in(site)).status_code == 303


async def test_an_answer_that_this_browser_did_not_ask_for_is_refused(site: Site, provider: Provider) -> None:
    start = (await site.get("/login")).headers["location"]
    at_provider = (await go(site, start)).headers["location"]
    code = parse_qs(urlsplit(at_provider).query)["code"][0]
    problem(await site.get(f"/login/callback?code={code}&state=forged"), 401, "unauthorized")
    site.client.cookies.clear()
    problem(await site.get(at_provider.removeprefix(site.url)), 401, "unauthorized")


async def test_a_code_is_good_once(site: Site) -> None:
    start = (await site.get("/login")).headers["location"]
    back = (await go(site, start)).headers["location"]
    cookies = dict(site.client.cookies)
    assert (await go(site, back)).status_code == 303
    site.client.cookies.clear()
    header = "; ".join(f"{name}={value}" for name, value in cookies.items())
    problem(await site.client.get(back, headers={"Cookie": header}), 401, "unauthorized")


async def test_a_refusal_of_the_provider_is_told(site: Site) -> None:
    start = (await site.get("/login")).headers["location"]
    state = parse_qs(urlsplit(start).query)["state"][0]
    found = problem(await site.get(f"/login/callback?error=access_denied&state={state}"), 401, "unauthorized")
    assert "access_denied" in found["detail"]


async def test_a_provider_that_is_away_is_told(redis_url: str) -> None:
    settings = ServerSettings(
        auth="oidc", oidc=OidcSettings("http://127.0.0.1:9", CLIENT, SECRET), secret="s" * 32, roles=ROLES
    )
    async with serving(redis_url, settings) as site:
        answer = await site.get("/login")
        problem(answer, 503, "login-away")
        assert answer.headers["retry-after"]
