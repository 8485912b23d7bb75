"""Signed JWTs as bearer tokens: RFC 6750, RFC 7519, RFC 8725 and RFC 9068."""

import time
from collections.abc import Mapping, Sequence
from typing import Any, TypeGuard, cast

from joserfc import jwt
from joserfc.jwk import KeySet, KeySetSerialization, RSAKey
from joserfc.jws import JWSRegistry
from starlette.requests import HTTPConnection

from chatkit_prod.asgi import header_values
from chatkit_prod.errors import (
    ConfigurationError,
    InsufficientScopeError,
    InvalidRequestError,
    InvalidTokenError,
)
from chatkit_prod.principal import Principal

DEFAULT_ALGORITHMS = ("RS256", "PS256", "ES256", "Ed25519", "EdDSA")

_ASYMMETRIC = (
    "RS256",
    "RS384",
    "RS512",
    "PS256",
    "PS384",
    "PS512",
    "ES256",
    "ES384",
    "ES512",
    "Ed25519",
    "Ed448",
    "EdDSA",
)
_ASYMMETRIC_KEY_TYPES = ("RSA", "EC", "OKP")
_ACCESS_TOKEN_TYPES = ("at+jwt", "application/at+jwt")
_CHALLENGE = "Bearer"
_MAX_LEEWAY = 300
_MIN_RSA_BITS = 2048
_MAX_TIME = 1e12


class JWTBearer:
    """Accepts access tokens that one issuer has signed for one audience.

    Args:
        issuer: The exact `iss` of a token, such as `https://idp.example.com`.
        audience: What the `aud` of a token must contain: the name of this service at the issuer.
        jwks: The issuer's public keys as a JWKS (RFC 7517 §5); symmetric keys are refused.
        algorithms: The signature algorithms that are accepted, all asymmetric.
        leeway: Seconds by which the clocks may differ.
        required_scopes: Scopes that a token must have, all of them.
        tenant_claim: The claim that names the tenant; a token without it is refused.

    Raises:
        ConfigurationError: An option is empty or out of range, or the JWKS cannot be used.
    """

    def __init__(
        self,
        *,
        issuer: str,
        audience: str,
        jwks: Mapping[str, Any],
        algorithms: Sequence[str] = DEFAULT_ALGORITHMS,
        leeway: float = 30.0,
        required_scopes: Sequence[str] = (),
        tenant_claim: str | None = None,
    ) -> None:
        if not issuer or not audience:
            message = "issuer and audience must not be empty"
            raise ConfigurationError(message)
        if not algorithms or not set(algorithms) <= set(_ASYMMETRIC):
            message = f"algorithms must be some of {', '.join(_ASYMMETRIC)}"
            raise ConfigurationError(message)
        if not 0 <= leeway <= _MAX_LEEWAY:
            message = f"leeway must be between 0 and {_MAX_LEEWAY} seconds"
            raise ConfigurationError(message)
        if isinstance(required_scopes, str):
            message = "required_scopes must be a list of scopes"
            raise ConfigurationError(message)
        self._issuer = issuer
        self._audience = audience
        self._leeway = leeway
        self._required_scopes = frozenset(required_scopes)
        self._tenant_claim = tenant_claim
        self._keys = _import(jwks)
        self._registry = JWSRegistry(algorithms=list(algorithms), strict_check_header=False)

    @property
    def challenge(self) -> str:
        """`Bearer`."""
        return _CHALLENGE

    async def authenticate(self, connection: HTTPConnection) -> Principal | None:
        """Return the subject of the bearer token, or None if the request carries none.

        Raises:
            InvalidRequestError: There are two `Authorization` headers (RFC 6750 §3.1).
            InvalidTokenError: The token is malformed, forged, expired, or meant for somebody else.
            InsufficientScopeError: The token lacks a scope.
        """
        values = list(header_values(connection.scope, b"authorization"))
        if len(values) > 1:
            raise InvalidRequestError
        scheme, _, token = (values[0] if values else b"").partition(b" ")
        if scheme.lower() != b"bearer":
            return None
        principal = self._principal(self._verified(token.strip(b" ")))
        if not self._required_scopes <= principal.scopes:
            raise InsufficientScopeError(sorted(self._required_scopes))
        return principal

    def _verified(self, token: bytes) -> Mapping[str, Any]:
        """Return the claims of a token whose signature and type hold."""
        try:
            decoded = jwt.decode(token, self._keys, registry=self._registry)
        except Exception:  # noqa: BLE001 - hostile tokens raise more than the library's own errors
            raise InvalidTokenError(_CHALLENGE) from None
        kind = decoded.header.get("typ")
        claims: Any = decoded.claims  # joserfc 1.6 hands over any JSON value
        if (
            not isinstance(claims, dict)
            or not isinstance(kind, str)
            or kind.lower() not in _ACCESS_TOKEN_TYPES
            or "crit" in decoded.header
        ):
            raise InvalidTokenError(_CHALLENGE)
        return cast("dict[str, Any]", claims)

    def _principal(self, claims: Mapping[str, Any]) -> Principal:
        """Return who the claims speak of, if they hold now and here."""
        audience: Any = claims.get("aud")
        is_for_us = audience == self._audience or (isinstance(audience, list) and self._audience in audience)
        subject, expires_at = claims.get("sub"), claims.get("exp")
        tenant = None if self._tenant_claim is None else claims.get(self._tenant_claim)
        now = time.time()
        if (
            claims.get("iss") != self._issuer
            or not is_for_us
            or not _is_text(subject)
            or not _is_time(expires_at)
            or expires_at + self._leeway <= now
            or not _is_past(claims.get("nbf", 0), now + self._leeway)
            or not _is_past(claims.get("iat", 0), now + self._leeway)
            or "cnf" in claims
            or (self._tenant_claim is not None and not _is_text(tenant))
        ):
            raise InvalidTokenError(_CHALLENGE)
        scope = claims.get("scope", "")
        return Principal(
            issuer=self._issuer,
            subject=subject,
            tenant=tenant,
            scopes=frozenset(scope.split() if isinstance(scope, str) else ()),
            claims=claims,
            expires_at=expires_at + self._leeway,
            method="jwt",
        )


def _import(jwks: Mapping[str, Any]) -> KeySet:
    try:
        keys = KeySet.import_key_set(cast("KeySetSerialization", jwks))
    except Exception as error:
        message = "jwks is not a JWKS of public keys"
        raise ConfigurationError(message) from error
    if not keys.keys or any(key.key_type not in _ASYMMETRIC_KEY_TYPES or key.is_private for key in keys):
        message = "jwks must hold public keys, and nothing else"
        raise ConfigurationError(message)
    if any(isinstance(key, RSAKey) and key.public_key.key_size < _MIN_RSA_BITS for key in keys):
        message = f"an RSA key in jwks has less than {_MIN_RSA_BITS} bits"
        raise ConfigurationError(message)
    return keys


def _is_text(value: object) -> TypeGuard[str]:
    return isinstance(value, str) and value != ""


def _is_time(value: object) -> TypeGuard[float]:
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < _MAX_TIME


def _is_past(value: object, now: float) -> bool:
    return _is_time(value) and value <= now
