"""Several kinds of credentials side by side."""

from collections.abc import Iterable
from contextlib import AsyncExitStack
from typing import NamedTuple

from starlette.authentication import AuthenticationBackend
from starlette.requests import HTTPConnection

from chatkit_prod.errors import ConfigurationError, ForeignTokenError, UnavailableError
from chatkit_prod.principal import Principal

from .authenticator import Authenticator, ask
from .backend import as_authenticator
from .lifecycle import Lifecycle


class Admitted(NamedTuple):
    """Who was let in.

    Args:
        principal: Who is asking.
        challenge: Of the authenticator that knew the credentials.
    """

    principal: Principal
    challenge: str


class FirstOf(Lifecycle):
    """Asks one authenticator after the other; the first that knows the credentials decides.

    Credentials that do not hold are refused there and then: an expired token with a good cookie
    behind it lets nobody in. Only a token that is not of an authenticator's issuer or kind is passed
    on, and only to those of the same scheme: so several `JWTBearer` share a header, an `OpaqueBearer`
    comes after them, and a token that nobody knows is refused, whatever cookie comes with it.

    Args:
        authenticators: In the order of asking; Starlette's `AuthenticationBackend` counts as one.

    Raises:
        ConfigurationError: There is none, or one is no authenticator.
    """

    def __init__(self, *authenticators: Authenticator | AuthenticationBackend) -> None:
        if not authenticators:
            raise ConfigurationError("FirstOf needs an authenticator")
        self._authenticators = tuple(_flat(map(as_authenticator, authenticators)))

    @property
    def challenge(self) -> str:
        """The challenges of all of them, each once (RFC 9110 §11.6.1)."""
        return ", ".join(dict.fromkeys(one.challenge for one in self._authenticators))

    async def authenticate(self, connection: HTTPConnection) -> Principal | None:
        """Return who is asking, or None if there are no credentials of any kind.

        Raises:
            RequestError: There are, and they do not hold.
        """
        admitted = await self.admit(connection)
        return None if admitted is None else admitted.principal

    async def admit(self, connection: HTTPConnection) -> Admitted | None:
        """Return who is asking, and by which scheme; otherwise as `authenticate`."""
        foreign: ForeignTokenError | None = None
        for authenticator in self._authenticators:
            if foreign is not None and _scheme(authenticator.challenge) != _scheme(foreign.challenge):
                continue
            try:
                principal = await ask(authenticator, connection)
            except ForeignTokenError as error:
                foreign = foreign or error
                continue
            if principal is not None:
                return Admitted(principal, authenticator.challenge)
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


def _flat(authenticators: Iterable[Authenticator]) -> Iterable[Authenticator]:
    """Yield the members of a `FirstOf` instead of it: each of them has a scheme of its own."""
    for authenticator in authenticators:
        # Not of a subclass, which may decide more than its members do.
        if isinstance(authenticator, FirstOf) and authenticator.__class__ is FirstOf:
            yield from authenticator._authenticators  # noqa: SLF001 - of the same class
        else:
            yield authenticator


def _scheme(challenge: str) -> str:
    """Return the name of an authentication scheme, which has no case (RFC 9110 §11.1)."""
    return challenge.partition(" ")[0].lower()
