"""Several kinds of credentials side by side."""

from contextlib import AsyncExitStack

from starlette.requests import HTTPConnection

from chatkit_prod.errors import ConfigurationError, ForeignTokenError, UnavailableError
from chatkit_prod.principal import Principal

from .backend import as_authenticator
from .lifecycle import Lifecycle


class FirstOf(Lifecycle):
    """Asks one authenticator after the other; the first that knows the credentials decides.

    Credentials that do not hold are refused there and then: an expired token with a good cookie
    behind it lets nobody in. Only a token that is not of an authenticator's issuer or kind is passed
    on, so that several `JWTBearer` share a header, and an `OpaqueBearer` comes after them.

    Args:
        authenticators: In the order of asking; Starlette's `AuthenticationBackend` counts as one.

    Raises:
        ConfigurationError: There is none, or one is no authenticator.
    """

    def __init__(self, *authenticators: object) -> None:
        if not authenticators:
            message = "FirstOf needs an authenticator"
            raise ConfigurationError(message)
        self._authenticators = tuple(map(as_authenticator, authenticators))

    @property
    def challenge(self) -> str:
        """The challenges of all of them, each once (RFC 9110 §11.6.1)."""
        return ", ".join(dict.fromkeys(one.challenge for one in self._authenticators))

    async def authenticate(self, connection: HTTPConnection) -> Principal | None:
        """Return who is asking, or None if there are no credentials of any kind.

        Raises:
            RequestError: There are, and they do not hold.
        """
        foreign: ForeignTokenError | None = None
        for authenticator in self._authenticators:
            try:
                principal = await authenticator.authenticate(connection)
            except ForeignTokenError as error:
                foreign = error
                continue
            if principal is not None:
                return principal
        if foreign is not None:
            raise foreign
        return None

    async def warm(self) -> None:
        """Warm up all of them.

        Raises:
            UnavailableError: One of those whom they ask does not answer; the others have been warmed up.
        """
        failure: UnavailableError | None = None
        for authenticator in self._authenticators:
            if isinstance(authenticator, Lifecycle):
                try:
                    await authenticator.warm()
                except UnavailableError as error:
                    failure = error
        if failure is not None:
            raise failure

    async def aclose(self) -> None:
        """Close all of them, also when one cannot be closed."""
        async with AsyncExitStack() as stack:
            for authenticator in self._authenticators:
                if isinstance(authenticator, Lifecycle):
                    stack.push_async_callback(authenticator.aclose)
