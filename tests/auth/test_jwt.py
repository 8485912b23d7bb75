"""Bearer tokens that are good, and what an app may ask of them."""

import json
import time
from types import SimpleNamespace
from typing import Any

import pytest
from joserfc import jwt
from joserfc.jwk import ECKey, Key, OctKey, OKPKey, RSAKey
from joserfc.jws import JWSRegistry
from starlette.requests import HTTPConnection

from chatkit_prod import ConfigurationError, Principal
from chatkit_prod.auth import Authenticator, AuthMiddleware, FirstOf, JWTBearer, RemoteJWKS
from chatkit_prod.auth.keys import Keys
from chatkit_prod.errors import InvalidTokenError, UnavailableError
from chatkit_prod.testing import LocalIdentityProvider
from tests.auth.tokens import (
    ABSENT,
    AUDIENCE,
    BY_A_STRANGER,
    ISSUER,
    JWKS,
    KEY,
    PUBLIC_JWK,
    STRANGER,
    authenticate,
    bearer,
    claims,
    connection,
    knock,
    refusal,
    token,
    unsigned,
)
from tests.layers import Greeter, exchange, get

pytestmark = pytest.mark.anyio

SECRET_JWK = dict(OctKey.generate_key(256, {"kid": "s"}).as_dict(private=True))


def test_it_is_an_authenticator_with_a_bearer_challenge() -> None:
    assert isinstance(bearer(), Authenticator)
    assert bearer().challenge == 'Bearer realm="chatkit"'


async def test_no_header_is_no_credential() -> None:
    assert await bearer().authenticate(HTTPConnection(get())) is None


async def test_a_good_token_says_who_is_asking() -> None:
    expires = int(time.time()) + 60
    value = token(exp=expires, scope="read write", org="acme")
    principal = await authenticate(value, leeway=10, tenant_claim="org")
    assert principal == Principal(
        issuer=ISSUER,
        subject="alice",
        tenant="acme",
        scopes=frozenset({"read", "write"}),
        expires_at=expires + 10,
        method="jwt",
    )
    assert principal.claims["client_id"] == "web"


async def test_a_token_from_elsewhere_may_be_text() -> None:
    assert (await bearer().verify(token().decode())).subject == "alice"
    for value in (token().decode() + "é", "\ud800"):
        with pytest.raises(InvalidTokenError) as caught:
            await bearer().verify(value)
        assert caught.value.reason == "malformed"


# ------------------------------------------------------------------------------------------------ RFC 9068

RFC_9068: dict[str, tuple[bytes, bool]] = {
    "2.1 the typ is at+jwt": (token({"typ": "at+jwt"}), True),
    "2.1 the typ is the whole media type": (token({"typ": "application/at+jwt"}), True),
    "2.1 a media type has no case": (token({"typ": "Application/AT+JWT"}), True),
    "2.1 the token is signed": (token(None, unsigned), False),
    "2.1 the alg is not none": (token({"alg": "none"}, unsigned), False),
    **{
        f"2.2 {name} is required": (token(**{name: ABSENT}), False)
        for name in ("iss", "exp", "aud", "sub", "client_id", "iat", "jti")
    },
    "2.2.1 auth_time, acr and amr may be there": (token(auth_time=1, acr="1", amr=["pwd"]), True),
    "2.2.2 claims of the user may be there": (token(name="Alice", locale="de"), True),
    "2.2.3 the scope may be absent": (token(), True),
    "2.2.3.1 groups, roles and entitlements may be there": (
        token(groups=["a"], roles=[{"value": "b"}]),
        True,
    ),
    "3 aud may be a list": (token(aud=["billing", AUDIENCE]), True),
    "4 typ JWT is refused": (token({"typ": "JWT"}), False),
    "4 any other typ is refused": (token({"typ": "secevent+jwt"}), False),
    "4 no typ is refused": (token({"typ": ABSENT}), False),
    "4 iss is exact": (token(iss=ISSUER + "/"), False),
    "4 aud contains us": (token(aud=["billing", "chatkit2"]), False),
    "4 the signature is of the issuer": (token(None, BY_A_STRANGER), False),
    "4 exp is over": (token(exp=time.time() - 31), False),
    "5 an ID token is no access token": (token({"typ": "JWT"}, nonce="n", client_id=ABSENT), False),
}


