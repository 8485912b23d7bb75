"""What has been found out about tokens is believed for a while, and for that token alone."""

from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chatkit_prod import ConfigurationError, Principal
from chatkit_prod.auth import RemoteJWKS
from chatkit_prod.auth.cache import TokenCache
from chatkit_prod.auth.jws import parse
from chatkit_prod.auth.keys import Keys
from chatkit_prod.errors import InsufficientScopeError, InvalidTokenError
from tests.auth.clock import Clock
from tests.auth.tokens import BY_A_STRANGER, ISSUER, JWKS, STRANGER, bearer, token

pytestmark = pytest.mark.anyio


# ------------------------------------------------------------------------------------------------ the cache


def test_a_value_is_kept_until_its_time() -> None:
    cache = TokenCache[str](10)
    cache.put(b"a", "alice", until=100.0)
    assert cache.get(b"a", 99.9) == "alice"
    assert cache.get(b"b", 99.9) is None
    assert cache.get(b"a", 100.0) is None
    assert len(cache) == 0


def test_a_value_is_replaced_by_a_newer_one() -> None:
    cache = TokenCache[str](10)
    cache.put(b"a", "alice", until=100.0)
    cache.put(b"a", "bob", until=200.0)
    assert cache.get(b"a", 150.0) == "bob"
    assert len(cache) == 1


def test_what_was_asked_for_longest_ago_goes_first() -> None:
    cache = TokenCache[int](2)
    cache.put(b"a", 1, until=9.0)
    cache.put(b"b", 2, until=9.0)
    assert cache.get(b"a", 0.0) == 1
    cache.put(b"c", 3, until=9.0)
    assert [cache.get(key, 0.0) for key in (b"a", b"b", b"c")] == [1, None, 3]


def test_everything_can_be_forgotten() -> None:
    cache = TokenCache[int](2)
    cache.put(b"a", 1, until=9.0)
    cache.clear()
    assert cache.get(b"a", 0.0) is None


@settings(max_examples=100)
@given(st.integers(0, 5), st.lists(st.tuples(st.binary(max_size=1), st.floats(0, 100)), max_size=20))
def test_there_are_never_more_than_agreed(size: int, puts: list[tuple[bytes, float]]) -> None:
    cache = TokenCache[bytes](size)
    for key, until in puts:
        cache.put(key, key, until)
        assert len(cache) <= size
    assert all(cache.get(key, 0.0) in {key, None} for key, _ in puts)


@given(st.binary(max_size=50), st.binary(max_size=50))
def test_two_tokens_never_share_a_key_and_no_key_holds_its_token(one: bytes, other: bytes) -> None:
    key = TokenCache.key(one)
    assert (key == TokenCache.key(other)) == (one == other)
    assert len(key) == 32
    assert len(one) < 4 or one not in key


@pytest.mark.parametrize("size", [-1, True, 1.5, "10", None], ids=repr)
def test_a_size_that_is_no_number_of_tokens_is_refused(size: Any) -> None:
    with pytest.raises(ConfigurationError, match="cache_size"):
        TokenCache[str](size)
    with pytest.raises(ConfigurationError, match="cache_size"):
        bearer(cache_size=size)


# ------------------------------------------------------------------------------------------------ with a JWTBearer


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr("chatkit_prod.auth.jwt.time", clock)
    return clock


