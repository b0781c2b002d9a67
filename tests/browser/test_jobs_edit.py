"""A dead job is found, understood, mended and done, by somebody who has never been here."""

import json

from playwright.async_api import Browser, expect
from tests.browser import seed
from tests.browser.conftest import Site, Tab, open_tab
from tests.browser.jobs_world import begin, bury, deeds, refuse, settle, state_of

MISSING = {
    "kind": "rejected",
    "message": "data.prompt: Field required",
    "faults": ["data.prompt: Field required", "data.conversationId: Field required"],
}
BROKEN = seed.Job("broken-7", {"userId": "student-unique-77"})
MENDED = {
    "id": "broken-7",
    "data": {"conversationId": "c-1", "userId": "student-unique-77", "prompt": "What is a prime?"},
}


async def test_a_new_user_finds_a_failed_job_by_its_user_mends_it_and_sees_it_done(tab: Tab) -> None:
    await bury(tab.site, "ai", BROKEN, MISSING)
    page = tab.page
    await tab.go("/")
    await page.get_by_label("Find a job").fill("Student-Unique-77")
    await page.keyboard.press("Enter")
    await page.get_by_role("link", name="broken-7").click()
    await expect(page.locator(".why")).to_contain_text("data.conversationId: Field required")
    await page.get_by_role("link", name="Edit and replay").click()
    await page.get_by_label("The job as JSON").fill(json.dumps(MENDED))
    await page.get_by_role("button", name="Check and replay").click()
    await expect(page.locator(".toast")).to_contain_text("broken-7 is back on the list, with the new data.")
    starts = await begin(tab.site, "ai")
    await settle(tab.site, "ai", starts["broken-7"], "ack", {"model": "gemini-test", "tokens": 42})
    await expect(page.locator("#live_glance")).to_contain_text("done")
    await expect(page.locator("#live_result")).to_contain_text('"model": "gemini-test"')
    await expect(page.locator("#live_timeline")).to_contain_text("Replayed")
    [deed, *_] = await deeds(tab.site)
    assert (deed.who, deed.what, deed.subject) == ("Olena", "edit", "broken-7")


async def test_what_a_page_says_of_attempts_agrees_before_and_after_a_replay(tab: Tab) -> None:
    await refuse(tab.site, "ai", BROKEN, MISSING)
    most = tab.site.queues["ai"].spec.job.max_attempts
    await tab.go("/queues/ai/jobs/broken-7")
    attempts = tab.page.locator(".stat", has_text="Attempts").locator("dd")
    titles = tab.page.locator("#live_timeline > ol .what")
    await expect(attempts).to_have_text(f"0of {most}")
    await expect(titles).to_have_text(["Enqueued", "Refused before it began", "Put into the dead letters"])
    assert await tab.site.queues["ai"].control.edit("broken-7", json.dumps(MENDED).encode())
    starts = await begin(tab.site, "ai")
    await settle(tab.site, "ai", starts["broken-7"], "ack", {})
    await tab.page.reload()
    await expect(attempts).to_have_text(f"1of {most} since it was replayed")
    await expect(titles).to_have_text(["Replayed", "Attempt 1 did it", "Done"])
    earlier = tab.page.locator("#live_timeline .before")
    await earlier.get_by_text("Before it was replayed").click()
    await expect(earlier.locator(".what")).to_have_text(["Enqueued", "Refused before it began"])


async def test_every_fault_is_shown_beside_the_form_and_nothing_that_was_typed_is_lost(tab: Tab) -> None:
    await bury(tab.site, "ai", BROKEN, MISSING)
    text = '{"id": "another", "maxAttempts": 0, "data": {"userId": "student-unique-77", "prompt": ""}}'
    await tab.go("/queues/ai/edit/broken-7")
    await tab.page.get_by_label("The job as JSON").fill(text)
    await tab.page.get_by_role("button", name="Check and replay").click()
    faults = tab.page.locator("#faults")
    for fault in ("id: has to stay 'broken-7'", "maxAttempts: ", "data.conversationId: ", "data.prompt: "):
        await expect(faults).to_contain_text(fault)
    await expect(faults).to_be_focused()
    await expect(tab.page.get_by_label("The job as JSON")).to_have_value(text)
    assert await state_of(tab.site, "ai", "broken-7") == "dead"


async def test_json_that_is_broken_is_told_while_it_is_typed(tab: Tab) -> None:
    await tab.go("/queues/webhook/edit/hook-0500")
    await tab.page.get_by_label("The job as JSON").fill('{"data": ')
    await expect(tab.page.locator("[data-json-fault]")).to_contain_text("Not JSON yet")
    await tab.page.get_by_label("The job as JSON").fill('{"data": {}}')
    await expect(tab.page.locator("[data-json-fault]")).to_be_hidden()


async def test_without_a_script_a_job_is_edited_too(browser: Browser, site: Site) -> None:
    await bury(site, "ai", BROKEN, MISSING)
    async with open_tab(browser, site, java_script_enabled=False) as tab:
        await tab.go("/queues/ai/edit/broken-7")
        await tab.page.get_by_label("The job as JSON").fill("{}")
        await tab.page.get_by_role("button", name="Check and replay").click()
        await expect(tab.page.locator("#faults")).to_contain_text("prompt: Field required")
        await tab.page.get_by_label("The job as JSON").fill(json.dumps(MENDED))
        await tab.page.get_by_role("button", name="Check and replay").click()
        await expect(tab.page.locator(".toast")).to_contain_text("is back on the list")
    assert await state_of(site, "ai", "broken-7") == "pending"


async def test_a_job_that_somebody_replayed_meanwhile_is_not_replayed_again(tab: Tab) -> None:
    await bury(tab.site, "ai", BROKEN, MISSING)
    await tab.go("/queues/ai/edit/broken-7")
    await tab.page.get_by_label("The job as JSON").fill(json.dumps(MENDED))
    assert await tab.site.queues["ai"].control.replay("broken-7")
    await tab.page.get_by_role("button", name="Check and replay").click()
    await expect(tab.page.locator("#faults")).to_contain_text("nothing was changed: the job isn't dead any more")
    await expect(tab.page.get_by_label("The job as JSON")).to_have_value(json.dumps(MENDED))
