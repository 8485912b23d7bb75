"""An app behind an authenticator, on a real socket, and clocks that can be put forward."""

import time
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager

import httpx2
from starlette.applications import Starlette
from starlette.routing import Mount

from chatkit_prod.auth import AuthMiddleware, FirstOf, JWTBearer, OpaqueBearer
from tests.layers import Greeter
from tests.path.servers import LIMIT, serve


class Clock:
    """A clock that a test can put forward.

    Args:
        now: What it goes by.
    """

    def __init__(self, now: Callable[[], float] = time.time) -> None:
        self._now = now
        self._ahead = 0.0

    def time(self) -> float:
        return self._now() + self._ahead

    def advance(self, seconds: float) -> None:
        self._ahead += seconds


class Service:
    """What a client sees of the app.

    Args:
        client: Speaks to it.
        app: Greets whoever is let in.
    """

    def __init__(self, client: httpx2.AsyncClient, app: Greeter) -> None:
        self._client = client
        self.app = app

    async def ask(self, token: str) -> httpx2.Response:
        """Send a request with a bearer token."""
        return await self._client.get("/", headers={"authorization": f"Bearer {token}"})

    async def status(self, token: str) -> int:
        """Send a request with a bearer token, and return the status of the answer."""
        return (await self.ask(token)).status_code


@asynccontextmanager
async def service(authenticator: JWTBearer | OpaqueBearer | FirstOf) -> AsyncGenerator[Service]:
    """Serve an app, which starts and stops with its authenticator."""
    greeter = Greeter(headers=[(b"content-length", b"5")])
    guarded = Mount("/", AuthMiddleware(greeter, authenticator=authenticator))
    async with (
        serve(Starlette(routes=[guarded], lifespan=authenticator.lifespan)) as port,
        httpx2.AsyncClient(base_url=f"http://127.0.0.1:{port}", trust_env=False, timeout=LIMIT) as client,
    ):
        assert (await client.get("/")).status_code == 401  # the app has started
        yield Service(client, greeter)
