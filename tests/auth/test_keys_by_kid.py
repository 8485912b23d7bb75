"""The keys of load balancers, and the header that they sign."""

import asyncio
import json
import time
from base64 import urlsafe_b64encode
from collections.abc import AsyncGenerator
from typing import Any

import httpx2
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from joserfc.jwk import ECKey, KeyParameters, RSAKey
from starlette.requests import HTTPConnection

from chatkit_prod import ConfigurationError, Principal
from chatkit_prod.asgi import ASGIApp
from chatkit_prod.auth import JWTBearer
from chatkit_prod.auth.algorithms import ALGORITHMS
from chatkit_prod.auth.jws import UnknownKeyError
from chatkit_prod.auth.keys import Keys
from chatkit_prod.auth.keys_by_kid import KeysByKid
from chatkit_prod.errors import InvalidTokenError, UnavailableError
from tests.auth.clock import Clock
from tests.auth.issuer import COOLDOWN, LIMIT, Issuer, cut_off, endless, redirect, status
from tests.layers import get

pytestmark = pytest.mark.anyio

ISSUER = "https://idp.example.com"
SIGNER = "arn:aws:elasticloadbalancing:eu-central-1:123456789012:loadbalancer/app/web/50dc6c495c0c9188"
KID = "e7a2c9b1-6f0d-4c6e-9a53-0d6f0c4b8f11"
KEY = ECKey.generate_key("P-256")
ABSENT = object()
NOTHING = Keys({"keys": []})


@pytest.fixture
async def issuer(clock: Clock) -> AsyncGenerator[Issuer]:
    async with Issuer.serve() as issuer:
        publish(issuer)
        yield issuer


def publish(issuer: Issuer, kid: str = KID, key: ECKey | RSAKey = KEY) -> None:
    issuer.documents["/" + kid] = key.as_pem(private=False)


def keys_of(issuer: Issuer) -> KeysByKid:
    return KeysByKid(issuer.base + "/{kid}", cooldown=COOLDOWN, timeout=LIMIT)


def bearer(issuer: Issuer, **options: Any) -> JWTBearer:
    return JWTBearer(
        header="X-Amzn-Oidc-Data",
        signer=SIGNER,
        audience=None,
        issuer=ISSUER,
        jwks_url=issuer.base + "/{kid}",
        algorithms=["ES256"],
        typ=("JWT",),
        **options,
    )


def token(key: ECKey = KEY, claims: dict[str, Any] | None = None, **changes: Any) -> bytes:
    """Sign as a load balancer does: with padding, and with `iss` and `exp` in the header."""
    header = {
        "typ": "JWT",
        "kid": KID,
        "alg": "ES256",
        "iss": ISSUER,
        "client": "web",
        "signer": SIGNER,
        "exp": int(time.time()) + 120,
    } | changes
    present = {name: value for name, value in header.items() if value is not ABSENT}
    user = {"sub": "alice", "email": "alice@example.com"} | (claims or {})
    data = b".".join(urlsafe_b64encode(json.dumps(part).encode()) for part in (present, user))
    return data + b"." + urlsafe_b64encode(ALGORITHMS["ES256"].model.sign(data, key))


async def accept(auth: JWTBearer, value: bytes) -> Principal | None:
    return await auth.authenticate(HTTPConnection(get((b"x-amzn-oidc-data", value))))


# ------------------------------------------------------------------------------------------------ tokens


async def test_the_header_of_a_load_balancer_says_who_is_asking(issuer: Issuer) -> None:
    value = token()
    assert b"=." in value
    principal = await accept(bearer(issuer), value)
    assert principal
    assert (principal.issuer, principal.subject) == (ISSUER, "alice")
    assert principal.claims["email"] == "alice@example.com"
    assert issuer.requests == ["/" + KID]


