"""What is fetched when an app starts, and what happens to the app when it cannot be."""

import logging

import pytest
from starlette.applications import Starlette

from chatkit_prod.asgi import Message
from chatkit_prod.auth.jwks import RemoteJWKS
from chatkit_prod.auth.lifecycle import Lifecycle
from chatkit_prod.errors import UnavailableError
from tests.auth.clock import Clock
from tests.auth.issuer import COOLDOWN, JWKS, OPENID, Issuer, bearer, remote
from tests.layers import exchange

pytestmark = pytest.mark.anyio

STARTUP: Message = {"type": "lifespan.startup"}
SHUTDOWN: Message = {"type": "lifespan.shutdown"}


class Recorder(Lifecycle):
    """Writes down what happens to it; `down` is why it cannot warm up."""

    def __init__(self, down: Exception | None = None) -> None:
        self.events = list[str]()
        self._down = down

    async def warm(self) -> None:
        self.events.append("warm")
        if self._down is not None:
            raise self._down

    async def aclose(self) -> None:
        self.events.append("close")


async def start_and_stop(lifecycle: Lifecycle) -> list[str]:
    """Run an app from its start to its end, as a server does."""
    sent = await exchange(Starlette(lifespan=lifecycle.lifespan), {"type": "lifespan"}, STARTUP, SHUTDOWN)
    return [message["type"] for message in sent]


COMPLETE = ["lifespan.startup.complete", "lifespan.shutdown.complete"]


async def test_keys_are_there_when_the_app_has_started(issuer: Issuer) -> None:
    auth = bearer(issuer)
    assert await start_and_stop(auth) == COMPLETE
    assert issuer.requests == [OPENID, JWKS]
    await auth.verify(issuer.token())
    assert issuer.requests == [OPENID, JWKS]


async def test_the_keys_can_be_warmed_up_without_an_authenticator(issuer: Issuer) -> None:
    keys = remote(issuer)
    assert await start_and_stop(keys) == COMPLETE
    assert keys.current()


async def test_an_app_starts_while_its_provider_is_down_and_says_so(
    issuer: Issuer, caplog: pytest.LogCaptureFixture
) -> None:
    await issuer.stop()
    keys = remote(issuer)
    assert await start_and_stop(bearer(issuer, keys)) == COMPLETE
    assert caplog.record_tuples[-1] == ("chatkit_prod", logging.WARNING, "the app starts without keys")
    assert keys.current() is None
    await issuer.start()


async def test_the_first_request_after_the_cooldown_asks_again(
    issuer: Issuer, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = Clock()
    monkeypatch.setattr("chatkit_prod.auth.jwks.monotonic", clock)
    await issuer.stop()
    auth = bearer(issuer)
    await start_and_stop(auth)
    await issuer.start()
    clock.move(COOLDOWN)
    await auth.verify(issuer.token())


async def test_warming_up_by_hand_raises_what_a_request_would(issuer: Issuer) -> None:
    await issuer.stop()
    with pytest.raises(UnavailableError):
        await bearer(issuer).warm()
    with pytest.raises(UnavailableError):
        await RemoteJWKS(issuer=issuer.base).warm()
    await issuer.start()


@pytest.mark.parametrize("down", [None, UnavailableError("keys")], ids=["up", "down"])
async def test_it_warms_up_first_and_closes_last(down: Exception | None) -> None:
    recorder = Recorder(down)
    async with recorder.lifespan():
        recorder.events.append("serve")
    assert recorder.events == ["warm", "serve", "close"]


async def test_it_closes_when_the_app_fails() -> None:
    recorder = Recorder()
    with pytest.raises(ZeroDivisionError):
        async with recorder.lifespan():
            raise ZeroDivisionError
    assert recorder.events == ["warm", "close"]


async def test_what_is_no_outage_stops_the_app() -> None:
    with pytest.raises(ZeroDivisionError):
        async with Recorder(ZeroDivisionError()).lifespan():
            pass


async def test_what_asks_nobody_has_nothing_to_do() -> None:
    assert await start_and_stop(Lifecycle()) == COMPLETE
