"""Which keys of a JWKS may verify."""

import base64
import math
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from joserfc.jwk import ECKey, OctKey, OKPKey, RSAKey

from chatkit_prod.auth.algorithms import ALGORITHMS
from chatkit_prod.auth.keys import Keys, _is_public_key
from tests.auth.tokens import KEY, PUBLIC_JWK, STRANGER

# Joserfc warns of short keys and of texts that look like keys; both are refused here.
pytestmark = pytest.mark.filterwarnings("ignore::joserfc.errors.SecurityWarning")

RS256, ES256, HS256 = ALGORITHMS["RS256"], ALGORITHMS["ES256"], ALGORITHMS["HS256"]

EC = dict(ECKey.generate_key("P-256", {"kid": "e"}).as_dict(private=False))
K1 = dict(ECKey.generate_key("secp256k1").as_dict(private=False))
OKP = dict(OKPKey.generate_key("Ed25519", {"kid": "o"}).as_dict(private=False))
X25519 = dict(OKPKey.generate_key("X25519").as_dict(private=False))
OCT = dict(OctKey.generate_key(256, {"kid": "s"}).as_dict(private=True))


def encoded(value: int | bytes) -> str:
    data = value.to_bytes((value.bit_length() + 7) // 8, "big") if isinstance(value, int) else value
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def rsa(**members: Any) -> dict[str, Any]:
    """Return a good RSA key with something changed."""
    return {name: value for name, value in (PUBLIC_JWK | members).items() if value is not ...}


def secret(value: bytes) -> dict[str, Any]:
    return {"kty": "oct", "k": encoded(value)}


def roca_modulus() -> int:
    """Return a modulus with the mark of CVE-2017-15361: a power of 65537 modulo every small prime."""
    primes = [n for n in range(2, 702) if all(n % divisor for divisor in range(2, math.isqrt(n) + 1))]
    primorial = math.prod(primes)
    return primorial * (2**2047 // primorial + 1) + pow(65537, 12345, primorial)


REJECTED: dict[str, tuple[Any, str]] = {
    "null": (None, "malformed"),
    "a number": (1, "malformed"),
    "text": ("key", "malformed"),
    "a list": ([PUBLIC_JWK], "malformed"),
    "an empty object": ({}, "malformed"),
    "kty absent": (rsa(kty=...), "malformed"),
    "kty unknown": (rsa(kty="AKP"), "malformed"),
    "kty a list": (rsa(kty=["RSA"]), "malformed"),
    "kty of another key": (rsa(kty="EC"), "malformed"),
    "use enc": (rsa(use="enc"), "use"),
    "use null": (rsa(use=None), "use"),
    "use a list": (rsa(use=["sig"]), "use"),
    "key_ops sign": (rsa(use=..., key_ops=["sign"]), "key_ops"),
    "key_ops of encryption": (rsa(use=..., key_ops=["encrypt", "wrapKey"]), "key_ops"),
    "key_ops empty": (rsa(use=..., key_ops=[]), "key_ops"),
    "key_ops text": (rsa(use=..., key_ops="verify"), "key_ops"),
    "key_ops null": (rsa(use=..., key_ops=None), "key_ops"),
    "kid a number": (rsa(kid=1), "kid"),
    "kid null": (rsa(kid=None), "kid"),
    "kid a list": (rsa(kid=["k1"]), "kid"),
    "alg of encryption": (rsa(alg="RSA-OAEP"), "alg"),
    "alg none": (rsa(alg="none"), "alg"),
    "alg of another key": (rsa(alg="ES256"), "alg"),
    "alg HMAC": (rsa(alg="HS256"), "alg"),
    "RSA private": (dict(KEY.as_dict(private=True)), "private"),
    "RSA with d alone": (rsa(d="AQAB"), "private"),
    "RSA with other primes": (rsa(oth=[]), "private"),
    "RSA of 1024 bits": (rsa(n=encoded(2**1023 + 1)), "size"),
    "RSA of 2047 bits": (rsa(n=encoded(2**2046 + 1)), "size"),
    "RSA of 16384 bits": (rsa(n=encoded(2**16383 + 1)), "size"),
    "RSA with a long exponent": (rsa(e=encoded(2**64 + 1)), "exponent"),
    "RSA with exponent 1": (rsa(e="AQ"), "malformed"),
    "RSA with an even exponent": (rsa(e="Ag"), "malformed"),
    "RSA with a modulus of 0": (rsa(n="AA"), "malformed"),
    "RSA of Infineon, CVE-2017-15361": (rsa(n=encoded(roca_modulus())), "ROCA"),
    "RSA without n": (rsa(n=...), "malformed"),
    "RSA with n of numbers": (rsa(n=65537), "malformed"),
    "RSA with n outside ASCII": (rsa(n="é"), "malformed"),
    "EC off its curve": ({**EC, "x": EC["y"]}, "malformed"),
    "EC of an unknown curve": ({**EC, "crv": "P-0"}, "malformed"),
    "EC of another curve": ({**EC, "crv": "P-384"}, "malformed"),
    "EC of a curve without alg": (K1, "alg"),
    "EC with an alg of another curve": ({**EC, "alg": "ES512"}, "alg"),
    "EC private": ({**EC, "d": EC["x"]}, "private"),
    "OKP for key agreement": (X25519, "crv"),
    "OKP that is too short": ({**OKP, "x": "AAAA"}, "malformed"),
    "OKP private": ({**OKP, "d": OKP["x"]}, "private"),
    "oct": (OCT, "symmetric"),
    "oct that is empty": ({"kty": "oct", "k": ""}, "symmetric"),
}

PUBLIC = "malformed, public key as a secret"  # newer releases of joserfc refuse it as well
REJECTED_SECRETS: dict[str, tuple[Any, str]] = {
    "a public key": (PUBLIC_JWK, "public"),
    "nothing, CVE-2026-49852": (secret(b""), "malformed"),
    "too short": (secret(b"s" * 31), "alg"),
    "too short for its alg": ({**secret(b"s" * 32), "alg": "HS512"}, "alg"),
    "for encryption": ({**OCT, "use": "enc"}, "use"),
    "for key wrapping": ({**OCT, "alg": "A256KW"}, "alg"),
    "a public key in PEM, CVE-2022-29217": (secret(KEY.as_pem(private=False)), PUBLIC),
    "a public key in DER": (secret(KEY.as_der(private=False)), PUBLIC),
    "what looks like PEM": (secret(b" \n-----BEGIN PUBLIC KEY-----" + b"x" * 32), "public key as a secret"),
    "what looks like a key of SSH": (secret(b"ssh-ed25519 " + b"A" * 68), "public key as a secret"),
    "not base64": ({"kty": "oct", "k": "*"}, "malformed"),
    "k a number": ({"kty": "oct", "k": 1}, "malformed"),
}


@pytest.mark.parametrize(("jwk", "reason"), REJECTED.values(), ids=REJECTED.keys())
def test_a_key_that_is_not_good_for_signatures_is_left_out_and_the_others_stay(jwk: Any, reason: str) -> None:
    keys = Keys({"keys": [PUBLIC_JWK, jwk, EC]})
    assert keys.rejected == [(1, reason)]
    assert "k1" in keys
    assert "e" in keys
    assert not Keys({"keys": [jwk]})


@pytest.mark.parametrize(("jwk", "reason"), REJECTED_SECRETS.values(), ids=REJECTED_SECRETS.keys())
def test_a_secret_that_is_not_good_for_signatures_is_left_out(jwk: Any, reason: str) -> None:
    keys = Keys({"keys": [jwk, OCT]}, symmetric=True)
    ((index, found),) = keys.rejected
    assert index == 0
    assert found in reason.split(", ")
    assert "s" in keys


@pytest.mark.parametrize(
    "key", [KEY, ECKey.generate_key("P-256"), OKPKey.generate_key("Ed25519")], ids=["RSA", "EC", "OKP"]
)
def test_what_everybody_knows_is_no_secret_in_whatever_form(key: RSAKey | ECKey | OKPKey) -> None:
    assert _is_public_key(key.as_pem(private=False))
    assert _is_public_key(key.as_der(private=False))
    assert not _is_public_key(b"s" * 32)


@pytest.mark.parametrize(
    "jwk",
    [
        PUBLIC_JWK,
        rsa(use=..., alg=..., kid=...),
        rsa(use=..., key_ops=["verify"]),
        rsa(key_ops=["sign", "verify"]),
        rsa(e="Aw"),
        rsa(n=encoded(2**8191 + 1)),
        rsa(x5c=["junk"], x5u="https://evil.example", unknown={"a": [1]}),
        EC,
        OKP,
    ],
    ids=["usual", "bare", "key_ops", "two key_ops", "e is 3", "8192 bits", "odd members", "EC", "OKP"],
)
def test_a_public_key_that_is_good_for_signatures_is_taken(jwk: dict[str, Any]) -> None:
    keys = Keys({"keys": [jwk]})
    assert keys
    assert keys.rejected == []


@pytest.mark.parametrize(
    "jwks", [None, 1, "keys", [], [PUBLIC_JWK], {}, {"keys": None}, {"keys": {}}, {"keys": "k"}]
)
def test_what_is_no_jwks_is_a_value_error(jwks: object) -> None:
    with pytest.raises(ValueError, match="not a JWKS"):
        Keys(jwks)


def test_a_jwks_holds_no_more_than_a_hundred_keys() -> None:
    assert Keys({"keys": [EC] * 100})
    with pytest.raises(ValueError, match="100"):
        Keys({"keys": [EC] * 101})


def test_an_empty_jwks_holds_no_key() -> None:
    assert not Keys({"keys": []})
    assert not Keys({"keys": ()})


def test_a_kid_finds_every_key_of_that_name_that_fits_the_algorithm() -> None:
    first, second = dict(KEY.as_dict(private=False)), dict(STRANGER.as_dict(private=False))
    keys = Keys({"keys": [first, second, {**EC, "kid": "k1"}, OKP]})
    found = [key.as_dict(private=False)["n"] for key in keys.fitting("k1", RS256)]
    assert found == [first["n"], second["n"]]
    assert [key.key_type for key in keys.fitting("k1", ES256)] == ["EC"]
    assert keys.fitting("o", RS256) == ()
    assert keys.fitting("unknown", RS256) == ()


def test_without_a_kid_every_key_that_fits_the_algorithm_is_meant() -> None:
    keys = Keys({"keys": [PUBLIC_JWK, rsa(kid="k2", alg="PS256"), rsa(kid=..., alg=...), EC]})
    assert len(keys.fitting(None, RS256)) == 2
    assert len(keys.fitting(None, ES256)) == 1
    assert keys.fitting(None, HS256) == ()


def test_a_key_without_a_kid_goes_by_its_thumbprint() -> None:
    keys = Keys({"keys": [rsa(kid=...)]})
    assert KEY.thumbprint() in keys
    assert None not in keys


def test_keys_are_the_same_if_their_documents_are() -> None:
    keys = Keys({"keys": [PUBLIC_JWK]})
    assert keys.is_same_as(Keys({"keys": (PUBLIC_JWK,), "more": 1}))
    assert not keys.is_same_as(Keys({"keys": [EC]}))
    assert not keys.is_same_as(None)


@pytest.mark.parametrize(
    ("others", "expected"),
    [
        ([], False),
        ([{"kty": "unknown"}, EC, rsa(use="enc")], False),
        ([OCT], True),
        ([dict(KEY.as_dict(private=True))], True),
    ],
    ids=["public", "public and bad", "a secret", "a private key"],
)
def test_secrets_beside_public_keys_are_left_out_and_told(others: list[Any], expected: bool) -> None:
    keys = Keys({"keys": [PUBLIC_JWK, *others]})
    assert keys
    assert keys.holds_secrets is expected


def test_where_secrets_are_wanted_they_are_none_too_many() -> None:
    assert not Keys({"keys": [OCT, PUBLIC_JWK]}, symmetric=True).holds_secrets


def test_keys_do_not_change_with_the_document_that_they_are_from() -> None:
    document = rsa()
    keys = Keys({"keys": [document]})
    document.update(n=STRANGER.as_dict(private=False)["n"], kid="k2")
    (key,) = keys.fitting("k1", RS256)
    assert key.as_dict(private=False)["n"] == PUBLIC_JWK["n"]


JSON: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)
MEMBERS = ["kty", "crv", "n", "e", "x", "y", "d", "k", "kid", "use", "key_ops", "alg", "x5c", "x5t", "oth"]
WORDS = st.sampled_from(["RSA", "EC", "OKP", "oct", "sig", "AQAB", "AA", "P-256", "Ed25519", ["verify"]])


@settings(max_examples=60)
@given(JSON | st.dictionaries(st.just("keys"), JSON), st.booleans())
def test_any_json_is_a_jwks_or_a_value_error(document: Any, symmetric: bool) -> None:
    with suppress(ValueError):
        Keys(document, symmetric=symmetric)


@settings(max_examples=100)
@given(
    st.sampled_from([PUBLIC_JWK, EC, OKP, OCT]),
    st.dictionaries(st.sampled_from(MEMBERS), WORDS | JSON, min_size=1, max_size=4),
    st.sets(st.sampled_from(MEMBERS), max_size=3),
    st.booleans(),
)
def test_however_a_key_is_mutated_it_is_taken_or_left_out(
    good: dict[str, Any], changes: dict[str, Any], removed: set[str], symmetric: bool
) -> None:
    jwk = {name: value for name, value in (good | changes).items() if name not in removed}
    keys = Keys({"keys": [jwk]}, symmetric=symmetric)
    assert bool(keys) == (keys.rejected == [])
