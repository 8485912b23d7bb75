"""Nothing that attackers are known to try opens the door."""

import gc
import json
import logging
import sys
import time
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from tests.auth.attacks import ATTACKS, Attack
from tests.auth.tokens import (
    AUDIENCE,
    CANARY,
    HEADER,
    bearer,
    claims,
    knock,
    token,
    with_header,
    with_payload,
)

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.filterwarnings(
        "ignore::joserfc.errors.SecurityWarning"
    ),  # of the weak keys that are tried here
]

CHALLENGES = {
    "authentication_required": (401, 'Bearer realm="chatkit"'),
    "invalid_token": (401, 'Bearer realm="chatkit", error="invalid_token"'),
    "invalid_request": (400, 'Bearer realm="chatkit", error="invalid_request"'),
    "insufficient_scope": (403, 'Bearer realm="chatkit", error="insufficient_scope", scope="chat read"'),
}

GOOD = token()


@pytest.mark.parametrize("attack", ATTACKS.values(), ids=ATTACKS.keys())
async def test_every_known_attack_is_refused_in_no_time_and_without_a_trace_of_it(
    attack: Attack, caplog: pytest.LogCaptureFixture
) -> None:
    authenticator = bearer(**attack.options)
    with caplog.at_level(logging.DEBUG):
        gc.disable()  # what other tests have left would count here
        start = time.process_time()
        wire, inside = await knock(authenticator, attack.values, query=attack.query)
        elapsed = time.process_time() - start
        gc.enable()
    assert (wire.status, wire.headers["www-authenticate"]) == CHALLENGES[attack.code]
    assert wire.json["code"] == attack.code
    assert inside.scopes == []
    assert elapsed < 0.1

    (record,) = caplog.records
    fields = vars(record)["chatkit"]
    assert fields["decision"] == "refused"
    assert fields["reason"]
    said = f"{wire.headers}{wire.body!r}{caplog.text}{fields}"
    assert not [piece for piece in pieces(attack) if piece in said]

    if attack.good is not None:
        wire, _ = await knock(authenticator, [b"Bearer " + attack.good])
        assert wire.status == 200


def pieces(attack: Attack) -> set[str]:
    """Return what would give the credentials of an attack away: twelve characters in a row, or the claims."""
    texts = [value.decode("latin-1")[:5000] for value in (*attack.values, attack.query)]
    return {text[i : i + 12] for text in texts for i in range(7, len(text) - 12, 12)} | {
        CANARY,
        "evil.example",
    }


# ------------------------------------------------------------------------------------------------ anything

JSON: st.SearchStrategy[Any] = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=20)
    | st.sampled_from([AUDIENCE, "k1"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)
PARAMETERS = st.sampled_from(["alg", "typ", "kid", "crit", "b64", "jwk", "jku", "x5c", "zip"])
NAMES = st.sampled_from(["iss", "aud", "sub", "exp", "nbf", "iat", "jti", "cnf", "scope", "tid"])
DOOR = bearer(cache_size=0)
STRICT_DOOR = bearer(tenant_claim="tid", required_scopes=["chat"], cache_size=0)


@given(st.integers(0, len(GOOD)), st.integers(0, 3), st.binary(max_size=8))
async def test_a_token_that_was_changed_anywhere_is_refused(
    start: int, removed: int, inserted: bytes
) -> None:
    mutated = GOOD[:start] + inserted + GOOD[start + removed :]
    assume(mutated.strip(b" ") != GOOD)
    wire, inside = await knock(DOOR, [b"Bearer " + mutated])
    assert (wire.status, inside.scopes) == (401, [])


@settings(max_examples=60)
@given(st.dictionaries(NAMES | st.text(max_size=5), JSON))
async def test_whatever_a_signed_token_claims_the_answer_is_one_of_three(changes: dict[str, Any]) -> None:
    wire, inside = await knock(STRICT_DOOR, [b"Bearer " + token(**changes)])
    assert wire.status in {200, 401, 403}
    assert bool(inside.scopes) == (wire.status == 200)


@settings(max_examples=60)
@given(st.dictionaries(PARAMETERS | st.text(max_size=5), JSON))
async def test_whatever_a_signed_header_says_the_answer_is_one_of_two(changes: dict[str, Any]) -> None:
    wire, inside = await knock(DOOR, [b"Bearer " + token(changes)])
    assert wire.status in {200, 401}
    assert bool(inside.scopes) == (wire.status == 200)
    assert wire.status == 401 or not {"crit", "b64"} & changes.keys()


@given(
    st.lists(st.binary(max_size=40) | st.binary(max_size=40).map(b"Bearer ".__add__), min_size=1, max_size=2)
)
async def test_whatever_stands_in_the_header_nobody_gets_in(values: list[bytes]) -> None:
    wire, inside = await knock(DOOR, values)
    assert wire.status in ({400, 401} if len(values) == 1 else {400})
    assert inside.scopes == []


@pytest.mark.parametrize("part", ["header", "payload"])
async def test_however_deeply_a_token_is_nested_the_answer_is_one_of_two(part: str) -> None:
    limit = sys.getrecursionlimit()
    for depth in (*range(50, limit - 200, 50), *range(limit - 200, limit)):
        nested = b'{"x":' + b"[" * depth + b"]" * depth + rb',"y":"\u0041",'
        good = claims() if part == "payload" else json.dumps(HEADER).encode()
        hostile = good.replace(b"{", nested, 1)
        value = with_payload(hostile) if part == "payload" else with_header(hostile)
        wire, _ = await knock(DOOR, [b"Bearer " + value])
        assert wire.status in {200, 401}
