"""A report as PDF: a table, by the template report.html."""

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from edworkers.handlers.scheduled.report_cells import text_of

MOST_ROWS = 2000
_TEMPLATES = Path(__file__).parent / "templates"
_LONGEST_CELL = 500


def make_pdf(title: str, table: Sequence[Sequence[Any]], made: datetime) -> bytes:
    """Lay the table out; its first row has the headings. Takes seconds for thousands of rows, and blocks."""
    import jinja2
    import weasyprint

    loader = jinja2.FileSystemLoader(_TEMPLATES)
    template = jinja2.Environment(loader=loader, autoescape=True, undefined=jinja2.StrictUndefined).get_template(
        "report.html"
    )
    headings, *rows = table
    html = template.render(
        title=title,
        made=made.strftime("%Y-%m-%d %H:%M UTC"),
        headings=[text_of(heading) for heading in headings],
        rows=[[_cell(value) for value in row] for row in rows],
    )
    document = weasyprint.HTML(string=html, url_fetcher=_fetch_nothing)
    return document.write_pdf() or b""


def _cell(value: Any) -> dict[str, Any]:
    text = text_of(value)
    shown = text if len(text) <= _LONGEST_CELL else f"{text[:_LONGEST_CELL]}…"
    return {"text": shown, "number": isinstance(value, int | float) or type(value).__name__ == "Decimal"}


def _fetch_nothing(url: str, *_: Any, **__: Any) -> Any:
    raise ValueError(f"a report has nothing to fetch, and {url[:60]!r} is not")
