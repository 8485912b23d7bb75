"""Where the keys of an issuer come from: the app, a JWKS that is fetched, or one address for each key."""

from collections.abc import Mapping
from typing import Any, Protocol

from chatkit_prod.errors import ConfigurationError

from .jwks import RemoteJWKS
from .keys import Keys
from .keys_by_kid import PLACE, KeysByKid
from .urls import is_safe_url, shown


class KeySource(Protocol):
    """Where a verifier has its keys from."""

    def current(self) -> Keys | None:
        """Return the keys that are good to go by now, or None if `load` has to be awaited."""
        ...

    async def load(self) -> Keys:
        """Return the keys, fetched if need be.

        Raises:
            UnavailableError: There are none, or none that are young enough.
        """
        ...

    async def newer(self, known: Keys, kid: str | None, /) -> Keys:
        """Return keys that may be newer than `known`, for a token that none of them has signed.

        Args:
            known: What the token was tried with.
            kid: Which key the token names, untrusted.

        Raises:
            UnavailableError: Nobody can tell: whom we asked does not answer, or nobody may be asked yet.
        """
        ...


class StaticKeys:
    """Keys that never change.

    Args:
        keys: The keys.
    """

    def __init__(self, keys: Keys) -> None:
        self._keys = keys

    def current(self) -> Keys:
        """Return the keys."""
        return self._keys

    async def load(self) -> Keys:
        """Return the keys."""
        return self._keys

    async def newer(self, known: Keys, _kid: str | None, /) -> Keys:
        """Return the same keys."""
        return known


def key_source(
    jwks: Mapping[str, Any] | RemoteJWKS | None, jwks_url: str | None, *, issuer: str, symmetric: bool
) -> KeySource:
    """Return where the keys of an issuer come from, as the options of an authenticator say it.

    Args:
        jwks: The keys themselves, or what fetches them.
        jwks_url: Where they are; with `{kid}` at its end, each under its own name.
        issuer: Whose they are; without the other two they are discovered there.
        symmetric: Whether they are secrets, which are never fetched.

    Raises:
        ConfigurationError: That is said twice, or not at all, or leads to where we do not go; or a JWKS
            holds no key to go by, or a secret beside public keys.
    """
    if jwks is not None and jwks_url is not None:
        raise ConfigurationError("jwks and jwks_url exclude each other")
    if symmetric and not isinstance(jwks, Mapping):
        raise ConfigurationError("HMAC needs a jwks of secrets: none may ever be fetched")
    if isinstance(jwks, RemoteJWKS):
        if jwks.issuer not in {None, issuer}:
            raise ConfigurationError(f"jwks are the keys of {shown(jwks.issuer)}, not of {shown(issuer)}")
        return jwks
    if jwks is not None:
        return StaticKeys(_static(jwks, symmetric=symmetric))
    if isinstance(jwks_url, str) and PLACE in jwks_url:
        return KeysByKid(jwks_url)
    if jwks_url is None and not is_safe_url(issuer):
        raise ConfigurationError(
            f"issuer must be an https URL for its keys to be discovered, not {shown(issuer)}: "
            "otherwise give jwks or jwks_url"
        )
    return RemoteJWKS(issuer=issuer, url=jwks_url)


def _static(jwks: object, *, symmetric: bool) -> Keys:
    try:
        keys = Keys(jwks, symmetric=symmetric)
    except ValueError as error:
        raise ConfigurationError(
            f'jwks: {error}; it is {{"keys": [...]}}, and an address goes into jwks_url'
        ) from error
    if not keys or keys.holds_secrets:
        found = ", ".join(f"key {index}: {reason}" for index, reason in keys.rejected) or "it is empty"
        raise ConfigurationError(
            f"jwks must hold keys that can verify a signature, and no secrets beside them ({found})"
        )
    return keys
