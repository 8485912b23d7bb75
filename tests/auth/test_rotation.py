"""New keys are noticed within one request, and whoever makes up keys gets nothing out of it."""

import asyncio
import random
import time
from base64 import urlsafe_b64encode
from collections.abc import Iterator, Sequence
from itertools import pairwise
from statistics import quantiles

import pytest
from joserfc.jws import serialize_compact
from starlette.responses import JSONResponse

from chatkit_prod import Principal
from chatkit_prod.asgi import ASGIApp, Receive, Scope, Send
from chatkit_prod.auth import JWTBearer
from chatkit_prod.auth.jws import UnknownKeyError, parse
from chatkit_prod.auth.keys import Keys
from chatkit_prod.errors import InvalidTokenError, UnavailableError
from tests.auth.clock import Clock
from tests.auth.issuer import (
    COOLDOWN,
    JWKS,
    LIMIT,
    MAX_AGE,
    OPENID,
    REFRESH_AFTER,
    Issuer,
    bearer,
    foreign,
    remote,
    settled,
    status,
)

pytestmark = pytest.mark.anyio

RANDOM = random.Random(3)


async def test_a_rotation_is_noticed_within_one_request(issuer: Issuer) -> None:
    auth = bearer(issuer)
    await auth.verify(issuer.token())
    issuer.rotate()
    tokens = [issuer.token(f"user {number}") for number in range(20)]
    await asyncio.gather(*map(auth.verify, tokens))
    assert issuer.requests == [OPENID, JWKS, JWKS]


async def test_also_by_a_token_that_names_no_key(issuer: Issuer) -> None:
    auth = bearer(issuer)
    await auth.verify(issuer.token())
    issuer.rotate()
    payload = parse(issuer.token()).payload
    await auth.verify(
        serialize_compact({"alg": "ES256", "typ": "at+jwt"}, payload, issuer.provider._key).encode()
    )


async def test_unknown_keys_are_asked_for_once_per_cooldown(issuer: Issuer, clock: Clock) -> None:
    auth = bearer(issuer)
    await auth.verify(issuer.token())
    for number in range(1, 4):
        for _ in range(3):
            with pytest.raises(InvalidTokenError):
                await auth.verify(foreign(issuer))
            await auth.verify(issuer.token())
            assert issuer.requests == [OPENID, JWKS] + [JWKS] * number
            clock.move(COOLDOWN / 3)
        clock.move(0.1)


async def test_an_unknown_key_does_not_undercut_the_cooldown_of_a_failed_fetch(
    issuer: Issuer, clock: Clock
) -> None:
    keys = remote(issuer)
    auth = bearer(issuer, keys)
    await auth.verify(issuer.token())
    issuer.faults["*"] = status(500)
    clock.move(REFRESH_AFTER)
    await auth.verify(issuer.token())
    await settled(keys)
    requests = list(issuer.requests)
    with pytest.raises(UnavailableError):
        await auth.verify(foreign(issuer))
    assert issuer.requests == requests


async def test_a_new_key_that_could_not_be_asked_for_is_as_soon_as_the_cooldown_is_over(
    issuer: Issuer, clock: Clock
) -> None:
    auth = bearer(issuer)
    await auth.verify(issuer.token())
    issuer.faults["*"] = status(500)
    issuer.answering.clear()
    unknown = asyncio.create_task(auth.verify(foreign(issuer)))
    await issuer.next_request()
    clock.move(COOLDOWN / 2)
    issuer.answering.set()
    with pytest.raises(UnavailableError):
        await unknown
    issuer.faults.clear()
    issuer.rotate()
    clock.move(COOLDOWN - 1)
    with pytest.raises(UnavailableError):
        await auth.verify(issuer.token())
    clock.move(1)
    await auth.verify(issuer.token())


async def test_keys_that_somebody_else_has_fetched_meanwhile_are_not_fetched_again(
    issuer: Issuer, clock: Clock
) -> None:
    keys = remote(issuer)
    known = await keys.load()
    issuer.rotate()
    clock.move(MAX_AGE)
    newer = await keys.load()
    assert newer is not known
    for kid in (issuer.jwks["keys"][0]["kid"], None):
        assert await keys.newer(known, kid) is newer
    assert issuer.requests == [OPENID, JWKS, JWKS]


async def test_before_any_keys_there_are_none_to_tell_by(issuer: Issuer) -> None:
    issuer.faults["*"] = status(500)
    with pytest.raises(UnavailableError):
        await remote(issuer).newer(Keys(issuer.jwks), "any")


# ------------------------------------------------------------------------------------------------ a slow provider


async def refreshing(
    issuer: Issuer, clock: Clock, *, rotated: bool = False
) -> tuple[JWTBearer, asyncio.Event]:
    """Return an authenticator that fetches the keys of now, and what lets the issuer send them.

    Args:
        issuer: The issuer.
        clock: The clock.
        rotated: Whether they are others than those that the authenticator has.
    """
    auth, release, token = bearer(issuer), asyncio.Event(), issuer.token()
    await auth.verify(token)
    if rotated:
        issuer.rotate()
    document = issuer.jwks

    async def slow(scope: Scope, receive: Receive, send: Send) -> None:
        await release.wait()
        await JSONResponse(document)(scope, receive, send)

    clock.move(REFRESH_AFTER)
    issuer.faults[JWKS] = slow
    await auth.verify(token)
    await issuer.next_request()
    del issuer.faults[JWKS]
    return auth, release


