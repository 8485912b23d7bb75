"""A help desk behind a session cookie, as a browser meets it."""

import asyncio
from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass, field
from typing import Literal

from chatkit.types import ThreadMetadata, ThreadStreamEvent
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.sessions import SessionMiddleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, Response
from starlette.routing import Route

from chatkit_prod import ChatKitEndpoint
from chatkit_prod.asgi import ASGIApp, Message, Receive, Scope, Send
from chatkit_prod.auth import AuthMiddleware, OriginMiddleware, SessionCookie
from tests.servers import Gate, ScriptedServer, added, delta, done

Defence = Literal["origin and session", "session alone"]


@dataclass(slots=True)
class Visit:
    """One request to the desk, and its answer.

    Args:
        method: Its method.
        headers: Its headers, by lower-case name.
        status: The status of the answer.
        answer: The headers of the answer, by lower-case name.
    """

    method: str
    headers: dict[str, str]
    status: int = 0
    answer: dict[str, str] = field(default_factory=dict[str, str])


class Desk:
    """An app with three routes: `/login` signs in, `/chatkit` is guarded, `/careless` trusts the cookie.

    Args:
        defence: What stands in front of the endpoint.
        same_site: The `SameSite` of the session cookie; with `none` it is `Secure`.
        allowed_origins: The pages that may use `/chatkit`, besides the desk's own.

    Attributes:
        app: The ASGI app.
        visits: What the two POST routes were asked.
        visited: Set when one of these was answered.
        started: How often the ChatKit server was asked to respond.
        gate: Opened by a test to let the second word of an answer go.
        fooled: Whom `/careless` took a request to come from.
    """

    def __init__(
        self, *, defence: Defence, same_site: Literal["lax", "none"], allowed_origins: Iterable[str] = ()
    ) -> None:
        self.visits: list[Visit] = []
        self.visited = asyncio.Event()
        self.started = 0
        self.gate = Gate()
        self.fooled: list[str] = []
        guarded: ASGIApp = AuthMiddleware(
            ChatKitEndpoint(ScriptedServer(self._respond)),
            authenticator=SessionCookie(
                issuer="https://desk.example.com",
                subject_key="user",
                allowed_origins=allowed_origins if defence == "session alone" else (),
            ),
        )
        if defence == "origin and session":
            guarded = OriginMiddleware(guarded, allowed_origins=allowed_origins)
        self.app = Starlette(
            routes=[
                Route("/login", self._login),
                Route("/chatkit", self._watched(guarded)),
                Route("/careless", self._watched(self._careless)),
            ],
            middleware=[
                Middleware(
                    SessionMiddleware,
                    secret_key="s" * 32,
                    same_site=same_site,
                    https_only=same_site == "none",
                )
            ],
        )

    async def _login(self, request: Request) -> Response:
        request.session["user"] = "alice"
        return HTMLResponse("<!doctype html><title>Help desk</title>")

    async def _careless(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.fooled.append(Request(scope).session.get("user", "nobody"))
        await PlainTextResponse("done")(scope, receive, send)

    async def _respond(self, thread: ThreadMetadata) -> AsyncIterator[ThreadStreamEvent]:
        self.started += 1
        yield added(thread)
        yield delta("Hel")
        await self.gate()
        yield delta("lo")
        yield done(thread, "Hello")

    def _watched(self, app: ASGIApp) -> ASGIApp:
        return _Watched(app, self)


class _Watched:
    def __init__(self, app: ASGIApp, desk: Desk) -> None:
        self.app = app
        self._desk = desk

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        visit = Visit(scope["method"], _decoded(scope["headers"]))
        self._desk.visits.append(visit)

        async def send_watched(message: Message) -> None:
            if message["type"] == "http.response.start":
                visit.status, visit.answer = message["status"], _decoded(message["headers"])
            await send(message)

        try:
            await self.app(scope, receive, send_watched)
        finally:
            self._desk.visited.set()


def _decoded(headers: Iterable[tuple[bytes, bytes]]) -> dict[str, str]:
    return {name.decode().lower(): value.decode() for name, value in headers}


async def blank_page(scope: Scope, receive: Receive, send: Send) -> None:
    """Serve a page of whatever host was asked for."""
    await HTMLResponse("<!doctype html><title>A page</title>")(scope, receive, send)
