"""What attackers try: everything that is known, in one table."""

import json
import math
import time
import warnings
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

from joserfc.jwk import ECKey, OctKey, RSAKey

from chatkit_prod.auth import RemoteJWKS
from chatkit_prod.auth.keys import Keys
from chatkit_prod.errors import UnavailableError
from tests.auth.tokens import (
    ABSENT,
    AUDIENCE,
    BY_A_STRANGER,
    BY_THE_ISSUER,
    HEADER,
    ISSUER,
    KEY,
    PUBLIC_JWK,
    STRANGER,
    base64url,
    claims,
    hs256,
    rs256,
    token,
    unsigned,
    with_header,
    with_payload,
)

GOOD = token()
DATA, _, SIGNATURE = GOOD.rpartition(b".")
HEAD, PAYLOAD = DATA.split(b".")
HOUR = 3600


class Attack(NamedTuple):
    """What is tried, and what must come of it.

    Args:
        values: The `Authorization` headers.
        code: The stable word of the refusal, with which its status and its challenge go.
        query: The query of the URL.
        options: Of the `JWTBearer` at the door.
        good: What the same door must open for; None if for nothing.
    """

    values: tuple[bytes, ...]
    code: str = "invalid_token"
    query: bytes = b""
    options: Mapping[str, Any] = MappingProxyType({})
    good: bytes | None = GOOD


def forged(value: bytes, *, good: bytes = GOOD, **options: Any) -> Attack:
    return Attack((b"Bearer " + value,), options=options, good=good)


def signed(**changes: Any) -> Attack:
    return forged(token(**changes))


def nested(depth: int) -> bytes:
    return b"[" * depth + b"]" * depth


# ------------------------------------------------------------------------------------------------ signatures

PEM, DER = KEY.as_pem(private=False), KEY.as_der(private=False)
SIGNATURES: dict[str, Attack] = {
    **{
        f"alg {name!r}, {kind}, CVE-2026-28802": forged(token({"alg": name}, signer))
        for name in ("none", "None", "NONE", "nOnE", "", "none ", ABSENT, None, ["none"])
        for kind, signer in (("unsigned", unsigned), ("signed", BY_THE_ISSUER))
    },
    "the public key in PEM as HMAC secret, CVE-2022-29217": forged(token({"alg": "HS256"}, hs256(PEM))),
    "the same without its last newline, CVE-2024-37568": forged(token({"alg": "HS256"}, hs256(PEM.strip()))),
    "the public key in DER as HMAC secret, CVE-2026-48526": forged(token({"alg": "HS256"}, hs256(DER))),
    "the public JWK as HMAC secret": forged(token({"alg": "HS256"}, hs256(json.dumps(PUBLIC_JWK).encode()))),
    "the modulus as HMAC secret": forged(token({"alg": "HS256"}, hs256(PUBLIC_JWK["n"].encode()))),
    "an empty HMAC secret, CVE-2026-49852": forged(token({"alg": "HS256"}, hs256(b""))),
    "an alg that is not accepted": forged(token({"alg": "RS512"})),
    "an alg that the key is not for, CVE-2026-48523": forged(token({"alg": "PS256"})),
    "an alg of another kind of key": forged(token({"alg": "ES256"})),
    "blank signature": forged(token(None, unsigned)),
    "signature of zeros, as in CVE-2022-21449": forged(token(None, lambda _: bytes(256))),
    "no signature part": forged(DATA),
    "signed by a stranger": forged(token(None, BY_A_STRANGER)),
    "signature of another token": forged(token(sub="mallory").rpartition(b".")[0] + b"." + SIGNATURE),
    "header of another token": forged(base64url(b'{"alg":"RS256"}') + b"." + PAYLOAD + b"." + SIGNATURE),
    "inline jwk, CVE-2026-27962": forged(token({"jwk": STRANGER.as_dict(private=False)}, BY_A_STRANGER)),
    "inline jwk without a kid": forged(
        token({"jwk": STRANGER.as_dict(private=False), "kid": ABSENT}, BY_A_STRANGER)
    ),
    "jku": forged(token({"jku": "https://evil.example/jwks"}, BY_A_STRANGER)),
    "x5u": forged(token({"x5u": "https://evil.example/x5u"}, BY_A_STRANGER)),
    "x5c": forged(token({"x5c": ["MIIB"]}, BY_A_STRANGER)),
    "kid unknown": forged(token({"kid": "k2"})),
    "kid traversal": forged(token({"kid": "../../../../dev/null"}, hs256(b""))),
    "kid injection": forged(token({"kid": "' UNION SELECT 'secret' --"}, hs256(b"secret"))),
    "kid a URL": forged(token({"kid": "https://evil.example/key"}, BY_A_STRANGER)),
    "kid a command": forged(token({"kid": "| curl https://evil.example"}, BY_A_STRANGER)),
    "kid with NUL": forged(token({"kid": "k1\0"})),
    "kid a number": forged(token({"kid": 1})),
    "kid a list": forged(token({"kid": ["k1"]})),
    "kid an object": forged(token({"kid": {"k1": "k1"}})),
    "kid true": forged(token({"kid": True})),
    "kid of 5 KB": forged(token({"kid": "k" * 5000})),
    "kid of 500 KB": forged(token({"kid": "k" * 500_000})),
    "crit with an unknown name, CVE-2025-59420": forged(token({"crit": ["exp"], "exp": 1})),
    "crit with an unknown name that is absent, CVE-2026-32597": forged(token({"crit": ["x"]})),
    "crit empty": forged(token({"crit": []})),
    "crit with a known name": forged(token({"crit": ["alg"]})),
    "crit doubled": forged(token({"crit": ["b64", "b64"], "b64": True})),
    "crit text": forged(token({"crit": "alg"})),
    "crit with b64 false, GHSA-wphv-vfrh-23q5": forged(token({"crit": ["b64"], "b64": False})),
    "b64 false alone": forged(token({"b64": False})),
}

