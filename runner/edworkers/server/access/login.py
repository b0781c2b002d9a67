"""Where people log in and out: `/login`, and for OpenID Connect `/login/callback`, and `/logout`."""

import hmac
from urllib.parse import parse_qs

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from edworkers.server.access.access import LOGIN_PATH, Access
from edworkers.server.access.identity import Identity, Scope
from edworkers.server.access.keys import hash_of
from edworkers.server.access.login_page import HEADERS, logged_out_page, login_page
from edworkers.server.access.oidc import OidcClient, refused
from edworkers.server.access.origin import check_origin
from edworkers.server.access.sessions import person
from edworkers.server.problems import Problem
from edworkers.telemetry import log

CALLBACK_PATH = "/login/callback"
LOGOUT_PATH = "/logout"


def login_routes(access: Access) -> APIRouter:
    """Give the routes of the way in which people log in to this server; none where they don't."""
    router = APIRouter(include_in_schema=False)
    if not access.has_login:
        return router
    oidc = access.settings.oidc
    if oidc is not None:
        desk = _Provider(access, OidcClient(oidc))
        router.add_api_route(LOGIN_PATH, desk.begin, methods=["GET"])
        router.add_api_route(CALLBACK_PATH, desk.finish, methods=["GET"])
    else:
        keys = _ByKey(access)
        router.add_api_route(LOGIN_PATH, keys.show, methods=["GET"])
        router.add_api_route(LOGIN_PATH, keys.enter, methods=["POST"])
    router.add_api_route(LOGOUT_PATH, _Out(access).leave, methods=["POST"])
    return router


def inside(path: str | None) -> str:
    """Give a path of this server: where what was asked for is none, its first page."""
    is_path = path is not None and path.startswith("/") and path[1:2] not in {"/", "\\"} and path.isprintable()
    return path if path is not None and is_path else "/"


class _Provider:
    """Logins by OpenID Connect."""

    def __init__(self, access: Access, client: OidcClient) -> None:
        self._access = access
        self._client = client

    def _redirect_uri(self, request: Request) -> str:
        base = self._access.settings.public_url or str(request.base_url).rstrip("/")
        return f"{base}{CALLBACK_PATH}"

    async def begin(self, request: Request) -> Response:
        """Send the browser to the provider."""
        login = await self._client.begin(self._redirect_uri(request), inside(request.query_params.get("next")))
        response = RedirectResponse(login.url, 303)
        self._access.sessions.begin_login(response, login.kept)
        return response

    async def finish(self, request: Request) -> Response:
        """Take what the provider says, and let them in."""
        kept = self._access.sessions.login(request)
        given = request.query_params
        if kept is None or not hmac.compare_digest(kept["state"].encode(), given.get("state", "").encode()):
            raise refused("it was begun in another browser, or too long ago: log in again")
        if "code" not in given:
            raise refused(f"the provider says {given.get('error', 'nothing')!a}")
        uri = self._redirect_uri(request)
        found = await self._client.finish(given["code"], kept, uri, self._access.now())
        identity = person(found.name, self._access.role_of(found.name, found.groups))
        return _let_in(self._access, identity, inside(kept["back"]))


class _ByKey:
    """Logins by an API key."""

    def __init__(self, access: Access) -> None:
        self._access = access

    async def show(self, request: Request) -> Response:
        """Ask for the key."""
        return HTMLResponse(login_page(inside(request.query_params.get("next"))), headers=HEADERS)

    async def enter(self, request: Request) -> Response:
        """Let in who has a key with which one may look at something."""
        check_origin(request, self._access.settings.public_url, must_say=True)
        form = parse_qs((await request.body()).decode("ascii", "replace"))
        back = inside(form.get("next", [""])[0])
        key = form.get("key", [""])[0].strip()
        identity = self._access.identity_of_key(key)
        if identity is None or not identity.may(Scope.READ):
            fault = (
                "This key is unknown, or its time is over." if identity is None else "This key can only enqueue jobs."
            )
            return HTMLResponse(login_page(back, fault), 403, headers=HEADERS)
        return _let_in(self._access, identity, back, hash_of(key))


class _Out:
    """Logging out."""

    def __init__(self, access: Access) -> None:
        self._access = access

    async def leave(self, request: Request) -> Response:
        """Forget who has logged in."""
        check_origin(request, self._access.settings.public_url, must_say=True)
        response = HTMLResponse(logged_out_page(), headers=HEADERS)
        self._access.sessions.end(response)
        return response


def _let_in(access: Access, identity: Identity, back: str, key: str | None = None) -> Response:
    if not identity.scopes:
        raise Problem(403, "missing-scope", f"{identity.name} may do nothing here")
    log.info("login.done", who=identity.name, role=str(identity.role))
    response = RedirectResponse(back, 303)
    access.sessions.begin(response, identity, key)
    return response