REFUSED: dict[str, dict[str, Any]] = {
    "another signer": {"signer": SIGNER.replace("123456789012", "210987654321")},
    "a longer signer": {"signer": SIGNER + "0"},
    "no signer": {"signer": ABSENT},
    "a list of signers": {"signer": [SIGNER]},
    "another issuer": {"iss": "https://idp.example.org"},
    "no issuer": {"iss": ABSENT},
    "no exp": {"exp": ABSENT},
    "exp is null": {"exp": None},
    "expired": {"exp": int(time.time()) - 100},
    "another typ": {"typ": "at+jwt"},
    "no typ": {"typ": ABSENT},
    "no kid of theirs": {"kid": "absent"},
    "another algorithm": {"alg": "HS256"},
    "no algorithm": {"alg": "none"},
    "critical extensions": {"crit": ["signer"]},
}


@pytest.mark.parametrize("changes", REFUSED.values(), ids=REFUSED.keys())
async def test_a_header_with_something_else_in_it_is_refused(issuer: Issuer, changes: dict[str, Any]) -> None:
    with pytest.raises(InvalidTokenError):
        await accept(bearer(issuer), token(**changes))


async def test_the_payload_overrules_neither_issuer_nor_expiry_of_the_header(issuer: Issuer) -> None:
    claims = {"iss": "https://idp.example.org", "exp": 1}
    assert await accept(bearer(issuer), token(claims=claims))
    with pytest.raises(InvalidTokenError):
        await accept(bearer(issuer), token(claims={"exp": time.time() + 100}, exp=int(time.time()) - 100))
    with pytest.raises(InvalidTokenError):
        await accept(bearer(issuer), token(claims={"iss": ISSUER}, iss="https://idp.example.org"))


async def test_a_stranger_with_the_name_of_the_key_is_refused(issuer: Issuer) -> None:
    with pytest.raises(InvalidTokenError):
        await accept(bearer(issuer), token(ECKey.generate_key("P-256")))


async def test_a_token_without_padding_is_good_as_well(issuer: Issuer) -> None:
    data = b".".join(part.rstrip(b"=") for part in token().split(b".")[:2])
    signature = urlsafe_b64encode(ALGORITHMS["ES256"].model.sign(data, KEY))
    assert await accept(bearer(issuer), data + b"." + signature.rstrip(b"="))


# ------------------------------------------------------------------------------------------------ fetching


async def test_a_key_is_fetched_once(issuer: Issuer, clock: Clock) -> None:
    auth = bearer(issuer, cache_size=0)
    await auth.warm()
    assert issuer.requests == []
    for _ in range(3):
        assert await accept(auth, token())
        clock.move(COOLDOWN)
    assert issuer.requests == ["/" + KID]


async def test_many_first_requests_wait_for_one_fetch(issuer: Issuer) -> None:
    auth, value = bearer(issuer, cache_size=0), token()
    answers = await asyncio.gather(*(accept(auth, value) for _ in range(20)), return_exceptions=True)
    assert {type(answer) for answer in answers} == {Principal}
    assert issuer.requests == ["/" + KID]


async def test_a_key_that_somebody_else_has_fetched_meanwhile_is_not_fetched_again(
    issuer: Issuer, clock: Clock
) -> None:
    keys = keys_of(issuer)
    fetched = await keys.newer(NOTHING, KID)
    clock.move(COOLDOWN)
    assert await keys.newer(NOTHING, KID) is fetched
    assert issuer.requests == ["/" + KID]


async def test_a_request_that_is_cancelled_does_not_take_the_fetch_with_it(issuer: Issuer) -> None:
    issuer.answering.clear()
    auth = bearer(issuer)
    first, second = (asyncio.create_task(accept(auth, token())) for _ in range(2))
    await issuer.next_request()
    first.cancel()
    await asyncio.wait([first])
    issuer.answering.set()
    assert await asyncio.wait_for(second, LIMIT)


async def test_however_many_keys_are_named_three_are_fetched_per_cooldown(
    issuer: Issuer, clock: Clock
) -> None:
    auth, fetches = bearer(issuer, cache_size=0), list[float]()
    await accept(auth, token())
    for number in range(300):
        clock.move(COOLDOWN / 50)
        requests = len(issuer.requests)
        with pytest.raises((UnknownKeyError, UnavailableError)) as caught:
            await accept(auth, token(kid=f"kid-{number}"))
        fetched = len(issuer.requests) - requests
        assert caught.type is (UnknownKeyError if fetched else UnavailableError)
        fetches += [clock.now] * fetched
        assert await accept(auth, token())
    assert all(later - earlier >= COOLDOWN for earlier, later in zip(fetches, fetches[3:], strict=False))
    assert len(fetches) in range(17, 22)


