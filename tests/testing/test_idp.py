"""The identity provider on the spot."""

import json
import time
from base64 import urlsafe_b64decode
from typing import Any

import pytest
from starlette.requests import HTTPConnection

from chatkit_prod import ConfigurationError, Principal
from chatkit_prod.auth import JWTBearer
from chatkit_prod.errors import InvalidTokenError
from chatkit_prod.testing import LocalIdentityProvider
from tests.layers import get

pytestmark = pytest.mark.anyio

ALGORITHMS = ["RS256", "ES256", "Ed25519"]


async def accept(provider: LocalIdentityProvider, token: str, **options: Any) -> Principal | None:
    bearer = JWTBearer(issuer=provider.issuer, audience=provider.audience, jwks=provider.jwks, **options)
    return await bearer.authenticate(HTTPConnection(get((b"authorization", b"Bearer " + token.encode()))))


def decoded(token: str, part: int) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(urlsafe_b64decode(token.split(".")[part] + "=="))
    return found


@pytest.mark.parametrize("algorithm", ALGORITHMS)
async def test_its_tokens_are_good(algorithm: str) -> None:
    provider = LocalIdentityProvider(issuer="https://a.example", audience="b", algorithm=algorithm)
    principal = await accept(provider, provider.token("alice", scopes=["read", "write"]))
    assert principal
    assert (principal.issuer, principal.subject) == ("https://a.example", "alice")
    assert principal.scopes == {"read", "write"}


@pytest.mark.parametrize("algorithm", ALGORITHMS)
async def test_the_tokens_of_another_one_are_not(algorithm: str) -> None:
    provider, other = (LocalIdentityProvider(algorithm=algorithm) for _ in range(2))
    with pytest.raises(InvalidTokenError):
        await accept(provider, other.token("alice"))


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_its_jwks_holds_public_keys_only(algorithm: str) -> None:
    (key,) = LocalIdentityProvider(algorithm=algorithm).jwks["keys"]
    assert not {"d", "p", "q", "k"} & set(key)
    assert key["alg"] == algorithm
    assert key["use"] == "sig"


def test_a_token_has_every_claim_that_rfc_9068_requires() -> None:
    token = LocalIdentityProvider().token("alice")
    assert decoded(token, 0)["typ"] == "at+jwt"
    assert {"iss", "exp", "aud", "sub", "client_id", "iat", "jti"} <= set(decoded(token, 1))


def test_no_two_tokens_are_the_same() -> None:
    provider = LocalIdentityProvider()
    assert decoded(provider.token("alice"), 1)["jti"] != decoded(provider.token("alice"), 1)["jti"]


async def test_claims_and_header_can_be_added_replaced_and_left_out() -> None:
    provider = LocalIdentityProvider()
    token = provider.token("alice", header={"x": 1}, tenant="acme", jti=None, client_id="web")
    payload = decoded(token, 1)
    assert decoded(token, 0)["x"] == 1
    assert (payload["tenant"], payload["client_id"]) == ("acme", "web")
    assert "jti" not in payload
    with pytest.raises(InvalidTokenError):
        await accept(provider, provider.token("alice", header={"typ": "JWT"}))


async def test_an_expired_token_can_be_had() -> None:
    provider = LocalIdentityProvider()
    token = provider.token("alice", expires_in=-60)
    assert decoded(token, 1)["exp"] < time.time()
    with pytest.raises(InvalidTokenError):
        await accept(provider, token)


def test_an_algorithm_without_a_key_is_refused() -> None:
    with pytest.raises(ValueError, match="HS256"):
        LocalIdentityProvider(algorithm="HS256")


@pytest.mark.parametrize("scopes", ["chat", None, [1]], ids=repr)
def test_scopes_that_are_no_list_are_refused(scopes: Any) -> None:
    with pytest.raises(ConfigurationError, match="scopes must be a list"):
        LocalIdentityProvider(algorithm="Ed25519").token("alice", scopes=scopes)
