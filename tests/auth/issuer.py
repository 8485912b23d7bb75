"""An issuer on the loopback interface: metadata, keys, and every way to fail that a test may want."""

import asyncio
import gzip
import json
import socket
from collections.abc import AsyncGenerator, Generator
from contextlib import asynccontextmanager, contextmanager
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from chatkit_prod.asgi import ASGIApp, Receive, Scope, Send
from chatkit_prod.auth import JWTBearer
from chatkit_prod.auth.fetch import MAX_BYTES
from chatkit_prod.auth.jwks import RemoteJWKS
from chatkit_prod.testing import LocalIdentityProvider

LIMIT = 20.0
"""Seconds after which a wait has failed."""

OPENID = "/.well-known/openid-configuration"
OAUTH = "/.well-known/oauth-authorization-server"
JWKS = "/jwks"


REFRESH_AFTER, MAX_AGE, STALE_LIMIT, COOLDOWN = 100.0, 200.0, 1_000.0, 10.0
"""Seconds, of `remote`."""


class Issuer:
    """Publishes the keys of a `LocalIdentityProvider` over HTTP, in this event loop.

    Args:
        path: What its issuer identifier ends with, after the port.
        metadata_path: Where its metadata are.

    Attributes:
        provider: Signs the tokens.
        metadata: What it says about itself.
        jwks: The keys that it publishes.
        documents: What else is there, by path.
        faults: What is answered instead, by path; `*` for all of them.
        requests: The paths that it was asked for.
        asked: Set by every request.
        answering: A request hangs while it is not set.
    """

    provider: LocalIdentityProvider
    metadata: dict[str, Any]
    jwks: dict[str, Any]
    asked: asyncio.Event
    answering: asyncio.Event

    def __init__(self, path: str = "", metadata_path: str = OPENID) -> None:
        self._path = path
        self._metadata_path = metadata_path
        self._port = 0
        self.documents: dict[str, bytes] = {}
        self.faults: dict[str, ASGIApp] = {}
        self.requests: list[str] = []
        self._app = Starlette(routes=[Route("/{path:path}", self._answer)])

    @classmethod
    @asynccontextmanager
    async def serve(cls, path: str = "", metadata_path: str = OPENID) -> AsyncGenerator["Issuer"]:
        """Serve an issuer on a free port."""
        issuer = cls(path, metadata_path)
        await issuer.start()
        try:
            yield issuer
        finally:
            await issuer.stop()

    @property
    def base(self) -> str:
        """The URL of its server, without a slash at the end."""
        return f"http://127.0.0.1:{self._port}"

    async def start(self) -> None:
        """Listen; on the same port as before, if it has listened before."""
        self.asked = asyncio.Event()
        self.answering = asyncio.Event()
        self.answering.set()
        listener = socket.create_server(("127.0.0.1", self._port))
        if not self._port:
            self._port = listener.getsockname()[1]
            issuer = self.base + self._path
            self.provider = LocalIdentityProvider(issuer=issuer, algorithm="ES256")
            self.jwks = self.provider.jwks
            self.metadata = {"issuer": issuer, "jwks_uri": self.base + JWKS}
        config = uvicorn.Config(
            self, http="h11", ws="none", lifespan="off", log_config=None, access_log=False
        )
        self._server = _Uvicorn(config)
        self._running = asyncio.create_task(self._server.serve(sockets=[listener]))

    async def stop(self) -> None:
        """Vanish, as a machine does that loses its power."""
        self._server.stopped.set()
        await asyncio.wait_for(self._running, LIMIT)

    def rotate(self) -> LocalIdentityProvider:
        """Take a new key, publish it and no other, and return who signs with the old one."""
        old, self.provider = (
            self.provider,
            LocalIdentityProvider(issuer=self.provider.issuer, algorithm="ES256"),
        )
        self.jwks = self.provider.jwks
        return old

    def token(self, subject: str = "alice", **options: Any) -> bytes:
        """Return an access token."""
        return self.provider.token(subject, **options).encode()

    async def next_request(self) -> None:
        """Wait until it is asked for something."""
        self.asked.clear()
        await asyncio.wait_for(self.asked.wait(), LIMIT)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        path: str = scope["path"]
        self.requests.append(path)
        self.asked.set()
        await self.answering.wait()
        app = self.faults.get(path) or self.faults.get("*") or self._app
        await app(scope, receive, send)

    def _answer(self, request: Request) -> Response:
        path = request.url.path
        if path == self._metadata_path:
            return JSONResponse(self.metadata)
        if path == JWKS:
            return JSONResponse(self.jwks)
        found = self.documents.get(path)
        return Response(status_code=404) if found is None else Response(found)