# ------------------------------------------------------------------------------------------------ keys

with warnings.catch_warnings(action="ignore"):
    SHORT = RSAKey.generate_key(1024)
WEAK_SECRET, SECRET = b"s" * 16, b"s" * 32


def beside(jwk: Mapping[str, Any], value: bytes) -> Attack:
    """A token whose key stands in the JWKS of the issuer, where it should not."""
    return forged(value, jwks={"keys": [{**jwk, "kid": "bad"}, PUBLIC_JWK]})


def hmac(secret: bytes, value: bytes) -> Attack:
    """A token whose secret stands in a JWKS of secrets, where it should not."""
    secrets = [OctKey.import_key(SECRET, {"kid": "k1"}).as_dict(private=True)]
    weak = {"kty": "oct", "kid": "bad", "k": base64url(secret).decode()}
    good = token({"alg": "HS256"}, hs256(SECRET))
    return forged(value, good=good, jwks={"keys": [weak, *secrets]}, algorithms=["HS256"])


def by(key: RSAKey, **changes: Any) -> bytes:
    return token({"kid": "bad", **changes}, rs256(key))


OTHER = STRANGER.as_dict(private=False)
BAD = {"kid": "bad", "alg": "HS256"}
KEYS: dict[str, Attack] = {
    "a key of 1024 bits": beside(SHORT.as_dict(private=False), by(SHORT)),
    "a key for encryption": beside({**OTHER, "use": "enc"}, by(STRANGER)),
    "a key whose key_ops lack verify": beside({**OTHER, "key_ops": ["encrypt"]}, by(STRANGER)),
    "a key for another algorithm, CVE-2026-48523": beside({**OTHER, "alg": "PS256"}, by(STRANGER)),
    "a key for another algorithm, without kid": beside({**OTHER, "alg": "PS256"}, by(STRANGER, kid=ABSENT)),
    "a key of another type by the same kid": forged(
        token({"alg": "ES256"}),
        jwks={"keys": [PUBLIC_JWK, ECKey.generate_key("P-256", {"kid": "k1"}).as_dict(private=False)]},
    ),
    "no kid where there are several keys": forged(
        token({"kid": ABSENT}, BY_A_STRANGER),
        jwks={"keys": [PUBLIC_JWK, {**PUBLIC_JWK, "kid": "k2"}]},
    ),
    "the same kid twice": forged(token(None, BY_A_STRANGER), jwks={"keys": [PUBLIC_JWK, PUBLIC_JWK]}),
    "a secret of 16 bytes": hmac(WEAK_SECRET, token(BAD, hs256(WEAK_SECRET))),
    "an empty secret": hmac(b"", token(BAD, hs256(b""))),
    "a public key in PEM as a secret": hmac(PEM, token(BAD, hs256(PEM))),
    "a public key in DER as a secret": hmac(DER, token(BAD, hs256(DER))),
    "RS256 where secrets are": hmac(PEM, token({"kid": "bad"})),
    "HMAC of the other length": hmac(WEAK_SECRET, token({"alg": "HS512"}, hs256(SECRET))),
}

