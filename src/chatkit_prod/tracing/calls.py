"""A span around one call of the app's code, whether it is awaited or iterated."""

import asyncio
import re
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping
from types import TracebackType
from typing import TypeAlias, TypeVar

from opentelemetry import context as otel_context
from opentelemetry.context import Context
from opentelemetry.trace import INVALID_SPAN, Span, SpanKind, Tracer, set_span_in_context

from chatkit_prod.errors import AppError, InternalError, as_request_error

from .names import OUTCOME
from .quietly import quietly
from .request import TracedRequest, fail

T = TypeVar("T")

Attributes: TypeAlias = Mapping[str, str | int]


_WORD = re.compile(r"[A-Za-z0-9_.:~=<>-]{1,128}")
_MAX_COUNT = 2**31 - 1


def is_unwanted() -> bool:
    """Tell whether this code runs for a request of which nobody wants to know anything."""
    request = TracedRequest.current()
    return request is not None and not request.is_wanted


def start(tracer: Tracer, name: str, attributes: Attributes) -> Span:
    """Return a new span inside of what is around this code."""
    request = TracedRequest.current()
    parent = None if request is None else request.parent()
    with quietly:
        return tracer.start_span(name, parent, SpanKind.INTERNAL, shaped(attributes))
    return INVALID_SPAN


def shaped(attributes: Attributes) -> dict[str, str | int]:
    """Return the attributes that look like ids, names and counts: what no endpoint of ours has read may be anything."""
    return {
        name: min(value, _MAX_COUNT) if isinstance(value, int) else value
        for name, value in attributes.items()
        if isinstance(value, int) or _WORD.fullmatch(value)
    }


def end(span: Span, error: BaseException | None, *, in_stream: bool = False) -> None:
    """End a span.

    Args:
        span: The span.
        error: What the call raised. A refusal, such as the 404 of something absent, is an answer and no failure.
        in_stream: Whether the answer has begun already: then nothing can be refused any more.
    """
    with quietly:
        if isinstance(error, asyncio.CancelledError | GeneratorExit):
            span.set_attribute(OUTCOME, "cancelled")
        elif isinstance(error, Exception) and not in_stream and is_refusal(error):
            span.set_attribute(OUTCOME, "refused")
        elif error is not None:
            fail(span, error)
    with quietly:
        span.end()


def is_refusal(error: Exception) -> bool:
    """Tell whether an exception is a refusal, such as the 404 of something absent: an answer, and no failure."""
    return not isinstance(as_request_error(error), AppError | InternalError)


class TracedCall:
    """A span that is current while a block awaits.

    Args:
        tracer: Makes the span.
        name: That of the span.
        attributes: What is known before the call.
    """

    __slots__ = ("_token", "span")

    def __init__(self, tracer: Tracer, name: str, attributes: Attributes) -> None:
        self.span = start(tracer, name, attributes)

    def __enter__(self) -> Span:
        self._token = otel_context.attach(set_span_in_context(self.span))
        return self.span

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        otel_context.detach(self._token)
        end(self.span, error)


async def traced_events(
    tracer: Tracer, name: str, attributes: Attributes, events_of: Callable[[], AsyncIterator[T]]
) -> AsyncGenerator[T]:
    """Yield what a generator yields, with a span that is current while it runs, and never in between.

    What the generator itself makes current, and leaves so across a `yield`, stays with it: it finds that again
    at its next step, and nobody else sees it.

    Args:
        tracer: Makes the span.
        name: That of the span.
        attributes: What is known before the call.
        events_of: Returns the generator.
    """
    span = start(tracer, name, attributes)
    inside = set_span_in_context(span)
    cause: BaseException | None = None
    try:
        events = _begun(events_of, inside)
        step = events.__anext__
        try:
            while True:
                token = otel_context.attach(inside)
                try:
                    event = await step()
                except StopAsyncIteration:
                    return
                finally:
                    inside = otel_context.get_current()
                    otel_context.detach(token)
                yield event
        finally:
            await _close(events, inside)
    except BaseException as error:
        cause = error
        raise
    finally:
        end(span, cause, in_stream=True)
        cause = None  # with its frames, it would be a cycle


def _begun(events_of: Callable[[], AsyncIterator[T]], inside: Context) -> AsyncIterator[T]:
    token = otel_context.attach(inside)
    try:
        return aiter(events_of())
    finally:
        otel_context.detach(token)


async def _close(events: AsyncIterator[object], inside: Context) -> None:
    close = getattr(events, "aclose", None)
    if close is not None:
        token = otel_context.attach(inside)
        try:
            await close()
        finally:
            otel_context.detach(token)
