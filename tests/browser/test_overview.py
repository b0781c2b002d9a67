"""The first page in a real browser."""

from collections.abc import Sequence

from playwright.async_api import Browser, Locator, expect
from tests.browser import seed
from tests.browser.conftest import Site, Tab, open_tab

from edworkers.server.platform import PoolView


class Cluster:
    """A cluster in which one pool's pods can't start."""

    async def pools(self) -> Sequence[PoolView]:
        return [
            PoolView("ai", "ai", 2, 3, 0, 20, 3.0, 45, {}),
            PoolView("webhook", "webhook", 0, 1, 0, 10, 10.0, 163, {"Ready": "0 of 1 pods are ready: no image"}),
        ]


def row(tab: Tab, queue: str) -> Locator:
    """Give a queue's row."""
    link = tab.page.get_by_role("link", name=queue, exact=True)
    return tab.page.locator("#live_queues tbody tr").filter(has=link)


async def test_overview_tells_at_first_glance_what_is_wrong(tab: Tab) -> None:
    await tab.go("/")
    strip = tab.page.locator("#live_attention")
    await expect(strip).to_contain_text("77 jobs died in the last hour, most often “connection refused by")
    await expect(strip).to_contain_text("8 jobs died in the last hour")
    await expect(strip.locator(".which").first).to_have_text("webhook")
    webhook = row(tab, "webhook")
    await expect(webhook.locator('[data-label="Waiting"]')).to_contain_text("120")
    await expect(webhook.locator('[data-label="Dead"]')).to_have_text("77")
    await expect(tab.page.locator("#live_totals")).to_contain_text("Running13")


async def test_a_job_that_is_pushed_is_counted_without_a_reload(tab: Tab) -> None:
    await tab.go("/")
    await tab.live()
    await tab.page.evaluate("window.sameDocument = true")
    waiting = row(tab, "email").locator('[data-label="Waiting"] a')
    await expect(waiting).to_have_text("0")
    await tab.site.desks["email"].wait([seed.Job("new-mail", {"to": "a@school.example", "template": "welcome"})])
    await expect(waiting).to_have_text("1")
    assert await tab.page.evaluate("window.sameDocument") is True


async def test_a_limit_tells_how_much_of_it_is_used(tab: Tab) -> None:
    await tab.go("/")
    limits = row(tab, "ai").locator('[data-label="Limits"]')
    await expect(limits).to_contain_text("minute 41 / 60")
    await expect(limits).to_contain_text("resets in")


async def test_in_a_cluster_pods_are_told_and_what_is_wrong_with_them(browser: Browser, site: Site) -> None:
    site.cluster = Cluster()
    async with open_tab(browser, site) as tab:
        await tab.go("/")
        await expect(row(tab, "ai").locator('[data-label="Pods"]')).to_contain_text("2 / 3")
        await expect(tab.page.locator("#live_attention")).to_contain_text("0 of 1 pods are ready: no image")
        assert await tab.page.evaluate("document.querySelector('.scroll').scrollWidth <= innerWidth")
        await tab.go("/queues/webhook")
        await expect(tab.page.locator("#live_limits")).to_contain_text("wants a pod for each 10 jobs, and counts 163")