class _Uvicorn(uvicorn.Server):
    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.stopped = asyncio.Event()

    async def main_loop(self) -> None:
        await self.stopped.wait()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """End at once; uvicorn's own way waits for whom it serves."""
        for server in self.servers:
            server.close()
        for connection in list(self.server_state.connections):
            connection.transport.abort()
        for task in self.server_state.tasks:
            task.cancel()
        await asyncio.gather(*self.server_state.tasks, return_exceptions=True)

    @contextmanager
    def capture_signals(self) -> Generator[None]:
        """Leave the signals to pytest."""
        yield


def status(code: int) -> ASGIApp:
    """Answer with a status, and an object that must not be taken for an answer."""
    return JSONResponse({"keys": []}, status_code=code)


def redirect(url: str) -> ASGIApp:
    """Send whoever asks to somewhere else."""
    return RedirectResponse(url)


def zipped(document: object) -> ASGIApp:
    """Answer in gzip, which nobody has asked for."""
    return Response(gzip.compress(json.dumps(document).encode()), headers={"content-encoding": "gzip"})


async def cut_off(scope: Scope, receive: Receive, send: Send) -> None:
    """Close the connection in the middle of the answer."""
    headers = [(b"content-length", b"1000")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": b'{"keys": [', "more_body": True})


async def endless(scope: Scope, receive: Receive, send: Send) -> None:
    """Answer without an end, as fast as anybody reads, for as long as somebody does."""
    await send({"type": "http.response.start", "status": 200, "headers": []})
    leave = asyncio.ensure_future(_left(receive))
    while not leave.done():
        await send({"type": "http.response.body", "body": b" " * (MAX_BYTES // 4), "more_body": True})
        await asyncio.sleep(0)


async def trickle(scope: Scope, receive: Receive, send: Send) -> None:
    """Answer without an end, a byte now and then, so that no read ever waits for long."""
    await send({"type": "http.response.start", "status": 200, "headers": []})
    leave = asyncio.ensure_future(_left(receive))
    while not leave.done():
        await send({"type": "http.response.body", "body": b" ", "more_body": True})
        await asyncio.wait([leave], timeout=0.005)


def delayed(answer: ASGIApp, seconds: float) -> ASGIApp:
    """Answer after some time."""

    async def answer_late(scope: Scope, receive: Receive, send: Send) -> None:
        await asyncio.sleep(seconds)
        await answer(scope, receive, send)

    return answer_late


async def _left(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


def remote(issuer: Issuer, **options: Any) -> RemoteJWKS:
    """Return the keys of an issuer, to be fetched."""
    defaults: dict[str, Any] = {
        "issuer": issuer.provider.issuer,
        "refresh_after": REFRESH_AFTER,
        "max_age": MAX_AGE,
        "stale_limit": STALE_LIMIT,
        "cooldown": COOLDOWN,
        "timeout": LIMIT,
    }
    return RemoteJWKS(**{**defaults, **options})


def bearer(issuer: Issuer, keys: RemoteJWKS | None = None, **options: Any) -> JWTBearer:
    """Return what accepts the tokens of an issuer.

    Args:
        issuer: The issuer.
        keys: Its keys; by default `remote`.
        options: Of the authenticator.
    """
    name, audience = issuer.provider.issuer, issuer.provider.audience
    return JWTBearer(issuer=name, audience=audience, jwks=keys or remote(issuer), **options)


def foreign(issuer: Issuer) -> bytes:
    """Return a token whose key the issuer has never had."""
    return LocalIdentityProvider(issuer=issuer.provider.issuer, algorithm="ES256").token("mallory").encode()


async def settled(keys: RemoteJWKS) -> None:
    """Wait until the fetch behind the back of a request is over, if there is one."""
    await asyncio.wait_for(keys._fetches.settled(None), LIMIT)
