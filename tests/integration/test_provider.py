"""The OpenID provider of these tests does what they take for granted."""

import asyncio
import base64
import json
from typing import Any

import httpx2
import pytest

from .oidc import AUDIENCE, SUBJECT, NodeProvider

pytestmark = pytest.mark.anyio


def parts(token: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the header and the claims of a token, unverified."""
    header, claims, _ = token.split(".")
    return decoded(header), decoded(claims)


def decoded(part: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(base64.urlsafe_b64decode(part + "=="))
    return found


async def kids(provider: NodeProvider) -> set[str]:
    return {key["kid"] for key in (await provider.jwks())["keys"]}


async def test_it_describes_itself_under_its_own_name(provider: NodeProvider) -> None:
    document = await provider.discovery()

    assert document["issuer"] == provider.issuer
    assert document["jwks_uri"] == f"{provider.issuer}/jwks"
    assert document["introspection_endpoint"] == f"{provider.issuer}/token/introspection"


async def test_its_access_tokens_are_those_of_rfc_9068(provider: NodeProvider) -> None:
    tokens = {"RS256": await provider.rs256_token(), "ES256": await provider.es256_token()}

    for algorithm, token in tokens.items():
        header, claims = parts(token)
        assert header["typ"] == "at+jwt"
        assert header["alg"] == algorithm
        assert header["kid"] in await kids(provider)
        assert claims["iss"] == provider.issuer
        assert claims["aud"] == AUDIENCE
        assert claims["sub"] == claims["client_id"] == SUBJECT
        assert claims["scope"] == "chatkit.read chatkit.write"
        assert {"exp", "iat", "jti"} <= claims.keys()


async def test_a_token_has_the_scopes_that_were_asked_for(provider: NodeProvider) -> None:
    _, claims = parts(await provider.rs256_token("chatkit.read"))

    assert claims["scope"] == "chatkit.read"


async def test_an_opaque_token_is_active_until_it_is_revoked(provider: NodeProvider) -> None:
    token = await provider.opaque_token()
    before = await provider.introspect(token)

    await provider.revoke(token)

    assert "." not in token
    assert before["active"] is True
    assert (before["sub"], before["aud"], before["iss"]) == (SUBJECT, AUDIENCE, provider.issuer)
    assert await provider.introspect(token) == {"active": False}


async def test_new_keys_stand_beside_the_last_ones_or_replace_them(provider: NodeProvider) -> None:
    first = await kids(provider)

    await provider.rotate(keep=True)
    both = await kids(provider)
    header, _ = parts(await provider.rs256_token())
    await provider.rotate(keep=False)
    last = await kids(provider)

    assert first < both
    assert header["kid"] in both - first
    assert not last & both


async def test_opaque_tokens_outlive_a_rotation(provider: NodeProvider) -> None:
    token = await provider.opaque_token()

    await provider.rotate(keep=False)

    assert (await provider.introspect(token))["active"] is True


async def test_it_can_be_slow(provider: NodeProvider) -> None:
    loop = asyncio.get_running_loop()
    await provider.delay(300)
    started = loop.time()

    await provider.jwks()

    assert loop.time() - started >= 0.3


async def test_it_counts_what_it_is_asked_for(provider: NodeProvider) -> None:
    await provider.jwks()
    await provider.jwks()

    assert await provider.requests() == {"/jwks": 2}


async def test_it_dies_and_comes_back_with_the_same_name_and_keys(provider: NodeProvider) -> None:
    issuer, known = provider.issuer, await kids(provider)

    await provider.kill()
    with pytest.raises(httpx2.ConnectError):
        await provider.jwks()
    await provider.restart()

    assert provider.issuer == issuer
    assert await kids(provider) == known
