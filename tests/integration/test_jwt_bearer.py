"""Signed access tokens of a real OpenID provider, which changes its keys, is slow, and dies."""

import asyncio
import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress

import pytest

from chatkit_prod.auth import JWTBearer, RemoteJWKS
from chatkit_prod.testing import LocalIdentityProvider
from tests.path.servers import LIMIT

from .oidc import AUDIENCE, LIFETIME, SUBJECT, NodeProvider
from .service import Clock, Service, service

pytestmark = pytest.mark.anyio

REFRESH_AFTER, MAX_AGE, STALE_LIMIT, COOLDOWN = 60.0, 120.0, 600.0, 10.0
SLOW_MILLISECONDS = 5000
"""Longer than any of these tests takes."""


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """The clock by which keys age."""
    moved = Clock(time.monotonic)
    monkeypatch.setattr("chatkit_prod.auth.jwks.monotonic", moved.time)
    return moved


def remote(provider: NodeProvider, *, timeout: float = LIMIT) -> RemoteJWKS:
    """Return the keys of the provider, with ages that are easy to step over."""
    return RemoteJWKS(
        issuer=provider.issuer,
        refresh_after=REFRESH_AFTER,
        max_age=MAX_AGE,
        stale_limit=STALE_LIMIT,
        cooldown=COOLDOWN,
        timeout=timeout,
    )


# ------------------------------------------------------------------------------------------------ tokens


async def test_access_tokens_of_either_algorithm_are_accepted_by_discovery_alone(
    provider: NodeProvider,
) -> None:
    tokens = [await provider.rs256_token(), await provider.es256_token()]

    async with service(JWTBearer(issuer=provider.issuer, audience=AUDIENCE)) as app:
        assert [await app.status(token) for token in tokens] == [200, 200]

        principal = app.app.state.principal
        assert (principal.issuer, principal.subject) == (provider.issuer, SUBJECT)
        assert principal.scopes == {"chatkit.read", "chatkit.write"}


async def test_the_keys_are_discovered_and_fetched_once(provider: NodeProvider) -> None:
    token = await provider.rs256_token()

    async with service(JWTBearer(issuer=provider.issuer, audience=AUDIENCE)) as app:
        statuses = await asyncio.gather(*(app.status(token) for _ in range(20)))

    assert statuses == [200] * 20
    asked = await provider.requests()
    assert (asked["/.well-known/openid-configuration"], asked["/jwks"]) == (1, 1)


async def test_a_token_of_another_algorithm_is_refused(provider: NodeProvider) -> None:
    bearer = JWTBearer(issuer=provider.issuer, audience=AUDIENCE, algorithms=["ES256"])

    async with service(bearer) as app:
        assert await app.status(await provider.es256_token()) == 200
        assert await app.status(await provider.rs256_token()) == 401


async def test_a_token_for_another_service_is_refused(provider: NodeProvider) -> None:
    async with service(JWTBearer(issuer=provider.issuer, audience="another-service")) as app:
        answer = await app.ask(await provider.rs256_token())

    assert answer.status_code == 401
    assert 'error="invalid_token"' in answer.headers["www-authenticate"]


async def test_an_opaque_token_is_no_jwt(provider: NodeProvider) -> None:
    async with service(JWTBearer(issuer=provider.issuer, audience=AUDIENCE)) as app:
        assert await app.status(await provider.opaque_token()) == 401


async def test_a_token_without_a_demanded_scope_is_told_which(provider: NodeProvider) -> None:
    bearer = JWTBearer(issuer=provider.issuer, audience=AUDIENCE, required_scopes=["chatkit.write"])

    async with service(bearer) as app:
        answer = await app.ask(await provider.rs256_token("chatkit.read"))

    assert answer.status_code == 403
    assert 'scope="chatkit.write"' in answer.headers["www-authenticate"]


