"""Bearer tokens, good and hostile."""

import base64
import hashlib
import hmac
import json
import time
from collections.abc import Callable
from functools import partial
from types import SimpleNamespace
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.hashes import SHA256
from hypothesis import assume, given
from hypothesis import strategies as st
from joserfc.jwk import ECKey, OctKey, OKPKey, RSAKey
from starlette.requests import HTTPConnection

from chatkit_prod import ConfigurationError, Principal
from chatkit_prod.auth import Authenticator, AuthMiddleware, JWTBearer
from chatkit_prod.errors import InsufficientScopeError, InvalidRequestError, InvalidTokenError
from chatkit_prod.testing import LocalIdentityProvider
from tests.layers import Greeter, get
from tests.servers import Wire

pytestmark = pytest.mark.anyio

ISSUER = "https://idp.example.com"
AUDIENCE = "chatkit"
KEY = RSAKey.generate_key(2048, {"kid": "k1", "alg": "RS256", "use": "sig"})
STRANGER = RSAKey.generate_key(2048, {"kid": "k1"})
JWKS: dict[str, Any] = {"keys": [KEY.as_dict(private=False)]}

SECRET_KEY = OctKey.generate_key(256).as_dict(private=True)

HEADER: dict[str, Any] = {"alg": "RS256", "typ": "at+jwt", "kid": "k1"}
ABSENT = object()

Signer = Callable[[bytes], bytes]


def rs256(key: RSAKey) -> Signer:
    private_key = key.private_key
    assert private_key
    return lambda data: private_key.sign(data, PKCS1v15(), SHA256())


def hs256(secret: bytes) -> Signer:
    return lambda data: hmac.digest(secret, data, hashlib.sha256)


def unsigned(data: bytes) -> bytes:
    return b""


BY_THE_ISSUER, BY_A_STRANGER = rs256(KEY), rs256(STRANGER)


def base64url(data: bytes) -> bytes:
    return base64.urlsafe_b64encode(data).rstrip(b"=")


def compact(header: object, payload: bytes, signer: Signer = BY_THE_ISSUER) -> bytes:
    """Sign by hand, because no library would make these."""
    head = header if isinstance(header, bytes) else json.dumps(header).encode()
    data = base64url(head) + b"." + base64url(payload)
    return data + b"." + base64url(signer(data))


def claims(**changes: Any) -> bytes:
    now = int(time.time())
    values = {
        "iss": ISSUER,
        "aud": AUDIENCE,
        "sub": "alice",
        "client_id": "web",
        "iat": now,
        "exp": now + 10**6,
    }
    return json.dumps(
        {name: value for name, value in (values | changes).items() if value is not ABSENT}
    ).encode()


def token(header: dict[str, Any] | None = None, signer: Signer = BY_THE_ISSUER, **changes: Any) -> bytes:
    """Return a good token with something changed."""
    head = {name: value for name, value in (HEADER | (header or {})).items() if value is not ABSENT}
    return compact(head, claims(**changes), signer)


def signed_header(header: object) -> bytes:
    return compact(header, claims())


GOOD = token()
DATA, _, SIGNATURE = GOOD.rpartition(b".")


def bearer(**options: Any) -> JWTBearer:
    defaults: dict[str, Any] = {"issuer": ISSUER, "audience": AUDIENCE, "jwks": JWKS}
    return JWTBearer(**{**defaults, **options})


async def authenticate(value: bytes, **options: Any) -> Principal | None:
    return await bearer(**options).authenticate(HTTPConnection(get((b"authorization", b"Bearer " + value))))


async def knock(*values: bytes, **options: Any) -> tuple[Wire, Greeter]:
    """Ask a protected app with these `Authorization` headers."""
    inside = Greeter()
    app = AuthMiddleware(inside, authenticator=bearer(**options))
    wire = await Wire().request(app, get(*((b"authorization", value) for value in values)))
    return wire, inside


