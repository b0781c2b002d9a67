"""Whether a request comes from a page of this server, or from that of another site."""

from urllib.parse import urlsplit

from starlette.requests import HTTPConnection

from edworkers.server.access.loopback import is_loopback
from edworkers.server.problems import Problem

_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})


def check_origin(connection: HTTPConnection, public_url: str | None, *, must_say: bool) -> None:
    """Refuse what another site's page sends in the name of somebody who is logged in here.

    Browsers say from where they send what changes something; with `must_say` what doesn't say it is refused, too.
    Raises Problem 403.
    """
    if connection.scope.get("method", "GET") in _SAFE:
        return
    origin = connection.headers.get("origin")
    if origin is None:
        site = connection.headers.get("sec-fetch-site")
        is_own = site in {"same-origin", "none"} if site is not None else not must_say
    else:
        is_own = origin == public_url or (public_url is None and _host(origin) == connection.headers.get("host"))
    if not is_own:
        detail = "send it from this server's own pages, or with an API key; behind a proxy set EDWORKERS_PUBLIC_URL"
        raise Problem(403, "cross-site", detail)


def _host(origin: str) -> str:
    return urlsplit(origin).netloc


def check_own_name(connection: HTTPConnection) -> None:
    """Refuse a name that isn't this machine's own: another site's page could have it lead here. Raises Problem 403."""
    name = urlsplit(f"//{connection.headers.get('host', '')}").hostname or ""
    if not is_loopback(name):
        detail = f"without a login this server answers to 127.0.0.1 and localhost alone, not to {name!r}"
        raise Problem(403, "forbidden-host", detail)
