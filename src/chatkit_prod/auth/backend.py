"""Starlette's own authentication backends as authenticators."""

from starlette.authentication import AuthenticationBackend, BaseUser, SimpleUser
from starlette.authentication import AuthenticationError as BackendError
from starlette.requests import HTTPConnection

from chatkit_prod.errors import ConfigurationError, InvalidTokenError
from chatkit_prod.options import is_text
from chatkit_prod.principal import Principal

from .authenticator import Authenticator
from .credentials import CHALLENGE


class BackendAuthenticator:
    """Asks a backend as Starlette's `AuthenticationMiddleware` does, and believes what it says.

    The user's `identity` becomes the subject, the credentials' scopes become the scopes, and the user
    object stands in the claims as `user`. A user who is not authenticated is nobody.

    Args:
        backend: The app's own.
        challenge: What a 401 asks for, where that is no bearer token (RFC 9110 §11.6.1).
    """

    def __init__(self, backend: AuthenticationBackend, *, challenge: str = CHALLENGE) -> None:
        self.challenge = challenge
        self._backend = backend
        self._issuer = type(backend).__qualname__

    async def authenticate(self, connection: HTTPConnection) -> Principal | None:
        """Return the backend's user, or None if there is none.

        Raises:
            InvalidTokenError: The backend has refused the credentials, or its user has no identity.
        """
        try:
            found = await self._backend.authenticate(connection)
        except BackendError:
            raise InvalidTokenError(self.challenge, "backend") from None
        if found is None:
            return None
        credentials, user = found
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
    if isinstance(candidate, type) or not isinstance(candidate, Authenticator):
        message = (
            f"authenticator must be an Authenticator or an AuthenticationBackend, not {_shown(candidate)};"
            " a class has to be made an object, and several go into FirstOf(a, b)"
        )
        raise ConfigurationError(message)
    return candidate


def _shown(candidate: object) -> str:
    """Name the type of an object, which may be a secret in the wrong place."""
    return (
        f"the class {candidate.__name__}" if isinstance(candidate, type) else f"a {type(candidate).__name__}"
    )


def _identity(user: BaseUser) -> str | None:
    """Return who a user is, or None if the user object does not tell; a display name is nobody's id."""
    try:
        identity: object = user.identity
    except NotImplementedError:
        # The name of Starlette's own user is its identity, which it did not always say.
        identity = user.display_name if isinstance(user, SimpleUser) else None
    return identity if is_text(identity) else None
