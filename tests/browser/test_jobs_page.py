"""One job's page in a real browser."""

from dataclasses import replace

import pytest
from playwright.async_api import expect
from pydantic_core import to_json
from tests.browser import seed
from tests.browser.conftest import Tab
from tests.browser.jobs_world import begin, deeds, settle, state_of

from edworkers.adapters.redis.watch import RedisWatch
from edworkers.core.keys import QueueKeys
from edworkers.server.dashboard.jobs.addresses import job_path


async def test_a_dead_job_tells_why_it_is_dead(tab: Tab) -> None:
    await tab.go("/queues/webhook/jobs/hook-0500")
    await expect(tab.page.locator(".why")).to_contain_text("connection refused by https://hooks.school.example/ai")
    line = tab.page.locator("#live_timeline")
    await expect(line).to_contain_text("Attempt 1 failed for good")
    await expect(line.locator(".code")).to_be_hidden()
    await line.get_by_text("Traceback", exact=True).click()
    await expect(line.locator(".code")).to_contain_text("ConnectError: connection refused")


async def test_a_job_that_runs_is_followed_until_it_is_done_without_a_reload(tab: Tab) -> None:
    job = seed.Job("new", {"report": "weekly"}, type="report")
    await tab.site.desks["scheduled"].wait([job])
    await tab.go("/queues/scheduled/jobs/new")
    await tab.live()
    await tab.page.evaluate("window.sameDocument = true")
    glance = tab.page.locator("#live_glance")
    await expect(glance).to_contain_text("waiting")
    start = (await begin(tab.site, "scheduled"))["new"]
    await tab.site.desks["scheduled"].queue.report_progress("new", start.receipt, b'{"fraction":0.4,"note":"rows"}')
    await expect(glance).to_contain_text("running")
    await expect(glance).to_contain_text("40\N{NARROW NO-BREAK SPACE}% rows")
    await settle(tab.site, "scheduled", start, "ack", {"rows": 12})
    await expect(glance).to_contain_text("done")
    await expect(tab.page.locator("#live_result")).to_contain_text('"rows": 12')
    await expect(tab.page.locator("#live_timeline")).to_contain_text("Attempt 1 did it")
    assert await tab.page.evaluate("window.sameDocument") is True


async def test_earlier_attempts_and_logs_are_told(tab: Tab) -> None:
    await tab.site.desks["scheduled"].wait([seed.Job("tried", {}, type="report")])
    logs = b'[{"at":1767614400000,"level":"warning","message":"the table is locked"}]'
    start = (await begin(tab.site, "scheduled"))["tried"]
    await settle(tab.site, "scheduled", start, "retry", seed.SLOW, logs=logs)
    await tab.site.desks["scheduled"].queue.promote(10)
    start = (await begin(tab.site, "scheduled"))["tried"]
    await settle(tab.site, "scheduled", start, "bury", seed.GONE)
    await tab.go("/queues/scheduled/jobs/tried")
    # A job that is claimed in the millisecond it was enqueued in has not waited: its unit tests tell of waits.
    spans = tab.page.locator("#live_timeline li .what").filter(has_not_text="Waited")
    await expect(spans).to_have_text(
        ["Enqueued", "Attempt 1 failed", "Attempt 2 failed for good", "Put into the dead letters"]
    )
    await expect(tab.page.locator("#live_logs")).to_contain_text("warning the table is locked")


async def test_a_job_and_its_follow_up_lead_to_each_other(tab: Tab) -> None:
    await tab.site.desks["scheduled"].wait([seed.Job("asks", {}, type="report")])
    start = (await begin(tab.site, "scheduled"))["asks"]
    data = {"to": "a@school.example", "template": "welcome"}
    mail = {"id": "follows", "source": "edworkers/scheduled", "parentid": "asks", "data": data}
    await settle(tab.site, "scheduled", start, "ack", None, follow_ups=(b"email follows\n" + to_json(mail),))
    while await tab.site.desks["scheduled"].queue.forward(10):
        pass
    await tab.go("/queues/scheduled/jobs/asks")
    await tab.page.get_by_role("link", name="email / follows").click()
    await expect(tab.page.locator("#live_related")).to_contain_text("Follows from")
    await tab.page.get_by_role("link", name="scheduled / asks").click()
    await expect(tab.page.locator("h1")).to_contain_text("asks")


