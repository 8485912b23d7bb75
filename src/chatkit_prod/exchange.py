"""From a request to its answer, for one server: what `ChatKitEndpoint` and `ChatKitResponse` share.

Refusals become problem bodies while nothing has been sent. An internal error of a streaming request
becomes an `error` event in a 200 stream: for a 5xx, ChatKit's client would run the model six times.
"""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from typing import Generic, TypedDict, TypeVar, cast

from chatkit.server import ChatKitServer
from starlette.requests import Request

from . import texts
from .asgi import ASGIApp, Receive, Scope, Send
from .body import read_body, require_json
from .dispatch import Dispatch, Events
from .driver import EmptyStreamError, StreamDriver
from .errors import (
    ConfigurationError,
    ResourceNotFoundError,
    stack_of,
)
from .operation import Limits, Operation, parse
from .options import boolean, named, seconds
from .refusal import refuse, refuse_stream, stream_headers
from .sse import created_thread, without_hidden_update
from .state import RequestState
from .store import gate_of, require_visible_gate

TContext = TypeVar("TContext")

ContextOf = Callable[[RequestState], Awaitable[TContext]]

logger = logging.getLogger("chatkit_prod")


class EndpointOptions(TypedDict, total=False):
    """The options that `ChatKitEndpoint`, `ChatKitResponse.of` and `harden` have in common.

    Keys:
        max_body_bytes: Size of a request body; 4 MiB.
        max_text_characters: All text that a user writes in one request; 100,000.
        max_attachments: Attachments of one message; 20.
        max_item_ids: Items that one feedback is about; 100.
        max_page_size: Threads or items on one page; who asks for more gets this many; 100.
        max_json_depth: How deep a request's JSON may nest; 32.
        max_json_values: How many members and elements it may have; 20,000.
        max_audio_bytes: Size of a dictation after base64 decoding; 2 MiB.
        keep_alive: Seconds of silence after which a stream gets a comment; 15.
        cancel_grace: Seconds that a stopped stream gets to save what there is; 10.
        end_at_expiry: Whether a stream ends when the credentials of its user expire; true.
    """

    max_body_bytes: int
    max_text_characters: int
    max_attachments: int
    max_item_ids: int
    max_page_size: int
    max_json_depth: int
    max_json_values: int
    max_audio_bytes: int
    keep_alive: float
    cancel_grace: float
    end_at_expiry: bool


class Exchange(Generic[TContext]):
    """Reads requests for one server and answers them.

    Args:
        server: The app's server.
        options: See `EndpointOptions`.

    Raises:
        ConfigurationError: The server is not a `ChatKitServer`, or an option is out of range.
    """

    def __init__(self, server: ChatKitServer[TContext], options: EndpointOptions) -> None:
        require_server(server)
        require_visible_gate(server.store)
        limits = dict(options)
        self.end_at_expiry = boolean(limits.pop("end_at_expiry", True), "end_at_expiry")
        self.keep_alive = seconds(limits.pop("keep_alive", 15.0), "keep_alive")
        self.cancel_grace = seconds(limits.pop("cancel_grace", 10.0), "cancel_grace")
        if unknown := limits.keys() - Limits.__dataclass_fields__.keys():
            raise ConfigurationError(
                f"there is no option {', '.join(sorted(unknown))}; options of a single layer need the layers by hand"
            )
        self._limits = Limits(**cast("dict[str, int]", limits))
        self.server = server
        self._dispatch = Dispatch(server)

    async def read(self, request: Request, state: RequestState) -> Operation:
        """Read and validate a request.

        Raises:
            RequestError: It is not a ChatKit request of this release, or over a limit.
            ClientDisconnect: The client went away before the body was complete.
        """
        require_json(request.scope)
        body = await read_body(request, limit=self._limits.max_body_bytes)
        state.operation = operation = parse(body, self._limits)
        return operation

    def answer(self, operation: Operation, context_of: ContextOf[TContext], state: RequestState) -> ASGIApp:
        """Return what hands a validated request to the server, and sends its answer.

        Args:
            operation: The request.
            context_of: Makes the server's context; what it raises is treated as if the server had.
            state: Gets the outcome; the current one meanwhile.
        """

        async def respond(scope: Scope, receive: Receive, send: Send) -> None:
            with state.as_current():
                answer = await self._answer(operation, context_of, state)
                await answer(scope, receive, send)

        return respond

    async def _answer(
        self, operation: Operation, context_of: ContextOf[TContext], state: RequestState
    ) -> ASGIApp:
        try:
            state.context = context = await context_of(state)
            gate = gate_of(self.server.store)
            if gate is not None:
                await gate.admit(operation, context)
            if operation.streaming:
                events = await self._dispatch.events(operation, context)
                return _EventStream(self, operation, events, context, state)
            answer = without_hidden_update(await self._dispatch.answer(operation, context))
        except Exception as error:  # noqa: BLE001 - the app's code may raise anything
            return refuse_stream(error, state) if operation.streaming else refuse(error, state)
        state.outcome = "completed"
        return _JSONAnswer(answer, state)


