"""Spans of what a ChatKit server does, and the exceptions behind its `error` events.

    process → respond | action | sync_action | transcribe | add_feedback
            ↘ store

ChatKit answers an exception of `respond` with an event that does not say which, and logs it with its text,
which may quote a user; `StreamError` and `CustomStreamError` it does not even log.
"""

from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import aclosing
from functools import partial, wraps
from typing import Any, cast

from chatkit.server import ChatKitServer
from opentelemetry import trace
from opentelemetry.metrics import MeterProvider
from opentelemetry.trace import Tracer, TracerProvider, set_span_in_context

from chatkit_prod.errors import ConfigurationError
from chatkit_prod.options import named

from .calls import Attributes, TracedCall, end, is_unwanted, start, traced_events
from .logs import keep_texts_out
from .names import CONVERSATION_ID, OPERATION, SCOPE, server_span
from .request import TracedRequest
from .store import TracedAttachmentStore, TracedStore

_MARK = "_chatkit_prod_traced"


def instrument_server(
    server: ChatKitServer[Any],
    *,
    tracer_provider: TracerProvider | None = None,
    meter_provider: MeterProvider | None = None,
) -> None:
    """Trace what a server does; a second time changes nothing.

    Args:
        server: The app's server.
        tracer_provider: Where spans go; the global provider if None.
        meter_provider: Where the metric of its stores goes; the global provider if None.

    Raises:
        ConfigurationError: It is no `ChatKitServer`.

    Sets:
        On the server its methods `respond`, `action`, `sync_action`, `transcribe` and `add_feedback`, the
        entrances of `process`, and its stores, each to one with a span around the original; on ChatKit's
        logger a filter that leaves of a record where it comes from, and the type and stack of an exception.
    """
    if not isinstance(server, ChatKitServer):
        raise ConfigurationError(f"server must be a ChatKitServer, not {named(server)}")
    if _MARK in vars(server):
        return
    setattr(server, _MARK, True)
    tracer = trace.get_tracer(SCOPE, tracer_provider=tracer_provider)
    for name in ("respond", "action"):
        _replace(server, name, partial(_traced_generator, tracer, name))
    for name in ("sync_action", "transcribe", "add_feedback"):
        _replace(server, name, partial(_traced_coroutine, tracer, name))
    # Not public, so taken only where they are: behind `process`, and in front of all that it does.
    _replace(server, "_process_streaming_impl", partial(_traced_stream, tracer))
    _replace(server, "_process_non_streaming", partial(_traced_answer, tracer))
    if not isinstance(server.store, TracedStore):
        server.store = TracedStore(
            server.store, tracer_provider=tracer_provider, meter_provider=meter_provider
        )
    files = server.attachment_store
    if files is not None and not isinstance(files, TracedAttachmentStore):
        server.attachment_store = TracedAttachmentStore(
            files, tracer_provider=tracer_provider, meter_provider=meter_provider
        )
    keep_texts_out("chatkit")


def _replace(server: object, name: str, traced: Callable[[Callable[..., Any]], Callable[..., Any]]) -> None:
    original = getattr(server, name, None)
    if original is not None:
        setattr(server, name, wraps(original)(traced(original)))


def _traced_generator(tracer: Tracer, name: str, original: Callable[..., Any]) -> Callable[..., Any]:
    def call(*args: Any, **options: Any) -> AsyncIterator[Any]:
        return traced_events(tracer, server_span(name), _thread_of(args), partial(original, *args, **options))

    return _unless_unwanted(call, original)


def _traced_coroutine(tracer: Tracer, name: str, original: Callable[..., Any]) -> Callable[..., Any]:
    async def call(*args: Any, **options: Any) -> Any:
        with TracedCall(tracer, server_span(name), _thread_of(args)):
            return await original(*args, **options)

    return _unless_unwanted(call, original)


def _traced_answer(tracer: Tracer, original: Callable[..., Any]) -> Callable[..., Any]:
    async def call(request: Any, context: Any) -> bytes:
        _note_operation(request)
        with TracedCall(tracer, server_span("process"), {OPERATION: request.type}):
            return cast("bytes", await original(request, context))

    return _unless_unwanted(call, original)


def _traced_stream(tracer: Tracer, original: Callable[..., Any]) -> Callable[..., Any]:
    async def call(request: Any, context: Any) -> AsyncGenerator[Any]:
        span = start(tracer, server_span("process"), {OPERATION: request.type})
        traced = _note_operation(request)
        if traced is not None:
            traced.process = set_span_in_context(span)
        error: BaseException | None = None
        try:
            async with aclosing(original(request, context)) as events:
                async for event in events:
                    yield event
        except BaseException as raised:
            error = raised
            raise
        finally:
            end(span, error)
            error = None  # with its frames, it would be a cycle

    return _unless_unwanted(call, original)


def _unless_unwanted(traced: Callable[..., Any], original: Callable[..., Any]) -> Callable[..., Any]:
    """Return what calls the original itself in a request of which nobody wants to know anything."""

    def call(*args: Any, **options: Any) -> Any:
        return (original if is_unwanted() else traced)(*args, **options)

    return call


def _note_operation(request: Any) -> TracedRequest | None:
    """Tell the request what it is, if no endpoint of ours has read it."""
    traced = TracedRequest.current()
    if traced is not None:
        traced.operation = request.type
    return traced


def _thread_of(args: tuple[Any, ...]) -> Attributes:
    """Return the attribute of the thread that a method is called with first, if it is."""
    thread_id = getattr(args[0], "id", args[0]) if args else None
    return {CONVERSATION_ID: thread_id} if isinstance(thread_id, str) else {}