@pytest.mark.parametrize(("value", "accepted"), RFC_9068.values(), ids=RFC_9068.keys())
async def test_the_rules_of_rfc_9068_hold(value: bytes, accepted: bool) -> None:
    wire, inside = await knock(bearer(), [b"Bearer " + value])
    assert wire.status == (200 if accepted else 401)
    assert len(inside.scopes) == accepted


async def test_the_scopes_of_rfc_9068_are_those_of_oauth() -> None:
    assert (await authenticate(token(scope="chat read"))).scopes == {"chat", "read"}  # 2.2.3, RFC 6749 3.3


# ------------------------------------------------------------------------------------------------ other types

TYPES: dict[str, tuple[Any, dict[str, Any], bool]] = {
    "JWT is accepted if asked for": (("JWT",), {"typ": "JWT"}, True),
    "it has no case": (("jwt",), {"typ": "JWT"}, True),
    "it may be the whole media type": (("application/JWT",), {"typ": "JWT"}, True),
    "then at+jwt is not": (("JWT",), {"typ": "at+jwt"}, False),
    "then no typ is not": (("JWT",), {"typ": ABSENT}, False),
    "no typ is accepted if asked for": ((None,), {"typ": ABSENT}, True),
    "null is no typ": ((None,), {"typ": None}, True),
    "then JWT is not": ((None,), {"typ": "JWT"}, False),
    "then an empty typ is not": ((None,), {"typ": ""}, False),
    "then a number is not": ((None,), {"typ": 0}, False),
    "both are accepted if asked for": (("JWT", None), {"typ": "JWT"}, True),
    "and a logout token is not": (("JWT", None), {"typ": "logout+jwt"}, False),
    "both of RFC 9068 and JWT": (("at+jwt", "JWT"), {"typ": "at+jwt"}, True),
}


@pytest.mark.parametrize(("typ", "header", "accepted"), TYPES.values(), ids=TYPES.keys())
async def test_another_type_is_accepted_only_if_asked_for(
    typ: Any, header: dict[str, Any], accepted: bool
) -> None:
    if accepted:
        assert (await authenticate(token(header), typ=typ)).subject == "alice"
    else:
        assert await refusal(token(header), typ=typ) == "typ"


@pytest.mark.parametrize("name", ["iss", "exp", "aud", "sub"])
async def test_without_rfc_9068_what_decides_is_still_required(name: str) -> None:
    assert await refusal(token({"typ": "JWT"}, **{name: ABSENT}), typ=("JWT",))


async def test_without_rfc_9068_the_rest_is_not_required() -> None:
    value = token({"typ": "JWT"}, client_id=ABSENT, iat=ABSENT, jti=ABSENT)
    assert (await authenticate(value, typ=("JWT",))).subject == "alice"


# ------------------------------------------------------------------------------------------------ time and scopes


@pytest.mark.parametrize(
    ("changes", "accepted"),
    [
        ({"exp": -9}, True),
        ({"exp": -10}, False),
        ({"nbf": 10}, True),
        ({"nbf": 11}, False),
        ({"iat": 10}, True),
        ({"iat": 11}, False),
    ],
    ids=["exp within", "exp over", "nbf within", "nbf over", "iat within", "iat over"],
)
async def test_the_leeway_is_what_clocks_may_differ_by_and_no_more(
    monkeypatch: pytest.MonkeyPatch, changes: dict[str, int], accepted: bool
) -> None:
    now = 2_000_000_000
    monkeypatch.setattr("chatkit_prod.auth.jwt.time", SimpleNamespace(time=lambda: float(now)))
    times: dict[str, Any] = {"iat": now, "exp": now + 1} | {
        name: now + value for name, value in changes.items()
    }
    if accepted:
        assert (await authenticate(token(**times), leeway=10)).subject == "alice"
    else:
        assert await refusal(token(**times), leeway=10) in {"expired", "not yet valid"}


