"""Jobs that would do harm: strings that are scripts, bytes that are no text, and JSON that is none."""

import pytest
from playwright.async_api import expect
from tests.browser import seed
from tests.browser.conftest import Tab
from tests.browser.jobs_world import begin, bury, settle

from edworkers.ports.books import Deed
from edworkers.server.dashboard.jobs.addresses import job_path


async def unharmed(tab: Tab) -> None:
    """Fail where a script of a job's ran, or its markup became part of the page."""
    assert await tab.page.evaluate("window.harmed") is None
    assert await tab.page.locator("main script:not([src]), main img").count() == 0


async def test_scripts_in_whatever_a_job_says_are_shown_and_not_run(tab: Tab) -> None:
    job = seed.hostile()
    await bury(tab.site, "ai", job, job.body)
    await tab.site.books.note(Deed(tab.site.clock.now(), seed.XSS, seed.XSS, seed.XSS, seed.XSS, seed.XSS))
    await tab.go(job_path("ai", job.id))
    await expect(tab.page.locator(".why")).to_contain_text("</textarea><script>")
    await unharmed(tab)
    await tab.page.get_by_text("Show unmasked").click()
    await tab.page.get_by_role("button", name="Show it").click()
    await expect(tab.page.locator(".badge", has_text="unmasked")).to_be_visible()
    await unharmed(tab)
    for path in (job_path("ai", job.id, "edit"), "/failures", "/search?text=script&queue=ai", "/activity"):
        await tab.go(path)
        await expect(tab.page.locator("main")).to_contain_text("<script>window.harmed=1")
        await unharmed(tab)


async def test_scripts_in_logs_and_progress_are_shown_and_not_run(tab: Tab) -> None:
    await tab.site.desks["scheduled"].wait([seed.Job("noisy", {}, type="report")])
    start = (await begin(tab.site, "scheduled"))["noisy"]
    note = b'{"fraction":"<img src=x onerror=window.harmed=1>","note":"<script>window.harmed=1</script>"}'
    await tab.site.desks["scheduled"].queue.report_progress("noisy", start.receipt, note)
    await tab.go("/queues/scheduled/jobs/noisy")
    await expect(tab.page.locator(".progress-card")).to_contain_text("<script>")
    await unharmed(tab)
    logs = b'[{"at":1,"level":"<b>","message":"<script>window.harmed=1</script>"}]'
    await settle(tab.site, "scheduled", start, "ack", {"<script>": "<img src=x onerror=window.harmed=1>"}, logs=logs)
    await expect(tab.page.locator("#live_logs")).to_contain_text("<script>")
    await unharmed(tab)


@pytest.mark.parametrize(
    ("payload", "seen"),
    [(b"not json \xff\x00 at all", "\\xff"), (b"[1,2,3]", "1,"), (b'{"a":' * 300, '{"a":'), (b"", "isn't JSON")],
)
async def test_bytes_that_are_no_job_are_shown_as_they_are(tab: Tab, payload: bytes, seen: str) -> None:
    control = tab.site.queues["scheduled"].control
    await control._client.lpush("edworkers:{scheduled}:pending", payload)  # type: ignore[attr-defined]
    [(job_id, start)] = (await begin(tab.site, "scheduled")).items()
    await settle(tab.site, "scheduled", start, "bury", {"kind": "rejected", "message": "not JSON"})
    await tab.go(job_path("scheduled", job_id))
    await expect(tab.page.locator("main")).to_contain_text(seen)
    await tab.go(job_path("scheduled", job_id, "edit"))
    await expect(tab.page.get_by_label("The job as JSON")).to_be_visible()
