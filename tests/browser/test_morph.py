"""How a page's blocks are renewed in place: rows keep what belongs to them, and none is lost."""

from typing import Any

from playwright.async_api import Browser
from tests.browser.conftest import Site, open_tab

RENEWED = """async ([before, after]) => {
  const { morph } = await import("/static/morph.js");
  const parse = (rows) => {
    const cells = rows.map(
      ([href, words]) => `<tr><td><input type="checkbox"><a data-open href="${href}">${words}</a>`
    );
    const html = `<table><tbody>${cells.join("")}</table>`;
    return new DOMParser().parseFromString(html, "text/html").querySelector("tbody");
  };
  const body = parse(before);
  for (const box of body.querySelectorAll("input")) box.checked = box.nextSibling.textContent.includes("ticked");
  morph(body, parse(after));
  return [...body.rows].map((row) => [row.querySelector("a").textContent, row.querySelector("input").checked]);
}"""


async def test_rows_of_one_job_are_each_kept_and_ticks_stay_with_their_rows(browser: Browser, quiet_site: Site) -> None:
    async with open_tab(browser, quiet_site) as tab:
        await tab.go("/")

        async def renewed(before: list[list[str]], after: list[list[str]]) -> Any:
            return await tab.page.evaluate(RENEWED, [before, after])

        twice = [["/a", "first ticked"], ["/b", "other"], ["/a", "second"]]
        assert await renewed(twice, twice) == [["first ticked", True], ["other", False], ["second", False]]
        more = [["/new", "new"], ["/a", "1"], ["/a", "2"], ["/a", "3"], ["/b", "b"]]
        assert await renewed(twice, more) == [["new", False], ["1", True], ["2", False], ["3", False], ["b", False]]
        assert await renewed(more, [["/a", "only"]]) == [["only", False]]
        assert await renewed(twice, []) == []
