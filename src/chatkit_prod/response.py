"""The answer as a Starlette response, for those who keep their own handler."""

from typing import TypeVar, Unpack

from chatkit.server import ChatKitServer
from starlette.requests import Request
from starlette.responses import Response

from .asgi import ASGIApp, Message, Receive, Scope, Send, with_headers
from .errors import RequestError
from .exchange import EndpointOptions, Exchange
from .refusal import refuse
from .state import RequestState

TContext = TypeVar("TContext")


class ChatKitResponse(Response):
    """A response made by `await ChatKitResponse.of(...)`.

    Its status is decided when it is sent, after the server has stored the user's message. Headers
    and a background task that the handler sets on it are respected.
    """

    _answer: ASGIApp

    @classmethod
    async def of(
        cls,
        server: ChatKitServer[TContext],
        request: Request,
        context: TContext,
        **options: Unpack[EndpointOptions],
    ) -> "ChatKitResponse":
        """Read and validate a request, and return what answers it.

        Args:
            server: The app's server.
            request: The request that the handler got; its body may have been read already.
            context: What the store, the server and the tools get. The handler has authenticated it.
            options: See `EndpointOptions`.

        Raises:
            ConfigurationError: The server is not a `ChatKitServer`, or an option is out of range.
            ClientDisconnect: The client went away before the body was complete.
        """
        exchange: Exchange[TContext] = Exchange(server, options)
        _, state = RequestState.seed(request.scope)

        async def given(_: RequestState) -> TContext:
            return context

        try:
            operation = await exchange.read(request, state)
        except RequestError as refusal:
            return cls(refuse(refusal, state))
        return cls(exchange.answer(operation, given, state))

    def __init__(self, answer: ASGIApp) -> None:
        super().__init__()
        self.raw_headers: list[tuple[bytes, bytes]] = []
        self._answer = answer

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer the request, then run the background task of the handler, if there is one."""

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                message = with_headers(message, added=self.raw_headers)
            await send(message)

        await self._answer(scope, receive, send_with_headers if self.raw_headers else send)
        if self.background is not None:
            await self.background()
