"""From the name of an issuer to its keys, and what is made of what stands there."""

import json
from collections.abc import Callable
from typing import Any

import httpx2
import pytest
from joserfc.jwk import OctKey
from starlette.responses import Response

from chatkit_prod.auth import JWTBearer
from chatkit_prod.auth.jwks import RemoteJWKS
from chatkit_prod.errors import InvalidTokenError, UnavailableError
from tests.auth.clock import Clock
from tests.auth.issuer import (
    COOLDOWN,
    JWKS,
    MAX_AGE,
    OAUTH,
    OPENID,
    REFRESH_AFTER,
    Issuer,
    bearer,
    cut_off,
    endless,
    redirect,
    remote,
    settled,
    status,
    zipped,
)

pytestmark = pytest.mark.anyio


# ------------------------------------------------------------------------------------------------ discovery

PLACES = {
    "OpenID": ("", OPENID, [OPENID]),
    "OpenID, with a path": ("/realms/a", "/realms/a" + OPENID, ["/realms/a" + OPENID]),
    "OpenID, with a slash": ("/", OPENID, [OPENID]),
    "OpenID, with a path and a slash": ("/realms/a/", "/realms/a" + OPENID, ["/realms/a" + OPENID]),
    "RFC 8414": ("", OAUTH, [OPENID, OAUTH]),
    "RFC 8414, with a path": ("/realms/a", OAUTH + "/realms/a", ["/realms/a" + OPENID, OAUTH + "/realms/a"]),
    "RFC 8414, with a slash": ("/", OAUTH, [OPENID, OAUTH]),
    "RFC 8414, with a path and a slash": (
        "/realms/a/",
        OAUTH + "/realms/a",
        ["/realms/a" + OPENID, OAUTH + "/realms/a"],
    ),
}


@pytest.mark.parametrize(("path", "place", "requests"), PLACES.values(), ids=PLACES.keys())
async def test_the_metadata_of_an_issuer_are_found(path: str, place: str, requests: list[str]) -> None:
    async with Issuer.serve(path, place) as issuer:
        principal = await bearer(issuer).verify(issuer.token())
        assert principal.issuer == issuer.base + path
        assert issuer.requests == [*requests, JWKS]


async def test_an_issuer_without_metadata_has_no_keys(
    issuer: Issuer, caplog: pytest.LogCaptureFixture
) -> None:
    issuer.faults["*"] = status(404)
    await check_unavailable(issuer)
    assert issuer.requests == [OPENID, OAUTH]
    assert f"could not be fetched: {issuer.base}: no metadata" in caplog.text


OTHERS: dict[str, Callable[[str], object]] = {
    "null": lambda _: None,
    "a list": lambda issuer: [issuer],
    "empty": lambda _: "",
    "a slash more": lambda issuer: issuer + "/",
    "a character less": lambda issuer: issuer[:-1],
    "a character more": lambda issuer: issuer + "b",
    "in capitals": lambda issuer: issuer.upper(),
    "its scheme in capitals": lambda issuer: issuer.replace("http:", "HTTP:"),
    "another name of this machine": lambda issuer: issuer.replace("127.0.0.1", "localhost"),
    "an empty query more": lambda issuer: issuer + "?",
    "an empty fragment more": lambda issuer: issuer + "#",
    "a space before": lambda issuer: " " + issuer,
    "somebody else": lambda _: "https://idp.example.com",
}


@pytest.mark.parametrize("path", ["", "/a/"])
@pytest.mark.parametrize("other", OTHERS.values(), ids=OTHERS.keys())
async def test_the_metadata_of_another_issuer_are_refused(
    caplog: pytest.LogCaptureFixture, path: str, other: Callable[[str], object]
) -> None:
    async with Issuer.serve(path, path.rstrip("/") + OPENID) as issuer:
        issuer.metadata["issuer"] = other(issuer.provider.issuer)
        await check_unavailable(issuer)
        assert issuer.requests == [path.rstrip("/") + OPENID]
    assert "the metadata of another issuer" in caplog.text


async def test_metadata_that_do_not_say_whose_they_are_are_refused(issuer: Issuer) -> None:
    del issuer.metadata["issuer"]
    await check_unavailable(issuer)


@pytest.mark.parametrize(
    "url",
    [
        None,
        7,
        ["https://idp.example.com/jwks"],
        "",
        "/jwks",
        "jwks",
        "file:///etc/passwd",
        "data:application/json,{}",
        "ftp://127.0.0.1/jwks",
        "http://idp.example.com/jwks",
        "http://169.254.169.254/jwks",
        "https://user:password@idp.example.com/jwks",
        "https://idp.example.com/jwks#fragment",
        "https://idp.example.com/\n",
        "https://idp.exämple.com/jwks",
        "https://[::1/jwks",
    ],
    ids=ascii,
)
async def test_keys_are_not_fetched_from_where_that_is_not_safe(
    issuer: Issuer, caplog: pytest.LogCaptureFixture, url: object
) -> None:
    issuer.metadata["jwks_uri"] = url
    await check_unavailable(issuer)
    assert issuer.requests == [OPENID]
    assert "no jwks_uri that may be fetched" in caplog.text


async def test_metadata_without_keys_are_refused(issuer: Issuer) -> None:
    del issuer.metadata["jwks_uri"]
    await check_unavailable(issuer)
    assert issuer.requests == [OPENID]


