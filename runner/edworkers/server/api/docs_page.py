"""`/docs`: what the API can do, for people, made of OpenAPI's own document."""

from collections.abc import Mapping
from html import escape
from typing import Any

from edworkers.server.access.login_page import around

_ROW = "<tr><td class='mono nowrap'>{method}</td><td class='mono'>{path}</td><td>{what}</td><td>{scopes}</td></tr>"
_TABLE = """<section class="card"><h2>{tag}</h2><div class="scroll"><table class="table">
<thead><tr><th>Method</th><th>Path</th><th>What it does</th><th>Scope</th></tr></thead>
<tbody>
{rows}
</tbody></table></div></section>"""


def docs_page(document: Mapping[str, Any]) -> str:
    """Write the page of an OpenAPI document."""
    tables = [_table(document, str(tag["name"])) for tag in document["tags"]]
    about = (
        '<p>All of it, for programs: <a href="/v1/openapi.json">openapi.json</a>. <a href="/">To the dashboard</a>.</p>'
    )
    return around("The HTTP API", about + "\n".join(tables))


def _table(document: Mapping[str, Any], tag: str) -> str:
    rows = [
        _row(method, path, operation)
        for path, operations in document["paths"].items()
        for method, operation in operations.items()
        if tag in operation["tags"]
    ]
    return _TABLE.format(tag=escape(tag), rows="\n".join(rows))


def _row(method: str, path: str, operation: Mapping[str, Any]) -> str:
    scopes = dict.fromkeys(scope for needed in operation["security"] for names in needed.values() for scope in names)
    what = f"{operation['summary']}. {operation['description']}"
    return _ROW.format(
        method=escape(method.upper()), path=escape(path), what=escape(what), scopes=escape(" or ".join(scopes))
    )
