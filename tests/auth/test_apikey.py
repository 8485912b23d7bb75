"""Keys for programs, right and wrong."""

import hashlib
import hmac
import math
import re
import time
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from starlette.requests import HTTPConnection

from chatkit_prod import ConfigurationError, Principal
from chatkit_prod.auth import Authenticator, AuthMiddleware
from chatkit_prod.auth.apikey import APIKey, StoredKey
from chatkit_prod.errors import (
    InvalidTokenError,
    MalformedCredentialsError,
    UnavailableError,
)
from tests.layers import Greeter, get
from tests.servers import Wire

pytestmark = pytest.mark.anyio

OLD, NEW, EXPIRED, STRANGER = (APIKey.generate(name) for name in ("ci", "ci", "old", "ci"))
OLD_KEY, NEW_KEY, EXPIRED_KEY = OLD.key.encode(), NEW.key.encode(), EXPIRED.key.encode()
SECRET = STRANGER.key.encode().partition(b".")[2]

CI = StoredKey(
    subject="robot",
    hashes=(NEW.hash, OLD.hash),
    tenant="acme",
    scopes=frozenset({"threads.read"}),
    expires_at=time.time() + 10**6,
)
KEYS = {"ci": CI, "old": StoredKey(subject="retired", hashes=(EXPIRED.hash,), expires_at=time.time() - 1)}


async def look_up(key_id: str) -> StoredKey | None:
    return KEYS.get(key_id)


async def authenticate(*values: bytes, keys: Any = KEYS, **options: Any) -> Principal | None:
    headers = ((b"x-api-key", value) for value in values)
    return await APIKey(keys, **options).authenticate(HTTPConnection(get(*headers)))


async def refusal(value: bytes, keys: Any = KEYS) -> InvalidTokenError:
    with pytest.raises(InvalidTokenError) as caught:
        await authenticate(value, keys=keys)
    return caught.value


SOURCES = pytest.mark.parametrize("keys", [KEYS, look_up], ids=["mapping", "look-up"])


@SOURCES
@pytest.mark.parametrize("key", [NEW_KEY, OLD_KEY], ids=["new", "old"])
async def test_during_a_rotation_both_keys_are_good(keys: Any, key: bytes) -> None:
    assert await authenticate(key, keys=keys) == Principal(
        issuer="api-key",
        subject="robot",
        tenant="acme",
        scopes=frozenset({"threads.read"}),
        expires_at=CI.expires_at,
        method="api_key",
    )


async def test_the_principal_tells_which_key_it_was() -> None:
    principal = await authenticate(NEW_KEY)
    assert principal
    assert principal.claims == {"key_id": "ci"}


async def test_after_a_rotation_the_old_key_is_refused() -> None:
    keys = {"ci": StoredKey(subject="robot", hashes=(NEW.hash,))}
    assert await authenticate(NEW_KEY, keys=keys)
    assert (await refusal(OLD_KEY, keys)).reason == "wrong secret"


async def test_a_key_that_is_removed_is_refused_at_once() -> None:
    keys = dict(KEYS)
    authenticator = APIKey(keys)
    connection = HTTPConnection(get((b"x-api-key", NEW_KEY)))
    assert await authenticator.authenticate(connection)
    del keys["ci"]
    with pytest.raises(InvalidTokenError):
        await authenticator.authenticate(connection)


async def test_without_the_header_there_are_no_credentials() -> None:
    assert await authenticate() is None


def test_authorization_is_no_header_for_a_key_because_it_begins_with_a_scheme() -> None:
    with pytest.raises(ConfigurationError, match="Authorization"):
        APIKey(KEYS, header="Authorization")


async def test_a_look_up_that_is_not_async_is_named() -> None:
    keys: Any = KEYS.get  # a method of a dict, which is not async
    with pytest.raises(ConfigurationError, match="APIKey must be async"):
        await authenticate(NEW_KEY, keys=keys)


@pytest.mark.parametrize("expires_at", [1e12, 10**400, float("nan"), "1", True])
def test_an_end_that_is_no_time_in_seconds_is_refused(expires_at: Any) -> None:
    with pytest.raises(ConfigurationError, match="expires_at"):
        StoredKey(subject="robot", hashes=(NEW.hash,), expires_at=expires_at)


async def test_header_and_issuer_can_be_chosen() -> None:
    authenticator = APIKey(KEYS, header="X-Robot", issuer="https://app.example.com/keys")
    principal = await authenticator.authenticate(HTTPConnection(get((b"x-robot", NEW_KEY))))
    assert principal
    assert principal.issuer == "https://app.example.com/keys"
    assert await authenticator.authenticate(HTTPConnection(get((b"x-api-key", NEW_KEY)))) is None


async def test_two_keys_in_one_request_are_refused_even_if_both_are_good() -> None:
    with pytest.raises(MalformedCredentialsError) as caught:
        await authenticate(NEW_KEY, OLD_KEY)
    assert caught.value.reason == "two headers"