HOSTILE_SIGNATURES: dict[str, Callable[[], bytes]] = {
    **{
        f"alg {name} {kind}": partial(token, {"alg": name}, signer)
        for name in ("none", "None", "NONE", "nOnE", "")
        for kind, signer in (("unsigned", unsigned), ("signed", BY_THE_ISSUER))
    },
    "alg absent": lambda: token({"alg": ABSENT}),
    "alg is a list": lambda: token({"alg": ["RS256"]}),
    "HS256 with the public key in PEM as the secret": lambda: token(
        {"alg": "HS256"}, hs256(KEY.as_pem(private=False))
    ),
    "HS256 with the public key in DER as the secret": lambda: token(
        {"alg": "HS256"}, hs256(KEY.as_der(private=False))
    ),
    "HS256 with the public JWK as the secret": lambda: token(
        {"alg": "HS256"}, hs256(json.dumps(JWKS["keys"][0]).encode())
    ),
    "HS256 with an empty secret": lambda: token({"alg": "HS256"}, hs256(b"")),
    "RS512, which the key is not for": lambda: token({"alg": "RS512"}),
    "blank signature": lambda: token(signer=unsigned),
    "no third part": lambda: DATA,
    "a fourth part": lambda: GOOD + b".x",
    "five parts, as in JWE": lambda: GOOD + b".x.x",
    "signed by a stranger": lambda: token(signer=BY_A_STRANGER),
    "signature of another token": lambda: token(sub="mallory").rpartition(b".")[0] + b"." + SIGNATURE,
    "signature in the other alphabet": lambda: (
        DATA + b"." + SIGNATURE.replace(b"-", b"+").replace(b"_", b"/") + b"="
    ),
    "inline jwk": lambda: token({"jwk": STRANGER.as_dict(private=False)}, BY_A_STRANGER),
    "jku": lambda: token({"jku": "https://evil.example/jwks"}, BY_A_STRANGER),
    "x5u": lambda: token({"x5u": "https://evil.example/x5u"}, BY_A_STRANGER),
    "unknown kid": lambda: token({"kid": "k2"}),
    "kid traversal": lambda: token({"kid": "../../../../dev/null"}, hs256(b"")),
    "kid injection": lambda: token({"kid": "' UNION SELECT 'secret' --"}, hs256(b"secret")),
    "kid is a number": lambda: token({"kid": 1}),
    "kid is a list": lambda: token({"kid": ["k1"]}),
    "crit with an unknown name": lambda: token({"crit": ["exp"], "exp": 1}),
    "crit that is empty": lambda: token({"crit": []}),
    "crit with a known name": lambda: token({"crit": ["alg"]}),
    "crit with b64 false": lambda: token({"crit": ["b64"], "b64": False}),
}

HOSTILE_SHAPES: dict[str, Callable[[], bytes]] = {
    "nothing": lambda: b"",
    "one letter": lambda: b"x",
    "two dots": lambda: b"..",
    "1 MB of junk": lambda: b"x" * 1_000_000,
    "1 MB of dots": lambda: b"." * 1_000_000,
    "1 MB of header": lambda: b"x" * 1_000_000 + b".x.x",
    "1 MB of signed payload": lambda: token(padding="x" * 1_000_000),
    "not ASCII": lambda: "é".encode() + GOOD,
    "NUL": lambda: GOOD[:20] + b"\0" + GOOD[20:],
    "a space within": lambda: GOOD[:20] + b" " + GOOD[20:],
    "two tokens": lambda: GOOD + b", Bearer " + GOOD,
    **{
        f"header {name}": partial(signed_header, header)
        for name, header in {
            "is a list": [HEADER],
            "is a string": "alg",
            "is a number": 1,
            "is null": None,
            "is not JSON": b"{",
            "is not UTF-8": b"\xff",
            "is nested deeply": b'{"alg":"RS256","typ":"at+jwt","kid":"k1","x":'
            + b"[" * 50_000
            + b"]" * 50_000
            + b"}",
        }.items()
    },
    **{
        f"payload {name}": partial(compact, HEADER, payload)
        for name, payload in {
            "is empty": b"",
            "is a list": b"[]",
            "is a string": b'"alice"',
            "is a number": b"1",
            "is null": b"null",
            "is an empty object": b"{}",
            "is not JSON": b"{",
            "is not UTF-8": b"\xff",
            "is nested deeply": b'{"sub":' + b"[" * 50_000 + b"]" * 50_000 + b"}",
        }.items()
    },
    **{
        f"typ {name}": partial(token, {"typ": typ})
        for name, typ in {
            "of an ID token": "JWT",
            "absent": ABSENT,
            "of a logout token": "logout+jwt",
            "is null": None,
            "is a number": 1,
            "is a list": ["at+jwt"],
            "with more behind": "at+jwt2",
        }.items()
    },
}

