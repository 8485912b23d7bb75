"""What an issuer says about a token is checked each time, and believed for seconds."""

import asyncio
import itertools
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from starlette.requests import HTTPConnection
from starlette.responses import Response

from chatkit_prod import ConfigurationError, Principal
from chatkit_prod.auth import Authenticator, AuthMiddleware, OpaqueBearer
from chatkit_prod.errors import (
    InsufficientScopeError,
    InvalidTokenError,
    MalformedCredentialsError,
    UnavailableError,
)
from tests.auth.authority import CLIENT, ISSUER, Authority, active
from tests.auth.clock import Clock
from tests.auth.conftest import MakeBearer
from tests.layers import Greeter, get
from tests.path.servers import listening
from tests.servers import Gate, Wire, bounded

pytestmark = pytest.mark.anyio

INACTIVE = "invalid_token: inactive"


def connection(token: str = "t1") -> HTTPConnection:
    return HTTPConnection(get((b"authorization", f"Bearer {token}".encode())))


async def verdict(bearer: OpaqueBearer, token: str = "t1") -> str:
    """Return who came in with a token, or why nobody did."""
    try:
        principal = await bearer.authenticate(connection(token))
    except (InvalidTokenError, InsufficientScopeError, UnavailableError) as error:
        return f"{error.code}: {error.reason}"
    assert principal
    return principal.subject


# ------------------------------------------------------------------------------------------------ the answer


async def test_an_active_token_says_who_is_asking(
    authority: Authority, bearer: MakeBearer, clock: Clock
) -> None:
    says = active(exp=clock.now + 60, nbf=clock.now, iat=clock.now, org="acme")
    authority.says["t1"] = says
    principal = await bearer(tenant_claim="org", leeway=5).authenticate(connection())
    assert principal == Principal(
        issuer=ISSUER,
        subject="alice",
        tenant="acme",
        scopes=frozenset({"read", "write"}),
        expires_at=clock.now + 65,
        method="opaque",
    )
    assert principal is not None
    assert principal.claims == says


async def test_without_a_token_nobody_is_asked(authority: Authority, bearer: MakeBearer) -> None:
    assert await bearer().authenticate(HTTPConnection(get())) is None
    assert authority.questions == []


REFUSED: dict[str, tuple[Any, str]] = {
    "unknown": ({"active": False}, "inactive"),
    "nothing but active": ({"active": True}, "aud"),
    **{
        f"active is {value!r}": (active(active=value), "inactive")
        for value in ("true", "True", 1, 1.0, "false", 0, "", [True], {"true": True})
    },
    "active is missing": (active(active=None), "inactive"),
    "another issuer": (active(iss="https://idp.example.com/"), "iss"),
    "another audience": (active(aud="chatkit2"), "aud"),
    "no audience": (active(aud=None), "aud"),
    "a list of other audiences": (active(aud=["chat", "kit"]), "aud"),
    "an audience of no text": (active(aud=["chatkit", 1]), "aud"),
    "a part of the audience": (active(aud="my chatkit"), "aud"),
    "expired": (active(exp=0), "expired"),
    "an expiry of no number": (active(exp="9999999999"), "exp"),
    "not yet valid": (active(nbf=99_999_999_999), "not yet valid"),
    "a start of no number": (active(nbf=True), "nbf"),
    "from the future": (active(iat=99_999_999_999), "not yet valid"),
    "bound to a key": (active(cnf={"jkt": "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I"}), "cnf"),
    "bound to nothing": (active(cnf={}), "cnf"),
    "of nobody": (active(sub=None), "sub"),
    "an empty subject": (active(sub=""), "sub"),
    "a subject of no text": (active(sub=1), "sub"),
}


@pytest.mark.parametrize(("says", "reason"), REFUSED.values(), ids=REFUSED.keys())
async def test_a_token_that_does_not_hold_here_is_refused_now_and_from_memory(
    authority: Authority, bearer: MakeBearer, says: Any, reason: str
) -> None:
    authority.says["t1"] = says
    asks = bearer()
    assert [await verdict(asks) for _ in range(2)] == [f"invalid_token: {reason}"] * 2
    assert authority.asked == ["t1"]


@pytest.mark.parametrize(
    "says",
    [
        active(iss=None),
        active(aud=["other", "chatkit"]),
        active(scope=None),
        active(scope=["read"]),
        active(extra={"cnf": 1}),
    ],
    ids=[
        "no issuer",
        "one of several audiences",
        "no scope",
        "a list of scopes",
        "a member of our no concern",
    ],
)
async def test_what_the_rfc_leaves_open_is_no_reason_to_refuse(
    authority: Authority, bearer: MakeBearer, says: Any
) -> None:
    authority.says["t1"] = says
    assert await verdict(bearer()) == "alice"


async def test_only_on_request_the_audience_is_left_unchecked(
    authority: Authority, bearer: MakeBearer
) -> None:
    authority.says["t1"] = active(aud=None)
    assert await verdict(bearer(audience=None)) == "alice"


