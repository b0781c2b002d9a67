"""HTML that is nested too deeply is known before it is read, and long documents aren't taken for it."""

import pytest

from edworkers.handlers.document.depth import MOST_LEVELS, TOO_DEEP, check_depth
from edworkers.handlers.document.errors import UnusableDocumentError

MANY = MOST_LEVELS + 1


@pytest.mark.parametrize("html", ["<div>" * MANY, "<Section class=a>\n" * MANY, "<ul><li>" * MANY, "<my-own>" * MANY])
def test_what_is_nested_too_deeply_is_refused(html: str) -> None:
    with pytest.raises(UnusableDocumentError) as refused:
        check_depth(html)
    assert refused.value.reason == TOO_DEEP


@pytest.mark.parametrize(
    "html",
    [
        "<div>" * MOST_LEVELS,
        "<div></div>" * 10 * MANY,
        "<p>one" * MANY,
        "<ul>" + "<li>one" * MANY,
        "<table>" + "<tr><td>1<td>2" * MANY,
        "<br><img src=x><hr>" * MANY,
        "<b>bold" * MANY,
        f"<!-- {'<div>' * MANY} -->",
        f"<script>{'<div>' * MANY}</script>",
        "</div>" * MANY + "<div>",
        "1 < 2 " * MANY,
        "<!-- " * 300_000 + "<div>" * MANY,
        "<script>" * 300_000 + "<div>" * MANY,
    ],
)
def test_a_document_that_is_only_long_is_let_through(html: str) -> None:
    check_depth(html)