FUTURE = time.time() + 10**5

HOSTILE_CLAIMS: dict[str, dict[str, Any]] = {
    "iss of somebody else": {"iss": "https://idp.example.org"},
    "iss with a slash more": {"iss": ISSUER + "/"},
    "iss with less behind": {"iss": ISSUER[:-1]},
    "iss in capitals": {"iss": ISSUER.upper()},
    "iss is a list": {"iss": [ISSUER]},
    "iss absent": {"iss": ABSENT},
    "aud of another service": {"aud": "billing"},
    "aud that contains ours": {"aud": "chatkit-admin"},
    "aud that ours contains": {"aud": "chat"},
    "aud is a list without us": {"aud": ["billing", "chatkit2"]},
    "aud is an empty list": {"aud": []},
    "aud is a nested list": {"aud": [[AUDIENCE]]},
    "aud is an object": {"aud": {AUDIENCE: True}},
    "aud is null": {"aud": None},
    "aud absent": {"aud": ABSENT},
    "sub absent": {"sub": ABSENT},
    "sub is empty": {"sub": ""},
    "sub is a number": {"sub": 1},
    "sub is a list": {"sub": ["alice"]},
    "expired": {"exp": time.time() - 100},
    "exp absent": {"exp": ABSENT},
    "exp is null": {"exp": None},
    "exp is a string": {"exp": str(FUTURE)},
    "exp is true": {"exp": True},
    "exp is a list": {"exp": [FUTURE]},
    "exp is NaN": {"exp": float("nan")},
    "exp is Infinity": {"exp": float("inf")},
    "exp is 10 to the 20": {"exp": 10**20},
    "exp is 10 to the 400": {"exp": 10**400},
    "exp has 100,000 digits": {"exp": "HUGE"},
    "not yet valid": {"nbf": FUTURE},
    "nbf is true": {"nbf": True},
    "nbf is a string": {"nbf": "0"},
    "nbf is NaN": {"nbf": float("nan")},
    "nbf is null": {"nbf": None},
    "issued in the future": {"iat": FUTURE},
    "iat is true": {"iat": True},
    "iat is a string": {"iat": "0"},
    "iat is -10 to the 400": {"iat": -(10**400)},
    "bound to a key": {"cnf": {"jkt": "x"}},
    "bound to nothing": {"cnf": None},
}


@pytest.mark.parametrize("make", HOSTILE_SIGNATURES.values(), ids=HOSTILE_SIGNATURES.keys())
async def test_a_token_whose_signature_does_not_hold_is_an_invalid_token(make: Callable[[], bytes]) -> None:
    await check_refused(make())


@pytest.mark.parametrize("make", HOSTILE_SHAPES.values(), ids=HOSTILE_SHAPES.keys())
async def test_a_token_of_another_shape_or_type_is_an_invalid_token(make: Callable[[], bytes]) -> None:
    await check_refused(make())


@pytest.mark.parametrize("changes", HOSTILE_CLAIMS.values(), ids=HOSTILE_CLAIMS.keys())
async def test_a_signed_token_that_does_not_speak_of_here_and_now_is_an_invalid_token(
    changes: dict[str, Any],
) -> None:
    payload = claims(**changes).replace(b'"HUGE"', b"9" * 100_000)
    await check_refused(compact(HEADER, payload))


