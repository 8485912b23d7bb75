"""The path of a request, from its body to its answer. Read this file first.

    body.py ─→ operation.py ─→ context.py ─→ gate.py ─→ dispatch.py ─→ the app's server
                                                                         │
    JSON ←───────────────────────────────────────────────────────────────┤
    SSE  ←── sse.py ←── driver.py ←── events ←───────────────────────────┘

`exchange.py` walks this path, for `ChatKitEndpoint` below and for `ChatKitResponse` in `response.py`.
"""

import inspect
from typing import Any, ClassVar, Generic, TypeVar, Unpack, cast, overload

from chatkit.server import ChatKitServer
from starlette.requests import ClientDisconnect, Request

from .asgi import Receive, Scope, Send, decline
from .context import ContextFactory, RequestContext
from .errors import MethodNotAllowedError, RequestError
from .exchange import EndpointOptions, Exchange
from .layer import Layer
from .refusal import refuse
from .shutdown import close_streams
from .state import RequestState

TContext = TypeVar("TContext")


class ChatKitEndpoint(Generic[TContext]):
    """An ASGI app that answers ChatKit requests with an app's own server. Needs no layer in front.

    Where it is not the whole app, and so gets no lifespan, the app awaits `close_streams` at its end.

    Args:
        server: The app's server.
        context_factory: Maps the state of a request to the server's context; may be `async`.
        options: See `EndpointOptions`.

    Raises:
        ConfigurationError: The server is not a `ChatKitServer`, or an option is out of range.
    """

    layer: ClassVar = Layer.ENDPOINT

    @overload
    def __init__(
        self: "ChatKitEndpoint[RequestContext]",
        server: ChatKitServer[RequestContext],
        **options: Unpack[EndpointOptions],
    ) -> None: ...

    @overload
    def __init__(
        self,
        server: ChatKitServer[TContext],
        *,
        context_factory: ContextFactory[TContext],
        **options: Unpack[EndpointOptions],
    ) -> None: ...

    def __init__(
        self,
        server: ChatKitServer[Any],
        *,
        context_factory: ContextFactory[Any] = RequestContext.of,
        **options: Unpack[EndpointOptions],
    ) -> None:
        self._exchange: Exchange[TContext] = Exchange(server, options)
        self._context_factory = context_factory

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await decline(scope, receive, send, at_shutdown=close_streams)
            return
        scope, state = RequestState.seed(scope)
        state.connection = request = Request(scope, receive)
        try:
            if request.method != "POST":
                raise MethodNotAllowedError
            operation = await self._exchange.read(request, state)
        except RequestError as refusal:
            await refuse(refusal, state)(scope, receive, send)
        except ClientDisconnect:
            state.outcome = "cancelled"
        else:
            await self._exchange.answer(operation, self._context, state)(scope, receive, send)

    async def _context(self, state: RequestState) -> TContext:
        context = self._context_factory(state)
        return cast("TContext", await context if inspect.isawaitable(context) else context)
