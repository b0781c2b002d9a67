"""The page that asks for an API key, and the one after logging out, in the looks of the dashboard."""

from html import escape

HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; "
    "frame-ancestors 'none'; base-uri 'none'",
    "Referrer-Policy": "same-origin",
    "X-Frame-Options": "DENY",
}

_AROUND = """<!doctype html>
<html lang="en" data-theme="auto">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>{title} · edworkers</title>
<link rel="icon" type="image/svg+xml" href="/static/icon.svg">
<link rel="stylesheet" href="/static/app.css">
</head>
<body>
<main id="main">
<section class="card">
<h1>{title}</h1>
{body}
</section>
</main>
</body>
</html>
"""

_FORM = """{fault}<form class="form" method="post" action="/login">
<input type="hidden" name="next" value="{back}">
<div class="row">
<label for="key">API key</label>
<input id="key" name="key" type="password" required autocomplete="current-password" spellcheck="false"{aria}>
<p class="hint" id="hint">It begins with edw_; whoever runs the server makes one with
<code>edworkers server new-key NAME --scope read</code>.</p>
</div>
<button class="button primary">Log in</button>
</form>"""


def around(title: str, body: str) -> str:
    """Put a page's head and looks around its body, which is HTML."""
    return _AROUND.format(title=escape(title), body=body)


def login_page(back: str, fault: str = "") -> str:
    """Ask for a key; `back` is the path to go to afterwards."""
    told = f'<p class="notice bad" id="fault" role="alert">{escape(fault)}</p>\n' if fault else ""
    aria = ' aria-invalid="true" aria-describedby="fault hint"' if fault else ' aria-describedby="hint"'
    return around("Log in", _FORM.format(fault=told, back=escape(back), aria=aria))


def logged_out_page() -> str:
    """Say that somebody is logged out."""
    return around("Logged out", '<p><a class="button" href="/login">Log in again</a></p>')
