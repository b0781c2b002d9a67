"""Logging in and out in a real browser, and a session that ends while a page is open."""

from collections.abc import AsyncGenerator
from pathlib import Path

import pytest
from playwright.async_api import Browser, Page, expect
from pytest_asyncio import fixture
from tests.browser.conftest import Site, Tab, open_site, open_tab, serve

from edworkers.server.access.identity import Scope
from edworkers.server.access.keys import new_key
from edworkers.server.dashboard import live
from edworkers.server.settings import ServerSettings

KEY = new_key("olena", [Scope.OPERATE, Scope.READ], None)


@fixture(loop_scope="session")
async def locked(redis_url: str, tmp_path: Path) -> AsyncGenerator[Site]:
    """A dashboard to which people log in by a key."""
    keys = tmp_path / "keys.yaml"
    keys.write_text(f"keys:\n{KEY.entry}\n")
    async with (
        open_site(redis_url) as opened,
        serve(opened, settings=ServerSettings(auth="keys", keys_file=keys)) as site,
    ):
        yield site


async def log_in(page: Page) -> None:
    """Give the key."""
    await page.get_by_label("API key").fill(KEY.key)
    await page.get_by_role("button", name="Log in").click()


async def logged_in(tab: Tab, path: str) -> None:
    """Open a page, and log in on the way."""
    await tab.go(path)
    await log_in(tab.page)
    await expect(tab.page).to_have_url(tab.site.address + path)
    await tab.live()


@pytest.mark.parametrize("width", ["desk", "phone"])
async def test_who_logs_out_has_to_log_in_again(browser: Browser, locked: Site, width: str) -> None:
    async with open_tab(browser, locked, who={}, width=width) as tab:
        await logged_in(tab, "/queues/ai?state=dead")
        assert await tab.page.evaluate("document.documentElement.scrollWidth - innerWidth") == 0
        await tab.page.get_by_role("button", name="Log out").click()
        await expect(tab.page.get_by_role("heading", name="Logged out")).to_be_visible()
        await tab.go("/")
        await expect(tab.page.get_by_label("API key")).to_be_visible()


async def test_a_session_that_ends_leads_to_the_login_and_back_to_the_page(
    browser: Browser, locked: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with open_tab(browser, locked, who={}) as tab:
        await logged_in(tab, "/queues/ai?state=dead")
        monkeypatch.setattr(live, "LONGEST_SECONDS", 0.1)  # the page asks for its stream again
        await tab.page.context.clear_cookies()
        await expect(tab.page.get_by_label("API key")).to_be_visible()
        monkeypatch.undo()
        await log_in(tab.page)
        await expect(tab.page).to_have_url(tab.site.address + "/queues/ai?state=dead")


async def test_who_sends_a_form_after_their_session_has_ended_is_led_to_the_login(
    browser: Browser, locked: Site
) -> None:
    async with open_tab(browser, locked, who={}) as tab:
        await logged_in(tab, "/queues/ai")
        await tab.page.context.clear_cookies()
        await tab.page.get_by_text("Pause…").click()
        await tab.page.get_by_role("button", name="Pause ai").click()
        await expect(tab.page.locator("main")).to_contain_text("log in at /login")
        assert (await locked.queues["ai"].control.depths()).paused is False
