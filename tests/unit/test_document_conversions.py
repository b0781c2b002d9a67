"""The table of conversions of the queue `document`."""

import re
from pathlib import Path
from typing import get_args

import pytest

from edworkers.handlers.document.conversions import CONVERSIONS, By, Kind, Target, route_of
from edworkers.handlers.document.errors import UnusableDocumentError

GUIDE = Path(__file__).parents[2] / "docs" / "document.md"
ROUTES = [(kind, to, route) for kind, routes in CONVERSIONS.items() for to, route in routes.items()]


def test_every_kind_becomes_pdf_text_and_pictures() -> None:
    assert CONVERSIONS.keys() == set(Kind)
    assert all({"pdf", "txt", "png"} <= routes.keys() for routes in CONVERSIONS.values())


@pytest.mark.parametrize(("kind", "to", "route"), ROUTES)
def test_a_route_ends_where_it_should_and_has_a_filter_for_each_step_of_libreoffice(
    kind: Kind, to: Target, route: tuple[object, ...]
) -> None:
    steps = route_of(kind, to)
    assert steps == route
    assert steps[-1].to == to
    assert all(bool(step.export) == (step.by is By.OFFICE) for step in steps)


def test_what_is_a_pdf_by_then_goes_through_the_checks_of_pdf() -> None:
    assert all(route_of(kind, to)[-1].by is By.PDF for kind in Kind for to in ("pdf", "png"))


@pytest.mark.parametrize("kind", Kind)
@pytest.mark.parametrize("to", get_args(Target))
def test_what_is_not_possible_is_refused_with_what_is(kind: Kind, to: Target) -> None:
    if to in CONVERSIONS[kind]:
        return
    with pytest.raises(UnusableDocumentError) as refused:
        route_of(kind, to)
    first, _, rest = refused.value.reason.partition("; ")
    assert first == f"{kind} can't be made {to}"
    assert re.findall(r"\b(pdf|docx|html|txt|png)\b", rest.partition("made ")[2]) == list(CONVERSIONS[kind])


def test_the_guide_has_the_same_table() -> None:
    rows = re.findall(r"^\| ([a-z, ]+) \| ([a-z, ]+) \|", GUIDE.read_text(encoding="utf-8"), re.MULTILINE)
    told = {kind: set(targets.split(", ")) for kinds, targets in rows for kind in kinds.split(", ")}
    told = {kind: targets for kind, targets in told.items() if kind not in {"from", "variable"}}
    assert told == {kind.value: set(routes) for kind, routes in CONVERSIONS.items()}