async def test_members_of_the_answer_can_be_demanded(authority: Authority, bearer: MakeBearer) -> None:
    asks = bearer(required_claims={"client_id": "desk"}, tenant_claim=("org", "id"), subject_claim="uid")
    authority.says = {
        "t1": active(client_id="desk", org={"id": "acme"}, uid="u7"),
        "t2": active(client_id="other", org={"id": "acme"}, uid="u7"),
        "t3": active(client_id="desk", org="acme", uid="u7"),
        "t4": active(client_id="desk", org={"id": "acme"}),
    }
    assert [await verdict(asks, token) for token in authority.says] == [
        "u7",
        "invalid_token: claim value",
        "invalid_token: tenant",
        "invalid_token: sub",
    ]


async def test_a_demand_cannot_make_an_inactive_token_active(
    authority: Authority, bearer: MakeBearer
) -> None:
    authority.says["t1"] = active(active=False)
    assert await verdict(bearer(required_claims={"active": False})) == INACTIVE


async def test_a_token_needs_every_scope_now_and_from_memory(
    authority: Authority, bearer: MakeBearer
) -> None:
    authority.says = {"t1": active(scope="read"), "t2": active(scope="write read more")}
    asks = bearer(required_scopes=["write", "read"])
    for _ in range(2):
        with pytest.raises(InsufficientScopeError) as caught:
            await asks.authenticate(connection())
        assert caught.value.headers == {
            "WWW-Authenticate": 'Bearer realm="chatkit", error="insufficient_scope", scope="read write"'
        }
        assert await verdict(asks, "t2") == "alice"


# ------------------------------------------------------------------------------------------------ the token


MALFORMED = ["a b", "é", "t,", 't"', "t=a", "=", "===", "t===", "a" * 4097, "\x00", "t\n", "(t)"]


@pytest.mark.parametrize("token", MALFORMED, ids=lambda token: ascii(token[:10]))
async def test_what_cannot_be_a_token_is_refused_without_a_question(
    authority: Authority, bearer: MakeBearer, token: str
) -> None:
    assert await verdict(bearer(), token) == "invalid_token: malformed"
    assert authority.questions == []


async def test_the_longest_token_is_asked_about(authority: Authority, bearer: MakeBearer) -> None:
    token = "a" * 4096 + "=="
    authority.says[token] = active()
    assert await verdict(bearer(), token) == "alice"


@pytest.mark.parametrize(
    "headers",
    [
        [(b"authorization", b"Bearer t1"), (b"authorization", b"Bearer t2")],
        [(b"authorization", b"Bearer")],
        [(b"authorization", b"Bearer ")],
    ],
    ids=["two", "only the scheme", "only the scheme and a space"],
)
async def test_not_exactly_one_token_is_an_invalid_request(
    authority: Authority, bearer: MakeBearer, headers: Any
) -> None:
    with pytest.raises(MalformedCredentialsError):
        await bearer().authenticate(HTTPConnection(get(*headers)))
    assert authority.questions == []


async def test_the_token_can_stand_in_another_header(authority: Authority, bearer: MakeBearer) -> None:
    authority.says["t1"] = active()
    asks = bearer(header="X-Token")
    assert await asks.authenticate(HTTPConnection(get((b"x-token", b"t1"))))
    assert await asks.authenticate(connection()) is None


# ------------------------------------------------------------------------------------------------ memory


async def test_a_yes_is_believed_for_its_time_and_no_longer(
    authority: Authority, bearer: MakeBearer, clock: Clock
) -> None:
    authority.says["t1"] = active()
    asks, begin = bearer(accept_for=30, refuse_for=1), clock.now
    assert await verdict(asks) == "alice"
    del authority.says["t1"]  # revoked
    for after, expected in [(1, "alice"), (29.9, "alice"), (30, INACTIVE)]:
        clock.now = begin + after
        assert await verdict(asks) == expected
    assert authority.asked == ["t1", "t1"]


async def test_a_no_is_believed_for_its_time_and_no_longer(
    authority: Authority, bearer: MakeBearer, clock: Clock
) -> None:
    asks, begin = bearer(accept_for=1, refuse_for=10), clock.now
    assert await verdict(asks) == INACTIVE
    authority.says["t1"] = active()
    for after, expected in [(9.9, INACTIVE), (10, "alice")]:
        clock.now = begin + after
        assert await verdict(asks) == expected
    assert authority.asked == ["t1", "t1"]


@bounded
async def test_a_yes_counts_from_the_question_on_however_late_somebody_joins_it(
    authority: Authority, bearer: MakeBearer, clock: Clock
) -> None:
    """The issuer may have said yes right after the question: a revocation since then is not in it."""
    authority.says["t1"] = active()
    authority.gate = Gate()
    asks, begin = bearer(accept_for=30), clock.now
    first = asyncio.create_task(verdict(asks))
    await authority.gate.reached.wait()
    clock.now = begin + 4
    second = asyncio.create_task(verdict(asks))
    await asyncio.sleep(0)
    authority.gate.opened.set()
    assert [await first, await second] == ["alice", "alice"]
    del authority.says["t1"]
    clock.now = begin + 30
    assert await verdict(asks) == INACTIVE
    assert authority.asked == ["t1", "t1"]


