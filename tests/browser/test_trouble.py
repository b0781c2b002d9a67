"""What strangers put into jobs does no harm, and a Redis that is away is told in plain words until it is back."""

import asyncio

from playwright.async_api import Browser, expect
from tests.browser import seed
from tests.browser.conftest import Site, open_site, open_tab, serve

from edworkers.standins.redis import RedisServer

HARM = "window.harmed"


async def test_what_strangers_put_into_jobs_is_only_ever_text(browser: Browser, quiet_site: Site) -> None:
    job = seed.hostile()
    await quiet_site.desks["ai"].work([job])
    await quiet_site.desks["ai"].wait([seed.Job("waits", job.data, type=job.type, group=job.group)])
    async with open_tab(browser, quiet_site) as tab:
        for path in ("/", "/queues/ai", "/queues/ai?state=dead"):
            await tab.go(path)
            await tab.live()
            await expect(tab.page.locator("main")).to_contain_text("<script>")
            assert await tab.page.evaluate(HARM) is None
            assert await tab.page.locator("main script, main img").count() == 0


async def test_words_in_addresses_and_cookies_are_only_ever_text(browser: Browser, quiet_site: Site) -> None:
    async with open_tab(browser, quiet_site) as tab:
        await tab.page.context.add_cookies(
            [
                {
                    "name": "edworkers_told",
                    "value": "%3Cimg%20src%3Dx%20onerror%3Dharmed%3D1%3E",
                    "url": quiet_site.address,
                }
            ]
        )
        await tab.go("/")
        await expect(tab.page.locator("#toasts")).to_contain_text("<img src=x onerror=harmed=1>")
        for path in (
            "/queues/%3Cscript%3E",
            "/queues/ai?state=%3Cscript%3Eharmed%3D1%3C/script%3E",
            "/%22%3E%3Cimg%3E",
        ):
            await tab.go(path)
            assert await tab.page.locator("main script, main img").count() == 0
            assert await tab.page.evaluate(HARM) is None


async def test_the_theme_leads_back_to_no_other_site(browser: Browser, quiet_site: Site) -> None:
    async with open_tab(browser, quiet_site) as tab:
        for to in ("https://evil.example/", "//evil.example/", "/\\evil.example", "javascript:alert(1)"):
            answer = await tab.page.request.post(
                f"{quiet_site.address}/theme",
                form={"theme": "dark", "to": to},
                headers={"Origin": quiet_site.address},
                max_redirects=0,
            )
            assert answer.headers["location"] == "/"


async def test_empty_queues_are_said_to_need_nothing(browser: Browser, quiet_site: Site) -> None:
    async with open_tab(browser, quiet_site) as tab:
        await tab.go("/")
        await expect(tab.page.locator("#live_attention")).to_contain_text("Nothing needs attention")
        await expect(tab.page.locator("#live_charts")).to_contain_text("No figures yet")


async def test_a_redis_that_goes_away_is_told_and_the_page_recovers_by_itself(
    browser: Browser, redis_server: RedisServer
) -> None:
    async with open_site(redis_server.url) as opened, serve(opened) as site, open_tab(browser, site) as tab:
        await tab.go("/")
        await tab.live()
        await redis_server.stop()
        await expect(tab.page.locator("#away")).to_contain_text("Redis can't be reached")
        await expect(tab.page.locator("#live-dot")).to_have_text("not live")
        answer = await tab.page.goto(f"{site.address}/queues/ai")
        assert answer is not None
        assert answer.status == 503
        assert "retry-after" in answer.headers
        await expect(tab.page.get_by_role("heading", name="Redis can't be reached")).to_be_visible()
        await redis_server.start()
        await expect(tab.page.get_by_role("heading", level=1, name="ai")).to_be_visible(timeout=30_000)


async def test_a_server_that_stops_ends_its_streams_and_the_page_says_that_it_is_not_live(
    browser: Browser, redis_url: str
) -> None:
    async with open_site(redis_url) as opened:
        async with serve(opened) as site:
            async with asyncio.timeout(60):
                context = await browser.new_context(
                    extra_http_headers={"X-Forwarded-User": "V", "X-Forwarded-Groups": "viewers"}
                )
                page = await context.new_page()
                await page.goto(site.address)
                await page.wait_for_selector("#live-dot[data-state=on]")
        await expect(page.locator("#live-dot")).to_have_text("not live")
        await context.close()
