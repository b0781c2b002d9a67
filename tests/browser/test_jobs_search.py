"""The search page, schedules and activity in a real browser."""

import time
from collections.abc import Sequence
from dataclasses import replace

import pytest
from playwright.async_api import Browser, expect
from tests.browser import seed
from tests.browser.conftest import VIEWER, Site, Tab, open_site, open_tab, serve
from tests.browser.jobs_world import begin, deeds, state_of

from edworkers.ports.books import Deed
from edworkers.server.dashboard.jobs import find
from edworkers.server.platform import PoolView, Schedule

PLANS = (
    Schedule("token-cleanup", "17 * * * *", "Etc/UTC", {"type": "token-cleanup", "data": {}}),
    Schedule("logins", "0 6 * * mon", "Europe/Kyiv", {"type": "report", "data": {"report": "logins"}}),
)


async def test_an_id_leads_straight_to_its_job(tab: Tab) -> None:
    await tab.go("/")
    await tab.page.keyboard.press("/")
    await tab.page.keyboard.type("hook-0700")
    await tab.page.keyboard.press("Enter")
    await expect(tab.page).to_have_url(f"{tab.site.address}/queues/webhook/jobs/hook-0700")


async def test_an_id_that_several_queues_have_is_shown_with_each(tab: Tab) -> None:
    await tab.site.desks["email"].wait([seed.Job("hook-0700", {"to": "a@school.example", "template": "welcome"})])
    await tab.go("/search?text=hook-0700")
    await expect(tab.page.locator(".same li")).to_have_count(2)


