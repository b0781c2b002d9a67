"""One queue's page in a real browser."""

from playwright.async_api import Browser, expect
from tests.browser import seed
from tests.browser.conftest import OPERATOR, Site, Tab, open_tab


async def test_jobs_of_each_state_are_listed_with_what_matters_of_them(tab: Tab) -> None:
    await tab.go("/queues/ai")
    rows = tab.page.locator("#live_jobs tbody tr")
    await expect(rows).to_have_count(42)
    await tab.page.get_by_role("link", name="Dead 8").click()
    await expect(rows).to_have_count(8)
    await expect(rows.first).to_contain_text("answer-010")
    await expect(tab.page.locator("#live_jobs")).to_contain_text("the data doesn't fit the schema")
    await tab.page.get_by_role("link", name="Running 3").click()
    await expect(rows).to_have_count(3)
    await expect(rows.first).to_contain_text("ai-7d9f-x2x.1")
    await tab.page.get_by_role("link", name="Done", exact=False).first.click()
    await expect(rows).to_have_count(40)


async def test_a_long_list_is_paged(tab: Tab) -> None:
    await tab.go("/queues/webhook?state=dead")
    seen: list[str] = []
    await expect(tab.page.locator(".pager")).to_contain_text("50 shown of 77")
    seen += await tab.page.locator("[data-open]").all_inner_texts()
    await tab.page.get_by_role("link", name="Next page").click()
    await expect(tab.page.locator(".pager")).to_contain_text("27 shown of 77")
    seen += await tab.page.locator("[data-open]").all_inner_texts()
    assert len(set(seen)) == 77
    await tab.page.get_by_role("link", name="First page").click()
    await expect(tab.page.locator(".pager")).to_contain_text("50 shown of 77")


async def test_personal_data_is_masked_in_lists(tab: Tab) -> None:
    await tab.go("/queues/webhook?state=dead")
    await tab.live()
    text = await tab.page.content()
    assert "olena@school.example" not in text
    assert "student-" in text


async def test_a_queue_is_paused_and_resumed_after_a_question_and_it_is_noted_who_did_it(tab: Tab) -> None:
    await tab.go("/queues/ai")
    await tab.live()
    await tab.page.get_by_text("Pause…").click()
    await expect(tab.page.locator(".confirm-panel")).to_contain_text("take no more jobs of ai")
    await tab.page.get_by_role("button", name="Pause ai").click()
    await expect(tab.page.locator("#toasts")).to_contain_text("Paused ai")
    await expect(tab.page.locator("#live_head .badge").first).to_have_text("paused")
    assert (await tab.site.queues["ai"].control.depths()).paused is True
    await tab.page.get_by_text("Resume…").click()
    await tab.page.get_by_role("button", name="Resume ai").click()
    await expect(tab.page.locator("#toasts")).to_contain_text("Resumed ai")
    deeds, _ = await tab.site.books.deeds(None, 10)
    assert [(deed.who, deed.what, deed.queue) for deed in deeds] == [
        ("Olena", "resume", "ai"),
        ("Olena", "pause", "ai"),
    ]


async def test_a_panel_that_asks_stays_open_while_the_page_is_renewed(tab: Tab) -> None:
    await tab.go("/queues/ai")
    await tab.live()
    await tab.page.get_by_text("Pause…").click()
    await tab.site.desks["ai"].wait([seed.answer(999)])
    await expect(tab.page.locator("#live_stats .stat").first).to_contain_text("43")
    await expect(tab.page.get_by_role("button", name="Pause ai")).to_be_visible()


async def test_a_tick_stays_with_its_job_while_rows_move(tab: Tab) -> None:
    desk = tab.site.desks["document"]
    await desk.work([seed.Job(f"old-{n}", {}, end="bury", body=seed.SLOW) for n in range(4)])
    await tab.go("/queues/document?state=dead")
    await tab.live()
    box = tab.page.get_by_label("Select old-2")
    await box.check()
    await expect(tab.page.locator("[data-selected]")).to_have_text("1 selected")
    await desk.work([seed.Job(f"new-{n}", {}, end="bury", body=seed.SLOW) for n in range(3)])
    await expect(tab.page.locator("#live_jobs tbody tr")).to_have_count(7)
    await expect(box).to_be_checked()
    await expect(tab.page.locator("input[name=ids]:checked")).to_have_count(1)
    await expect(tab.page.get_by_role("button", name="Replay selected")).to_be_enabled()


async def test_all_that_are_shown_are_selected_with_one_tick(tab: Tab) -> None:
    await tab.go("/queues/ai?state=dead")
    await expect(tab.page.get_by_role("button", name="Replay selected")).to_be_disabled()
    await tab.page.get_by_label("Select all that are shown").check()
    await expect(tab.page.locator("[data-selected]")).to_have_text("8 selected")


async def test_an_empty_state_says_what_it_means(tab: Tab) -> None:
    await tab.go("/queues/document")
    await expect(tab.page.locator("#live_jobs")).to_contain_text("No job waits")
    await tab.go("/queues/document?state=dead")
    await expect(tab.page.locator("#live_jobs")).to_contain_text("A job that fails for good is kept here")


async def test_charts_tell_their_figures_under_the_pointer_and_as_a_table(tab: Tab) -> None:
    await tab.go("/queues/webhook?range=6h")
    chart = tab.page.locator("figure.chart").first
    await chart.locator(".plot").hover()
    await expect(chart.locator(".tip")).to_contain_text("done:")
    await chart.get_by_text("Figures as a table").click()
    await expect(chart.locator("tbody tr").first).to_be_visible()
    current = tab.page.locator(".segments a[aria-current]")
    await expect(current).to_have_text("6 hours")


async def test_what_is_not_there_is_a_page_that_says_what_there_is(tab: Tab) -> None:
    answer = await tab.page.goto(f"{tab.site.address}/queues/nope")
    assert answer is not None
    assert answer.status == 404
    await expect(tab.page.locator("main")).to_contain_text("there are: ai, webhook, document, email, scheduled")
    for path in ("/queues/ai?state=nope", "/queues/ai?cursor=nope", "/nowhere"):
        answer = await tab.page.goto(tab.site.address + path)
        assert answer is not None
        assert answer.status == 404
        await expect(tab.page.get_by_role("heading", name="There is nothing here")).to_be_visible()


async def test_everything_works_without_a_script(browser: Browser, site: Site) -> None:
    async with open_tab(browser, site, java_script_enabled=False) as tab:
        await tab.go("/")
        await tab.page.get_by_role("link", name="webhook", exact=True).first.click()
        await tab.page.get_by_role("link", name="Dead 77").click()
        await expect(tab.page.locator("#live_jobs tbody tr")).to_have_count(50)
        await tab.page.get_by_text("Pause…").click()
        await tab.page.get_by_role("button", name="Pause webhook").click()
        await expect(tab.page.locator(".toast")).to_have_text("Paused webhook")
        await tab.page.get_by_text("Queues", exact=True).first.click()
        await tab.page.locator(".menu-panel").get_by_text("email").click()
        await expect(tab.page.get_by_role("heading", level=1)).to_have_text("email")


async def test_a_form_that_another_site_sends_changes_nothing(tab: Tab) -> None:
    sent = await tab.page.request.post(
        f"{tab.site.address}/queues/ai/pause", headers={**OPERATOR, "Origin": "https://evil.example"}
    )
    assert sent.status == 403
    assert (await tab.site.queues["ai"].control.depths()).paused is False