async def test_the_keys_of_a_few_load_balancers_are_met_at_once_and_one_more_is_told_to_come_back(
    issuer: Issuer, clock: Clock
) -> None:
    keys = {f"kid-{number}": ECKey.generate_key("P-256") for number in range(4)}
    for kid, key in keys.items():
        publish(issuer, kid, key)
    auth = bearer(issuer)
    *first, fourth = (token(key, kid=kid) for kid, key in keys.items())
    assert {type(found) for found in await asyncio.gather(*(accept(auth, value) for value in first))} == {
        Principal
    }
    with pytest.raises(UnavailableError) as caught:
        await accept(auth, fourth)
    assert (caught.value.reason, caught.value.headers) == ("keys", {"Retry-After": "10"})
    assert len(issuer.requests) == 3
    clock.move(COOLDOWN)
    assert await accept(auth, fourth)


async def test_who_waits_for_a_key_needs_no_fetch_of_his_own(issuer: Issuer) -> None:
    issuer.answering.clear()
    keys = keys_of(issuer)
    waiting = [asyncio.create_task(keys.newer(NOTHING, KID)) for _ in range(10)]
    await issuer.next_request()
    issuer.answering.set()
    assert all(KID in found for found in await asyncio.wait_for(asyncio.gather(*waiting), LIMIT))
    assert issuer.requests == ["/" + KID]


async def test_a_new_key_is_noticed_within_one_request(issuer: Issuer) -> None:
    auth, newer = bearer(issuer), ECKey.generate_key("P-256")
    await accept(auth, token())
    publish(issuer, "newer", newer)
    assert await accept(auth, token(newer, kid="newer"))
    assert await accept(auth, token())


async def test_the_last_keys_are_kept_and_the_first_forgotten(issuer: Issuer, clock: Clock) -> None:
    keys = keys_of(issuer)
    for number in range(21):
        publish(issuer, f"kid-{number}")
        await keys.newer(keys.current(), f"kid-{number}")
        clock.move(COOLDOWN)
    assert [number for number in range(21) if f"kid-{number}" in await keys.load()] == list(range(1, 21))


NOT_THERE, NOT_FOR_US = status(404), status(403)
UNUSABLE: dict[str, Any] = {
    "nothing there": NOT_THERE,
    "not for us": NOT_FOR_US,
    "somewhere else": redirect("/elsewhere"),
    "broken off": cut_off,
    "endless": endless,
}


@pytest.mark.parametrize("answer", UNUSABLE.values(), ids=UNUSABLE.keys())
async def test_a_key_that_cannot_be_had_can_be_had_later(
    issuer: Issuer, clock: Clock, answer: ASGIApp
) -> None:
    auth = bearer(issuer)
    issuer.faults["*"] = answer
    is_absent = answer in {NOT_THERE, NOT_FOR_US}
    refusal = UnknownKeyError if is_absent else UnavailableError
    for _ in range(3):
        with pytest.raises(refusal):
            await accept(auth, token())
    issuer.faults.clear()
    with pytest.raises(refusal):
        await accept(auth, token())
    clock.move(COOLDOWN)
    assert await accept(auth, token())
    assert issuer.requests == ["/" + KID] * (2 if is_absent else 4)


async def test_a_key_that_is_not_there_is_asked_for_once_and_keeps_no_other_one_out(issuer: Issuer) -> None:
    keys = keys_of(issuer)
    for kid in ("absent", "gone", "absent", "gone", "absent"):
        assert not await keys.newer(NOTHING, kid)
    assert KID in await keys.newer(NOTHING, KID)
    assert issuer.requests == ["/absent", "/gone", "/" + KID]