async def test_a_long_search_goes_on_by_itself_and_tells_how_far_it_is(
    tab: Tab, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(find, "_FIRST_SECONDS", 0.0)
    desk = tab.site.desks["email"]
    for start in range(0, 5000, 1000):
        await desk.wait([seed.Job(f"mail-{n}", {"number": f"no-{n:04}"}) for n in range(start + 1000, start + 2000)])
    await tab.go("/search?text=no-5999&state=pending")
    await expect(tab.page.get_by_role("link", name="mail-5999")).to_be_visible()
    await expect(tab.page.locator("[data-search-words]")).to_have_text("1 found; looked at 5\u202f162 of 5\u202f162")
    await expect(tab.page.locator("[data-search-none]")).to_be_hidden()


async def test_a_search_can_be_stopped_and_goes_on_where_it_was(tab: Tab, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(find, "_FIRST_SECONDS", 0.0)
    monkeypatch.setattr(find, "_PAUSE_SECONDS", 60.0)
    for start in range(0, 5000, 1000):
        await tab.site.desks["email"].wait([seed.Job(f"mail-{start + n}", {"is": "sought"}) for n in range(100, 1100)])
    await tab.go("/search?queue=email&state=pending&text=is-nowhere")
    await tab.page.get_by_role("button", name="Stop").click()
    await expect(tab.page.locator("[data-search-more]")).to_be_visible()
    await tab.page.locator("[data-search-more]").click()
    await expect(tab.page.locator("[data-search-looked]")).to_have_text("5\u202f000")


async def test_filters_narrow_what_is_found(tab: Tab) -> None:
    await tab.go("/search?queue=webhook&state=dead&error_kind=timeout&within=1h")
    await expect(tab.page.locator("[data-search-found]")).to_have_text("15")
    await tab.go("/search?text=nothing+has+this")
    await expect(tab.page.locator("[data-search-none]")).to_contain_text("No job matches")


async def test_a_schedule_is_told_in_words_and_run_now(tab: Tab) -> None:
    tab.site.queues["scheduled"] = replace(tab.site.queues["scheduled"], schedules=PLANS)
    await tab.go("/schedules")
    row = tab.page.get_by_role("row", name="token-cleanup")
    await expect(row).to_contain_text("At minute 17 of every hour")
    await expect(tab.page.get_by_role("row", name="logins")).to_contain_text("0 6 * * mon in Europe/Kyiv")
    await row.locator("summary", has_text="Run now").click()
    await row.get_by_role("button", name="Run now").click()
    await expect(tab.page.locator("#live_glance")).to_contain_text("token-cleanup")
    [deed, *_] = await deeds(tab.site)
    assert (deed.what, deed.detail) == ("run", "schedule token-cleanup")
    assert await state_of(tab.site, "scheduled", deed.subject) == "pending"
    assert deed.subject in await begin(tab.site, "scheduled")


async def test_where_no_cluster_is_no_next_run_is_promised(redis_url: str, browser: Browser) -> None:
    async with open_site(redis_url) as opened:
        opened.has_cluster = False
        async with serve(opened) as site, open_tab(browser, site) as tab:
            site.queues["scheduled"] = replace(site.queues["scheduled"], schedules=PLANS)
            await tab.go("/schedules")
            await expect(tab.page.locator(".no-clock")).to_contain_text("schedules are begun by a cluster's CronJobs")
            cells = tab.page.locator('[data-label="Next run"]')
            await expect(cells).to_have_text(["no clock runs here"] * len(PLANS))
            await tab.page.get_by_role("row", name="token-cleanup").locator("summary", has_text="Run now").click()
            await tab.page.get_by_role("row", name="token-cleanup").get_by_role("button", name="Run now").click()
            await expect(tab.page.locator("#live_glance")).to_contain_text("waiting")


async def test_only_what_can_be_done_to_what_was_found_is_offered(tab: Tab) -> None:
    await tab.go("/search?text=hook-0500")
    await tab.go("/search?text=no+such+course&queue=webhook")  # which only dead jobs were told
    await expect(tab.page.locator("[data-search-none]")).to_be_hidden()
    await expect(tab.page.get_by_text("Replay all")).to_be_visible()
    await expect(tab.page.get_by_text("Cancel all")).to_be_hidden()
    await expect(tab.page.get_by_role("button", name="Cancel selected")).to_be_hidden()
    await tab.go("/search?text=nothing+has+this")
    await expect(tab.page.get_by_text("All that match")).to_be_hidden()


async def test_what_a_search_finds_later_is_offered_then(tab: Tab, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(find, "_FIRST_SECONDS", 0.0)
    for start in range(0, 2000, 1000):
        await tab.site.desks["email"].wait([seed.Job(f"mail-{start + n}", {"no": start + n}) for n in range(1000)])
    await tab.go("/search?text=mail-1&queue=email")
    await expect(tab.page.get_by_text("Cancel all")).to_be_visible()


class Cluster:
    """A cluster in which a schedule has fired."""

    async def pools(self) -> Sequence[PoolView]:
        return [
            PoolView("scheduled", "scheduled", 1, 1, 0, 1, 1.0, 0, {}, {"logins": int(time.time() * 1000) - 90_000})
        ]


async def test_each_schedule_tells_of_the_latest_job_that_it_began(browser: Browser, site: Site) -> None:
    plans = (*PLANS, Schedule("again", "0 7 * * *", "Etc/UTC", {"type": "token-cleanup", "data": {}}))
    site.queues["scheduled"] = replace(site.queues["scheduled"], schedules=plans)
    site.cluster = Cluster()
    desk, report = site.desks["scheduled"], {"report": "logins"}
    await desk.work([seed.Job("school.scheduled-logins-29413217", report, type="report", end="bury", body=seed.SLOW)])
    await desk.wait([seed.Job("by-hand", report, type="report")])
    async with open_tab(browser, site) as tab:
        await tab.go("/schedules")
        logins = tab.page.get_by_role("row", name="logins")
        await expect(logins.locator(".state-dead")).to_be_visible()
        await expect(logins.locator('[data-label="Latest job"]')).to_contain_text("by the clock")
        again = tab.page.get_by_role("row", name="again").locator('[data-label="Latest job"]')
        await expect(again).to_have_text("none is kept")
        await tab.page.get_by_role("row", name="again").locator("summary", has_text="Run now").click()
        await tab.page.get_by_role("row", name="again").get_by_role("button", name="Run now").click()
        await expect(tab.page.locator("#live_glance")).to_contain_text("waiting")
        await tab.go("/schedules")
        await expect(again.locator(".state-pending")).to_be_visible()


async def test_what_was_done_is_listed_filtered_and_paged(tab: Tab) -> None:
    now = tab.site.clock.now()
    for number in range(120):
        who = "Vira" if number % 40 == 0 else "Olena"
        await tab.site.books.note(Deed(now, who, "cancel", "email", f"job-{number}"))
    await tab.go("/activity")
    await expect(tab.page.locator("[data-row]")).to_have_count(50)
    await tab.page.get_by_role("link", name="Earlier").click()
    first = tab.page.locator("[data-row]").first
    await expect(first).to_contain_text("job-69")
    await expect(first.get_by_role("link", name="job-69")).to_have_attribute("href", "/queues/email/jobs/job-69")
    await tab.page.get_by_label("Who").fill("vira")
    await tab.page.get_by_role("button", name="Show").click()
    await expect(tab.page.locator("[data-row]")).to_have_count(3)


async def test_what_is_done_to_one_job_again_is_listed_each_time_as_it_happens(tab: Tab) -> None:
    deed = Deed(tab.site.clock.now(), "Olena", "edit", "email", "job-1")
    await tab.site.books.note(deed)
    await tab.go("/activity")
    await tab.live()
    for number in (2, 3):
        await tab.site.books.note(deed)
        await expect(tab.page.locator("[data-row]")).to_have_count(number)


async def test_who_only_looks_sees_no_action_and_can_send_none(browser: Browser, site: Site) -> None:
    site.queues["scheduled"] = replace(site.queues["scheduled"], schedules=PLANS)
    async with open_tab(browser, site, who=VIEWER) as tab:
        for path in ("/queues/webhook/jobs/hook-0500", "/failures", "/search?queue=ai&state=dead", "/schedules"):
            await tab.go(path)
            await expect(tab.page.locator("h1")).to_be_visible()
            assert await tab.page.locator("main form[method=post]:has(button)").count() == 0
        for path in SENT:
            answer = await tab.page.request.post(site.address + path, headers={"Origin": site.address, **VIEWER})
            assert (path, answer.status) == (path, 403)
        assert (await tab.page.request.get(site.address + "/queues/ai/edit/answer-0101")).status == 403
    assert await state_of(site, "webhook", "hook-0500") == "dead"
    assert list(await deeds(site)) == []


SENT = (
    "/queues/webhook/replay/hook-0500",
    "/queues/webhook/drop/hook-0500",
    "/queues/webhook/cancel/hook-0700",
    "/queues/webhook/reveal/hook-0500",
    "/queues/webhook/edit/hook-0500",
    "/queues/webhook/bulk",
    "/bulk",
    "/operations/x/undo",
    "/queues/scheduled/schedules/logins/run",
)