async def answers(
    auth: JWTBearer, tokens: Sequence[bytes], release: asyncio.Event
) -> list[Principal | BaseException]:
    """Return what comes of tokens that meet a fetch under way."""
    requests = [asyncio.create_task(auth.verify(token)) for token in tokens]
    await asyncio.sleep(0)
    assert not any(request.done() for request in requests)
    release.set()
    return await asyncio.wait_for(asyncio.gather(*requests, return_exceptions=True), LIMIT)


async def test_a_rotation_is_noticed_within_one_request_also_during_a_fetch_that_began_before_it(
    issuer: Issuer, clock: Clock
) -> None:
    auth, release = await refreshing(issuer, clock)
    issuer.rotate()
    found = await answers(auth, [issuer.token(f"user {number}") for number in range(20)], release)
    assert {type(one) for one in found} == {Principal}
    assert issuer.requests == [OPENID, JWKS, JWKS, JWKS]


async def test_also_when_that_fetch_brings_other_keys_but_not_the_one_of_the_token(
    issuer: Issuer, clock: Clock
) -> None:
    auth, release = await refreshing(issuer, clock, rotated=True)
    issuer.rotate()
    (found,) = await answers(auth, [issuer.token()], release)
    assert isinstance(found, Principal)
    assert issuer.requests == [OPENID, JWKS, JWKS, JWKS]


async def test_what_is_unknown_during_a_fetch_is_asked_for_once_more_per_cooldown(
    issuer: Issuer, clock: Clock
) -> None:
    auth, release = await refreshing(issuer, clock)
    found = await answers(auth, [foreign(issuer) for _ in range(20)], release)
    assert {type(one) for one in found} == {UnknownKeyError}
    with pytest.raises(UnknownKeyError):
        await auth.verify(foreign(issuer))
    assert issuer.requests == [OPENID, JWKS, JWKS, JWKS]


async def test_after_a_fetch_that_failed_there_is_no_other_for_an_unknown_key(
    issuer: Issuer, clock: Clock
) -> None:
    auth = bearer(issuer)
    await auth.verify(issuer.token())
    clock.move(REFRESH_AFTER)
    issuer.answering.clear()
    issuer.faults["*"] = status(500)
    await auth.verify(issuer.token())
    await issuer.next_request()
    (found,) = await answers(auth, [foreign(issuer)], issuer.answering)
    assert isinstance(found, UnavailableError)
    assert issuer.requests == [OPENID, JWKS, JWKS]


# ------------------------------------------------------------------------------------------------ a flood


def flood(issuer: Issuer, size: int) -> Iterator[bytes]:
    """Yield tokens that name keys at random: one in ten well signed, the others not."""
    _, payload, signature = issuer.token().split(b".")
    for number in range(size):
        kid = RANDOM.randbytes(16).hex()
        if number % 10 == 0:
            yield issuer.token(header={"kid": kid})
        else:
            header = base64url(b'{"alg":"ES256","typ":"at+jwt","kid":"%s"}' % kid.encode())
            yield b".".join((header, payload, signature))


def base64url(data: bytes) -> bytes:
    return urlsafe_b64encode(data).rstrip(b"=")


async def cpu_seconds(auth: JWTBearer, token: bytes, times: int = 1) -> float:
    """Return what it takes to verify a token, several times at once."""
    start = time.process_time()
    await asyncio.gather(*(auth.verify(token) for _ in range(times)))
    return (time.process_time() - start) / times


def undisturbed(seconds: list[float]) -> float:
    """Return the lower quartile: what something takes while the machine does little else."""
    return quantiles(seconds, n=4)[0]


@pytest.mark.parametrize(
    ("size", "fault"),
    [(10_000, None), (2_000, status(500))],
    ids=["with the provider up", "with the provider down"],
)
async def test_a_flood_of_unknown_keys_makes_one_fetch_per_cooldown_and_slows_nobody_down(
    issuer: Issuer, clock: Clock, size: int, fault: ASGIApp | None
) -> None:
    auth, token = bearer(issuer, cache_size=0), issuer.token()
    await auth.verify(token)
    usual = [await cpu_seconds(auth, token) for _ in range(500)]
    if fault is not None:
        issuer.faults["*"] = fault
    during, fetches = list[float](), list[float]()
    for number, unknown in enumerate(flood(issuer, size)):
        requests = len(issuer.requests)
        with pytest.raises(InvalidTokenError if fault is None else UnavailableError):
            await auth.verify(unknown)
        fetches += [clock.now] * (len(issuer.requests) - requests)
        if number % 10 == 0:
            during.append(await cpu_seconds(auth, token))
        clock.move(COOLDOWN / 1_000)
    assert len(fetches) in {size // 1_000 - 1, size // 1_000}
    assert all(later - earlier >= COOLDOWN - 1e-6 for earlier, later in pairwise(fetches))
    assert undisturbed(during) <= 2 * undisturbed(usual)


async def test_good_tokens_do_not_wait_for_the_fetch_that_unknown_keys_wait_for(issuer: Issuer) -> None:
    auth, token = bearer(issuer, cache_size=0), issuer.token()
    await auth.verify(token)
    usual = [await cpu_seconds(auth, token, 50) for _ in range(11)]
    issuer.answering.clear()
    unknown = [asyncio.create_task(auth.verify(token)) for token in flood(issuer, 200)]
    await issuer.next_request()
    during = [await asyncio.wait_for(cpu_seconds(auth, token, 50), LIMIT) for _ in range(11)]
    assert not any(task.done() for task in unknown)
    issuer.answering.set()
    answers = await asyncio.gather(*unknown, return_exceptions=True)
    assert {type(answer) for answer in answers} == {UnknownKeyError}
    assert issuer.requests == [OPENID, JWKS, JWKS]
    assert undisturbed(during) <= 2 * undisturbed(usual)
