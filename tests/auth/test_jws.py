"""A compact JWS is taken apart strictly, and believed only with a signature."""

import json
import time
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from joserfc.jwa import JWSAlgModel
from joserfc.jwk import OctKey

from chatkit_prod import ConfigurationError
from chatkit_prod.auth.algorithms import Algorithm
from chatkit_prod.auth.jws import MAX_TOKEN_BYTES, UnknownKeyError, parse, verify
from chatkit_prod.auth.keys import Keys
from chatkit_prod.errors import ForeignTokenError, InvalidTokenError
from tests.auth.tokens import (
    ABSENT,
    BY_A_STRANGER,
    HEADER,
    JWKS,
    PUBLIC_JWK,
    STRANGER,
    Signer,
    base64url,
    bearer,
    compact,
    connection,
    header,
    hs256,
    token,
    unsigned,
    with_header,
)

KEYS = Keys(JWKS)
RS256 = ["RS256"]
GOOD = compact(HEADER, b'{"sub":"alice"}')
HEAD, PAYLOAD, SIGNATURE = GOOD.split(b".")
ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"


def reason(value: bytes, keys: Keys = KEYS) -> str:
    """Return why a token is refused, as operators read it."""
    with pytest.raises(InvalidTokenError) as caught:
        verify(value, keys, algorithms=RS256)
    return caught.value.reason


# ------------------------------------------------------------------------------------------------ its form


def test_a_token_is_taken_apart() -> None:
    jws = parse(GOOD)
    assert jws.header == HEADER
    assert jws.payload == b'{"sub":"alice"}'
    assert jws.signing_input == HEAD + b"." + PAYLOAD
    assert base64url(jws.signature) == SIGNATURE


@pytest.mark.parametrize(
    "value",
    [
        b"",
        b"opaque",
        b".",
        HEAD + b"." + PAYLOAD,
        GOOD + b".",
        GOOD + b".x.x",
        b" " + GOOD,
        GOOD + b"\n",
        GOOD[:20] + b" " + GOOD[20:],
        GOOD[:20] + b"\0" + GOOD[20:],
        GOOD + b"=",
        HEAD + b"=." + PAYLOAD + b"." + SIGNATURE,
        GOOD[:20] + b"+" + GOOD[21:],
        GOOD[:20] + b"/" + GOOD[21:],
        GOOD[:20] + b"%2E" + GOOD[21:],
        "é".encode() + GOOD,
        json.dumps({"payload": "", "signatures": []}).encode(),
    ],
    ids=[
        "nothing",
        "an opaque token",
        "one dot",
        "two parts",
        "four parts",
        "five parts, as in JWE",
        "a space in front",
        "a newline behind",
        "a space within",
        "NUL",
        "padding",
        "padding of the header",
        "plus",
        "slash",
        "a percent sign",
        "not ASCII",
        "JSON",
    ],
)
def test_what_does_not_look_like_a_compact_jws_is_left_to_others(value: bytes) -> None:
    with pytest.raises(ForeignTokenError):
        parse(value)


@pytest.mark.parametrize("part", [0, 1, 2], ids=["header", "payload", "signature"])
def test_a_part_of_an_impossible_length_is_malformed(part: int) -> None:
    parts = [b"e30", b"e30", b"e30"]
    assert parse(b".".join(parts)).header == {}
    parts[part] = b"e30AA"
    with pytest.raises(InvalidTokenError, match="invalid_token"):
        parse(b".".join(parts))


@pytest.mark.parametrize("part", [1, 2], ids=["payload", "signature"])
@pytest.mark.parametrize(("good", "spellings"), [(b"AA", 16), (b"AAA", 4)], ids=["one byte", "two bytes"])
def test_of_all_spellings_of_the_last_character_one_is_read(part: int, good: bytes, spellings: int) -> None:
    read = list[str]()
    for last in ALPHABET[:spellings]:
        parts = [b"e30", b"", b""]
        parts[part] = good[:-1] + last.encode()
        with suppress(InvalidTokenError):
            parse(b".".join(parts))
            read.append(last)
    assert read == ["A"]


