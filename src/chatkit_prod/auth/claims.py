"""What a verified statement about a token must say, and whom it speaks of. No I/O, no clock.

RFC 7519 §4.1, RFC 7662 §2.2, RFC 8725 §3.8 to §3.12, RFC 9068 §2.2 and §4.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, cast

from chatkit_prod.errors import ConfigurationError
from chatkit_prod.options import is_text, is_time, listed
from chatkit_prod.principal import Principal

ClaimPath = str | Sequence[str]
"""The name of a claim, or the names on the way to a member of it, such as `("realm_access", "roles")`."""

_CONTAINERS = (dict, list)
_MAX_LEEWAY = 300


class ClaimRules:
    """What holds for every token that one authenticator accepts. Immutable.

    Args:
        issuer: The exact `iss`.
        audience: What the audience claim must contain: a name, or one of several; None where that is
            not checked.
        required: Claims that must be there.
        required_claims: Claims that must have one value, such as `{"token_use": "access"}`.
        leeway: Seconds by which the clocks may differ, at most 300.
        audience_claim: Where the audience stands.
        subject_claim: Where the user's id stands.
        scope_claim: Where the scopes stand: text with spaces, or a list.
        tenant_claim: Where the tenant stands; a token without it is refused.

    Attributes:
        issuer: The exact `iss`.

    Raises:
        ConfigurationError: One of these is empty or out of range.
    """

    __slots__ = (
        "_audience",
        "_audience_claim",
        "_leeway",
        "_required",
        "_required_claims",
        "_scope_claim",
        "_subject_claim",
        "_tenant_claim",
        "issuer",
    )

    def __init__(
        self,
        *,
        issuer: str,
        audience: str | Iterable[str] | None,
        required: frozenset[str] = frozenset(),
        required_claims: Mapping[str, object] = MappingProxyType({}),
        leeway: float = 30.0,
        audience_claim: str = "aud",
        subject_claim: str = "sub",
        scope_claim: ClaimPath = "scope",
        tenant_claim: ClaimPath | None = None,
    ) -> None:
        if not all(map(is_text, (issuer, audience_claim, subject_claim))):
            raise ConfigurationError("issuer, audience_claim and subject_claim must be text, and not empty")
        if not isinstance(required_claims, Mapping) or not _is_json(required_claims):
            raise ConfigurationError(
                f"required_claims must map claims to their values in JSON, not {required_claims!r}"
            )
        if not is_time(leeway) or not 0 <= leeway <= _MAX_LEEWAY:
            raise ConfigurationError(f"leeway must be between 0 and {_MAX_LEEWAY} seconds")
        self.issuer = issuer
        self._audience = None if audience is None else _names(audience)
        self._required = required
        self._required_claims = {name: _text_of(value) for name, value in required_claims.items()}
        self._leeway = leeway
        self._audience_claim = audience_claim
        self._subject_claim = subject_claim
        self._scope_claim = _path(scope_claim, "scope_claim")
        self._tenant_claim = None if tenant_claim is None else _path(tenant_claim, "tenant_claim")

    def refusal(self, claims: Mapping[str, Any], now: float) -> str | None:
        """Return why the claims do not hold here and now, or None if they do.

        Args:
            claims: What the issuer has said, and nobody else.
            now: Seconds since the epoch.
        """
        if not claims.keys() >= self._required:
            return "claim missing"
        if "iss" in claims and claims["iss"] != self.issuer:
            return "iss"
        if self._audience is not None and self._audience.isdisjoint(
            _audiences(claims.get(self._audience_claim))
        ):
            return "aud"
        if any(
            name not in claims or _text_of(claims[name]) != text
            for name, text in self._required_claims.items()
        ):
            return "claim value"
        if "cnf" in claims:  # bound to a key of the client, which a bearer has not shown (RFC 9449 §7.1)
            return "cnf"
        if not is_text(claims.get(self._subject_claim)):
            return "sub"
        if self._tenant_claim is not None and not is_text(_at(claims, self._tenant_claim)):
            return "tenant"
        return self._untimely(claims, now)

    def _untimely(self, claims: Mapping[str, Any], now: float) -> str | None:
        for name in ("exp", "nbf", "iat"):
            if name in claims and not is_time(claims[name]):
                return name
        if "exp" in claims:
            end = claims["exp"] + self._leeway
            if not is_time(end):
                return "exp"
            if end <= now:
                return "expired"
        if claims.get("nbf", now) > now + self._leeway or claims.get("iat", now) > now + self._leeway:
            return "not yet valid"
        return None

    def principal(self, claims: Mapping[str, Any], method: str) -> Principal:
        """Return whom the claims speak of.

        Args:
            claims: For which `refusal` has found nothing.
            method: How the caller proved it.
        """
        return Principal(
            issuer=self.issuer,
            subject=claims[self._subject_claim],
            tenant=None if self._tenant_claim is None else _at(claims, self._tenant_claim),
            scopes=_scopes(_at(claims, self._scope_claim)),
            claims=_frozen(dict(claims)),
            expires_at=claims["exp"] + self._leeway if "exp" in claims else None,
            method=method,
        )


def _names(audience: object) -> frozenset[str]:
    """Return the audience option as a set.

    Raises:
        ConfigurationError: It is neither a name nor a list of names.
    """
    names = [audience] if isinstance(audience, str) else listed(audience, "audience")
    if not names or "" in names:
        raise ConfigurationError(
            "audience must be the name of this service at the issuer, or a list of its names, not empty"
        )
    return frozenset(names)


def _path(path: Any, name: str) -> ClaimPath:
    """Return where a claim stands.

    Raises:
        ConfigurationError: It is neither the name of a claim nor a list of names.
    """
    found = path if isinstance(path, str) else listed(path, name)
    if not found:
        raise ConfigurationError(f"{name} must be the name of a claim, or the names on the way to it")
    return found


def _frozen(value: Any) -> Any:
    """Return claims that no request can change for the next one with the same token."""
    if type(value) is dict:
        members = cast("dict[str, Any]", value).items()
        return MappingProxyType(
            {name: _frozen(member) if type(member) in _CONTAINERS else member for name, member in members}
        )
    return tuple(map(_frozen, cast("Sequence[Any]", value))) if type(value) is list else value


def _at(claims: Mapping[str, Any], path: ClaimPath) -> Any:
    value: Any = claims
    for name in (path,) if isinstance(path, str) else path:
        value = cast("Mapping[str, Any]", value).get(name) if isinstance(value, Mapping) else None
    return value


def _audiences(value: object) -> Iterable[object]:
    """Return the members of an audience claim; what is neither text nor a list of texts has none."""
    if isinstance(value, str):
        return (value,)
    members = cast("list[object]", value) if isinstance(value, list) else []
    return members if all(isinstance(member, str) for member in members) else ()


def _scopes(value: object) -> frozenset[str]:
    if isinstance(value, str):
        return frozenset(value.split(" ")) - {""}
    members = cast("list[object]", value) if isinstance(value, list) else []
    return frozenset(member for member in members if is_text(member))


def _text_of(value: object) -> str:
    """Return a value as JSON spells it, where neither 1 nor "true" is true."""
    return json.dumps(value, sort_keys=True)


def _is_json(value: Mapping[str, object]) -> bool:
    try:
        return bool(_text_of(dict(value)))
    except (TypeError, ValueError):
        return False