def require_server(server: object) -> None:
    """Check that an app has passed its server.

    Raises:
        ConfigurationError: It is something else, such as its class.
    """
    if not isinstance(server, ChatKitServer):
        raise ConfigurationError(f"server must be a ChatKitServer, not {named(server)}")


class _JSONAnswer:
    """Sends the answer of an operation that does not stream."""

    __slots__ = ("_body", "_state")

    def __init__(self, body: bytes, state: RequestState) -> None:
        self._body = body
        self._state = state

    async def __call__(self, _scope: Scope, _receive: Receive, send: Send) -> None:
        headers = [
            (b"content-type", b"application/json"),
            (b"content-length", b"%d" % len(self._body)),
            (b"cache-control", b"no-store"),
            (b"x-request-id", self._state.request_id.encode()),
        ]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": self._body})


class _EventStream(Generic[TContext]):
    """Sends the events of one operation; as a problem, if the server fails before there are any."""

    __slots__ = ("_context", "_events", "_exchange", "_operation", "_state")

    def __init__(
        self,
        exchange: Exchange[TContext],
        operation: Operation,
        events: Events,
        context: TContext,
        state: RequestState,
    ) -> None:
        self._exchange = exchange
        self._operation = operation
        self._events = events
        self._context = context
        self._state = state

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        state = self._state
        events, encode = self._events
        driver = StreamDriver(
            events,
            encode,
            head={"type": "http.response.start", "status": 200, "headers": stream_headers(state)},
            state=state,
            keep_alive=self._exchange.keep_alive,
            cancel_grace=self._exchange.cancel_grace,
            deadline=_deadline(state) if self._exchange.end_at_expiry else None,
            deadline_message=state.translations.gettext(texts.SESSION_ENDED),
        )
        failure: Exception | None = None
        try:
            await driver.run(receive, send)
        except Exception as error:  # noqa: BLE001 - the app's code may raise anything
            failure = error
        finally:
            await self._forget_thread(created_thread(driver.unsent))
        if failure is not None:
            is_retry = self._operation.name == "threads.retry_after_item"
            absent = is_retry and isinstance(failure, EmptyStreamError)
            response = refuse_stream(ResourceNotFoundError() if absent else failure, state)
            await response(scope, receive, send)

    async def _forget_thread(self, thread_id: str | None) -> None:
        """Delete a thread that was made for a message which could not be stored: its user never saw it."""
        if thread_id is not None:
            try:
                await self._exchange.server.store.delete_thread(thread_id, self._context)
            except Exception as error:  # noqa: BLE001 - the answer is decided already
                logger.warning(
                    "request %s left an empty thread behind\n%s", self._state.request_id, stack_of(error)
                )


def _deadline(state: RequestState) -> float | None:
    """Return the time at which the principal expires, by the clock of the event loop."""
    principal = state.peek().principal
    if principal is None or principal.expires_at is None:
        return None
    return asyncio.get_running_loop().time() + principal.expires_at - time.time()
