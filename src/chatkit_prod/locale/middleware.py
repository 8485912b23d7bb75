"""Negotiation of the language of an answer.

Accept-Language → negotiator → state.locale → app → Content-Language, Vary
"""

from collections.abc import Awaitable, Sequence
from typing import ClassVar

from chatkit_prod.asgi import ASGIApp, Message, Receive, Scope, Send, header_values, with_headers
from chatkit_prod.layer import Layer, require_inside
from chatkit_prod.state import RequestState

from .negotiate import Negotiator


class LocaleMiddleware:
    """Negotiate the user's language once per request.

    Args:
        app: The ASGI app to wrap.
        supported: BCP 47 tags that the app can answer in, best first.
        default: Used when the client accepts none of them; a member of `supported`.

    Raises:
        ConfigurationError: `supported` is empty, holds an invalid tag, or lacks `default`, or `app`
            holds a layer that belongs outside.

    Sets:
        `state.locale`: the chosen tag, as `supported` spells it.
        `Content-Language` (unless the app set it) and `Vary: Accept-Language` on the response.
    """

    layer: ClassVar = Layer.LOCALE

    def __init__(self, app: ASGIApp, *, supported: Sequence[str], default: str | None = None) -> None:
        require_inside(self, app)
        self.app = app
        self._negotiator = Negotiator(supported, default=default)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Negotiate for one request."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        scope, state = RequestState.seed(scope)
        header = b",".join(header_values(scope, b"accept-language")).decode("latin-1")
        state.locale = locale = self._negotiator.negotiate(header)

        def send_with_language(message: Message) -> Awaitable[None]:
            if message["type"] == "http.response.start":
                language = [(b"content-language", locale.encode())]
                message = with_headers(message, added=[(b"vary", b"Accept-Language")], missing=language)
            return send(message)

        await self.app(scope, receive, send_with_language)
