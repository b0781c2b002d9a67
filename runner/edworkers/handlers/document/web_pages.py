"""Makes PDF of HTML, and HTML of Markdown, without loading anything from anywhere."""

from pathlib import Path

from edworkers.handlers.document.depth import check_depth
from edworkers.handlers.document.kind import as_text

_PAGE = """<!DOCTYPE html>
<html>
<head><meta charset="utf-8"><title>{title}</title></head>
<body>
{body}</body>
</html>
"""
_LOOK = """
body { font-family: "Liberation Sans", "DejaVu Sans", sans-serif; font-size: 11pt; line-height: 1.4 }
pre, code { font-family: "Liberation Mono", "DejaVu Sans Mono", monospace; font-size: 0.9em }
pre { white-space: pre-wrap; background: #f4f4f4; padding: 0.6em }
table { border-collapse: collapse } td, th { border: 1px solid #bbb; padding: 0.2em 0.5em }
blockquote { border-left: 3px solid #bbb; margin-left: 0; padding-left: 1em }
img { max-width: 100% }
"""
"""How a page looks that says nothing about it."""


def html_to_pdf(source: Path, result: Path) -> None:
    """Make a PDF of HTML. Pictures, fonts and styles that lie in it are used, all others left out; scripts don't run.

    Raises UnusableDocumentError where the source is no text, or nested too deeply.
    """
    from weasyprint import CSS, HTML
    from weasyprint.urls import URLFetcher

    text = as_text(source.read_bytes())
    check_depth(text)
    only_inside = URLFetcher(allowed_protocols={"data"})
    document = HTML(string=text, url_fetcher=only_inside)
    document.write_pdf(result, stylesheets=[CSS(string=_LOOK, url_fetcher=only_inside)])


def markdown_to_html(source: Path, result: Path, title: str) -> None:
    """Make HTML of CommonMark with tables and strikethrough. HTML in it stays text, and so do addresses of scripts.

    Raises UnusableDocumentError where the source is no text.
    """
    from html import escape

    from markdown_it import MarkdownIt

    reader = MarkdownIt("commonmark", {"html": False}).enable(["table", "strikethrough"])
    body = reader.render(as_text(source.read_bytes()))
    result.write_text(_PAGE.format(title=escape(title), body=body), encoding="utf-8")
