"""Opaque bearer tokens, of which only their issuer knows what they mean: RFC 7662.

header → token → answers of the last seconds ─→ claims → principal
                         ↘ the issuer ↗              ↘ 401
"""

import re
import time
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

from starlette.requests import HTTPConnection

from chatkit_prod.errors import ConfigurationError, InvalidTokenError
from chatkit_prod.options import seconds
from chatkit_prod.principal import Principal

from .cache import TokenCache
from .claims import ClaimPath, ClaimRules
from .credentials import CHALLENGE, TokenHeader
from .introspection import AuthMethod, Introspection
from .lifecycle import Lifecycle
from .scopes import require_scopes, scopes_of

_TOKEN = re.compile(rb"[A-Za-z0-9._~+/-]{1,4096}={0,2}")
_MAX_TTL = 3600


class OpaqueBearer(Lifecycle):
    """Accepts tokens that their issuer, asked about each, says are active.

    A token that is revoked is refused `accept_for` seconds later at the latest.

    Args:
        introspection_url: Where to ask: `https`, or on this machine.
        client_id: How this service signs in there.
        client_secret: With this secret; never logged.
        issuer: The `iss` of the principals, and of an answer that names one.
        audience: What the `aud` of an answer must contain. None only where the issuer's tokens are for
            nobody else: then every active token is accepted.
        auth_method: How the secret is sent: `client_secret_basic` or `client_secret_post`.
        accept_for: Seconds for which a yes is remembered, but never past `exp` plus `leeway`.
        refuse_for: Seconds for which a no is remembered.
        leeway: Seconds by which the clocks may differ.
        required_scopes: Scopes that a token must have, all of them.
        required_claims: Members of the answer that must have one value.
        subject_claim: Where the user's id stands.
        scope_claim: Where the scopes stand, as text or list.
        tenant_claim: Where the tenant stands; a token without it is refused.
        header: Where the token stands.
        timeout: Seconds for one question.
        cache_size: Tokens that are remembered, for each of the two answers.

    Raises:
        ConfigurationError: An option is empty or out of range.
    """

    def __init__(
        self,
        *,
        introspection_url: str,
        client_id: str,
        client_secret: str,
        issuer: str,
        audience: str | Sequence[str] | None,
        auth_method: AuthMethod = "client_secret_basic",
        accept_for: float = 30.0,
        refuse_for: float = 10.0,
        leeway: float = 30.0,
        required_scopes: Sequence[str] = (),
        required_claims: Mapping[str, object] = MappingProxyType({}),
        subject_claim: str = "sub",
        scope_claim: ClaimPath = "scope",
        tenant_claim: ClaimPath | None = None,
        header: str = "Authorization",
        timeout: float = 5.0,
        cache_size: int = 1000,
    ) -> None:
        if seconds(accept_for, "accept_for") > _MAX_TTL or seconds(refuse_for, "refuse_for") > _MAX_TTL:
            raise ConfigurationError(f"accept_for and refuse_for must be at most {_MAX_TTL} seconds")
        self._introspection = Introspection(
            url=introspection_url,
            client_id=client_id,
            client_secret=client_secret,
            auth_method=auth_method,
            timeout=timeout,
        )
        self._rules = ClaimRules(
            issuer=issuer,
            audience=audience,
            required_claims=required_claims,
            leeway=leeway,
            subject_claim=subject_claim,
            scope_claim=scope_claim,
            tenant_claim=tenant_claim,
        )
        self._required_scopes = scopes_of(required_scopes)
        self._header = TokenHeader(header)
        self._accept_for = accept_for
        self._refuse_for = refuse_for
        self._active = TokenCache[Mapping[str, Any]](cache_size)
        self._inactive = TokenCache[float](cache_size)

    @property
    def challenge(self) -> str:
        """`Bearer`, with a realm."""
        return CHALLENGE

    async def aclose(self) -> None:
        """Close the connections to the issuer."""
        await self._introspection.aclose()

    async def authenticate(self, connection: HTTPConnection) -> Principal | None:
        """Return the subject of the token, or None if the request carries none.

        Raises:
            MalformedCredentialsError: There are two tokens.
            InvalidTokenError: The issuer says that the token is not active, or it is for somebody else.
            InsufficientScopeError: The token lacks a scope.
            UnavailableError: The issuer cannot be asked.
        """
        token = self._header.token(connection)
        if token is None:
            return None
        if not _TOKEN.fullmatch(token):
            raise InvalidTokenError(CHALLENGE, "malformed")
        claims = await self._claims(token)
        if claims is None:
            raise InvalidTokenError(CHALLENGE, "inactive")
        if reason := self._rules.refusal(claims, time.time()):
            raise InvalidTokenError(CHALLENGE, reason)
        principal = self._rules.principal(claims, "opaque")
        require_scopes(principal, self._required_scopes, CHALLENGE)
        return principal

    async def _claims(self, token: bytes) -> Mapping[str, Any] | None:
        """Return what the issuer has said about a token in the last seconds, or says now; None for a no."""
        key, now = TokenCache.key(token), time.time()
        known = self._active.get(key, now)
        if known is not None or self._inactive.get(key, now) is not None:
            return known
        claims, asked_at = await self._introspection.ask(key, token, now)
        if claims.get("active") is not True:
            self._inactive.put(key, asked_at, asked_at + self._refuse_for)
            return None
        self._active.put(key, claims, asked_at + self._accept_for)
        return claims