MALFORMED: dict[str, bytes] = {
    "empty": b"",
    "no secret": b"ci",
    "no id": b"." + SECRET,
    "empty secret": b"ci.",
    "short secret": b"ci." + SECRET[:-1],
    "long secret": b"ci." + SECRET + b"A",
    "long id": b"c" * 65 + b"." + SECRET,
    "a dot in the id": b"c.i." + SECRET,
    "a space in front": b" " + NEW_KEY,
    "a line feed behind": NEW_KEY + b"\n",
    "padded": NEW_KEY + b"=",
    "beyond ASCII": "cï.".encode() + SECRET,
    "with a scheme": b"Bearer " + NEW_KEY,
    "a list": NEW_KEY + b"," + OLD_KEY,
    "a megabyte": b"A" * 1_000_000,
    "a megabyte of secret": b"ci." + b"A" * 1_000_000,
}
WRONG: dict[str, tuple[bytes, str]] = {
    **{name: (value, "malformed") for name, value in MALFORMED.items()},
    "unknown id": (b"unknown." + SECRET, "unknown key id"),
    "id in another case": (b"CI." + NEW_KEY[3:], "unknown key id"),
    "wrong secret": (b"ci." + SECRET, "wrong secret"),
    "secret of another id": (b"old." + NEW_KEY[3:], "wrong secret"),
    "the hash for the secret": (b"ci." + NEW.hash[:43].encode(), "wrong secret"),
    "expired": (EXPIRED_KEY, "expired"),
    "expired, wrong secret": (b"old." + SECRET, "wrong secret"),
}


@SOURCES
@pytest.mark.parametrize(("value", "reason"), WRONG.values(), ids=WRONG.keys())
async def test_a_wrong_key_is_refused_and_the_operator_knows_why(
    keys: Any, value: bytes, reason: str
) -> None:
    assert (await refusal(value, keys)).reason == reason


async def test_every_wrong_key_gets_the_same_answer_to_the_byte() -> None:
    answers: set[tuple[Any, ...]] = set()
    inside = Greeter()
    for value, _ in WRONG.values():
        wire = await Wire().request(
            AuthMiddleware(inside, authenticator=APIKey(KEYS)), get((b"x-api-key", value))
        )
        request_id = wire.headers["x-request-id"]
        headers = {name: text for name, text in wire.headers.items() if name != "x-request-id"}
        answers.add((wire.status, repr(headers), wire.body.replace(request_id.encode(), b"")))
    ((status, headers, _),) = answers
    assert status == 401
    assert """'www-authenticate': 'ApiKey realm="chatkit", error="invalid_token"'""" in headers
    assert inside.scopes == []


async def test_a_key_that_was_moved_to_another_id_is_worth_nothing() -> None:
    keys = {"admin": StoredKey(subject="root", hashes=(NEW.hash,))}
    assert (await refusal(b"admin." + NEW_KEY[3:], keys)).reason == "wrong secret"


async def test_a_malformed_key_never_reaches_the_look_up() -> None:
    asked: list[str] = []

    async def recording(key_id: str) -> StoredKey | None:
        asked.append(key_id)
        return None

    for value in MALFORMED.values():
        await refusal(value, recording)
    assert asked == []


async def test_a_look_up_that_fails_lets_nobody_in() -> None:
    async def failing(key_id: str) -> StoredKey | None:
        raise UnavailableError("key store")

    with pytest.raises(UnavailableError):
        await authenticate(NEW_KEY, keys=failing)


async def test_the_clock_moves_past_the_end_of_a_key(monkeypatch: pytest.MonkeyPatch) -> None:
    assert await authenticate(NEW_KEY)
    assert CI.expires_at
    monkeypatch.setattr(time, "time", lambda: CI.expires_at)
    assert (await refusal(NEW_KEY)).reason == "expired"


COMPARED = {
    "both": (NEW_KEY, (NEW.hash, OLD.hash)),
    "second": (OLD_KEY, (NEW.hash, OLD.hash)),
    "only": (NEW_KEY, (NEW.hash,)),
    "wrong": (b"ci." + SECRET, (NEW.hash, OLD.hash)),
    "wrong, one hash": (b"ci." + SECRET, (NEW.hash,)),
    "unknown": (b"unknown." + SECRET, (NEW.hash, OLD.hash)),
}


@pytest.mark.parametrize(("value", "hashes"), COMPARED.values(), ids=COMPARED.keys())
async def test_the_number_of_comparisons_is_always_the_same(
    monkeypatch: pytest.MonkeyPatch, value: bytes, hashes: tuple[str, ...]
) -> None:
    compared: list[str] = []
    compare = hmac.compare_digest

    def counting(presented: str, candidate: str) -> bool:
        compared.append(presented)
        return compare(presented, candidate)

    monkeypatch.setattr(hmac, "compare_digest", counting)
    with suppress(InvalidTokenError):
        await authenticate(value, keys={"ci": StoredKey(subject="robot", hashes=hashes)})
    assert compared == [hashlib.sha256(value).hexdigest()] * 2


ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"