@given(st.binary(max_size=50), st.binary(max_size=50))
def test_every_payload_and_signature_is_read_as_it_was_written(payload: bytes, signature: bytes) -> None:
    jws = parse(b"e30." + base64url(payload) + b"." + base64url(signature))
    assert (jws.payload, jws.signature) == (payload, signature)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (b"x" * (MAX_TOKEN_BYTES + 1), "too long"),
        (b"." * (MAX_TOKEN_BYTES + 1), "too long"),
        (with_header({**HEADER, "x": "x" * 8192}), "too long"),
        (compact([HEADER], b"{}"), "malformed"),
        (compact("alg", b"{}"), "malformed"),
        (compact(b'{"alg":"none","alg":"RS256","kid":"k1"}', b"{}"), "malformed"),
        (b".e30.e30", "malformed"),
    ],
    ids=["a long token", "many dots", "a long header", "a list", "text", "a name twice", "no header"],
)
def test_a_token_that_is_too_long_or_has_no_clear_header_is_malformed(value: bytes, expected: str) -> None:
    assert reason(value) == expected


def test_the_longest_token_that_is_looked_at_has_16_kib() -> None:
    value = b"e30." + b"A" * (MAX_TOKEN_BYTES - 8) + b".AAA"
    assert len(value) == MAX_TOKEN_BYTES
    assert parse(value).header == {}


@pytest.mark.parametrize("signature", [b"AAAA", b"AAA=", b"AA==", b"AAA", b"AA"], ids=bytes.decode)
def test_padding_is_read_where_it_is_expected(signature: bytes) -> None:
    assert parse(b"eyAgfQ==.e30=." + signature, padded=True).header == {}
    assert not any(parse(b"e30.e30." + signature, padded=True).signature)


@pytest.mark.parametrize(
    "signature",
    [b"=", b"A=", b"A===", b"=AAA", b"A=AA", b"AA=A", b"AAAA=", b"AA=", b"AA===", b"AAA==", b"AAA=AAAA"],
)
def test_padding_that_is_not_whole_or_not_at_the_end_is_malformed(signature: bytes) -> None:
    with pytest.raises(InvalidTokenError):
        parse(b"e30.e30." + signature, padded=True)


# ------------------------------------------------------------------------------------------------ its signature


def test_the_payload_comes_out_as_it_was_signed_whatever_it_is() -> None:
    assert verify(compact(HEADER, b"\xff no JSON"), JWKS, algorithms=RS256) == b"\xff no JSON"
    assert verify(GOOD.decode(), KEYS, algorithms=RS256) == b'{"sub":"alice"}'


HOSTILE_HEADERS: dict[str, tuple[dict[str, Any], str]] = {
    **{
        f"alg {name!r}": ({"alg": name}, "alg")
        for name in ("none", "None", "", "rs256", "HS256", None, 1, ["RS256"])
    },
    "alg absent": ({"alg": ABSENT}, "alg"),
    "crit": ({"crit": ["exp"], "exp": 1}, "crit"),
    "crit empty": ({"crit": []}, "crit"),
    "crit null": ({"crit": None}, "crit"),
    "b64 false": ({"b64": False}, "crit"),
    "b64 true": ({"b64": True}, "crit"),
    "kid a number": ({"kid": 1}, "kid"),
    "kid a list": ({"kid": ["k1"]}, "kid"),
    "kid an object": ({"kid": {"k1": 1}}, "kid"),
    "kid unknown": ({"kid": "k2"}, "unknown key"),
    "kid in another case": ({"kid": "K1"}, "unknown key"),
    "kid empty": ({"kid": ""}, "unknown key"),
}


@pytest.mark.parametrize(("changes", "expected"), HOSTILE_HEADERS.values(), ids=HOSTILE_HEADERS.keys())
def test_a_header_that_we_do_not_go_by_is_refused_even_if_signed(
    changes: dict[str, Any], expected: str
) -> None:
    assert reason(token(changes)) == expected