async def check_refused(value: bytes) -> None:
    wire, inside = await knock(b"Bearer " + value)
    assert wire.status == 401
    assert wire.headers["www-authenticate"] == 'Bearer error="invalid_token"'
    assert wire.json["code"] == "invalid_token"
    assert inside.scopes == []


@pytest.mark.parametrize(
    "value", [b"", b"Basic YWxpY2U6", b"Bearer\t" + GOOD, b"DPoP " + GOOD, GOOD, b" Bearer " + GOOD]
)
async def test_what_is_not_a_bearer_token_is_no_credential(value: bytes) -> None:
    wire, inside = await knock(value)
    assert wire.status == 401
    assert wire.headers["www-authenticate"] == "Bearer"
    assert wire.json["code"] == "authentication_required"
    assert inside.scopes == []


async def test_no_header_is_no_credential() -> None:
    assert await bearer().authenticate(HTTPConnection(get())) is None


@pytest.mark.parametrize(
    "values",
    [(b"Bearer " + GOOD, b"Bearer " + GOOD), (b"Bearer " + GOOD, b"Basic x"), (b"", b"Bearer " + GOOD)],
    ids=["the same twice", "of two kinds", "one empty"],
)
async def test_two_authorization_headers_are_an_invalid_request(values: tuple[bytes, ...]) -> None:
    wire, inside = await knock(*values)
    assert wire.status == 400
    assert wire.json["code"] == "invalid_request"
    assert inside.scopes == []
    with pytest.raises(InvalidRequestError):
        await bearer().authenticate(HTTPConnection(get(*((b"authorization", value) for value in values))))


async def test_a_token_in_the_query_is_no_credential() -> None:
    inside = Greeter()
    scope = {**get(), "query_string": b"access_token=" + GOOD}
    wire = await Wire().request(AuthMiddleware(inside, authenticator=bearer()), scope)
    assert wire.status == 401
    assert inside.scopes == []


async def test_a_good_token_says_who_is_asking() -> None:
    expires = int(time.time()) + 60
    principal = await authenticate(
        token(exp=expires, scope="read write", org="acme"), leeway=10, tenant_claim="org"
    )
    assert principal == Principal(
        issuer=ISSUER,
        subject="alice",
        tenant="acme",
        scopes=frozenset({"read", "write"}),
        expires_at=expires + 10,
        method="jwt",
    )
    assert principal is not None
    assert principal.claims["client_id"] == "web"


@pytest.mark.parametrize("typ", ["at+jwt", "application/at+jwt", "AT+JWT"])
async def test_the_type_of_an_access_token_is_compared_as_a_media_type(typ: str) -> None:
    assert await authenticate(token({"typ": typ}))


@pytest.mark.parametrize(
    "changes",
    [
        {"aud": [AUDIENCE]},
        {"aud": ["billing", AUDIENCE]},
        {"aud": [1, None, AUDIENCE]},
        {"iat": ABSENT},
        {"nbf": 0},
        {"nbf": 1.5},
        {"exp": time.time() + 1000.5},
    ],
    ids=lambda changes: "-".join(
        f"{name} {'absent' if value is ABSENT else value}" for name, value in changes.items()
    ),
)
async def test_a_claim_may_have_every_form_that_its_rfc_allows(changes: dict[str, Any]) -> None:
    assert await authenticate(token(**changes))


@pytest.mark.parametrize(
    "scheme", [b"Bearer ", b"bearer ", b"BEARER ", b"Bearer   "], ids=["usual", "small", "capital", "spaces"]
)
async def test_the_scheme_is_compared_without_regard_to_case_or_spaces(scheme: bytes) -> None:
    wire, _ = await knock(scheme + GOOD)
    assert wire.status == 200


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
    shifted: dict[str, Any] = {name: now + seconds for name, seconds in changes.items()}
    valid: dict[str, Any] = {"iat": now, "exp": now + 1}
    value = token(**{**valid, **shifted})
    if accepted:
        assert await authenticate(value, leeway=10)
    else:
        with pytest.raises(InvalidTokenError):
            await authenticate(value, leeway=10)


