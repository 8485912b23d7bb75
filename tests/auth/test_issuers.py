"""Several issuers side by side are never taken for one another."""

from itertools import product
from typing import Any

import pytest
from joserfc.jwk import ECKey, RSAKey

from chatkit_prod.auth import FirstOf, JWTBearer
from chatkit_prod.errors import InvalidTokenError
from tests.auth.tokens import ABSENT, KEY, STRANGER, Signer, connection, rs256, token

pytestmark = pytest.mark.anyio

A, B, NOBODY = "https://a.example.com", "https://b.example.com", "https://nobody.example.com"
KEYS: dict[str, RSAKey] = {A: KEY, B: STRANGER}
SIGNERS: dict[str, Signer] = {name: rs256(key) for name, key in KEYS.items()}
KIDS: dict[str, tuple[str, ...]] = {A: ("shared", "only-a"), B: ("shared", "only-b")}


def jwks(issuer: str) -> dict[str, Any]:
    """Return the one key of an issuer by its two names, and a key of another type beside it."""
    public = {name: value for name, value in KEYS[issuer].as_dict(private=False).items() if name != "kid"}
    other = ECKey.generate_key("P-256", {"kid": "shared"}).as_dict(private=False)
    return {"keys": [*({**public, "kid": kid} for kid in KIDS[issuer]), other]}


def door(issuer: str, audience: str = "chatkit") -> JWTBearer:
    return JWTBearer(issuer=issuer, audience=audience, jwks=jwks(issuer))


A_FIRST, B_FIRST = FirstOf(door(A), door(B)), FirstOf(door(B), door(A))

COMBINATIONS = list(
    product((A, B, NOBODY, A + "/", [A, B]), ("shared", "only-a", "only-b", "unknown", ABSENT), (A, B))
)


@pytest.mark.parametrize("issuers", [A_FIRST, B_FIRST], ids=["A first", "B first"])
async def test_a_token_is_accepted_only_from_the_issuer_whose_key_has_signed_it(issuers: FirstOf) -> None:
    accepted = 0
    for issuer, kid, signer in COMBINATIONS:
        value = token({"kid": kid}, SIGNERS[signer], iss=issuer)
        good = issuer == signer and (kid is ABSENT or kid in KIDS[signer])
        if good:
            principal = await issuers.authenticate(connection(value))
            assert principal
            assert principal.issuer == signer
            accepted += 1
        else:
            with pytest.raises(InvalidTokenError):
                await issuers.authenticate(connection(value))
    assert accepted == 6


async def test_a_token_is_never_accepted_for_the_audience_of_another_issuer() -> None:
    issuers = FirstOf(door(A, "for-a"), door(B, "for-b"))
    for issuer, audience in product((A, B), ("for-a", "for-b")):
        value = token({"kid": "shared"}, SIGNERS[issuer], iss=issuer, aud=audience)
        if audience == ("for-a" if issuer == A else "for-b"):
            assert await issuers.authenticate(connection(value))
        else:
            with pytest.raises(InvalidTokenError):
                await issuers.authenticate(connection(value))


async def test_the_same_subject_of_two_issuers_is_two_users() -> None:
    one, other = [
        await A_FIRST.authenticate(connection(token({"kid": "shared"}, SIGNERS[issuer], iss=issuer)))
        for issuer in (A, B)
    ]
    assert one
    assert other
    assert one.subject == other.subject
    assert one != other


async def test_a_token_of_an_issuer_whom_nobody_knows_is_an_invalid_token() -> None:
    with pytest.raises(InvalidTokenError) as caught:
        await A_FIRST.authenticate(connection(token({"kid": "shared"}, SIGNERS[A], iss=NOBODY)))
    assert caught.value.reason == "iss"