async def test_a_token_with_every_required_scope_is_let_in() -> None:
    principal = await authenticate(token(scope="more read chat"), required_scopes=["chat", "read"])
    assert principal.scopes >= {"chat", "read"}


# ------------------------------------------------------------------------------------------------ algorithms and keys


@pytest.mark.parametrize("algorithm", ["RS256", "ES256", "Ed25519"])
async def test_every_algorithm_of_the_local_provider_is_accepted(algorithm: str) -> None:
    provider = LocalIdentityProvider(algorithm=algorithm)
    door = JWTBearer(issuer=provider.issuer, audience=provider.audience, jwks=provider.jwks)
    assert (await door.verify(provider.token("alice").encode())).subject == "alice"


SIGNING_KEYS: dict[str, Key] = {
    **dict.fromkeys(["RS256", "RS384", "RS512", "PS256", "PS384", "PS512"], KEY),
    "ES256": ECKey.generate_key("P-256"),
    "ES384": ECKey.generate_key("P-384"),
    "ES512": ECKey.generate_key("P-521"),
    "Ed25519": OKPKey.generate_key("Ed25519"),
    "Ed448": OKPKey.generate_key("Ed448"),
    "EdDSA": OKPKey.generate_key("Ed25519"),
    **dict.fromkeys(["HS256", "HS384", "HS512"], OctKey.generate_key(512)),
}


@pytest.mark.filterwarnings("ignore::joserfc.errors.SecurityWarning")  # it warns of what RFC 9864 replaces
@pytest.mark.parametrize(("algorithm", "key"), SIGNING_KEYS.items(), ids=SIGNING_KEYS.keys())
async def test_what_joserfc_has_signed_is_accepted_by_the_algorithms_on_the_list(
    algorithm: str, key: Key
) -> None:
    symmetric = isinstance(key, OctKey)
    document = {
        name: value for name, value in key.as_dict(private=symmetric).items() if name not in {"alg", "kid"}
    }
    registry = JWSRegistry(algorithms=[algorithm], strict_check_header=False)
    signing = type(key).import_key(dict(key.as_dict(private=True)) | {"alg": algorithm})
    value = jwt.encode(
        {"alg": algorithm, "typ": "at+jwt"}, json.loads(claims()), signing, registry=registry
    ).encode()
    assert (await authenticate(value, jwks={"keys": [document]}, algorithms=[algorithm])).subject == "alice"
    other = (
        "HS256"
        if algorithm == "HS512"
        else "HS512"
        if symmetric
        else "RS256"
        if algorithm != "RS256"
        else "PS256"
    )
    with pytest.raises((InvalidTokenError, ConfigurationError)):
        await authenticate(value, jwks={"keys": [document]}, algorithms=[other])


class Changing(RemoteJWKS):
    """An issuer who has newer keys.

    Args:
        old: What is known; None if nothing is.
        new: What a fetch would bring.
    """

    def __init__(self, old: Keys | None, new: Keys | None) -> None:
        super().__init__(issuer=ISSUER)
        self.old, self.new = old, new

    def current(self) -> Keys | None:
        return self.old

    async def load(self) -> Keys:
        if self.new is None:
            raise UnavailableError("keys")
        return self.new

    async def newer(self, known: Keys, kid: str | None) -> Keys:
        return self.new or known


OURS, THEIRS = Keys(JWKS), Keys({"keys": [{**STRANGER.as_dict(private=False), "kid": "k0"}]})


async def test_keys_are_loaded_when_there_are_none() -> None:
    assert (await authenticate(token(), jwks=Changing(None, OURS))).subject == "alice"
    with pytest.raises(UnavailableError):
        await authenticate(token(), jwks=Changing(None, None))


async def test_a_door_can_be_warmed_up() -> None:
    await bearer(jwks=Changing(None, OURS)).warm()
    await bearer().warm()
    with pytest.raises(UnavailableError):
        await bearer(jwks=Changing(None, None)).warm()