@pytest.mark.parametrize(
    ("scope", "scopes"),
    [
        ("", ()),
        ("chat", ("chat",)),
        ("chat  read ", ("chat", "read")),
        (["chat"], ()),
        (None, ()),
        (1, ()),
    ],
    ids=["empty", "one", "spaces", "list", "null", "number"],
)
async def test_scopes_are_the_words_of_the_scope_claim(scope: object, scopes: tuple[str, ...]) -> None:
    principal = await authenticate(token(scope=scope))
    assert principal
    assert principal.scopes == set(scopes)


@pytest.mark.parametrize("scope", [ABSENT, "", "chat", "chatread", "read Chat"])
async def test_a_token_without_every_required_scope_is_forbidden(scope: object) -> None:
    wire, inside = await knock(b"Bearer " + token(scope=scope), required_scopes=["read", "chat"])
    assert wire.status == 403
    assert wire.headers["www-authenticate"] == 'Bearer error="insufficient_scope", scope="chat read"'
    assert wire.json["code"] == "insufficient_scope"
    assert inside.scopes == []


async def test_a_token_with_every_required_scope_is_let_in() -> None:
    wire, _ = await knock(b"Bearer " + token(scope="more read chat"), required_scopes=["chat", "read"])
    assert wire.status == 200
    with pytest.raises(InsufficientScopeError):
        await authenticate(GOOD, required_scopes=["chat"])


@pytest.mark.parametrize(
    "tenant", [ABSENT, None, "", 1, ["acme"]], ids=["absent", "null", "empty", "number", "list"]
)
async def test_a_token_without_the_tenant_that_the_app_needs_is_an_invalid_token(tenant: object) -> None:
    with pytest.raises(InvalidTokenError):
        await authenticate(token(org=tenant), tenant_claim="org")


async def test_without_a_tenant_claim_no_claim_becomes_a_tenant() -> None:
    principal = await authenticate(token(tenant="acme"))
    assert principal
    assert principal.tenant is None


@pytest.mark.parametrize("algorithm", ["RS256", "ES256", "Ed25519"])
async def test_every_algorithm_of_the_local_provider_is_accepted(algorithm: str) -> None:
    provider = LocalIdentityProvider(algorithm=algorithm)
    authenticator = JWTBearer(issuer=provider.issuer, audience=provider.audience, jwks=provider.jwks)
    headers = (b"authorization", b"Bearer " + provider.token("alice").encode())
    principal = await authenticator.authenticate(HTTPConnection(get(headers)))
    assert principal
    assert principal.subject == "alice"


async def test_an_algorithm_that_is_not_on_the_list_is_refused() -> None:
    with pytest.raises(InvalidTokenError):
        await authenticate(GOOD, algorithms=["ES256"])


@given(st.integers(0, len(GOOD)), st.integers(0, 3), st.binary(max_size=8))
async def test_a_token_that_was_changed_anywhere_is_refused(
    start: int, removed: int, inserted: bytes
) -> None:
    mutated = GOOD[:start] + inserted + GOOD[start + removed :]
    assume(mutated.strip(b" ") != GOOD)
    await check_refused(mutated)


JSON_VALUES: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20) | st.just(AUDIENCE),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)


@given(
    st.dictionaries(
        st.sampled_from(["iss", "aud", "sub", "exp", "nbf", "iat", "cnf", "scope", "org"]), JSON_VALUES
    )
)
async def test_whatever_a_signed_token_claims_the_answer_is_one_of_three(changes: dict[str, Any]) -> None:
    wire, inside = await knock(b"Bearer " + token(**changes), tenant_claim="org", required_scopes=["chat"])
    assert wire.status in (200, 401, 403)
    assert bool(inside.scopes) == (wire.status == 200)


