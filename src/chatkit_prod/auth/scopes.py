"""The scopes that somebody must have: RFC 6749 §3.3, RFC 6750 §3.1."""

from collections.abc import Sequence

from chatkit_prod.errors import ConfigurationError, InsufficientScopeError
from chatkit_prod.options import listed
from chatkit_prod.principal import Principal

_CHARACTERS = frozenset(map(chr, range(0x21, 0x7F))) - {'"', "\\"}


def scopes_of(scopes: Sequence[str]) -> frozenset[str]:
    """Return the scopes option of an authenticator or a layer as a set.

    Raises:
        ConfigurationError: It is not a list of scopes as RFC 6749 §3.3 spells them.
    """
    found = listed(scopes, "required_scopes")
    for scope in found:
        if not _CHARACTERS.issuperset(scope):
            raise ConfigurationError(f"required_scopes: {scope!r} is not a scope")
    return frozenset(found)


def require_scopes(principal: Principal, scopes: frozenset[str], challenge: str) -> None:
    """Let only those through who have every scope.

    Args:
        principal: Who is asking.
        scopes: What is needed.
        challenge: The scheme of the credentials, with its parameters.

    Raises:
        InsufficientScopeError: One is missing; it names all that are needed, and who is asking.
    """
    if not scopes <= principal.scopes:
        raise InsufficientScopeError(sorted(scopes), challenge, principal=principal)