async def test_a_token_of_a_new_key_is_verified_by_newer_keys() -> None:
    assert (await authenticate(token(), jwks=Changing(THEIRS, OURS))).subject == "alice"
    assert await refusal(token(), jwks=Changing(THEIRS, None)) == "unknown key"
    assert await refusal(token(None, BY_A_STRANGER), jwks=Changing(THEIRS, OURS)) == "signature"


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"jwks_url": "https://idp.example.com/jwks"},
        {"jwks_url": "https://keys.example.com/{kid}", "signer": "arn:aws:x", "audience": None},
    ],
    ids=["discovery", "a URL", "a URL for each key"],
)
def test_nothing_is_fetched_before_the_first_request(options: dict[str, Any]) -> None:
    assert bearer(**{"jwks": None, **options}).challenge


async def test_keys_are_taken_beside_a_bad_one() -> None:
    door = bearer(jwks={"keys": [{"kty": "unknown"}, PUBLIC_JWK]})
    assert (await door.verify(token())).subject == "alice"


# ------------------------------------------------------------------------------------------------ the options

WRONG_OPTIONS: dict[str, tuple[dict[str, Any], str]] = {
    "no issuer": ({"issuer": ""}, "issuer"),
    "no audience": ({"audience": ""}, "audience must be the name of this service"),
    "an empty list of audiences": ({"audience": []}, "audience"),
    "neither audience nor signer": ({"audience": None}, "audience"),
    "audience and signer": ({"signer": "arn:aws:x"}, "audience"),
    "an empty signer": ({"audience": None, "signer": ""}, "signer"),
    "an empty signer beside an audience": ({"signer": ""}, "signer"),
    "a signer of no text": ({"audience": None, "signer": 3}, "signer"),
    "a URL for each key without a signer": ({"jwks": None, "jwks_url": "https://x.example/{kid}"}, "signer"),
    "a URL with the place within": (
        {"jwks": None, "jwks_url": "https://x.example/{kid}/a", "signer": "arn", "audience": None},
        "ends with",
    ),
    "a URL of no text": ({"jwks": None, "jwks_url": 5}, "https"),
    "no algorithm": ({"algorithms": ()}, "algorithms"),
    "alg none": ({"algorithms": ["none"]}, "algorithms"),
    "HMAC beside RSA": ({"algorithms": ["RS256", "HS256"]}, "algorithms"),
    "algorithms as one word": ({"algorithms": "RS256"}, "algorithms"),
    "no typ": ({"typ": ()}, "typ"),
    "typ as one word": ({"typ": "JWT"}, "typ"),
    "a typ that is no text": ({"typ": [1]}, "typ"),
    "a typ that is empty": ({"typ": [""]}, "typ"),
    "leeway negative": ({"leeway": -1}, "leeway"),
    "leeway too long": ({"leeway": 301}, "leeway"),
    "scopes as one word": ({"required_scopes": "chat"}, "required_scopes"),
    "a header that is none": ({"header": "X-Token:"}, "header"),
    "not a JWKS": ({"jwks": {"key": 1}}, "jwks"),
    "no key": ({"jwks": {"keys": ()}}, "jwks"),
    "an unknown key": ({"jwks": {"keys": [{"kty": ""}]}}, "malformed"),
    "a private key": ({"jwks": {"keys": [KEY.as_dict(private=True)]}}, "private"),
    "a secret": ({"jwks": {"keys": [SECRET_JWK]}}, "symmetric"),
    "a secret among public keys": ({"jwks": {"keys": [PUBLIC_JWK, SECRET_JWK]}}, "symmetric"),
    "public keys for HMAC": ({"algorithms": ["HS256"]}, "public"),
    "HMAC with secrets from a URL": ({"algorithms": ["HS256"], "jwks": None}, "HMAC"),
    "a JWKS and a URL": ({"jwks_url": "https://idp.example.com/jwks"}, "jwks_url"),
    "keys without TLS": ({"jwks": None, "jwks_url": "http://idp.example.com/jwks"}, "https"),
    "keys from a file, GHSA-993g-76c3-p5m4": ({"jwks": None, "jwks_url": "file:///etc/jwks"}, "https"),
    "keys from the URL itself, GHSA-993g-76c3-p5m4": ({"jwks": None, "jwks_url": "data:,{}"}, "https"),
    "an issuer that is no URL, to discover": ({"jwks": None, "issuer": "idp"}, "issuer must be an https URL"),
    "the keys of another issuer": ({"jwks": RemoteJWKS(issuer="https://idp.example.org")}, "example.org"),
    "an address as the JWKS": ({"jwks": "https://idp.example.com/jwks"}, "jwks_url"),
    "a list as the JWKS": ({"jwks": [PUBLIC_JWK]}, "keys"),
    "typ missing": ({"typ": None}, "typ must be a list"),
    "required claims as a list": ({"required_claims": ["token_use"]}, "required_claims must map"),
    "a required claim that no JSON has": ({"required_claims": {"token_use": {1}}}, "required_claims"),
    "an empty path of scopes": ({"scope_claim": ()}, "scope_claim"),
    "no path of scopes": ({"scope_claim": None}, "scope_claim"),
    "an empty tenant claim": ({"tenant_claim": ""}, "tenant_claim"),
    "scopes missing": ({"required_scopes": None}, "required_scopes"),
    "a scope with a quote": ({"required_scopes": ['"']}, "required_scopes"),
    "algorithms missing": ({"algorithms": None}, "algorithms"),
}