async def test_an_issuer_elsewhere_cannot_send_us_to_this_machine(
    issuer: Issuer, caplog: pytest.LogCaptureFixture
) -> None:
    elsewhere = "https://idp.example.com"

    def answer(request: httpx2.Request) -> httpx2.Response:
        metadata = {"issuer": elsewhere, "jwks_uri": issuer.base + JWKS}
        return httpx2.Response(200, stream=httpx2.ByteStream(json.dumps(metadata).encode()))

    async with httpx2.AsyncClient(transport=httpx2.MockTransport(answer)) as client:
        with pytest.raises(UnavailableError):
            await RemoteJWKS(issuer=elsewhere, client=client).load()
    assert "no jwks_uri that may be fetched" in caplog.text


@pytest.mark.parametrize("place", [OPENID, JWKS])
@pytest.mark.parametrize("target", ["itself", "/elsewhere", "https://idp.example.com/"])
async def test_no_redirect_is_followed(issuer: Issuer, place: str, target: str) -> None:
    issuer.documents["/elsewhere"] = json.dumps(issuer.metadata | issuer.jwks).encode()
    issuer.faults[place] = redirect(place if target == "itself" else target)
    await check_unavailable(issuer)
    assert issuer.requests in ([OPENID], [OPENID, JWKS])


async def check_unavailable(issuer: Issuer) -> None:
    with pytest.raises(UnavailableError) as caught:
        await bearer(issuer).verify(issuer.token())
    assert caught.value.headers["Retry-After"] == "10"


async def test_a_url_is_fetched_without_discovery(issuer: Issuer) -> None:
    url = issuer.base + JWKS
    await bearer(issuer, RemoteJWKS(url=url)).verify(issuer.token())
    auth = JWTBearer(issuer=issuer.provider.issuer, audience=issuer.provider.audience, jwks_url=url)
    await auth.verify(issuer.token())
    assert issuer.requests == [JWKS, JWKS]


# ------------------------------------------------------------------------------------------------ what is fetched

UNUSABLE: dict[str, Any] = {
    "no JSON": Response(b"<html>"),
    "no object": Response(b"[]"),
    "no UTF-8": Response(b"\xff"),
    "a member twice": Response(b'{"keys": [], "keys": []}'),
    "nested too deeply": Response(b'{"keys":' + b"[" * 100_000 + b"]" * 100_000 + b"}"),
    "no list of keys": Response(b'{"keys": {}}'),
    "no keys": Response(b'{"keys": []}'),
    "101 keys": Response(b'{"keys": [' + b"{}," * 100 + b"{}]}"),
    "keys that are none": Response(b'{"keys": [null, 7, "x", [], {}, {"kty": "RSA"}]}'),
    "nothing there": status(404),
    "not for us": status(401),
    "an error": status(500),
    "somewhere else": redirect("/elsewhere"),
    "packed": zipped({"keys": []}),
    "broken off": cut_off,
    "endless": endless,
}


@pytest.mark.parametrize("answer", UNUSABLE.values(), ids=UNUSABLE.keys())
async def test_what_cannot_be_used_changes_nothing(
    issuer: Issuer, clock: Clock, caplog: pytest.LogCaptureFixture, answer: Any
) -> None:
    keys = remote(issuer)
    known = await keys.load()
    issuer.faults[JWKS] = answer
    clock.move(MAX_AGE)
    assert await keys.load() is known
    assert f"the keys of {issuer.base} could not be fetched: {issuer.base}{JWKS}: " in caplog.text
    issuer.faults.clear()
    issuer.rotate()
    clock.move(COOLDOWN)
    await bearer(issuer, keys).verify(issuer.token())


async def test_a_bad_key_is_left_out_and_logged_and_does_not_spoil_the_others(
    issuer: Issuer, caplog: pytest.LogCaptureFixture
) -> None:
    secret = OctKey.generate_key(256).as_dict(private=True)
    issuer.jwks = {"keys": [secret, *issuer.jwks["keys"], {"kty": "EC", "crv": "P-257"}]}
    await bearer(issuer).verify(issuer.token())
    assert [record.getMessage() for record in caplog.records if record.name == "chatkit_prod"] == [
        f"key 0 of {issuer.base} is left out: symmetric",
        f"key 2 of {issuer.base} is left out: malformed",
    ]


async def test_the_same_keys_stay_the_same_object_and_verified_tokens_remembered(
    issuer: Issuer, clock: Clock
) -> None:
    keys = remote(issuer)
    auth, token = bearer(issuer, keys), issuer.token()
    known, principal = await keys.load(), await auth.verify(token)
    clock.move(MAX_AGE)
    assert await auth.verify(token) is principal
    assert keys.current() is known
    assert issuer.requests == [OPENID, JWKS, JWKS]


async def test_a_token_of_a_key_that_is_withdrawn_is_refused_at_once(issuer: Issuer, clock: Clock) -> None:
    keys = remote(issuer)
    auth, token = bearer(issuer, keys), issuer.token()
    await auth.verify(token)
    issuer.rotate()
    clock.move(REFRESH_AFTER)
    await auth.verify(token)
    await settled(keys)
    with pytest.raises(InvalidTokenError):
        await auth.verify(token)
