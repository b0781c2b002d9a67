"""Every page is accessible, keeps within its width, and loads nothing that its policy forbids.

With PICTURES=1 the pictures of the docs are taken anew.
"""

import os
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.async_playwright import Axe
from playwright.async_api import Browser
from tests.browser import seed
from tests.browser.conftest import IMAGES, VIEWER, Site, Tab, open_tab
from tests.browser.jobs_world import bury

PAGES = ("/", "/queues/webhook", "/queues/ai?state=dead", "/queues/ai?state=inflight", "/queues/document")


async def breaches(tab: Tab) -> list[str]:
    """Give what axe finds on the page, a line for each element."""
    results = await Axe().run(tab.page)
    found: list[dict[str, Any]] = results.response["violations"]
    return [f"{each['id']}: {node['html']}" for each in found for node in each["nodes"]]


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_axe_finds_nothing_on_any_page(browser: Browser, site: Site, scheme: Any) -> None:
    async with open_tab(browser, site, color_scheme=scheme, bypass_csp=True) as tab:
        for path in PAGES:
            await tab.go(path)
            await tab.live()
            assert (path, await breaches(tab)) == (path, [])
        await tab.go("/queues/nope")
        assert await breaches(tab) == []


@pytest.mark.parametrize("width", ["phone", "desk", "wide"])
async def test_no_page_is_wider_than_its_window(browser: Browser, site: Site, width: str) -> None:
    async with open_tab(browser, site, width=width) as tab:
        for path in PAGES:
            await tab.go(path)
            await tab.live()
            too_wide = await tab.page.evaluate("document.documentElement.scrollWidth - innerWidth")
            assert (path, too_wide) == (path, 0)


async def test_pictures_for_the_documentation(browser: Browser, site: Site, tmp_path: Path) -> None:
    folder = IMAGES if os.environ.get("PICTURES") else tmp_path
    wanted: tuple[tuple[str, str, Any, str], ...] = (
        ("overview", "/", "light", "desk"),
        ("overview-dark", "/", "dark", "desk"),
        ("queue", "/queues/webhook?state=dead", "light", "desk"),
        ("phone", "/", "light", "phone"),
    )
    for name, path, scheme, width in wanted:
        async with open_tab(browser, site, width=width, color_scheme=scheme) as tab:
            await tab.go(path)
            await tab.live()
            await tab.page.screenshot(path=folder / f"dashboard-{name}.png", full_page=name != "queue")
            assert (folder / f"dashboard-{name}.png").stat().st_size > 10_000


async def test_nothing_written_into_a_page_is_run_though_the_policy_would_stop_it(tab: Tab) -> None:
    answer = await tab.page.goto(tab.site.address + "/")
    assert answer is not None
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    html = await answer.text()
    assert " style=" not in html
    assert " onclick=" not in html


async def test_colours_are_changed_without_a_script_and_kept(browser: Browser, site: Site) -> None:
    async with open_tab(browser, site, java_script_enabled=False) as tab:
        await tab.go("/queues/ai")
        await tab.page.locator(".theme-form button").click()
        assert tab.page.url.endswith("/queues/ai")
        assert await tab.page.locator("html").get_attribute("data-theme") == "dark"
        await tab.go("/")
        assert await tab.page.locator("html").get_attribute("data-theme") == "dark"


async def test_without_a_script_a_page_does_not_speak_of_being_live(browser: Browser, site: Site) -> None:
    async with open_tab(browser, site, java_script_enabled=False) as tab:
        await tab.go("/")
        assert not await tab.page.locator("#live-dot").is_visible()


async def test_on_a_phone_the_page_that_is_open_is_in_sight_in_the_navigation(browser: Browser, site: Site) -> None:
    async with open_tab(browser, site, width="phone") as tab:
        await tab.go("/activity")
        await tab.live()
        box = await tab.page.locator(".nav [aria-current]").bounding_box()
        assert box is not None
        assert box["x"] + box["width"] <= 375 - 40


async def test_a_long_type_leaves_room_for_the_error(browser: Browser, site: Site) -> None:
    job = seed.Job("odd", {}, type="<script>" + "a" * 120)
    await bury(site, "scheduled", job, seed.SLOW)
    async with open_tab(browser, site) as tab:
        await tab.go("/queues/scheduled?state=dead")
        cell = await tab.page.get_by_role("row", name="odd").locator("td.wide").bounding_box()
        assert cell is not None
        assert cell["width"] > 400


async def test_who_may_only_read_is_told_so_and_sees_no_button_that_changes_something(
    browser: Browser, site: Site
) -> None:
    async with open_tab(browser, site, who=VIEWER) as tab:
        await tab.go("/queues/webhook?state=dead")
        assert await tab.page.locator(".viewer").inner_text() == "Vira read-only"
        assert await tab.page.get_by_text("Pause…").count() == 0
        assert await tab.page.locator("input[name=ids]").count() == 0
        refused = await tab.page.request.post(
            site.address + "/queues/webhook/pause", headers={**VIEWER, "Origin": site.address, "Accept": "text/html"}
        )
        assert refused.status == 403
        assert "You may not do this" in await refused.text()
        assert (await site.queues["webhook"].control.depths()).paused is False
