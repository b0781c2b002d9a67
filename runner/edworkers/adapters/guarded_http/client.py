"""A client of HTTP for addresses that strangers name."""

from collections.abc import Mapping
from http.cookiejar import CookieJar, DefaultCookiePolicy
from typing import TYPE_CHECKING

from edworkers.adapters.guarded_http.resolve import Resolve, SystemResolver
from edworkers.adapters.guarded_http.settings import USUAL, Names, allowed_networks, tls_context

if TYPE_CHECKING:
    import httpx2

CONNECT_SECONDS = 5.0
"""How long it may take to resolve a name and connect, and then as long again for TLS."""
_IDLE_CONNECTIONS = 50
_IDLE_SECONDS = 4.0
"""Less than the five seconds after which many servers close an idle connection, perhaps just as it is used again."""


def make_transport(
    env: Mapping[str, str], *, names: Names = USUAL, resolve: Resolve | None = None
) -> "httpx2.AsyncBaseTransport":
    """Make what carries the requests of a client, and can be used without one: nothing but the exchange itself.

    It connects only to what is on the internet, or in a network of WEBHOOK_ALLOWED_NETWORKS; any other address raises
    AddressRefusedError. It speaks HTTP/1.1 and 2, uses connections again, and has no time-outs but those that a request
    brings. It takes some 20 ms, for the certificates of the system. Raises SettingsError.
    """
    import httpcore2

    from edworkers.adapters.guarded_http.backend import GuardedBackend
    from edworkers.adapters.guarded_http.pool import Pool
    from edworkers.adapters.guarded_http.transport import PoolTransport

    backend = GuardedBackend(allowed_networks(env, names), resolve or SystemResolver(), names.allowed)
    context = tls_context(env, names)

    def connection(origin: httpcore2.Origin) -> httpcore2.AsyncHTTPConnection:
        return httpcore2.AsyncHTTPConnection(
            origin, ssl_context=context, keepalive_expiry=_IDLE_SECONDS, http2=True, network_backend=backend
        )

    return PoolTransport(Pool(connection, _IDLE_CONNECTIONS))


def make_client(
    env: Mapping[str, str],
    *,
    names: Names = USUAL,
    resolve: Resolve | None = None,
    connect_seconds: float = CONNECT_SECONDS,
) -> "httpx2.AsyncClient":
    """Make a client on such a transport, which follows no redirects, keeps no cookies and asks no proxy.

    It has no time-out of its own but for connecting. Raises SettingsError.
    """
    import httpx2

    return httpx2.AsyncClient(
        transport=make_transport(env, names=names, resolve=resolve),
        headers={"user-agent": "edworkers", "accept-encoding": "identity"},
        timeout=httpx2.Timeout(None, connect=connect_seconds),
        # One receiver's cookies are no business of another's job, and would add up.
        cookies=CookieJar(DefaultCookiePolicy(allowed_domains=[])),
        trust_env=False,  # through a proxy nobody would know which address is connected to
    )
