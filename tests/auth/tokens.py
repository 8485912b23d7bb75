"""Tokens made by hand, because no library would make the hostile ones."""

import base64
import hashlib
import hmac
import json
import time
from collections.abc import Callable, Sequence
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.hashes import SHA256
from joserfc.jwk import RSAKey
from starlette.requests import HTTPConnection

from chatkit_prod import Principal
from chatkit_prod.auth import Authenticator, AuthMiddleware, JWTBearer
from chatkit_prod.errors import InvalidTokenError
from tests.layers import Greeter, get
from tests.servers import Wire

ISSUER = "https://idp.example.com"
AUDIENCE = "chatkit"
KEY = RSAKey.generate_key(2048, {"kid": "k1", "alg": "RS256", "use": "sig"})
STRANGER = RSAKey.generate_key(2048, {"kid": "k1"})
PUBLIC_JWK: dict[str, Any] = dict(KEY.as_dict(private=False))
JWKS: dict[str, Any] = {"keys": [PUBLIC_JWK]}

HEADER: dict[str, Any] = {"alg": "RS256", "typ": "at+jwt", "kid": "k1"}
CANARY = "canary@example.com"
"""Stands in the claims of every token, and must never be seen in a log or an answer."""


class Absent:
    """Has a name, so that the ids of tests do."""

    def __repr__(self) -> str:
        return "absent"


ABSENT: Any = Absent()
"""As the value of a member: there is no such member."""

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
    """Sign any header and any payload.

    Args:
        header: As it stands if it is bytes, as JSON otherwise.
        payload: As it stands.
        signer: Makes the signature.
    """
    head = header if isinstance(header, bytes) else json.dumps(header).encode()
    data = base64url(head) + b"." + base64url(payload)
    return data + b"." + base64url(signer(data))


def header(**changes: Any) -> dict[str, Any]:
    """Return a good header with something changed."""
    return {name: value for name, value in (HEADER | changes).items() if value is not ABSENT}


def claims(**changes: Any) -> bytes:
    """Return the claims of RFC 9068 §2.2 with something changed."""
    now = int(time.time())
    good = {
        "iss": ISSUER,
        "aud": AUDIENCE,
        "sub": "alice",
        "client_id": "web",
        "iat": now,
        "exp": now + 10**6,
        "jti": "t1",
        "email": CANARY,
    }
    return json.dumps(
        {name: value for name, value in (good | changes).items() if value is not ABSENT}
    ).encode()


def token(head: dict[str, Any] | None = None, signer: Signer = BY_THE_ISSUER, /, **changes: Any) -> bytes:
    """Return a good token with something changed in its header or its claims, signed after that."""
    return compact(header(**(head or {})), claims(**changes), signer)


def with_header(head: object, signer: Signer = BY_THE_ISSUER) -> bytes:
    """Return good claims below any header."""
    return compact(head, claims(), signer)


def with_payload(payload: bytes) -> bytes:
    """Return any payload below a good header."""
    return compact(HEADER, payload)


def bearer(**options: Any) -> JWTBearer:
    defaults: dict[str, Any] = {"issuer": ISSUER, "audience": AUDIENCE, "jwks": JWKS}
    return JWTBearer(**{**defaults, **options})


def connection(value: bytes) -> HTTPConnection:
    """Return a request with a bearer token."""
    return HTTPConnection(get((b"authorization", b"Bearer " + value)))


async def authenticate(value: bytes, **options: Any) -> Principal:
    """Return whom a `JWTBearer` with these options takes the bearer of a token for."""
    principal = await bearer(**options).authenticate(connection(value))
    assert principal
    return principal


async def refusal(value: bytes, **options: Any) -> str:
    """Return why such a `JWTBearer` refuses a token, as operators read it."""
    with pytest.raises(InvalidTokenError) as caught:
        await bearer(**options).verify(value)
    return caught.value.reason


async def knock(
    authenticator: Authenticator, values: Sequence[bytes], *, query: bytes = b""
) -> tuple[Wire, Greeter]:
    """Ask an app behind an authenticator with these `Authorization` headers."""
    inside = Greeter()
    scope = {**get(*((b"authorization", value) for value in values)), "query_string": query}
    wire = await Wire().request(AuthMiddleware(inside, authenticator=authenticator), scope)
    return wire, inside