async def test_personal_data_is_masked_until_somebody_asks_and_that_is_noted(tab: Tab) -> None:
    await tab.go("/queues/ai/jobs/answer-0101")
    data = tab.page.locator(".card", has=tab.page.locator("#data-title"))
    await expect(data).to_contain_text("[38 characters]")
    await expect(data).not_to_contain_text("Explain question")
    await data.locator("summary", has_text="Show unmasked").click()
    await data.get_by_role("button", name="Show it").click()
    await expect(data).to_contain_text("Explain question 101 of the test to me")
    [deed, *_] = await deeds(tab.site)
    assert (deed.who, deed.what, deed.subject) == ("Olena", "reveal", "answer-0101")
    await tab.page.get_by_role("link", name="Mask again").click()
    await expect(data).to_contain_text("[38 characters]")


async def test_a_dead_job_is_replayed(tab: Tab) -> None:
    await tab.go("/queues/webhook/jobs/hook-0500")
    await tab.page.locator("summary", has_text="Replay").click()
    await tab.page.get_by_role("button", name="Replay it").click()
    await expect(tab.page.locator("#live_glance")).to_contain_text("waiting")
    await expect(tab.page.locator(".toast")).to_contain_text("hook-0500 is back on the list.")
    assert await state_of(tab.site, "webhook", "hook-0500") == "pending"
    await expect(tab.page.locator("#live_timeline")).to_contain_text("Replayed")


async def test_a_dead_job_is_deleted_only_after_a_question(tab: Tab) -> None:
    await tab.go("/queues/webhook/jobs/hook-0500")
    await tab.page.locator("summary", has_text="Delete").click()
    assert await state_of(tab.site, "webhook", "hook-0500") == "dead"
    await tab.page.get_by_role("button", name="Delete it").click()
    await expect(tab.page).to_have_url(tab.site.address + "/queues/webhook")
    assert await state_of(tab.site, "webhook", "hook-0500") is None
    assert (await deeds(tab.site))[0].what == "drop"


async def test_a_delayed_job_is_cancelled(tab: Tab) -> None:
    await tab.go("/queues/email/jobs/mail-later-0")
    await tab.page.locator("summary", has_text="Cancel job").click()
    await tab.page.get_by_role("button", name="Cancel the job").click()
    await expect(tab.page.locator("#live_glance")).to_contain_text("cancelled")
    assert await state_of(tab.site, "email", "mail-later-0") == "cancelled"


async def test_a_job_that_there_is_not_is_told_in_words(tab: Tab) -> None:
    await tab.go("/queues/webhook/jobs/nobody")
    await expect(tab.page.locator("main")).to_contain_text("There is no record of a job 'nobody' in the queue webhook")


@pytest.mark.parametrize("job_id", ["a/b", "..", ".", "100%", "?x=1#y", "a//b", "a+b&c", "%2e%2e", "~!*'()"])
async def test_whatever_an_id_is_made_of_its_page_is_found(tab: Tab, job_id: str) -> None:
    await tab.site.desks["scheduled"].wait([seed.Job(job_id, {})])
    await tab.go(job_path("scheduled", job_id))
    await expect(tab.page.locator("h1 .mono")).to_have_text(job_id)
    await tab.page.locator("summary", has_text="Cancel job").click()
    await tab.page.get_by_role("button", name="Cancel the job").click()
    await expect(tab.page.locator("h1 .mono")).to_have_text(job_id)
    assert (await deeds(tab.site))[0].subject == job_id


async def test_text_is_shown_as_it_is_written_to_whoever_asks_for_it(tab: Tab) -> None:
    client = tab.site.queues["ai"].control._client  # type: ignore[attr-defined]
    tab.site.queues["ai"] = replace(tab.site.queues["ai"], watch=RedisWatch(client, "ai"))
    key = QueueKeys("ai").text("answer-0201")
    await client.xadd(key, {"t": "A prime is "})
    await tab.go("/queues/ai/jobs/answer-0201")
    text = tab.page.locator(".card", has=tab.page.locator("#text-title"))
    await expect(text).to_contain_text("11 characters so far")
    await expect(text).not_to_contain_text("A prime")
    await text.locator("summary").click()
    await text.get_by_role("button", name="Show it").click()
    await expect(text.locator(".live-text")).to_have_text("A prime is ")
    await client.xadd(key, {"t": "a number"})
    await expect(text.locator(".live-text")).to_have_text("A prime is a number")
