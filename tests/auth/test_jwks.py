"""The keys of an issuer: when they are fetched, who waits for them, and what happens when they cannot be had."""

import asyncio
import json
import math
from typing import Any

import httpx2
import pytest
from starlette.responses import JSONResponse

from chatkit_prod import ConfigurationError
from chatkit_prod.auth import AuthMiddleware
from chatkit_prod.auth.jwks import RemoteJWKS
from chatkit_prod.errors import InvalidTokenError, UnavailableError
from tests.auth.clock import Clock
from tests.auth.issuer import (
    COOLDOWN,
    JWKS,
    LIMIT,
    MAX_AGE,
    OPENID,
    REFRESH_AFTER,
    STALE_LIMIT,
    Issuer,
    bearer,
    delayed,
    remote,
    settled,
    status,
    trickle,
)
from tests.layers import Greeter, get
from tests.servers import Wire

pytestmark = pytest.mark.anyio

SHORT = 0.05


# ------------------------------------------------------------------------------------------------ by age


async def test_nothing_is_fetched_before_the_first_request(issuer: Issuer) -> None:
    auth = bearer(issuer)
    await asyncio.sleep(0)
    assert issuer.requests == []
    await auth.verify(issuer.token())
    assert issuer.requests == [OPENID, JWKS]


async def test_keys_are_used_without_a_fetch_until_refresh_after(issuer: Issuer, clock: Clock) -> None:
    auth = bearer(issuer)
    await auth.verify(issuer.token())
    clock.move(REFRESH_AFTER - 1)
    await auth.verify(issuer.token())
    assert issuer.requests == [OPENID, JWKS]


@pytest.mark.parametrize("age", [REFRESH_AFTER, MAX_AGE - 1])
async def test_then_they_are_used_and_newer_ones_fetched_behind_the_back_of_the_request(
    issuer: Issuer, clock: Clock, age: float
) -> None:
    keys = remote(issuer)
    auth = bearer(issuer, keys)
    await auth.verify(issuer.token())
    clock.move(age)
    issuer.answering.clear()
    request = asyncio.create_task(auth.verify(issuer.token()))
    await issuer.next_request()
    assert request.done()
    old = issuer.rotate()
    issuer.answering.set()
    await settled(keys)
    await auth.verify(issuer.token())
    assert issuer.requests == [OPENID, JWKS, JWKS]
    with pytest.raises(InvalidTokenError):
        await auth.verify(old.token("alice").encode())


async def test_a_request_waits_for_newer_keys_from_max_age_on(issuer: Issuer, clock: Clock) -> None:
    auth = bearer(issuer)
    await auth.verify(issuer.token())
    clock.move(MAX_AGE)
    old = issuer.rotate()
    issuer.answering.clear()
    requests = [
        asyncio.create_task(auth.verify(token)) for token in (issuer.token(), old.token("alice").encode())
    ]
    await issuer.next_request()
    assert not any(request.done() for request in requests)
    issuer.answering.set()
    good, withdrawn = await asyncio.gather(*requests, return_exceptions=True)
    assert not isinstance(good, BaseException)
    assert isinstance(withdrawn, InvalidTokenError)


async def test_old_keys_are_used_up_to_the_stale_limit_while_the_provider_is_down(
    issuer: Issuer, clock: Clock
) -> None:
    inside = Greeter()
    app = AuthMiddleware(inside, authenticator=bearer(issuer))
    request = get((b"authorization", b"Bearer " + issuer.token()))
    assert (await Wire().request(app, request)).status == 200
    await issuer.stop()
    clock.move(STALE_LIMIT - 1)
    assert (await Wire().request(app, request)).status == 200
    clock.move(1)
    refused = await Wire().request(app, request)
    assert (refused.status, refused.headers["retry-after"]) == (503, "10")
    await issuer.start()
    assert (await Wire().request(app, request)).status == 503, "the cooldown is not over"
    clock.move(COOLDOWN)
    assert (await Wire().request(app, request)).status == 200


# ------------------------------------------------------------------------------------------------ one fetch


async def test_many_first_requests_wait_for_one_fetch(issuer: Issuer) -> None:
    auth = bearer(issuer)
    await asyncio.gather(*(auth.verify(issuer.token(f"user {number}")) for number in range(50)))
    assert issuer.requests == [OPENID, JWKS]


async def test_an_issuer_that_hangs_makes_all_of_them_unavailable_after_one_timeout(issuer: Issuer) -> None:
    issuer.answering.clear()
    auth, token = bearer(issuer, remote(issuer, timeout=SHORT)), issuer.token()
    answers = await asyncio.gather(*(auth.verify(token) for _ in range(50)), return_exceptions=True)
    assert {type(answer) for answer in answers} == {UnavailableError}
    assert issuer.requests == [OPENID]


async def test_the_timeout_is_for_discovery_and_keys_together(
    issuer: Issuer, caplog: pytest.LogCaptureFixture
) -> None:
    issuer.faults[JWKS] = trickle
    with pytest.raises(UnavailableError):
        await bearer(issuer, remote(issuer, timeout=SHORT)).verify(issuer.token())
    assert f"the keys of {issuer.base} could not be fetched: " in caplog.text
    assert "Timeout" in caplog.text


