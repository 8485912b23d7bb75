"""Authentication of every request.

connection → authenticator → principal → app
                          ↘ 401, 403
"""

from typing import ClassVar

from starlette.authentication import AuthCredentials
from starlette.requests import HTTPConnection

from chatkit_prod.asgi import ASGIApp, Receive, Scope, Send
from chatkit_prod.errors import AuthenticationError, ConfigurationError, RequestError, problem
from chatkit_prod.layer import Layer, require_inside
from chatkit_prod.state import RequestState

from .authenticator import Authenticator


class AuthMiddleware:
    """Let nobody in who has not proved who they are.

    Args:
        app: The ASGI app to wrap.
        authenticator: Finds out who is asking. When it fails with anything but a refusal, nobody is
            let in, and the exception goes to the server.

    Raises:
        ConfigurationError: The authenticator is none, or `app` holds a layer that belongs outside.

    Sets:
        `state.principal`, and as Starlette's convention has it `scope["user"]` and `scope["auth"]`.
    """

    layer: ClassVar = Layer.AUTH

    def __init__(self, app: ASGIApp, *, authenticator: Authenticator) -> None:
        require_inside(self, app)
        if isinstance(authenticator, type) or not isinstance(authenticator, Authenticator):
            message = f"authenticator must be an Authenticator, not {authenticator!r}"
            raise ConfigurationError(message)
        self.app = app
        self._authenticator = authenticator

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Authenticate one request; a WebSocket is refused."""
        if scope["type"] == "lifespan":
            await self.app(scope, receive, send)
            return
        if scope["type"] != "http":
            await send({"type": "websocket.close", "code": 1008})
            return
        scope, state = RequestState.seed(scope)
        state.connection = HTTPConnection(scope)
        try:
            principal = await self._authenticator.authenticate(state.connection)
            if principal is None:
                raise AuthenticationError(self._authenticator.challenge)
        except RequestError as refusal:
            state.outcome = "refused"
            response = problem(refusal, request_id=state.request_id, translate=state.translations.gettext)
            await response(scope, receive, send)
            return
        state.principal = principal
        user = {"user": principal, "auth": AuthCredentials(sorted(principal.scopes))}
        await self.app({**scope, **user}, receive, send)
