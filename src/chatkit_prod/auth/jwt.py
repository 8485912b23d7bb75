"""Signed JWTs as bearer tokens: RFC 6750, RFC 7519, RFC 8725 and RFC 9068.

header → token → cache ─────────────────────────→ principal
                   ↘ parse → issuer → signature → claims ↗
"""

import time
from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Any

from starlette.requests import HTTPConnection

from chatkit_prod.errors import ConfigurationError, ForeignTokenError, InvalidTokenError
from chatkit_prod.options import is_text
from chatkit_prod.principal import Principal

from .algorithms import select
from .cache import TokenCache
from .claims import ClaimPath, ClaimRules
from .credentials import CHALLENGE, TokenHeader
from .jwks import RemoteJWKS
from .jws import MAX_TOKEN_BYTES, CompactJWS, UnknownKeyError, encoded, parse
from .key_source import key_source
from .keys import Keys
from .keys_by_kid import PLACE
from .lifecycle import Lifecycle
from .scopes import require_scopes, scopes_of
from .strict_json import parse_object

_RFC9068_CLAIMS = frozenset({"iss", "exp", "aud", "sub", "client_id", "iat", "jti"})
_CACHE_SECONDS = 300.0


class JWTBearer(Lifecycle):
    """Accepts access tokens that one issuer has signed for one audience.

    Several issuers stand side by side in a `FirstOf`, each with its own keys and audience.

    Args:
        issuer: The exact `iss` of a token, such as `https://idp.example.com`.
        audience: What the audience of a token must contain: the name of this service at the issuer. None
            only with `signer`.
        jwks: The issuer's public keys as a JWKS (RFC 7517 §5), or a `RemoteJWKS` that fetches them.
            Without it they are discovered at the issuer.
        jwks_url: Where they are fetched from, for an issuer without metadata. With `{kid}` at its end,
            each key is fetched in PEM under its own name, as AWS's load balancers publish them.
        algorithms: The signature algorithms that are accepted. HMAC needs a `jwks` of secrets, and
            stands alone.
        typ: The `typ` that a token may have. `("at+jwt",)` is RFC 9068, and demands its seven claims:
            an ID token is never taken for an access token. For a provider that does not set it,
            `("JWT",)`, with `None` in it where there may be no `typ` at all; then let `audience` or
            `required_claims` tell the two kinds of tokens apart.
        leeway: Seconds by which the clocks may differ.
        required_scopes: Scopes that a token must have, all of them.
        required_claims: Claims that must have one value, such as `{"token_use": "access"}`.
        audience_claim: Where the audience stands.
        subject_claim: Where the user's id stands.
        scope_claim: Where the scopes stand, as text or list; a path for a claim within a claim.
        tenant_claim: Where the tenant stands; a token without it is refused.
        header: Where the token stands. What an access proxy sets, and clients cannot, holds the token
            alone, without `Bearer`.
        signer: For `X-Amzn-Oidc-Data`: the ARN of the load balancer, which its tokens name instead of
            an audience, in a header that also holds `iss` and `exp`.
        cache_size: Verified tokens that are remembered, for at most 300 seconds and never past `exp` plus
            `leeway`, nor past a change of the keys; 0 for none.

    Raises:
        ConfigurationError: An option is empty or out of range, or the JWKS has no key to go by.
    """

    def __init__(
        self,
        *,
        issuer: str,
        audience: str | Sequence[str] | None,
        jwks: Mapping[str, Any] | RemoteJWKS | None = None,
        jwks_url: str | None = None,
        algorithms: Sequence[str] = ("RS256", "PS256", "ES256", "Ed25519", "EdDSA"),
        typ: Sequence[str | None] = ("at+jwt",),
        leeway: float = 30.0,
        required_scopes: Sequence[str] = (),
        required_claims: Mapping[str, object] = MappingProxyType({}),
        audience_claim: str = "aud",
        subject_claim: str = "sub",
        scope_claim: ClaimPath = "scope",
        tenant_claim: ClaimPath | None = None,
        header: str = "Authorization",
        signer: str | None = None,
        cache_size: int = 1000,
    ) -> None:
        if (audience is None) is (signer is None) or not (signer is None or is_text(signer)):
            raise ConfigurationError(
                "a token is for an audience, or by the signer of an access proxy: name one of the two"
            )
        self._algorithms = select(algorithms)
        self._signer = signer
        self._types = _types(typ)
        self._rules = ClaimRules(
            issuer=issuer,
            audience=audience,
            required=_RFC9068_CLAIMS if self._types <= {"at+jwt"} else frozenset({"iss", "exp"}),
            required_claims=required_claims,
            leeway=leeway,
            audience_claim=audience_claim,
            subject_claim=subject_claim,
            scope_claim=scope_claim,
            tenant_claim=tenant_claim,
        )
        self._required_scopes = scopes_of(required_scopes)
        self._header = TokenHeader(header)
        if signer is None and isinstance(jwks_url, str) and PLACE in jwks_url:
            raise ConfigurationError(
                f"a jwks_url with {PLACE} is for the tokens of a signer: anybody else could have us ask for keys"
            )
        symmetric = any(algorithm.min_secret_bytes for algorithm in self._algorithms.values())
        self._keys = key_source(jwks, jwks_url, issuer=issuer, symmetric=symmetric)
        self._cache = TokenCache[Principal](cache_size)
        self._cached_for: Keys | None = None

    @property
    def challenge(self) -> str:
        """`Bearer`, with a realm."""
        return CHALLENGE

    async def warm(self) -> None:
        """Fetch the keys now, so that the first request need not.

        Raises:
            UnavailableError: The provider does not answer with any; the log says how.
        """
        await self._keys.load()

    async def authenticate(self, connection: HTTPConnection) -> Principal | None:
        """Return the subject of the token, or None if the request carries none.

        Raises:
            MalformedCredentialsError: There are two tokens.
            InvalidTokenError: The token is malformed, forged, expired, or meant for somebody else.
            InsufficientScopeError: The token lacks a scope.
            UnavailableError: There are no keys to verify it by.
        """
        token = self._header.token(connection)
        return None if token is None else await self.verify(token)

    async def verify(self, token: bytes | str) -> Principal:
        """Return the subject of a token, wherever it came from.

        Args:
            token: What the client sent, untrusted.

        Raises:
            RequestError: As `authenticate`.
        """
        if isinstance(token, str):
            token = encoded(token)
        if len(token) > MAX_TOKEN_BYTES:
            raise InvalidTokenError(CHALLENGE, "too long")
        keys = self._keys.current()
        if keys is None:
            self._stated(token)  # what is not of this issuer never waits for its keys
            keys = await self._keys.load()
        if keys is not self._cached_for:
            self._cache.clear()
            self._cached_for = keys
        now, key = time.time(), TokenCache.key(token)
        principal = self._cache.get(key, now)
        if principal is None:
            principal = await self._verified(token, keys, now)
            self._cache.put(key, principal, min(now + _CACHE_SECONDS, principal.expires_at or 0))
        if self._required_scopes:
            require_scopes(principal, self._required_scopes, CHALLENGE)
        return principal

    async def _verified(self, token: bytes, keys: Keys, now: float) -> Principal:
        jws, claims = self._stated(token)
        # Nothing of this is to be believed yet, but without it there is no need to look for a key.
        if _media_type(jws.header.get("typ")) not in self._types:
            raise InvalidTokenError(CHALLENGE, "typ")
        if reason := self._rules.refusal(claims, now):
            raise InvalidTokenError(CHALLENGE, reason)
        try:
            jws.verified_by(keys, self._algorithms)
        except UnknownKeyError:
            newer = await self._keys.newer(keys, jws.header.get("kid"))
            if newer is keys:
                raise
            jws.verified_by(newer, self._algorithms)
        return self._rules.principal(claims, "jwt")

    def _stated(self, token: bytes) -> tuple[CompactJWS, Mapping[str, Any]]:
        """Return what a token states, which is not to be believed before its signature has been verified.

        Raises:
            ForeignTokenError: That it is somebody else's.
            InvalidTokenError: It is malformed.
        """
        jws = parse(token, padded=self._signer is not None)
        try:
            claims = parse_object(jws.payload)
        except ValueError:
            raise InvalidTokenError(CHALLENGE, "malformed") from None
        if self._signer is not None:
            claims |= {name: jws.header[name] for name in ("iss", "exp") if name in jws.header}
        if claims.get("iss") != self._rules.issuer:
            raise ForeignTokenError(CHALLENGE, "iss")
        if self._signer is not None and jws.header.get("signer") != self._signer:
            raise ForeignTokenError(CHALLENGE, "signer")
        return jws, claims


def _types(typ: Sequence[str | None]) -> frozenset[str | None]:
    """Return the accepted types as `_media_type` spells them.

    Raises:
        ConfigurationError: There is none, or it is no list.
    """
    is_list = isinstance(typ, Iterable) and not isinstance(typ, str)
    types = frozenset(map(_media_type, typ)) if is_list else frozenset[str | None]()
    if not types or "" in types:
        raise ConfigurationError(f'typ must be a list of types, such as ("at+jwt",), not {typ!r}')
    return types


def _media_type(typ: object) -> str | None:
    """Return a `typ` in its short form (RFC 7515 §4.1.9); what is no text is a type that nobody accepts."""
    if typ is None:
        return None
    return typ.lower().removeprefix("application/") if isinstance(typ, str) else ""
