"""Pages about jobs on every screen and in both colours: nothing sticks out, everything can be read by all.

With PICTURES=1 the pictures of the docs are taken anew.
"""

import os
from dataclasses import replace
from pathlib import Path

import pytest
from axe_playwright_python.async_playwright import Axe
from playwright.async_api import Browser
from pydantic_core import to_json
from tests.browser import seed
from tests.browser.conftest import IMAGES, Site, open_tab
from tests.browser.jobs_world import bury

from edworkers.core.keys import QueueKeys
from edworkers.ports.books import Deed
from edworkers.server.platform import Schedule

PLANS = (
    Schedule("token-cleanup", "17 * * * *", "Etc/UTC", {"type": "token-cleanup", "data": {}}),
    Schedule(
        "notifications", "*/15 * * * *", "Etc/UTC", {"type": "notification-batch", "data": {"template": "digest"}}
    ),
    Schedule("backup", "30 2 * * *", "Europe/Kyiv", {"type": "database-backup", "data": {"keepLast": 7}}),
    Schedule("logins", "0 6 * * mon", "Europe/Kyiv", {"type": "report", "data": {"report": "logins"}}),
)

PAGES = {
    "job": "/queues/webhook/jobs/hook-story",
    "job-done": "/queues/ai/jobs/answer-0003",
    "job-running": "/queues/ai/jobs/answer-0201",
    "job-delayed": "/queues/ai/jobs/answer-0120",
    "job-waiting": "/queues/ai/jobs/answer-0300",
    "failures": "/failures",
    "search": "/search?text=student-7",
    "search-empty": "/search",
    "edit": "/queues/ai/edit/answer-0101",
    "schedules": "/schedules",
    "activity": "/activity",
    "operations": "/operations",
}
PUBLISHED = {"job", "failures", "search", "edit", "schedules", "activity"}


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", ["desk", "phone"])
async def test_every_page_fits_its_screen_and_can_be_read_by_all(
    browser: Browser, site: Site, tmp_path: Path, width: str, scheme: str
) -> None:
    await seed_activity(site)
    await seed_story(site)
    await seed_runs(site)
    site.queues["scheduled"] = replace(site.queues["scheduled"], schedules=PLANS)
    folder = IMAGES if os.environ.get("PICTURES") else tmp_path
    faults: list[str] = []
    async with open_tab(browser, site, width=width, color_scheme=scheme) as tab:
        for name, path in PAGES.items():
            await tab.go(path)
            across = await tab.page.evaluate("document.documentElement.scrollWidth - innerWidth")
            faults += [f"{name} sticks out by {across} pixels"] if across > 0 else []
            found = await Axe().run(tab.page)
            faults += [f"{name}: {violation}" for violation in violations(found.response)]
            kind = "" if (width, scheme) == ("desk", "light") else f"-{width}-{scheme}"
            if folder is tmp_path or (name in PUBLISHED and not kind):
                await tab.page.screenshot(path=folder / f"dashboard-{name}{kind}.png", full_page=name != "search")
    assert faults == []


@pytest.mark.parametrize("path", ["/queues/webhook/jobs/hook-0500", "/failures", "/search?queue=ai&state=dead"])
async def test_on_a_phone_what_asks_before_an_action_fits_the_screen(browser: Browser, site: Site, path: str) -> None:
    async with open_tab(browser, site, width="phone") as tab:
        await tab.go(path)
        asking = tab.page.locator("details.confirm > summary")
        for number in range(min(await asking.count(), 4)):
            await asking.nth(number).click()
            panel = await tab.page.locator("details.confirm[open] .confirm-panel").bounding_box()
            assert panel is not None
            assert panel["x"] >= 0
            assert panel["x"] + panel["width"] <= 375
            await tab.page.keyboard.press("Escape")


async def seed_runs(site: Site) -> None:
    """Have schedules run, all but one of them."""
    desk = site.desks["scheduled"]
    for plan, end in zip(PLANS, ("ack", "ack", "bury"), strict=False):
        body = seed.SLOW if end == "bury" else {"rows": 40}
        job_id = f"school.scheduled-{plan.name}-29413217"
        await desk.work([seed.Job(job_id, plan.job["data"], type=plan.job["type"], end=end, body=body)])


def violations(response: dict[str, list[dict[str, object]]]) -> list[str]:
    """Say what axe found, and where."""
    told = []
    for violation in response["violations"]:
        nodes = violation["nodes"]
        assert isinstance(nodes, list)
        told.append(f"{violation['id']}: {[node['html'][:150] for node in nodes[:3]]}")
    return told


async def seed_activity(site: Site) -> None:
    """Have somebody do things, as the log shows them."""
    books, now = site.books, site.clock.now()
    for number, (who, what, queue, subject, detail) in enumerate(seed_deeds()):
        await books.note(Deed(now - 3_600_000 + number * 240_000, who, what, queue, subject, detail))


def seed_deeds() -> list[tuple[str, str, str, str, str]]:
    """Give what was done."""
    return [
        ("Olena", "pause", "webhook", "the queue webhook", ""),
        ("Olena", "resume", "webhook", "the queue webhook", ""),
        ("Marta", "reveal", "ai", "answer-0101", "its data unmasked"),
        ("Olena", "edit", "ai", "answer-0042", "and replayed"),
        (
            "Olena",
            "replay",
            "webhook",
            "dead jobs failed by timeout",
            "begun as 1a22e5, which looks through 77 dead jobs",
        ),
        ("Olena", "replay-end", "webhook", "dead jobs failed by timeout", "1a22e5 done: 15 changed, 0 refused"),
        ("school-api", "cancel", "email", "mail-0077", ""),
        ("Olena", "drop", "webhook", "hook-0031", ""),
        ("Olena", "run", "scheduled", "1a22e5312", "schedule token-cleanup"),
    ]


async def seed_story(site: Site) -> None:
    """Have a job that was long on its way: its record is written, for its times lie in the past."""
    job = seed.delivery(950)
    await bury(site, "webhook", seed.Job("hook-story", job.data), seed.REFUSED)
    died = site.clock.now() - 180_000
    tries = ((0, 1_200), (6_000, 15_000), (30_000, 900), (150_000, 1_400))
    past = [
        {"number": n, "outcome": "retry", "startedAt": died - 600_000 + at, "endedAt": died - 600_000 + at + took}
        | {"error": seed.SLOW if took > 9_000 else seed.REFUSED}
        for n, (at, took) in enumerate(tries, 1)
    ]
    logs = [
        {"at": died - 600_000, "level": "info", "message": "POST https://hooks.school.example/ai"},
        {"at": died - 585_000, "level": "warning", "message": "no answer within 15 s; the circuit has 2 failures"},
        {"at": died - 1_100, "level": "error", "message": "connection refused; this was the last attempt"},
    ]
    fields = {f"past:{each['number']}": to_json(each) for each in past} | {
        "past": 4,
        "attempts": 5,
        "queuedAt": died - 602_000,
        "startedAt": died - 1_500,
        "finishedAt": died,
        "seconds": 1.5,
        "logs": to_json(logs),
        "parent": "ai answer-0003",
    }
    client = site.queues["webhook"].control._client  # type: ignore[attr-defined]
    await client.hset(QueueKeys("webhook").job("hook-story"), mapping=fields)