@given(
    st.dictionaries(
        st.sampled_from(["alg", "typ", "kid", "crit", "b64", "jwk", "jku", "x5c", "zip"]), JSON_VALUES
    )
)
async def test_whatever_a_signed_header_says_the_answer_is_one_of_two(changes: dict[str, Any]) -> None:
    wire, _ = await knock(b"Bearer " + token(changes))
    assert wire.status in (200, 401)
    assert "crit" not in changes or wire.status == 401


@given(
    st.lists(st.binary(max_size=40) | st.binary(max_size=40).map(b"Bearer ".__add__), min_size=1, max_size=2)
)
async def test_whatever_stands_in_the_header_nobody_gets_in(values: list[bytes]) -> None:
    wire, inside = await knock(*values)
    assert wire.status == (401 if len(values) == 1 else 400)
    assert inside.scopes == []


def test_it_is_an_authenticator_with_a_bearer_challenge() -> None:
    authenticator = bearer()
    assert isinstance(authenticator, Authenticator)
    assert authenticator.challenge == "Bearer"


WRONG_OPTIONS: dict[str, tuple[dict[str, Any], str]] = {
    "no issuer": ({"issuer": ""}, "issuer"),
    "no audience": ({"audience": ""}, "audience"),
    "no algorithm": ({"algorithms": ()}, "algorithms"),
    "alg none": ({"algorithms": ["none"]}, "algorithms"),
    "a symmetric algorithm": ({"algorithms": ["RS256", "HS256"]}, "algorithms"),
    "algorithms as one word": ({"algorithms": "RS256"}, "algorithms"),
    "leeway negative": ({"leeway": -1}, "leeway"),
    "leeway too long": ({"leeway": 301}, "leeway"),
    "leeway is not a number": ({"leeway": float("nan")}, "leeway"),
    "scopes as one word": ({"required_scopes": "chat"}, "required_scopes"),
    "not a JWKS": ({"jwks": {"key": 1}}, "jwks"),
    "no key": ({"jwks": {"keys": ()}}, "jwks"),
    "an empty key": ({"jwks": {"keys": [{"kty": ""}]}}, "jwks"),
    "an unknown curve": ({"jwks": {"keys": [{"kty": "EC", "crv": "P-0", "x": "AA", "y": "AA"}]}}, "jwks"),
    "a private key": ({"jwks": {"keys": [KEY.as_dict(private=True)]}}, "public"),
    "a symmetric key": ({"jwks": {"keys": [SECRET_KEY]}}, "public"),
    "a symmetric key among public ones": ({"jwks": {"keys": [*JWKS["keys"], SECRET_KEY]}}, "public"),
}


@pytest.mark.parametrize(("options", "text"), WRONG_OPTIONS.values(), ids=WRONG_OPTIONS.keys())
def test_an_option_that_cannot_work_is_refused_at_construction(options: dict[str, Any], text: str) -> None:
    with pytest.raises(ConfigurationError, match=text):
        bearer(**options)


@pytest.mark.parametrize(
    "key",
    [
        ECKey.generate_key("P-256", {"kid": "e"}),
        OKPKey.generate_key("Ed25519", {"kid": "o"}),
        KEY,
    ],
    ids=["EC", "OKP", "RSA"],
)
def test_public_keys_of_every_asymmetric_kind_are_taken(key: RSAKey | ECKey | OKPKey) -> None:
    assert bearer(jwks={"keys": [key.as_dict(private=False)]}).challenge == "Bearer"


@pytest.mark.filterwarnings("ignore::joserfc.errors.SecurityWarning")  # it warns of what is refused here
def test_a_short_rsa_key_is_refused_when_the_app_is_built() -> None:
    short = RSAKey.generate_key(1024, {"alg": "RS256", "use": "sig", "kid": "short"})
    with pytest.raises(ConfigurationError, match="2048 bits"):
        JWTBearer(issuer="i", audience="a", jwks={"keys": [short.as_dict(private=False)]})