# ------------------------------------------------------------------------------------------------ shapes

SHAPES: dict[str, Attack] = {
    "one letter": forged(b"x"),
    "two dots": forged(b".."),
    "a fourth part": forged(GOOD + b".x"),
    "JWE with an unbounded p2c, CVE-2026-27932": forged(
        base64url(b'{"alg":"PBES2-HS256+A128KW","enc":"A128GCM","p2c":2147483647,"p2s":"AAAA"}') + b".x.x.x.x"
    ),
    "JSON serialization": forged(
        json.dumps(
            {"payload": PAYLOAD.decode(), "protected": HEAD.decode(), "signature": SIGNATURE.decode()}
        ).encode()
    ),
    "1 MB of letters, CVE-2025-61920": forged(b"x" * 1_000_000),
    "1 MB of dots": forged(b"." * 1_000_000),
    "1 MB of header": forged(b"x" * 1_000_000 + b".x.x"),
    "1 MB of signed payload": signed(padding="x" * 1_000_000),
    "17 KB of signed payload": signed(padding="x" * 17_000),
    "not ASCII": forged("é".encode() + GOOD),
    "NUL within": forged(GOOD[:20] + b"\0" + GOOD[20:]),
    "NUL behind": forged(GOOD + b"\0"),
    "a space within": forged(GOOD[:20] + b" " + GOOD[20:]),
    "a tab behind": forged(GOOD + b"\t"),
    "a newline behind": forged(GOOD + b"\n"),
    "quoted": forged(b'"' + GOOD + b'"'),
    "two tokens": forged(GOOD + b" " + GOOD),
    "two schemes in one header": forged(GOOD + b", Basic YWxpY2U6"),
    "the scheme twice": forged(b"Bearer " + GOOD),
    "padding": forged(GOOD + b"=="),
    "the other alphabet": forged(DATA + b"." + SIGNATURE[:-9] + b"+/+/" + SIGNATURE[-5:]),
    "unused bits set": forged(GOOD[:-1] + (b"B" if GOOD[-1:] == b"A" else bytes([GOOD[-1] + 1]))),
    **{
        f"header {name}": forged(with_header(header))
        for name, header in {
            "a list": [HEADER],
            "the text alg": "alg",
            "a number": 1,
            "null": None,
            "empty": b"",
            "not JSON": b"{",
            "not UTF-8": b'{"alg":"RS256","kid":"k1","typ":"at+jwt","x":"\xff"}',
            "with alg twice": b'{"alg":"none","alg":"RS256","kid":"k1","typ":"at+jwt"}',
            "with half a surrogate pair": rb'{"alg":"RS256","kid":"k1","typ":"at+jwt","x":"\ud800"}',
            "with NaN": b'{"alg":"RS256","kid":"k1","typ":"at+jwt","x":NaN}',
            "nested deeply": b'{"alg":"RS256","typ":"at+jwt","kid":"k1","x":' + nested(2500) + b"}",
            "nested endlessly": b'{"alg":"RS256","typ":"at+jwt","kid":"k1","x":' + b"[" * 5000,
        }.items()
    },
    **{
        f"payload {name}": forged(with_payload(payload))
        for name, payload in {
            "empty": b"",
            "a list": b"[" + claims() + b"]",
            "text": b'"alice"',
            "a number": b"1",
            "null": b"null",
            "an empty object": b"{}",
            "not JSON": b"{",
            "not UTF-8": claims().replace(b"alice", b"\xff"),
            "with sub twice": claims().replace(b"{", b'{"sub":"mallory",', 1),
            "with exp twice": claims().replace(b"{", b'{"exp":1,', 1),
            "with half a surrogate pair": claims().replace(b"alice", rb"\ud800"),
            "nested deeply": claims().replace(b"{", b'{"x":' + nested(5000) + b",", 1),
            "with exp of 5,000 digits": claims(exp="x").replace(b'"x"', b"9" * 5000),
            "with exp 1e400": claims(exp="x").replace(b'"x"', b"1e400"),
            "with exp -1e400": claims(exp="x").replace(b'"x"', b"-1e400"),
        }.items()
    },
}

# ------------------------------------------------------------------------------------------------ claims