async def test_two_documents_each_in_time_may_be_too_slow_together(issuer: Issuer) -> None:
    issuer.faults[OPENID] = delayed(JSONResponse(issuer.metadata), SHORT * 0.7)
    issuer.faults[JWKS] = delayed(JSONResponse(issuer.jwks), SHORT * 0.7)
    with pytest.raises(UnavailableError):
        await bearer(issuer, remote(issuer, timeout=SHORT)).verify(issuer.token())


async def test_a_request_that_is_cancelled_does_not_take_the_fetch_with_it(issuer: Issuer) -> None:
    issuer.answering.clear()
    auth = bearer(issuer)
    first, second = (asyncio.create_task(auth.verify(issuer.token(name))) for name in ("alice", "bob"))
    await issuer.next_request()
    first.cancel()
    await asyncio.wait([first])
    assert first.cancelled()
    assert not second.done()
    issuer.answering.set()
    assert (await asyncio.wait_for(second, LIMIT)).subject == "bob"
    assert issuer.requests == [OPENID, JWKS]


@pytest.mark.parametrize("age", [0.0, REFRESH_AFTER, MAX_AGE], ids=["without keys", "to refresh", "too old"])
async def test_after_a_fetch_that_failed_there_is_none_for_the_cooldown(
    issuer: Issuer, clock: Clock, age: float
) -> None:
    keys = remote(issuer)
    if age:
        await keys.warm()
        clock.move(age)
    issuer.requests.clear()
    issuer.faults["*"] = status(500)
    for _ in range(3):
        await asyncio.gather(
            *(bearer(issuer, keys).verify(issuer.token()) for _ in range(5)), return_exceptions=True
        )
        await settled(keys)
        assert len(issuer.requests) == 1
        clock.move((COOLDOWN - 1) / 3)
    clock.move(1)
    issuer.faults.clear()
    await bearer(issuer, keys).verify(issuer.token())
    await settled(keys)
    assert issuer.requests[1:] == [OPENID, JWKS]


async def test_the_metadata_are_read_once_and_again_when_the_keys_have_moved(
    issuer: Issuer, clock: Clock
) -> None:
    keys = remote(issuer)
    await keys.load()
    clock.move(MAX_AGE)
    await keys.load()
    assert issuer.requests == [OPENID, JWKS, JWKS]
    issuer.faults[JWKS] = status(404)
    issuer.documents["/moved"] = json.dumps(issuer.jwks).encode()
    issuer.metadata["jwks_uri"] = issuer.base + "/moved"
    clock.move(MAX_AGE)
    await keys.load()
    clock.move(COOLDOWN)
    await keys.load()
    assert issuer.requests[3:] == [JWKS, OPENID, "/moved"]


# ------------------------------------------------------------------------------------------------ the rest


async def test_a_client_that_the_app_has_closed_is_a_provider_that_is_down(
    issuer: Issuer, clock: Clock
) -> None:
    async with httpx2.AsyncClient() as client:
        keys = remote(issuer, client=client)
        known = await keys.load()
    clock.move(MAX_AGE)
    assert await keys.load() is known
    assert issuer.requests == [OPENID, JWKS]


def test_event_loops_follow_each_other_with_the_same_keys(clock: Clock) -> None:
    issuer = Issuer()

    async def verify() -> None:
        await issuer.start()
        await bearer(issuer, keys).verify(issuer.token())
        await settled(keys)
        await issuer.stop()

    async def prepare() -> RemoteJWKS:
        await issuer.start()
        await issuer.stop()
        return remote(issuer)

    async def leave_a_fetch_behind() -> bool:
        clock.move(REFRESH_AFTER)
        assert keys.current()
        return keys._fetches.is_running(None)

    async def is_left() -> bool:
        return keys._fetches.is_running(None)

    keys = asyncio.run(prepare())
    asyncio.run(verify())
    sleeping = asyncio.new_event_loop()
    assert sleeping.run_until_complete(leave_a_fetch_behind())
    issuer.rotate()
    asyncio.run(verify())
    assert sleeping.run_until_complete(is_left())
    sleeping.run_until_complete(settled(keys))
    sleeping.close()


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"issuer": ""},
        {"url": ""},
        {"issuer": "https://idp.example.com", "url": ""},
        {"issuer": "http://idp.example.com"},
        {"url": "https://idp.example.com", "client": "a client"},
        {"url": "https://idp.example.com", "client": httpx2.Client},
        {"url": "file:///etc/passwd"},
        {"url": "data:application/json,{}"},
        {"issuer": "https://idp.example.com", "url": "http://idp.example.com/jwks"},
        *(
            {"url": "https://idp.example.com", **times}
            for times in (
                {"refresh_after": 0.0},
                {"refresh_after": math.nan},
                {"refresh_after": 1000.0},
                {"max_age": 20_000.0},
                {"max_age": "900"},
                {"stale_limit": math.inf},
                {"cooldown": 0.0},
                {"cooldown": math.inf},
                {"timeout": -1.0},
                {"timeout": math.nan},
            )
        ),
    ],
    ids=str,
)
def test_an_option_out_of_range_is_refused_at_construction(options: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError):
        RemoteJWKS(**options)