@pytest.mark.parametrize(
    "changes",
    [
        {"jwk": STRANGER.as_dict(private=False)},
        {"jku": "https://evil.example/jwks"},
        {"x5u": "https://evil.example/x5u"},
        {"x5c": ["AAAA"]},
        {"zip": "DEF"},
        {"typ": 1},
    ],
    ids="".join,
)
def test_what_else_a_header_says_chooses_no_key(changes: dict[str, Any]) -> None:
    assert verify(token(changes), KEYS, algorithms=RS256)
    assert reason(token(changes, BY_A_STRANGER)) == "signature"


FORGERS: dict[str, Signer] = {
    "nobody": unsigned,
    "zeros": lambda data: bytes(256),
    "more than a signature": lambda data: bytes(300),
    "a stranger": BY_A_STRANGER,
    "HMAC": hs256(b"x"),
}


@pytest.mark.parametrize("signer", FORGERS.values(), ids=FORGERS.keys())
def test_a_signature_that_is_not_of_our_key_is_refused(signer: Signer) -> None:
    assert reason(token(None, signer)) == "signature"


def test_a_key_that_is_there_but_not_for_the_algorithm_is_not_an_unknown_key() -> None:
    with pytest.raises(InvalidTokenError) as caught:
        verify(token({"alg": "PS256"}), KEYS, algorithms=["RS256", "PS256"])
    assert not isinstance(caught.value, UnknownKeyError)


@pytest.mark.parametrize(
    ("changes", "good"), [({"kid": "k1"}, True), ({"kid": ABSENT}, True), ({"kid": "k2"}, False)]
)
def test_of_several_keys_of_one_name_or_none_each_is_tried(changes: dict[str, Any], good: bool) -> None:
    stranger = dict(STRANGER.as_dict(private=False))
    keys = Keys({"keys": [stranger, {**PUBLIC_JWK, "kid": "k1"}, {**stranger, "kid": "k2"}]})
    if good:
        assert verify(token(changes), keys, algorithms=RS256)
    else:
        assert reason(token(changes), keys) == "signature"


def test_without_a_kid_a_token_that_no_key_has_signed_may_be_of_a_newer_one() -> None:
    with pytest.raises(UnknownKeyError):
        verify(token({"kid": ABSENT}, BY_A_STRANGER), KEYS, algorithms=RS256)
    with pytest.raises(UnknownKeyError):
        verify(token(), Keys({"keys": []}), algorithms=RS256)


def test_no_token_makes_us_try_more_than_ten_keys() -> None:
    stranger = dict(STRANGER.as_dict(private=False))
    assert verify(token(), Keys({"keys": [stranger] * 9 + [PUBLIC_JWK]}), algorithms=RS256)
    assert reason(token(), Keys({"keys": [stranger] * 10 + [PUBLIC_JWK]})) == "signature"


def test_secrets_verify_hmac_and_public_keys_do_not() -> None:
    secret = OctKey.import_key(b"s" * 32, {"kid": "k1"})
    value = token({"alg": "HS256"}, hs256(b"s" * 32))
    jwks = {"keys": [PUBLIC_JWK, dict(secret.as_dict(private=True))]}
    assert verify(value, jwks, algorithms=["HS256"])
    for algorithms in (["HS256"], RS256):
        with pytest.raises(InvalidTokenError):
            verify(value, JWKS, algorithms=algorithms)


@pytest.mark.parametrize("jwks", [{"keys": []}, {"keys": [1]}], ids=str)
def test_without_a_good_key_every_token_is_refused(jwks: dict[str, Any]) -> None:
    with pytest.raises(InvalidTokenError):
        verify(GOOD, jwks, algorithms=RS256)


@pytest.mark.parametrize(
    "jwks", [{}, {"keys": None}, [PUBLIC_JWK], "https://idp.example.com/jwks", {"keys": [PUBLIC_JWK] * 101}]
)
@pytest.mark.parametrize("value", [GOOD, b"no token"], ids=["a good token", "no token"])
def test_what_is_no_jwks_is_the_fault_of_the_app_and_not_of_the_token(jwks: Any, value: bytes) -> None:
    with pytest.raises(ConfigurationError, match="jwks"):
        verify(value, jwks, algorithms=RS256)


def test_text_outside_ascii_is_no_token() -> None:
    with pytest.raises(InvalidTokenError) as caught:
        verify(GOOD.decode() + "é", JWKS, algorithms=RS256)
    assert caught.value.reason == "malformed"