FUTURE = 4_000_000_000  # in 2096
TYPES = (
    "JWT",
    "ID+JWT",
    "logout+jwt",
    "dpop+jwt",
    "at+jwt2",
    "xat+jwt",
    "text/at+jwt",
    "at+jwt ",
    "",
    ABSENT,
    None,
)
WRONG_VALUES: dict[str, tuple[Any, ...]] = {
    "iss": (ISSUER + "/", ISSUER[:-1], ISSUER + ".evil.example", ISSUER.upper(), [ISSUER], None),
    "aud": (
        "billing",
        "chatkit2",
        "chat",
        AUDIENCE.upper(),
        "",
        [],
        [[AUDIENCE]],
        {AUDIENCE: 1},
        None,
    ),
    "sub": ("", 1, ["alice"], {"alice": 1}, None),
    "exp": (0, -1, str(FUTURE), True, [FUTURE], None, math.nan, math.inf, 10**20, 10**400),
    "nbf": (FUTURE, True, "0", math.nan, None),
    "iat": (FUTURE, True, "0", -(10**400), None),
    "cnf": ({"jkt": "x"}, {}, None),
}
CLAIMS: dict[str, Attack] = {
    **{f"typ {typ!r}": forged(token({"typ": typ})) for typ in (*TYPES, 1, ["at+jwt"], {"at+jwt": 1})},
    **{
        f"{name} absent": signed(**{name: ABSENT})
        for name in ("iss", "exp", "aud", "sub", "client_id", "iat", "jti")
    },
    **{
        f"{name} {value!r}": signed(**{name: value})
        for name, values in WRONG_VALUES.items()
        for value in values
    },
    "iss that ours begins with, GHSA-75c5-xw7c-p5pm": signed(iss="https://idp.example"),
    "expired a while ago": signed(exp=time.time() - 31),
    "issued in an hour": signed(iat=time.time() + HOUR),
    "valid in an hour": signed(nbf=time.time() + HOUR),
    "no tenant where there must be one": forged(token(), good=token(tid="acme"), tenant_claim="tid"),
    "a tenant that is a list": forged(token(tid=["acme"]), good=token(tid="acme"), tenant_claim="tid"),
    "token_use of an ID token": forged(
        token(token_use="id"), good=token(token_use="access"), required_claims={"token_use": "access"}
    ),
    **{
        f"scope {scope!r}": Attack(
            (b"Bearer " + token(scope=scope),),
            "insufficient_scope",
            options={"required_scopes": ["read", "chat"]},
            good=token(scope="more read chat"),
        )
        for scope in (
            ABSENT,
            None,
            "",
            "chat",
            "chatread",
            "read Chat",
            "chat,read",
            ["chat"],
            {"chat": 1, "read": 1},
        )
    },
}

# ------------------------------------------------------------------------------------------------ requests


class Unreachable(RemoteJWKS):
    """An issuer that is down."""

    def current(self) -> None:
        return None

    async def load(self) -> Keys:
        raise UnavailableError("keys")


BEARER = b"Bearer " + GOOD
REQUESTS: dict[str, Attack] = {
    "no header": Attack((), "authentication_required"),
    **{
        f"the header {value[:12]!r}": Attack((value,), "authentication_required")
        for value in (b"", GOOD, b"Basic YWxpY2U6", b"Basic YWxpY2U6LCBCZWFyZXI=, " + BEARER, b"DPoP " + GOOD)
    },
    "a tab behind the scheme": Attack((b"Bearer\t" + GOOD,), "invalid_request"),
    "a space before the scheme": Attack((b" " + BEARER,), "authentication_required"),
    "the token in the query": Attack((), "authentication_required", b"access_token=" + GOOD),
    "a token in the header and one in the query": Attack(
        (BEARER,), "invalid_request", b"access_token=" + GOOD
    ),
    "the scheme alone": Attack((b"Bearer",), "invalid_request"),
    "the scheme with spaces": Attack((b"Bearer   ",), "invalid_request"),
    "the same header twice": Attack((BEARER, BEARER), "invalid_request"),
    "a good header behind a bad one": Attack((b"Bearer x", BEARER), "invalid_request"),
    "a bad header behind a good one": Attack((BEARER, b"Bearer x"), "invalid_request"),
    "two kinds of header": Attack((BEARER, b"Basic YWxpY2U6"), "invalid_request"),
    "an empty header too": Attack((b"", BEARER), "invalid_request"),
    "two headers while the issuer is down, CVE-2025-64527": Attack(
        (BEARER, BEARER), "invalid_request", options={"jwks": Unreachable(issuer=ISSUER)}, good=None
    ),
}

ATTACKS = {
    f"{group}: {name}": attack
    for group, attacks in {
        "signature": SIGNATURES,
        "key": KEYS,
        "shape": SHAPES,
        "claim": CLAIMS,
        "request": REQUESTS,
    }.items()
    for name, attack in attacks.items()
}
