"""From templates to HTML: the environment, its filters, and the parts of a page that are renewed while it is open."""

from collections.abc import Callable, Mapping
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from edworkers.server.dashboard import wording
from edworkers.server.dashboard.jobs.addresses import job_path
from edworkers.server.dashboard.masking import Mask

LIVE = "live_"
"""What the names of blocks begin with that are renewed while a page is open."""


class Renderer:
    """Renders templates of `templates/`; everything is escaped."""

    def __init__(self, mask: Mask, now: Callable[[], int]) -> None:
        self._now = now
        self._templates = Environment(
            loader=PackageLoader("edworkers.server.dashboard"),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
            auto_reload=False,
        )
        filters: dict[str, Any] = self._templates.filters
        filters.update(
            ago=self._ago,
            bytes=wording.size,
            clock=wording.clock,
            count=wording.count,
            document=mask.document,
            iso=wording.iso,
            len=len,
            length=wording.length,
            length_ms=wording.length_ms,
            masked=mask.text,
            moment=wording.moment,
            percent=wording.percent,
            plural=wording.plural,
            preview=mask.preview,
            rate=wording.rate,
            short_count=wording.short_count,
        )
        # Macros of parts.html are `ui.…` in every template, for a block that is rendered by itself runs no import.
        known: dict[str, Any] = self._templates.globals
        known.update(now=now, job_path=job_path)
        known["ui"] = self._templates.get_template("parts.html").module

    def page(self, template: str, context: Mapping[str, Any]) -> str:
        """Render a whole page."""
        return self._templates.get_template(template).render(context)

    def fragments(self, template: str, context: Mapping[str, Any]) -> dict[str, str]:
        """Render only the blocks of a page that are renewed, by name; each is one element with an id of its own."""
        page = self._templates.get_template(template)
        seen = page.new_context(dict(context))
        return {name: "".join(block(seen)) for name, block in page.blocks.items() if name.startswith(LIVE)}

    def _ago(self, milliseconds: int | None) -> Markup:
        """Write a moment (Unix ms) as how long ago it is, or how soon; the page's script keeps it right."""
        if milliseconds is None:
            return Markup(wording.NOTHING)  # noqa: S704 - a sign of our own
        told = wording.distance(milliseconds - self._now())
        return Markup('<time datetime="{}" title="{}" data-ago>{}</time>').format(
            wording.iso(milliseconds), wording.moment(milliseconds), told
        )