async def test_a_token_is_refused_after_its_end_also_if_it_is_remembered(
    provider: NodeProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = Clock()
    monkeypatch.setattr("chatkit_prod.auth.jwt.time", clock)
    bearer = JWTBearer(issuer=provider.issuer, audience=AUDIENCE, leeway=30)

    async with service(bearer) as app:
        token, unseen = await provider.rs256_token(), await provider.rs256_token()
        clock.advance(LIFETIME)
        assert await app.status(token) == 200

        clock.advance(30)

        assert [await app.status(token), await app.status(unseen)] == [401, 401]


# ------------------------------------------------------------------------------------------------ rotation


class Traffic:
    """Users who come again and again, each time with a new token and with the one before.

    Args:
        provider: Gives the tokens.
        app: Is asked.
        users: How many come at the same time.

    Attributes:
        statuses: What they were answered.
    """

    def __init__(self, provider: NodeProvider, app: Service, *, users: int) -> None:
        self.statuses: list[int] = []
        self._provider = provider
        self._app = app
        self._rounds = [0] * users
        self._changed = asyncio.Condition()

    async def flow(self) -> None:
        """Go on until cancelled."""
        async with asyncio.TaskGroup() as group:
            for user in range(len(self._rounds)):
                group.create_task(self._come_and_go(user))

    async def rounds(self, count: int) -> None:
        """Wait until every user has come that many times more."""
        goal = [done + count for done in self._rounds]
        async with asyncio.timeout(LIMIT), self._changed:
            await self._changed.wait_for(
                lambda: all(done >= wanted for done, wanted in zip(self._rounds, goal, strict=True))
            )

    async def _come_and_go(self, user: int) -> None:
        new_token = self._provider.rs256_token if user % 2 else self._provider.es256_token
        previous = await new_token()
        while True:
            token = await new_token()
            self.statuses += [await self._app.status(token), await self._app.status(previous)]
            previous = token
            self._rounds[user] += 1
            async with self._changed:
                self._changed.notify_all()


@asynccontextmanager
async def flowing(traffic: Traffic) -> AsyncGenerator[None]:
    task = asyncio.create_task(traffic.flow())
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def test_a_rotation_in_the_middle_of_traffic_refuses_no_good_token(
    provider: NodeProvider, clock: Clock
) -> None:
    rotations = 5
    bearer = JWTBearer(issuer=provider.issuer, audience=AUDIENCE, jwks=remote(provider))

    async with service(bearer) as app:
        traffic = Traffic(provider, app, users=4)
        async with flowing(traffic):
            await traffic.rounds(2)
            for _ in range(rotations):
                clock.advance(COOLDOWN)  # nobody rotates more often
                await provider.rotate(keep=True)
                await traffic.rounds(3)  # so that nobody holds a token of the generation before the last

    assert len(traffic.statuses) >= 4 * 2 * (2 + 3 * rotations)
    assert set(traffic.statuses) == {200}
    assert (await provider.requests())["/jwks"] == 1 + rotations


async def test_a_token_of_a_withdrawn_key_is_refused_as_soon_as_the_new_keys_are_known(
    provider: NodeProvider, clock: Clock
) -> None:
    bearer = JWTBearer(issuer=provider.issuer, audience=AUDIENCE, jwks=remote(provider))

    async with service(bearer) as app:
        stolen = await provider.rs256_token()
        assert await app.status(stolen) == 200  # and so it is remembered

        await provider.rotate(keep=False)

        assert await app.status(await provider.rs256_token()) == 200
        assert await app.status(stolen) == 401


async def test_a_withdrawn_key_is_noticed_without_a_token_of_the_new_one(
    provider: NodeProvider, clock: Clock
) -> None:
    bearer = JWTBearer(issuer=provider.issuer, audience=AUDIENCE, jwks=remote(provider))

    async with service(bearer) as app:
        stolen = await provider.rs256_token()
        assert await app.status(stolen) == 200
        await provider.rotate(keep=False)

        clock.advance(MAX_AGE)

        assert await app.status(stolen) == 401


async def test_a_flood_of_unknown_keys_costs_the_provider_one_request_per_cooldown(
    provider: NodeProvider, clock: Clock
) -> None:
    bearer = JWTBearer(issuer=provider.issuer, audience=AUDIENCE, jwks=remote(provider))
    forger = LocalIdentityProvider(issuer=provider.issuer)
    forged = [forger.token(SUBJECT, header={"kid": f"kid-{number}"}) for number in range(50)]

    async with service(bearer) as app:
        good = await provider.rs256_token()
        for cooldowns in (1, 2):
            for _ in range(3):
                statuses = await asyncio.gather(*map(app.status, [*forged, good]))
                assert statuses == [401] * len(forged) + [200]
            assert (await provider.requests())["/jwks"] == 1 + cooldowns
            clock.advance(COOLDOWN)


# ------------------------------------------------------------------------------------------------ outages


async def test_good_tokens_outlive_the_provider_up_to_the_stale_limit(
    provider: NodeProvider, clock: Clock
) -> None:
    bearer = JWTBearer(issuer=provider.issuer, audience=AUDIENCE, jwks=remote(provider))

    async with service(bearer) as app:
        tokens = [await provider.rs256_token(), await provider.es256_token()]
        await provider.kill()

        for passed in (0, REFRESH_AFTER, MAX_AGE - REFRESH_AFTER, STALE_LIMIT - MAX_AGE - COOLDOWN):
            clock.advance(passed)
            assert [await app.status(token) for token in tokens] == [200, 200]

        clock.advance(COOLDOWN)
        answer = await app.ask(tokens[0])
        assert answer.status_code == 503
        assert answer.headers["retry-after"] == f"{COOLDOWN:.0f}"

        await provider.restart()
        clock.advance(COOLDOWN)
        assert [await app.status(token) for token in tokens] == [200, 200]


async def test_an_app_that_starts_without_its_provider_lets_nobody_in_until_it_is_there(
    provider: NodeProvider, clock: Clock
) -> None:
    token = await provider.rs256_token()
    await provider.kill()
    bearer = JWTBearer(issuer=provider.issuer, audience=AUDIENCE, jwks=remote(provider))

    async with service(bearer) as app:
        assert await app.status(token) == 503

        await provider.restart()
        clock.advance(COOLDOWN)

        assert await app.status(token) == 200


async def test_nobody_waits_for_a_slow_provider_while_the_keys_are_young_enough(
    provider: NodeProvider, clock: Clock
) -> None:
    bearer = JWTBearer(issuer=provider.issuer, audience=AUDIENCE, jwks=remote(provider))

    async with service(bearer) as app:
        token = await provider.rs256_token()
        await provider.delay(SLOW_MILLISECONDS)
        clock.advance(REFRESH_AFTER)
        started = time.monotonic()

        assert await app.status(token) == 200

        assert time.monotonic() - started < SLOW_MILLISECONDS / 1000


async def test_a_provider_that_is_too_slow_counts_as_dead(provider: NodeProvider, clock: Clock) -> None:
    bearer = JWTBearer(issuer=provider.issuer, audience=AUDIENCE, jwks=remote(provider, timeout=0.2))

    async with service(bearer) as app:
        token = await provider.rs256_token()
        await provider.delay(SLOW_MILLISECONDS)
        started = time.monotonic()

        clock.advance(MAX_AGE)
        assert await app.status(token) == 200
        clock.advance(STALE_LIMIT)
        assert await app.status(token) == 503

        assert time.monotonic() - started < SLOW_MILLISECONDS / 1000