def one_byte_changed(at: int, byte: int) -> bytes:
    return NEW_KEY[:at] + bytes([byte]) + NEW_KEY[at + 1 :]


SECRETS = st.text(ALPHABET, min_size=43, max_size=43)
NEAR = st.one_of(
    st.binary(max_size=200),
    st.builds("{}.{}".format, st.sampled_from(["ci", "old", "x"]), SECRETS).map(str.encode),
    st.builds(one_byte_changed, st.integers(0, len(NEW_KEY)), st.integers(0, 255)),
)


@given(st.lists(NEAR, max_size=3))
async def test_whatever_the_header_holds_the_answer_is_an_answer(values: list[bytes]) -> None:
    try:
        principal = await authenticate(*values)
    except (InvalidTokenError, MalformedCredentialsError):
        return
    assert (principal is None) is (not values)


@given(NEAR)
async def test_only_the_two_keys_are_good(value: bytes) -> None:
    assume(value not in {NEW_KEY, OLD_KEY})
    await refusal(value)


@given(st.from_regex(r"[A-Za-z0-9_-]{1,64}", fullmatch=True))
async def test_a_generated_key_is_good_for_its_hash(key_id: str) -> None:
    generated = APIKey.generate(key_id)
    assert re.fullmatch(r"[A-Za-z0-9_-]{43}", generated.key.removeprefix(f"{key_id}."))
    assert generated.hash == hashlib.sha256(generated.key.encode()).hexdigest()
    keys = {key_id: StoredKey(subject="robot", hashes=(generated.hash,))}
    assert await authenticate(generated.key.encode(), keys=keys)


def test_no_key_is_generated_twice() -> None:
    assert len({APIKey.generate("ci").key for _ in range(100)}) == 100


def test_nothing_shows_a_key_or_a_hash() -> None:
    shown = repr([OLD, NEW, CI, KEYS, APIKey(KEYS)])
    assert not any(secret in shown for secret in (OLD.key, OLD.hash, NEW.key, NEW.hash))


def test_it_is_an_authenticator_with_a_challenge_of_its_own() -> None:
    authenticator = APIKey(KEYS)
    assert isinstance(authenticator, Authenticator)
    assert authenticator.challenge == 'ApiKey realm="chatkit"'


STORED: dict[str, dict[str, Any]] = {
    "no subject": {"subject": ""},
    "empty tenant": {"tenant": ""},
    "no hash": {"hashes": ()},
    "three hashes": {"hashes": (OLD.hash, NEW.hash, STRANGER.hash)},
    "a key instead of a hash": {"hashes": (NEW.key,)},
    "one hash without a tuple": {"hashes": NEW.hash},
    "two characters": {"hashes": "ab"},
    "bytes": {"hashes": (NEW.hash.encode(),)},
    "upper case": {"hashes": ("A" * 64,)},
    "one good, one not": {"hashes": (NEW.hash, "")},
    "a line feed": {"hashes": (NEW.hash + "\n",)},
    "scopes as a text": {"scopes": "threads.read"},
    "an end that never comes": {"expires_at": math.inf},
    "an end that is no number": {"expires_at": math.nan},
    "an end as a text": {"expires_at": "2030-01-01"},
}


@pytest.mark.parametrize("changes", STORED.values(), ids=STORED.keys())
def test_what_cannot_be_kept_is_refused_and_not_quoted(changes: dict[str, Any]) -> None:
    options: dict[str, Any] = {"subject": "robot", "hashes": (NEW.hash,)}
    with pytest.raises(ConfigurationError) as caught:
        StoredKey(**options | changes)
    assert NEW.key not in str(caught.value)


OPTIONS: dict[str, tuple[Any, dict[str, Any]]] = {
    "no keys": (None, {}),
    "a class": (StoredKey, {}),
    "a list": ([CI], {}),
    "a hash for a StoredKey": ({"ci": NEW.hash}, {}),
    "a key for its id": ({NEW.key: CI}, {}),
    "a number for an id": ({1: CI}, {}),
    "empty header": (KEYS, {"header": ""}),
    "a header with a colon": (KEYS, {"header": "x-api-key:"}),
    "empty issuer": (KEYS, {"issuer": ""}),
    "a number for an issuer": (KEYS, {"issuer": 5}),
}


@pytest.mark.parametrize(("keys", "options"), OPTIONS.values(), ids=OPTIONS.keys())
def test_an_option_that_cannot_work_is_refused_at_construction(keys: Any, options: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError) as caught:
        APIKey(keys, **options)
    assert NEW.key not in str(caught.value)


@pytest.mark.parametrize("key_id", ["", "a.b", "a b", "x" * 65, "é"])
def test_an_id_that_no_key_can_have_is_refused(key_id: str) -> None:
    with pytest.raises(ConfigurationError, match="id of a key"):
        APIKey.generate(key_id)
