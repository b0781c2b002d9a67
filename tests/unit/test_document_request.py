"""The data of jobs of the queue `document`."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from edworkers.core.settings import faults_of
from edworkers.handlers.document.errors import UnusableDocumentError
from edworkers.handlers.document.pages import chosen, parse_pages
from edworkers.handlers.document.request import DocumentData, name_of, page_url

SOURCE = "s3://school/in/report.docx"
WHOLE: dict[str, Any] = {"source": SOURCE, "to": "pdf", "destination": "s3://school/out/report.pdf"}


def faults(**changes: Any) -> tuple[str, ...]:
    data = {name: value for name, value in {**WHOLE, **changes}.items() if value is not None}
    with pytest.raises(ValidationError) as found:
        DocumentData.model_validate(data)
    return faults_of([(error["loc"], error["msg"]) for error in found.value.errors(include_url=False)])


@pytest.mark.parametrize("source", [SOURCE, "file:///srv/a%20b.docx", "https://school.example/a.docx?sig=1"])
def test_a_source_may_be_stored_or_on_the_web(source: str) -> None:
    assert DocumentData.model_validate({**WHOLE, "source": source}).all_sources == (source,)


@pytest.mark.parametrize("source", ["http://school.example/a.docx", "/srv/a.docx", "ftp://a/b", "s3:a"])
def test_any_other_source_is_refused(source: str) -> None:
    assert faults(source=source) == ("source: must be s3://bucket/key, file:///folder/name or an https URL",)


@pytest.mark.parametrize(
    "source", ["file:///srv/../etc/passwd", "https://user:pass@school.example/", "s3://school/a/../b"]
)
def test_a_source_that_readers_could_take_for_another_is_refused(source: str) -> None:
    assert len(faults(source=source)) == 1


def test_the_result_can_not_be_sent_to_the_web() -> None:
    assert faults(destination="https://school.example/a.pdf")[0].startswith("destination: must be s3://")


@pytest.mark.parametrize("changes", [{"source": None}, {"sources": [SOURCE, SOURCE]}])
def test_there_is_one_source_or_a_list_of_them(changes: dict[str, Any]) -> None:
    assert faults(**changes) == ("give source, or sources for several, and not both",)


def test_several_sources_become_pdf_only() -> None:
    assert faults(source=None, sources=[SOURCE, SOURCE], to="txt") == (
        "to: must be pdf, for several sources are only put together to pdf",
    )
    several = DocumentData.model_validate({"sources": [SOURCE, "s3://a-b/c"], "to": "pdf", "destination": SOURCE})
    assert several.all_sources == (SOURCE, "s3://a-b/c")


def test_one_in_a_list_is_no_list() -> None:
    assert faults(source=None, sources=[SOURCE])[0].startswith("sources: ")


def test_pictures_need_a_folder_or_a_place_for_the_number() -> None:
    told = "destination: for png it must end with / or have {page} in it, for each page is a file"
    assert faults(to="png") == (told,)
    for destination in ("s3://school/out/", "s3://school/out-{page}.png"):
        assert DocumentData.model_validate({**WHOLE, "to": "png", "destination": destination})


@pytest.mark.parametrize("destination", ["s3://school/out/", "file:///out/{page}.pdf"])
def test_anything_else_is_one_file(destination: str) -> None:
    assert faults(destination=destination)[0].startswith("destination: must be one name")


def test_pages_are_numbered_with_four_digits_at_least() -> None:
    assert page_url("s3://a/out/", 7) == "s3://a/out/page-0007.png"
    assert page_url("s3://a/out-{page}.png", 12345) == "s3://a/out-12345.png"


def test_options_that_change_nothing_are_refused_all_at_once() -> None:
    options = {"pages": "1", "compress": True, "width": 100}
    told = (
        "options: pages is only for pdf and png, not for html; "
        "compress is only for pdf, not for html; width is only for png, not for html"
    )
    assert faults(to="html", options=options) == (told,)
    assert DocumentData.model_validate({**WHOLE, "to": "html", "options": {"compress": False}})


@pytest.mark.parametrize("pages", ["0", "3-1", "a", "1,,2", "-3", "", "1;2"])
def test_pages_that_mean_nothing_are_refused(pages: str) -> None:
    assert faults(options={"pages": pages})[0].startswith("options.pages: must ")


@pytest.mark.parametrize("name", ["macros", "password"])
def test_what_is_not_known_is_refused(name: str) -> None:
    assert faults(**{name: "x"}) == (f"{name}: Extra inputs are not permitted",)


@pytest.mark.parametrize(
    ("source", "name"),
    [(SOURCE, "report.docx"), ("file:///srv/a%20b.md", "a b.md"), ("https://a.example/x/y.pdf?z=1.docx", "y.pdf")],
)
def test_the_name_of_a_source_is_the_last_of_its_path(source: str, name: str) -> None:
    assert name_of(source) == name


def test_pages_are_chosen_in_order_and_once() -> None:
    assert chosen(parse_pages("7-,2,1-3,2"), 8) == [1, 2, 3, 7, 8]


def test_no_page_at_all_is_told() -> None:
    with pytest.raises(UnusableDocumentError, match="it has 3 pages, and none of those"):
        chosen(parse_pages("4-9"), 3)


@given(
    ranges=st.lists(st.tuples(st.integers(1, 60), st.none() | st.integers(0, 60)), min_size=1, max_size=9),
    count=st.integers(1, 50),
)
def test_the_pages_chosen_are_those_that_are_asked_for_and_there(
    ranges: list[tuple[int, int | None]], count: int
) -> None:
    text = ",".join(f"{first}-" if more is None else f"{first}-{first + more}" for first, more in ranges)
    wanted = [
        page
        for page in range(1, count + 1)
        if any(first <= page and (more is None or page <= first + more) for first, more in ranges)
    ]
    if wanted:
        assert chosen(parse_pages(text), count) == wanted
    else:
        with pytest.raises(UnusableDocumentError):
            chosen(parse_pages(text), count)