@pytest.mark.parametrize(("options", "text"), WRONG_OPTIONS.values(), ids=WRONG_OPTIONS.keys())
def test_an_option_that_cannot_work_is_refused_at_construction(options: dict[str, Any], text: str) -> None:
    with pytest.raises(ConfigurationError, match=text):
        bearer(**options)


@pytest.mark.filterwarnings("ignore::joserfc.errors.SecurityWarning")  # it warns of what is refused here
def test_a_short_rsa_key_is_refused_when_the_app_is_built() -> None:
    short = RSAKey.generate_key(1024, {"alg": "RS256", "use": "sig", "kid": "short"})
    with pytest.raises(ConfigurationError, match="key 0: size"):
        bearer(jwks={"keys": [short.as_dict(private=False)]})


def test_an_iterator_of_required_scopes_is_not_forgotten() -> None:
    # The first reader of an iterator is the last.
    assert bearer(required_scopes=map(str.strip, ["chat "]))._required_scopes == {"chat"}


# ------------------------------------------------------------------------------------------------ side by side


async def admitted(authenticator: Authenticator, value: bytes) -> Principal:
    principal = await authenticator.authenticate(connection(value))
    assert principal
    return principal


async def test_a_provider_that_is_down_does_not_hinder_the_users_of_another() -> None:
    other = LocalIdentityProvider(issuer="https://other.example.com")
    down = JWTBearer(issuer="http://127.0.0.1:1/", audience=AUDIENCE)
    both = FirstOf(down, JWTBearer(issuer=other.issuer, audience=other.audience, jwks=other.jwks))
    assert (await admitted(both, other.token("bob").encode())).subject == "bob"
    with pytest.raises(UnavailableError):
        await admitted(both, token(iss="http://127.0.0.1:1/"))


@pytest.mark.parametrize("name", ["arn:a", "arn:b"])
async def test_two_load_balancers_stand_side_by_side(name: str) -> None:
    both = FirstOf(*(bearer(audience=None, signer=signer) for signer in ("arn:a", "arn:b")))
    assert (await admitted(both, token({"signer": name}))).subject == "alice"
    with pytest.raises(InvalidTokenError) as caught:
        await admitted(both, token({"signer": "arn:c"}))
    assert caught.value.reason == "signer"


async def test_the_record_of_a_token_that_lacks_a_scope_says_whose_it_is(
    caplog: pytest.LogCaptureFixture,
) -> None:
    app = AuthMiddleware(Greeter(), authenticator=bearer(required_scopes=["chat"]))
    with caplog.at_level("INFO", logger="chatkit_prod.audit"):
        await exchange(app, get((b"authorization", b"Bearer " + token())))
    (record,) = caplog.records
    fields = vars(record)["chatkit"]
    assert (fields["user_id"], fields["method"], fields["reason"]) == ("alice", "jwt", "scope")