@pytest.fixture
def parsed(monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
    """The tokens that were looked at, because nothing was known about them."""
    looked_at = list[bytes]()

    def noting(value: bytes, **options: Any) -> Any:
        looked_at.append(value)
        return parse(value, **options)

    monkeypatch.setattr("chatkit_prod.auth.jwt.parse", noting)
    return looked_at


async def test_a_token_is_looked_at_once(parsed: list[bytes]) -> None:
    door, value = bearer(), token()
    principals = [await door.verify(value) for _ in range(3)]
    assert principals[0] == principals[2]
    assert parsed == [value]


async def test_without_a_cache_it_is_looked_at_each_time(parsed: list[bytes]) -> None:
    door, value = bearer(cache_size=0), token()
    assert [(await door.verify(value)).subject for _ in range(3)] == ["alice"] * 3
    assert len(parsed) == 3


async def test_a_token_is_looked_at_again_after_five_minutes(clock: Clock, parsed: list[bytes]) -> None:
    door, value = bearer(), token()
    await door.verify(value)
    clock.now += 299
    await door.verify(value)
    assert len(parsed) == 1
    clock.now += 2
    await door.verify(value)
    assert len(parsed) == 2


async def test_a_token_that_is_known_expires_all_the_same(clock: Clock) -> None:
    door, value = bearer(leeway=10), token(exp=clock.now + 60)
    await door.verify(value)
    clock.now += 69.9
    await door.verify(value)
    clock.now += 0.1
    with pytest.raises(InvalidTokenError) as caught:
        await door.verify(value)
    assert caught.value.reason == "expired"


async def test_the_scopes_of_a_token_that_is_known_are_checked_each_time() -> None:
    door, value = bearer(required_scopes=["chat"]), token(scope="read")
    for _ in range(3):
        with pytest.raises(InsufficientScopeError):
            await door.verify(value)


@pytest.mark.parametrize(
    "value",
    [token(exp=1), token(aud="billing"), token({"typ": "JWT"}), token(None, BY_A_STRANGER), b"opaque"],
    ids=["expired", "for others", "an ID token", "forged", "opaque"],
)
async def test_a_refused_token_is_refused_each_time_and_never_kept(value: bytes, parsed: list[bytes]) -> None:
    door = bearer()
    for _ in range(3):
        with pytest.raises(InvalidTokenError):
            await door.verify(value)
    assert parsed == [value] * 3


async def test_a_token_with_another_last_character_is_another_token() -> None:
    door, value = bearer(), token()
    await door.verify(value)
    for last in b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_=":
        other = value[:-1] + bytes([last])
        if other != value:
            with pytest.raises(InvalidTokenError):
                await door.verify(other)


async def test_claims_of_somebody_else_on_a_known_signature_are_refused() -> None:
    door, value = bearer(), token()
    await door.verify(value)
    head, _, signature = value.split(b".")
    _, payload, _ = token(sub="mallory").split(b".")
    with pytest.raises(InvalidTokenError):
        await door.verify(head + b"." + payload + b"." + signature)


@pytest.mark.parametrize("count", [50], ids=["CVE-2026-35039"])
async def test_each_of_many_tokens_gets_its_own_subject(count: int) -> None:
    door = bearer(cache_size=count // 2)
    tokens = {f"user_{number}": token(sub=f"user_{number}") for number in range(count)}
    for _ in range(2):
        assert {name: (await door.verify(value)).subject for name, value in tokens.items()} == {
            name: name for name in tokens
        }


@pytest.mark.parametrize(
    "options",
    [
        {"audience": "billing"},
        {"required_claims": {"token_use": "access"}},
        {"tenant_claim": "tid"},
        {"typ": ["other+jwt"]},
        {"algorithms": ["ES256", "PS256"]},
        {"issuer": "https://other.example.com"},
        {"jwks": {"keys": [STRANGER.as_dict(private=False)]}},
    ],
    ids="".join,
)
async def test_what_one_door_knows_opens_no_other_one(options: dict[str, Any]) -> None:
    value = token()
    await bearer().verify(value)
    with pytest.raises(InvalidTokenError):
        await bearer(**options).verify(value)


class Rotating(RemoteJWKS):
    """An issuer whose keys a test changes."""

    def __init__(self) -> None:
        super().__init__(issuer=ISSUER)
        self.keys = Keys(JWKS)

    def current(self) -> Keys:
        return self.keys

    async def newer(self, known: Keys, kid: str | None) -> Keys:
        return self.keys


async def test_when_the_keys_change_everything_is_forgotten(parsed: list[bytes]) -> None:
    issuer, value = Rotating(), token()
    door = bearer(jwks=issuer)
    await door.verify(value)
    issuer.keys = Keys({"keys": [*JWKS["keys"], STRANGER.as_dict(private=False)]})
    await door.verify(value)
    assert len(parsed) == 2
    issuer.keys = Keys({"keys": [STRANGER.as_dict(private=False)]})
    with pytest.raises(InvalidTokenError):
        await door.verify(value)


async def test_nobody_can_change_what_the_next_request_is_told() -> None:
    door, value = bearer(), token(realm_access={"roles": ["user"]}, groups=["staff"])
    claims: Any = (await door.verify(value)).claims
    places = ((claims, "sub"), (claims["realm_access"], "roles"), (claims["realm_access"]["roles"], 0))
    for place, name in (*places, (claims["groups"], 0)):
        with suppress(TypeError):
            place[name] = "mallory"
    assert "mallory" not in repr((await door.verify(value)).claims)


async def test_a_token_is_known_by_its_bytes_and_not_by_its_id() -> None:
    door = bearer()
    first: Principal = await door.verify(token(sub="alice", jti="same"))
    second = await door.verify(token(sub="bob", jti="same"))
    assert (first.subject, second.subject) == ("alice", "bob")