@pytest.mark.parametrize("algorithms", [[], ["none"], "RS256", ["RS256", "HS256"]], ids=str)
def test_without_a_clear_list_of_algorithms_there_is_no_verification(algorithms: Any) -> None:
    with pytest.raises(ConfigurationError):
        verify(GOOD, JWKS, algorithms=algorithms)


class Stumbling(JWSAlgModel):
    """An algorithm whose library raises over what it is given."""

    name = "RS256"

    def sign(self, msg: bytes, key: Any) -> bytes:
        raise NotImplementedError

    def verify(self, msg: bytes, sig: bytes, key: Any) -> bool:
        raise OverflowError


def test_a_signature_over_which_a_library_stumbles_is_refused() -> None:
    stumbling = Algorithm("RS256", Stumbling(), "RSA")
    with pytest.raises(InvalidTokenError) as caught:
        parse(GOOD).verified_by(KEYS, {"RS256": stumbling})
    assert caught.value.reason == "signature"


# ------------------------------------------------------------------------------------------------ anything


@given(st.binary(max_size=200) | st.text(alphabet=ALPHABET + ".", max_size=200).map(str.encode))
def test_any_bytes_are_an_invalid_token(value: bytes) -> None:
    with pytest.raises(InvalidTokenError):
        verify(value, KEYS, algorithms=RS256)


@given(st.integers(0, len(GOOD)), st.integers(0, 1), st.binary(max_size=1))
def test_a_good_token_with_one_byte_changed_inserted_or_deleted_is_refused(
    index: int, removed: int, inserted: bytes
) -> None:
    mutated = GOOD[:index] + inserted + GOOD[index + removed :]
    if mutated == GOOD:
        assert verify(mutated, KEYS, algorithms=RS256)
    else:
        with pytest.raises(InvalidTokenError):
            verify(mutated, KEYS, algorithms=RS256)


JSON: st.SearchStrategy[Any] = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=10)
    | st.sampled_from(["RS256", "k1"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)
NAMES = st.sampled_from(["alg", "typ", "kid", "crit", "b64", "jwk", "jku", "x5c", "zip"])


@settings(max_examples=60)
@given(st.dictionaries(NAMES | st.text(max_size=5), JSON, max_size=4))
def test_any_header_that_is_signed_is_refused_or_means_what_it_says(changes: dict[str, Any]) -> None:
    signed = header(**changes)
    with suppress(InvalidTokenError):
        assert verify(compact(signed, b"{}"), KEYS, algorithms=RS256) == b"{}"
        assert signed["alg"] == "RS256"
        assert signed["kid"] in {"k1", None}
        assert signed.keys().isdisjoint({"crit", "b64"})


# ------------------------------------------------------------------------------------------------ its cost

MEGABYTE = 1_000_000
JUNK = {
    "letters": b"x" * MEGABYTE,
    "dots": b"." * MEGABYTE,
    "zeros": b"\0" * MEGABYTE,
    "a long header": b"x" * MEGABYTE + b".x.x",
    "a long payload": HEAD + b"." + b"x" * MEGABYTE + b"." + SIGNATURE,
    "a long signature": HEAD + b"." + PAYLOAD + b"." + b"x" * MEGABYTE,
}


@pytest.mark.parametrize("value", JUNK.values(), ids=JUNK.keys())
def test_a_token_of_a_megabyte_costs_less_than_100_microseconds(value: bytes) -> None:
    def cost() -> float:
        start = time.process_time()
        for _ in range(10):
            with suppress(InvalidTokenError):
                parse(value)
        return (time.process_time() - start) / 10

    assert min(cost() for _ in range(20)) < 100e-6


@pytest.mark.anyio
@pytest.mark.parametrize("value", JUNK.values(), ids=JUNK.keys())
async def test_the_same_in_a_request(value: bytes) -> None:
    door, request = bearer(), connection(value)

    async def cost() -> float:
        start = time.process_time()
        for _ in range(10):
            with suppress(InvalidTokenError):
                await door.authenticate(request)
        return (time.process_time() - start) / 10

    assert min([await cost() for _ in range(20)]) < 100e-6
