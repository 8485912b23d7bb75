"""What an `AuthMiddleware` asks."""

import time
from typing import Protocol, runtime_checkable

from starlette.requests import HTTPConnection

from chatkit_prod.errors import InvalidTokenError
from chatkit_prod.options import looked_up
from chatkit_prod.principal import Principal


@runtime_checkable
class Authenticator(Protocol):
    """Finds out who is asking.

    Attributes:
        challenge: What a 401 tells the client in `WWW-Authenticate` (RFC 9110 §11.6.1), such as `Bearer`.
    """

    @property
    def challenge(self) -> str:
        """The scheme that this authenticator accepts, with its parameters."""
        ...

    async def authenticate(self, connection: HTTPConnection) -> Principal | None:
        """Return who is asking, or None if the request carries no credentials of this kind.

        Args:
            connection: The request before its body is read; everything in it is untrusted.

        Raises:
            RequestError: There are credentials, and they do not hold: an `InvalidTokenError`, an
                `InvalidRequestError` or an `InsufficientScopeError`.
        """
        ...


async def ask(authenticator: Authenticator, connection: HTTPConnection) -> Principal | None:
    """Return what an authenticator says, which may be the app's own.

    Raises:
        InvalidTokenError: The principal that it returned has expired.
        ConfigurationError: It is not async, or returned something else.
        Exception: Whatever it raises.
    """
    answer = authenticator.authenticate(connection)
    principal = await looked_up(answer, f"authenticate of {type(authenticator).__name__}", Principal)
    if principal is not None and principal.expires_at is not None and principal.expires_at <= time.time():
        raise InvalidTokenError(authenticator.challenge, "expired")
    return principal
