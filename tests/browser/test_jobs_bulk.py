"""Many jobs at once: from the failures page and from a search, with undo, with and without a script."""

from playwright.async_api import Browser, expect
from tests.browser.conftest import open_tab
from tests.browser.jobs_world import busy, deeds, look, skip_undo_window, state_of

CAUSE = "15 jobs: the attempt took longer than 15 s"


async def test_failures_of_one_cause_are_replayed_at_once_or_not_where_it_is_undone(
    browser: Browser, redis_url: str
) -> None:
    async with look(browser, redis_url) as tab:
        page = tab.page
        await tab.go("/failures")
        row = page.get_by_role("row", name="timeout the attempt took longer than 15 s")
        await expect(row.locator(".big")).to_have_text("15")
        await row.locator("summary", has_text="Replay all 15").click()
        await expect(row.locator(".confirm-panel").first).to_contain_text("15 jobs back on the list of webhook")
        await row.get_by_role("button", name="Replay", exact=True).click()
        toast = page.locator(".undo-toast")
        await expect(toast).to_contain_text(f"Replay {CAUSE} in ")
        await toast.get_by_role("button", name="Undo").click()
        await expect(toast).to_contain_text("Undone: nothing was changed")
        await expect(row.locator(".big")).to_have_text("15")
        await row.locator("summary", has_text="Replay all 15").click()
        await row.get_by_role("button", name="Replay", exact=True).click()
        skip_undo_window(tab.site)
        await expect(page.locator(".undo-toast", has_text="15 replayed")).to_be_visible()
        await expect(row).to_have_count(0)
        assert (await tab.site.queues["webhook"].control.depths()).dead == 62
        assert [deed.what for deed in await deeds(tab.site)] == ["replay-end", "replay", "undo", "replay"]


async def test_without_a_script_a_page_shows_how_far_it_is_and_undoes(browser: Browser, redis_url: str) -> None:
    async with look(browser, redis_url, java_script_enabled=False) as tab:
        page = tab.page
        await tab.go("/failures")
        row = page.get_by_role("row", name="blocked")
        await row.locator("summary", has_text="Delete").click()
        await row.get_by_role("button", name="Delete", exact=True).click()
        operation = page.locator(".operation")
        await expect(operation).to_contain_text("Nothing is changed yet. It looks through 8 dead jobs for them.")
        assert {deed.subject.partition(":")[0] for deed in await deeds(tab.site)} == {"2 jobs"}
        await operation.get_by_role("button", name="Undo").click()
        await expect(page.locator(".operation")).to_contain_text("Undone before it started: nothing was changed.")
        await page.get_by_role("link", name="Back", exact=True).click()
        await expect(page).to_have_url(tab.site.address + "/failures")
        assert (await tab.site.queues["ai"].control.depths()).dead == 8


async def test_jobs_of_several_queues_that_were_found_are_ticked_and_changed(browser: Browser, redis_url: str) -> None:
    async with look(browser, redis_url) as tab:
        page = tab.page
        await tab.go("/search?text=student-7&state=dead")
        for job_id in ("answer-0106", "hook-0502", "hook-0513"):
            await page.get_by_label(f"Select {job_id}").check()
        await expect(page.locator("[data-selected]")).to_have_text("3 selected")
        await page.get_by_role("button", name="Replay selected").click()
        await expect(page.locator(".undo-toast")).to_have_count(2)
        skip_undo_window(tab.site)
        await expect(page.locator(".undo-toast", has_text="1 replayed")).to_be_visible()
        await expect(page.locator(".undo-toast", has_text="2 replayed")).to_be_visible()
        assert await state_of(tab.site, "webhook", "hook-0513") == "pending"
        assert await state_of(tab.site, "webhook", "hook-0524") == "dead"


async def test_on_a_queues_page_jobs_are_changed_with_an_undo_too(browser: Browser, redis_url: str) -> None:
    async with look(browser, redis_url) as tab:
        page = tab.page
        await tab.go("/queues/ai?state=dead")
        await tab.live()
        await page.get_by_label("Select answer-0106").check()
        await page.get_by_role("button", name="Delete selected").click()
        toast = page.locator(".undo-toast")
        await toast.get_by_role("button", name="Undo").click()
        await expect(toast).to_contain_text("Undone: nothing was changed")
        await page.get_by_label("all 8 of them").check()
        await page.get_by_role("button", name="Replay selected").click()
        skip_undo_window(tab.site)
        await expect(page.locator(".undo-toast", has_text="8 replayed")).to_be_visible()
        await expect(page.locator("#live_jobs")).to_contain_text("No job is dead")
        await expect(page).to_have_url(tab.site.address + "/queues/ai?state=dead")


async def test_all_that_match_a_search_are_changed(browser: Browser, redis_url: str) -> None:
    async with look(browser, redis_url) as tab:
        await tab.go("/search?text=student-7&queue=webhook&state=pending")
        await tab.page.locator("summary", has_text="Cancel all").click()
        await tab.page.get_by_role("button", name="Cancel them").click()
        skip_undo_window(tab.site)
        await expect(tab.page.locator(".undo-toast", has_text="10 cancelled")).to_be_visible()


async def test_with_the_keyboard_alone_jobs_are_chosen_and_opened(browser: Browser, redis_url: str) -> None:
    async with busy(redis_url) as site, open_tab(browser, site) as tab:
        page = tab.page
        await tab.go("/search?queue=ai&state=dead")
        for key in ("j", "j", "x", "j", "x"):
            await page.keyboard.press(key)
        await expect(page.locator("[data-selected]")).to_have_text("2 selected")
        await page.keyboard.press("k")
        chosen = await page.locator("[data-row].at a[data-open]").inner_text()
        await page.keyboard.press("Enter")
        await expect(page.locator("h1 .mono")).to_have_text(chosen)
        await tab.live()  # until then the page listens to no key
        await page.keyboard.press("g")
        await page.keyboard.press("f")
        await expect(page.locator("h1")).to_have_text("Failures")


async def test_a_form_that_chooses_nothing_changes_nothing(browser: Browser, redis_url: str) -> None:
    async with look(browser, redis_url, java_script_enabled=False) as tab:
        await tab.go("/search?queue=ai&state=dead")
        await tab.page.get_by_role("button", name="Delete selected").click()
        await expect(tab.page.locator("main")).to_contain_text("No job is chosen")
        assert (await tab.site.queues["ai"].control.depths()).dead == 8