@pytest.mark.parametrize(
    "document",
    [
        b"",
        b"\xff\x00",
        b"<html>",
        b'{"keys": []}',
        b"-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n",
        RSAKey.generate_key(2048).as_pem(private=False),
        ECKey.generate_key("secp256k1").as_pem(private=False),
    ],
    ids=["empty", "bytes", "HTML", "JWKS", "broken PEM", "RSA", "a curve that is not ours"],
)
async def test_what_is_no_key_for_us_changes_nothing(issuer: Issuer, clock: Clock, document: bytes) -> None:
    keys = keys_of(issuer)
    issuer.documents["/other"] = document
    known = await keys.newer(NOTHING, KID)
    clock.move(COOLDOWN)
    await keys.newer(known, "other")
    assert KID in keys.current()
    assert "other" not in keys.current()


async def test_what_was_no_key_is_not_kept(issuer: Issuer, clock: Clock) -> None:
    keys = keys_of(issuer)
    await keys.newer(NOTHING, KID)
    publish(issuer, "other", ECKey.generate_key("secp256k1"))
    for _ in range(20):
        clock.move(COOLDOWN)
        await keys.newer(keys.current(), "other")
    assert KID in keys.current()


async def test_a_key_of_others_cannot_choose_its_own_name(issuer: Issuer) -> None:
    parameters: KeyParameters = {"kid": "chosen"}
    publish(issuer, "named", ECKey.generate_key("P-256", parameters))
    keys = await keys_of(issuer).newer(NOTHING, "named")
    assert "named" in keys
    assert "chosen" not in keys


# ------------------------------------------------------------------------------------------------ names and places

HOSTILE = [
    "",
    ".",
    "..",
    "../admin",
    "a/b",
    "a?b",
    "a#b",
    "a%2fb",
    "a b",
    "a\n",
    "é",
    "a" * 65,
    "{kid}",
    "@evil",
    None,
]


@pytest.mark.parametrize("kid", HOSTILE, ids=ascii)
async def test_a_name_that_is_not_like_theirs_is_not_asked_for(issuer: Issuer, kid: str | None) -> None:
    assert (await keys_of(issuer).newer(NOTHING, kid)).is_same_as(NOTHING)
    assert issuer.requests == []


@settings(max_examples=100)
@given(st.text() | st.from_regex(r"[A-Za-z0-9./%?#@:{}-]{1,70}"))
async def test_a_name_leads_to_no_other_place(kid: str) -> None:
    asked = list[httpx2.URL]()

    def answer(request: httpx2.Request) -> httpx2.Response:
        asked.append(request.url)
        return httpx2.Response(404)

    async with httpx2.AsyncClient(transport=httpx2.MockTransport(answer)) as client:
        await KeysByKid("https://keys.example.com/region/{kid}", client=client).newer(NOTHING, kid)
    for url in asked:
        assert str(url) == f"https://keys.example.com/region/{kid}"
        assert url.path.count("/") == 2


@pytest.mark.parametrize(
    "url",
    [
        "",
        "{kid}",
        "http://keys.example.com/{kid}",
        "file:///{kid}",
        "https://{kid}",
        "https://{kid}/keys/{kid}",
        "https://keys.example.com?/{kid}",
        "https://keys.example.com/",
        "https://keys.example.com/{kid}/more",
        "https://keys.example.com/x{kid}",
        "https://keys.example.com/{kid}{kid}",
        "https://user@keys.example.com/{kid}",
        "https://keys.example.com/#/{kid}",
    ],
)
def test_a_url_that_does_not_end_with_the_name_is_refused_at_construction(url: str) -> None:
    with pytest.raises(ConfigurationError):
        KeysByKid(url)


@pytest.mark.parametrize("options", [{"cooldown": 0.0}, {"cooldown": -1.0}, {"timeout": 0.0}], ids=str)
def test_times_out_of_range_are_refused_at_construction(options: dict[str, float]) -> None:
    with pytest.raises(ConfigurationError):
        KeysByKid("https://keys.example.com/{kid}", **options)  # type: ignore[arg-type]
