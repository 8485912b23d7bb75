"""An authorization server on a real socket, and bearers that ask it."""

from collections.abc import AsyncGenerator, Callable, Generator
from contextlib import AsyncExitStack
from typing import Any

import pytest

from chatkit_prod.auth import OpaqueBearer
from tests.auth.authority import CLIENT, ISSUER, Authority, serving
from tests.auth.clock import Clock
from tests.auth.issuer import Issuer

MakeBearer = Callable[..., OpaqueBearer]


@pytest.fixture(scope="module")
async def running_authority() -> AsyncGenerator[Authority]:
    async with serving() as authority:
        yield authority


@pytest.fixture
def authority(running_authority: Authority) -> Generator[Authority]:
    """An authorization server that knows nothing yet."""
    running_authority.reset()
    yield running_authority
    if running_authority.gate is not None:
        running_authority.gate.opened.set()


@pytest.fixture
async def bearer(authority: Authority) -> AsyncGenerator[MakeBearer]:
    """Makes bearers that ask the server, and closes them after the test."""
    async with AsyncExitStack() as stack:

        def make(**options: Any) -> OpaqueBearer:
            defaults: dict[str, Any] = {
                "introspection_url": authority.url,
                "client_id": CLIENT[0],
                "client_secret": CLIENT[1],
                "issuer": ISSUER,
                "audience": "chatkit",
                "leeway": 0,
            }
            made = OpaqueBearer(**{**defaults, **options})
            stack.push_async_callback(made.aclose)
            return made

        yield make


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """The clock by which opaque tokens expire, and what has been fetched or answered ages."""
    clock = Clock()
    monkeypatch.setattr("chatkit_prod.auth.opaque.time", clock)
    monkeypatch.setattr("chatkit_prod.auth.jwks.monotonic", clock)
    monkeypatch.setattr("chatkit_prod.auth.keys_by_kid.monotonic", clock)
    return clock


@pytest.fixture
async def issuer(clock: Clock) -> AsyncGenerator[Issuer]:
    """A provider that publishes its keys over a real socket."""
    async with Issuer.serve() as issuer:
        yield issuer
