"""The dashboard by keyboard alone."""

from playwright.async_api import expect
from tests.browser.conftest import Tab


async def test_rows_are_walked_through_and_selected_by_keys(tab: Tab) -> None:
    await tab.go("/queues/ai?state=dead")
    await tab.live()
    press = tab.page.keyboard.press
    await press("j")
    await press("j")
    await press("x")
    await expect(tab.page.locator("tr.at input[name=ids]")).to_be_checked()
    await expect(tab.page.locator("#live_jobs tbody tr").nth(1)).to_have_class("at")
    await press("k")
    await expect(tab.page.locator("#live_jobs tbody tr").nth(0)).to_have_class("at")


async def test_pages_and_the_search_box_are_reached_by_keys(tab: Tab) -> None:
    await tab.go("/queues/ai")
    await tab.live()
    press = tab.page.keyboard.press
    await press("?")
    await expect(tab.page.get_by_role("dialog")).to_be_visible()
    await press("Escape")
    await expect(tab.page.get_by_role("dialog")).to_be_hidden()
    await press("/")
    await expect(tab.page.locator("#search")).to_be_focused()
    await tab.page.keyboard.type("go")  # what is typed is no command
    await press("Escape")
    await press("g")
    await press("o")
    await tab.page.wait_for_url(f"{tab.site.address}/")


async def test_enter_opens_the_row_that_is_walked_to(tab: Tab) -> None:
    await tab.go("/")
    await tab.live()
    await tab.page.keyboard.press("j")
    await tab.page.keyboard.press("Enter")
    await tab.page.wait_for_url(f"{tab.site.address}/queues/ai")


async def test_the_first_tab_leads_past_the_head_of_the_page(tab: Tab) -> None:
    await tab.go("/")
    await tab.page.keyboard.press("Tab")
    await expect(tab.page.get_by_text("Skip to the content")).to_be_focused()
    await tab.page.keyboard.press("Enter")
    await expect(tab.page.locator("#main")).to_be_focused()


async def test_a_panel_that_asks_is_worked_by_keys(tab: Tab) -> None:
    await tab.go("/queues/ai")
    await tab.live()
    await tab.page.locator(".confirm summary").focus()
    await tab.page.keyboard.press("Enter")
    await expect(tab.page.get_by_role("button", name="Pause ai")).to_be_focused()
    await tab.page.keyboard.press("Escape")
    await expect(tab.page.get_by_role("button", name="Pause ai")).to_be_hidden()
    await expect(tab.page.locator(".confirm summary")).to_be_focused()
