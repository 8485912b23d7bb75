"""Authentication of every request.

connection → authenticators → principal → app
                           ↘ 401, 403
"""

from collections.abc import Collection, Sequence
from typing import ClassVar

from starlette.authentication import AuthCredentials, AuthenticationBackend
from starlette.requests import HTTPConnection

from chatkit_prod.asgi import ASGIApp, Receive, Scope, Send, pass_lifespan
from chatkit_prod.errors import (
    AuthenticationError,
    ConfigurationError,
    InsufficientScopeError,
    InternalError,
    as_request_error,
)
from chatkit_prod.layer import Layer, interpreter_in, require_inside
from chatkit_prod.options import listed
from chatkit_prod.principal import Principal
from chatkit_prod.refusal import expects_events, refuse, refuse_stream
from chatkit_prod.state import RequestState

from .audit import audit
from .authenticator import Authenticator
from .first_of import FirstOf
from .scopes import require_scopes, scopes_of


class AuthMiddleware:
    """Let nobody in who has not proved who they are.

    Args:
        app: The ASGI app to wrap.
        authenticator: Finds out who is asking; Starlette's `AuthenticationBackend` counts as one. When
            it fails with anything but a refusal, or names somebody whose credentials have expired,
            nobody is let in.
        required_scopes: Scopes that every caller must have, all of them.
        exempt: Paths that are let through unasked, such as `/healthz`; each is compared as a whole.

    Raises:
        ConfigurationError: The authenticator is none, a scope or a path is not one, or `app` holds a
            layer that belongs outside.

    Sets:
        `state.principal`, and as Starlette's convention has it `scope["user"]` and `scope["auth"]`;
        one record on the logger `chatkit_prod.audit`, whose `chatkit` attribute holds its fields.
    """

    layer: ClassVar = Layer.AUTH

    def __init__(
        self,
        app: ASGIApp,
        *,
        authenticator: Authenticator | AuthenticationBackend,
        required_scopes: Sequence[str] = (),
        exempt: Collection[str] = (),
    ) -> None:
        require_inside(self, app)
        self.app = app
        self._interpreter = interpreter_in(app)
        self._authenticators = FirstOf(authenticator)
        self._required_scopes = scopes_of(required_scopes)
        self._exempt = frozenset(listed(exempt, "exempt"))
        if not all(path.startswith("/") and "*" not in path for path in self._exempt):
            raise ConfigurationError(
                f"exempt must be a list of whole paths, each with a slash in front, not {exempt!r}"
            )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Authenticate one request; a WebSocket is refused."""
        if scope["type"] != "http":
            await pass_lifespan(self.app, scope, receive, send)
            return
        scope, state = RequestState.seed(scope)
        state.connection = HTTPConnection(scope)
        if scope["path"] in self._exempt:
            audit(state, "exempt")
            await self.app(scope, receive, send)
            return
        try:
            principal = await self._admitted(state)
        except Exception as error:  # noqa: BLE001 - whatever happens, nobody is let in
            refusal = as_request_error(error)
            if isinstance(refusal, InsufficientScopeError) and refusal.principal is not None:
                state.principal = refusal.principal
            audit(state, "failed" if isinstance(refusal, InternalError) else "refused", refusal)
            send = self._interpreter.interpret(scope, state, send)
            response = refuse_stream(error, state) if expects_events(scope) else refuse(error, state)
            await response(scope, receive, send)
            return
        state.principal = principal
        audit(state, "allowed")
        scopes = AuthCredentials(sorted({"authenticated", *principal.scopes}))  # as Starlette's own backends
        await self.app({**scope, "user": principal, "auth": scopes}, receive, send)

    async def _admitted(self, state: RequestState) -> Principal:
        """Return who is asking.

        Raises:
            RequestError: Nobody, or nobody who may come in.
        """
        admitted = await self._authenticators.admit(state.connection)
        if admitted is None:
            raise AuthenticationError(self._authenticators.challenge)
        principal, challenge = admitted
        require_scopes(principal, self._required_scopes, challenge)
        return principal
