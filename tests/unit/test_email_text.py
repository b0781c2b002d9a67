"""The text that is made from HTML for those who read mail without it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edworkers.handlers.email.plain_text import text_of


@pytest.mark.parametrize(
    ("html", "text"),
    [
        ("<p>One</p><p>Two</p>", "One\n\nTwo\n"),
        ("One<br>Two<br/>Three", "One\nTwo\nThree\n"),
        ("<ul><li>a</li><li>b</li></ul>", "- a\n- b\n"),
        ("<ol><li>a</li><li>b</li></ol>", "1. a\n2. b\n"),
        ('<a href="https://x.example/?a=1&amp;b=2">Open</a>', "Open (https://x.example/?a=1&b=2)\n"),
        ('<a href="https://x.example/">https://x.example/</a>', "https://x.example/\n"),
        ('<a href="mailto:a@x.example">a@x.example</a>', "a@x.example\n"),
        ('<a href="#top">Top</a><a href="javascript:alert(1)">x</a>', "Topx\n"),
        ('<img src="cid:x" alt="East School">', "East School\n"),
        ("<head><title>no</title><style>p {}</style></head><script>no()</script>yes", "yes\n"),
        ('<div style="display:none">hidden<div>too</div></div>shown', "shown\n"),
        ("<table><tr><td>a</td><td>b</td></tr><tr><td>c</td><td>d</td></tr></table>", "a b\nc d\n"),
        ("a&nbsp;&lt;b&gt; &amp;\n   c", "a <b> & c\n"),
        ("<h1>T</h1>\n\n<div><p>x</p></div>\n<hr>y", "T\n\nx\n\n----------\n\ny\n"),
        ("", "\n"),
    ],
)
def test_html_becomes_text_that_can_be_read(html: str, text: str) -> None:
    assert text_of(html) == text


@given(st.text(st.sampled_from("<>/ap brdivli='\"&;x\n!-"), max_size=200))
def test_whatever_html_there_is_some_text_comes_of_it(html: str) -> None:
    made = text_of(html)
    assert made.endswith("\n")
    assert "\n\n\n" not in made
