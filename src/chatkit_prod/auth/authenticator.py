"""What an `AuthMiddleware` asks."""

from typing import Protocol, runtime_checkable

from starlette.requests import HTTPConnection

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
