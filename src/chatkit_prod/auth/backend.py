"""Starlette's own authentication backends as authenticators."""

from typing import cast

from starlette.authentication import AuthCredentials, AuthenticationBackend, BaseUser, SimpleUser
from starlette.authentication import AuthenticationError as BackendError
from starlette.requests import HTTPConnection

from chatkit_prod.errors import ConfigurationError, InvalidTokenError
from chatkit_prod.options import awaited, is_text, named
from chatkit_prod.principal import Principal

from .authenticator import Authenticator
from .credentials import CHALLENGE

_PAIR = 2


class BackendAuthenticator:
    """Asks a backend as Starlette's `AuthenticationMiddleware` does, and believes what it says.

    The user's `identity` becomes the subject, the credentials' scopes become the scopes, and the user
    object stands in the claims as `user`. A user who is not authenticated is nobody.

    Args:
        backend: The app's own.
        challenge: What a 401 asks for, where that is no bearer token (RFC 9110 §11.6.1).

    Raises:
        ConfigurationError: The backend is none, or a class of them, or the challenge is empty.
    """

    def __init__(self, backend: AuthenticationBackend, *, challenge: str = CHALLENGE) -> None:
        if not isinstance(backend, AuthenticationBackend):
            raise ConfigurationError(f"backend must be an AuthenticationBackend, not {named(backend)}")
        if not is_text(challenge):
            raise ConfigurationError("challenge must be a scheme with its parameters, and not empty")
        self.challenge = challenge
        self._backend = backend
        self._issuer = type(backend).__qualname__

    async def authenticate(self, connection: HTTPConnection) -> Principal | None:
        """Return the backend's user, or None if there is none.

        Raises:
            InvalidTokenError: The backend has refused the credentials, or its user has no identity.
            ConfigurationError: It is not async, or returned something else than a pair or None, or the
                identity of its user is no text.
        """
        name = f"authenticate of {self._issuer}"
        try:
            found: object = await awaited(self._backend.authenticate(connection), name)
        except BackendError:
            raise InvalidTokenError(self.challenge, "backend") from None
        if found is None:
            return None
        credentials, user = _pair(found, name)
        if isinstance(user, Principal):
            return user
        if user.is_authenticated is not True:
            return None
        identity = _identity(user)
        if identity is None:
            raise InvalidTokenError(self.challenge, "no identity")
        return Principal(
            issuer=self._issuer,
            subject=identity,
            scopes=frozenset(credentials.scopes),
            claims={"user": user},
            method="backend",
        )


def as_authenticator(candidate: object) -> Authenticator:
    """Return an authenticator for an authenticator, or for a backend of Starlette's.

    Raises:
        ConfigurationError: It is neither, or a class of them instead of an object.
    """
    if isinstance(candidate, AuthenticationBackend):
        return BackendAuthenticator(candidate)
    if (
        isinstance(candidate, type)
        or not isinstance(candidate, Authenticator)
        or not is_text(candidate.challenge)
    ):
        raise ConfigurationError(
            f"authenticator must be an Authenticator or an AuthenticationBackend, not {named(candidate)};"
            " it has a challenge and an async authenticate, a class has to be made an object, and several"
            " go into FirstOf(a, b)"
        )
    return candidate


def _pair(found: object, name: str) -> tuple[AuthCredentials, BaseUser]:
    members = cast("tuple[object, ...]", found) if isinstance(found, tuple) else ()
    credentials, user = members if len(members) == _PAIR else (None, None)
    if not isinstance(credentials, AuthCredentials) or not hasattr(user, "is_authenticated"):
        raise ConfigurationError(f"{name} must return AuthCredentials and a user, or None")
    return credentials, cast("BaseUser", user)  # Starlette does not insist on its class either


def _identity(user: BaseUser) -> str | None:
    """Return who a user is, or None if the user object does not tell; a display name is nobody's id.

    Raises:
        ConfigurationError: The id is of a type of its own; `str()` may not be what the app wants.
    """
    try:
        identity: object = user.identity
    except NotImplementedError:
        # The name of Starlette's own user is its identity, which it did not always say.
        identity = user.display_name if isinstance(user, SimpleUser) else None
    if not isinstance(identity, str | None):
        raise ConfigurationError(f"identity of {type(user).__name__} must be text, not {named(identity)}")
    return identity or None
