"""Opaque access tokens of a real OpenID provider, which revokes them, is slow, and dies."""

import asyncio
import time

import pytest

from chatkit_prod.auth import FirstOf, JWTBearer, OpaqueBearer
from chatkit_prod.auth.introspection import AuthMethod
from tests.path.servers import LIMIT

from .oidc import AUDIENCE, LIFETIME, RESOURCE_SERVER, SUBJECT, NodeProvider
from .service import Clock, service

pytestmark = pytest.mark.anyio

ACCEPT_FOR, REFUSE_FOR = 30.0, 10.0
SLOW_MILLISECONDS = 5000
"""Longer than any of these tests takes."""


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """The clock by which answers about tokens age, and tokens as well."""
    moved = Clock()
    monkeypatch.setattr("chatkit_prod.auth.opaque.time", moved)
    return moved


def bearer(
    provider: NodeProvider,
    *,
    audience: str = AUDIENCE,
    client_secret: str = RESOURCE_SERVER[1],
    auth_method: AuthMethod = "client_secret_basic",
    required_scopes: tuple[str, ...] = (),
    timeout: float = LIMIT,
) -> OpaqueBearer:
    return OpaqueBearer(
        introspection_url=f"{provider.issuer}/token/introspection",
        client_id=RESOURCE_SERVER[0],
        client_secret=client_secret,
        issuer=provider.issuer,
        audience=audience,
        auth_method=auth_method,
        accept_for=ACCEPT_FOR,
        refuse_for=REFUSE_FOR,
        leeway=0,
        required_scopes=required_scopes,
        timeout=timeout,
    )


async def questions(provider: NodeProvider) -> int:
    """Return how often the provider was asked about a token."""
    return (await provider.requests()).get("/token/introspection", 0)


async def test_an_active_token_is_accepted(provider: NodeProvider) -> None:
    async with service(bearer(provider)) as app:
        assert await app.status(await provider.opaque_token()) == 200

        principal = app.app.state.principal
        assert (principal.issuer, principal.subject) == (provider.issuer, SUBJECT)
        assert principal.scopes == {"chatkit.read", "chatkit.write"}
        assert principal.expires_at == pytest.approx(time.time() + LIFETIME, abs=LIMIT)


async def test_a_token_that_the_provider_does_not_know_is_refused(provider: NodeProvider) -> None:
    async with service(bearer(provider)) as app:
        answer = await app.ask("nobodys-token")

    assert answer.status_code == 401
    assert 'error="invalid_token"' in answer.headers["www-authenticate"]


async def test_a_signed_token_is_refused_although_the_provider_does_not_look_at_it(
    provider: NodeProvider,
) -> None:
    async with service(bearer(provider)) as app:
        assert await app.status(await provider.rs256_token()) == 401


async def test_a_token_for_another_service_is_refused(provider: NodeProvider) -> None:
    async with service(bearer(provider, audience="another-service")) as app:
        assert await app.status(await provider.opaque_token()) == 401


async def test_a_token_without_a_demanded_scope_is_told_which(provider: NodeProvider) -> None:
    async with service(bearer(provider, required_scopes=("chatkit.write",))) as app:
        answer = await app.ask(await provider.opaque_token("chatkit.read"))

    assert answer.status_code == 403
    assert 'scope="chatkit.write"' in answer.headers["www-authenticate"]


async def test_a_token_is_refused_after_its_end_also_if_it_is_remembered(
    provider: NodeProvider, clock: Clock
) -> None:
    async with service(bearer(provider)) as app:
        token = await provider.opaque_token()
        clock.advance(LIFETIME - ACCEPT_FOR)
        assert await app.status(token) == 200

        clock.advance(ACCEPT_FOR)

        assert await app.status(token) == 401


# ------------------------------------------------------------------------------------------------ revocation


async def test_a_revoked_token_is_refused_at_once_if_nobody_has_asked_about_it(
    provider: NodeProvider,
) -> None:
    token = await provider.opaque_token()
    await provider.revoke(token)

    async with service(bearer(provider)) as app:
        assert await app.status(token) == 401


async def test_a_revoked_token_is_refused_when_the_last_yes_is_forgotten(
    provider: NodeProvider, clock: Clock
) -> None:
    async with service(bearer(provider)) as app:
        token = await provider.opaque_token()
        assert await app.status(token) == 200
        await provider.revoke(token)

        clock.advance(ACCEPT_FOR - LIMIT)
        assert await app.status(token) == 200  # which does not prolong it
        clock.advance(LIMIT)

        assert await app.status(token) == 401


# ------------------------------------------------------------------------------------------------ questions


async def test_one_question_serves_all_who_come_with_a_token(provider: NodeProvider) -> None:
    async with service(bearer(provider)) as app:
        token = await provider.opaque_token()

        statuses = await asyncio.gather(*(app.status(token) for _ in range(20)))

    assert statuses == [200] * 20
    assert await questions(provider) == 1


async def test_a_no_is_remembered_for_a_while(provider: NodeProvider, clock: Clock) -> None:
    async with service(bearer(provider)) as app:
        for asked in (1, 2):
            assert [await app.status("nobodys-token") for _ in range(5)] == [401] * 5
            assert await questions(provider) == asked
            clock.advance(REFUSE_FOR)


async def test_the_secret_can_be_sent_in_the_body(provider: NodeProvider) -> None:
    async with service(bearer(provider, auth_method="client_secret_post")) as app:
        assert await app.status(await provider.opaque_token()) == 200


async def test_nobody_is_let_in_where_the_service_itself_is_refused(provider: NodeProvider) -> None:
    async with service(bearer(provider, client_secret="wrong")) as app:
        assert await app.status(await provider.opaque_token()) == 503


# ------------------------------------------------------------------------------------------------ outages


async def test_a_yes_outlives_the_provider_but_not_its_time(provider: NodeProvider, clock: Clock) -> None:
    async with service(bearer(provider)) as app:
        token, unseen = await provider.opaque_token(), await provider.opaque_token()
        assert await app.status(token) == 200
        await provider.kill()

        assert [await app.status(token), await app.status(unseen)] == [200, 503]
        clock.advance(ACCEPT_FOR)
        assert await app.status(token) == 503

        await provider.restart()  # its memory of tokens is gone
        assert await app.status(token) == 401


async def test_a_provider_that_is_too_slow_counts_as_dead(provider: NodeProvider) -> None:
    async with service(bearer(provider, timeout=0.2)) as app:
        token = await provider.opaque_token()
        await provider.delay(SLOW_MILLISECONDS)
        started = time.monotonic()

        assert await app.status(token) == 503

        assert time.monotonic() - started < SLOW_MILLISECONDS / 1000


# ------------------------------------------------------------------------------------------------ side by side


async def test_signed_and_opaque_tokens_are_accepted_side_by_side(provider: NodeProvider) -> None:
    either = FirstOf(JWTBearer(issuer=provider.issuer, audience=AUDIENCE), bearer(provider))

    async with service(either) as app:
        tokens = [await provider.rs256_token(), await provider.opaque_token(), await provider.es256_token()]

        assert [await app.status(token) for token in tokens] == [200, 200, 200]
        assert await questions(provider) == 1
