"""The same endpoint in every framework: each function is what a user of that framework writes."""

from collections.abc import Callable
from typing import Any, cast

import django
from chatkit.server import ChatKitServer
from django.conf import settings
from django.core.asgi import get_asgi_application
from fastapi import FastAPI
from fastapi import Request as FastAPIRequest
from litestar import Litestar, asgi
from quart import Quart
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.base import BaseHTTPMiddleware, RequestResponseEndpoint
from starlette.middleware.gzip import GZipMiddleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Mount, Route

from chatkit_prod import ChatKitResponse, harden
from chatkit_prod.asgi import ASGIApp, Receive, Scope, Send
from chatkit_prod.auth import Authenticator, AuthMiddleware

from .desk import DeskContext, desk_context

Server = ChatKitServer[DeskContext]
Factory = Callable[[Server, Authenticator], ASGIApp]


def starlette_route(server: Server, auth: Authenticator) -> ASGIApp:
    chatkit = harden(server, auth=auth, context_factory=desk_context)
    return Starlette(routes=[Route("/chatkit", chatkit)])


def starlette_mount(server: Server, auth: Authenticator) -> ASGIApp:
    chatkit = harden(server, auth=auth, context_factory=desk_context)
    # Mount("/chatkit", chatkit) would answer at /chatkit/ only, and redirect every POST to /chatkit.
    return Starlette(routes=[Mount("/api", routes=[Route("/chatkit", chatkit)])])


def starlette_own_handler(server: Server, auth: Authenticator) -> ASGIApp:
    async def chatkit(request: Request) -> Response:
        return await ChatKitResponse.of(server, request, desk_context(request.state.chatkit))

    protected = [Middleware(AuthMiddleware, authenticator=auth)]
    return Starlette(routes=[Route("/chatkit", chatkit, methods=["POST"], middleware=protected)])


def fastapi_add_route(server: Server, auth: Authenticator) -> ASGIApp:
    app = FastAPI()
    app.router.routes.append(Route("/chatkit", harden(server, auth=auth, context_factory=desk_context)))
    return app


def fastapi_mount(server: Server, auth: Authenticator) -> ASGIApp:
    chatkit = harden(server, auth=auth, context_factory=desk_context)
    app = FastAPI()
    app.mount("/api", Starlette(routes=[Route("/chatkit", chatkit)]))
    return app


def fastapi_own_handler(server: Server, auth: Authenticator) -> ASGIApp:
    app = FastAPI(middleware=[Middleware(AuthMiddleware, authenticator=auth)])

    @app.post("/chatkit")
    async def chatkit(request: FastAPIRequest) -> Response:
        return await ChatKitResponse.of(server, request, desk_context(request.state.chatkit))

    return app


def litestar_handler(server: Server, auth: Authenticator) -> ASGIApp:
    endpoint = harden(server, auth=auth, context_factory=desk_context)

    @asgi("/chatkit", copy_scope=True)
    async def chatkit(scope: Any, receive: Any, send: Any) -> None:
        await endpoint(scope, receive, send)

    app: Any = Litestar([chatkit])
    return app  # type: ignore[no-any-return]


def litestar_mount(server: Server, auth: Authenticator) -> ASGIApp:
    endpoint = harden(server, auth=auth, context_factory=desk_context)
    app: Any = Litestar([asgi("/chatkit", is_mount=True, copy_scope=True)(endpoint)])
    return app  # type: ignore[no-any-return]


def quart_beside(server: Server, auth: Authenticator) -> ASGIApp:
    app = Quart(__name__)
    app.asgi_app = _beside(app.asgi_app, harden(server, auth=auth, context_factory=desk_context))  # type: ignore[assignment,arg-type]
    return app  # type: ignore[return-value]


def django_beside(server: Server, auth: Authenticator) -> ASGIApp:
    if not settings.configured:
        cast("Any", settings).configure(ALLOWED_HOSTS=["127.0.0.1"], ROOT_URLCONF=())
        django.setup()
    return _beside(get_asgi_application(), harden(server, auth=auth, context_factory=desk_context))


def _beside(app: ASGIApp, chatkit: ASGIApp) -> ASGIApp:
    async def by_path(scope: Scope, receive: Receive, send: Send) -> None:
        ours = scope["type"] == "http" and scope["path"] == "/chatkit"
        await (chatkit if ours else app)(scope, receive, send)

    return by_path


async def _pass_on(request: Request, call_next: RequestResponseEndpoint) -> Response:
    return await call_next(request)


def behind_base_http_middleware(server: Server, auth: Authenticator) -> ASGIApp:
    chatkit = harden(server, auth=auth, context_factory=desk_context)
    return Starlette(
        routes=[Route("/chatkit", chatkit)],
        middleware=[Middleware(BaseHTTPMiddleware, dispatch=_pass_on)],
    )


def behind_gzip_middleware(server: Server, auth: Authenticator) -> ASGIApp:
    chatkit = harden(server, auth=auth, context_factory=desk_context)
    return Starlette(
        routes=[Route("/chatkit", chatkit)], middleware=[Middleware(GZipMiddleware, minimum_size=1)]
    )


FRAMEWORKS: dict[str, tuple[Factory, str]] = {
    "Starlette Route": (starlette_route, "/chatkit"),
    "Starlette Mount": (starlette_mount, "/api/chatkit"),
    "Starlette own handler": (starlette_own_handler, "/chatkit"),
    "FastAPI route": (fastapi_add_route, "/chatkit"),
    "FastAPI mount": (fastapi_mount, "/api/chatkit"),
    "FastAPI own handler": (fastapi_own_handler, "/chatkit"),
    "Litestar handler": (litestar_handler, "/chatkit"),
    "Litestar mount": (litestar_mount, "/chatkit"),
    "Quart": (quart_beside, "/chatkit"),
    "Django": (django_beside, "/chatkit"),
    "behind BaseHTTPMiddleware": (behind_base_http_middleware, "/chatkit"),
    "behind GZipMiddleware": (behind_gzip_middleware, "/chatkit"),
}
"""The factory of each app, and where its endpoint is."""