async def test_a_yes_is_never_believed_past_the_end_of_the_token(
    authority: Authority, bearer: MakeBearer, clock: Clock
) -> None:
    begin = clock.now
    authority.says["t1"] = active(exp=begin + 10)
    asks = bearer(accept_for=3600, leeway=5)
    for after, expected in [(0, "alice"), (14.9, "alice"), (15, "invalid_token: expired")]:
        clock.now = begin + after
        assert await verdict(asks) == expected
    assert authority.asked == ["t1"]


async def test_without_room_every_token_is_asked_about_each_time(
    authority: Authority, bearer: MakeBearer
) -> None:
    authority.says["t1"] = active()
    asks = bearer(cache_size=0)
    assert [await verdict(asks) for _ in range(3)] == ["alice"] * 3
    assert authority.asked == ["t1"] * 3


async def test_tokens_of_nobody_do_not_push_good_ones_out(authority: Authority, bearer: MakeBearer) -> None:
    authority.says["t1"] = active()
    asks = bearer(cache_size=2)
    await verdict(asks)
    await asyncio.gather(*(verdict(asks, f"random{number}") for number in range(20)))
    assert await verdict(asks) == "alice"
    assert authority.asked.count("t1") == 1


async def test_whatever_tokens_come_at_once_each_gets_its_own_answer(
    authority: Authority, bearer: MakeBearer
) -> None:
    asks = bearer()
    tokens = ["".join(letters) for letters in itertools.product("aA.", repeat=3)]
    authority.says = {token: active(sub=token) for token in tokens}
    for _ in range(2):
        assert await asyncio.gather(*(verdict(asks, token) for token in tokens)) == tokens
    assert sorted(authority.asked) == sorted(tokens)


# ------------------------------------------------------------------------------------------------ no answer


async def test_while_the_issuer_fails_a_yes_is_remembered_and_a_stranger_told_to_come_back(
    authority: Authority, bearer: MakeBearer
) -> None:
    authority.says = {"t1": active(), "t2": active()}
    inside = Greeter()
    app = AuthMiddleware(inside, authenticator=bearer())
    known, unknown = (get((b"authorization", b"Bearer " + token)) for token in (b"t1", b"t2"))
    assert (await Wire().request(app, known)).status == 200
    authority.failure = Response(status_code=500)
    assert (await Wire().request(app, known)).status == 200
    wire = await Wire().request(app, unknown)
    assert (wire.status, wire.headers["retry-after"]) == (503, "10")
    assert wire.json["code"] == "temporarily_unavailable"
    assert len(inside.scopes) == 2
    authority.failure = None
    assert (await Wire().request(app, unknown)).status == 200


async def test_an_issuer_that_is_down_is_no_yes_and_is_not_remembered_as_a_no(
    authority: Authority, bearer: MakeBearer
) -> None:
    with listening() as (_, port):
        pass
    asks = bearer(introspection_url=f"http://127.0.0.1:{port}/")
    assert [await verdict(asks) for _ in range(2)] == ["temporarily_unavailable: introspection"] * 2
    assert (len(asks._active), len(asks._inactive)) == (0, 0)


# ------------------------------------------------------------------------------------------------ options


GOOD: dict[str, Any] = {
    "introspection_url": "https://idp.example.com/introspect",
    "client_id": CLIENT[0],
    "client_secret": CLIENT[1],
    "issuer": ISSUER,
    "audience": "chatkit",
}


@pytest.mark.parametrize(
    "options",
    [
        {"accept_for": 0},
        {"accept_for": -1},
        {"accept_for": 3601},
        {"accept_for": float("nan")},
        {"refuse_for": 0},
        {"refuse_for": float("inf")},
        {"introspection_url": "http://idp.example.com/"},
        {"client_secret": ""},
        {"issuer": ""},
        {"audience": ""},
        {"audience": []},
        {"leeway": -1},
        {"leeway": 301},
        {"required_scopes": "read"},
        {"required_scopes": ["a b"]},
        {"header": "not a header"},
        {"cache_size": -1},
        {"timeout": 0},
    ],
    ids=lambda options: "-".join(f"{name}={value}" for name, value in options.items()),
)
def test_an_option_that_cannot_work_is_refused_at_construction(options: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError):
        OpaqueBearer(**{**GOOD, **options})


async def test_a_bearer_is_an_authenticator_that_starts_and_stops_with_the_app() -> None:
    asks = OpaqueBearer(**GOOD)
    assert isinstance(asks, Authenticator)
    assert asks.challenge == 'Bearer realm="chatkit"'
    async with asks.lifespan():
        assert not asks._introspection._peers


@settings(max_examples=50)
@given(st.binary(max_size=40))
async def test_no_header_whatever_makes_a_bearer_fail(value: bytes) -> None:
    assume(not value.lower().startswith(b"bearer "))
    asks = OpaqueBearer(**GOOD)
    try:
        assert await asks.authenticate(HTTPConnection(get((b"authorization", value)))) is None
    except MalformedCredentialsError:
        assert value.lower().strip() == b"bearer"
