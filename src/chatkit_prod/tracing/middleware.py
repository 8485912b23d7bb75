"""One span, one request id and one access record for every request.

traceparent → span ┬→ app → status, outcome
                   └→ x-request-id, access record
"""

import asyncio
import logging
import re
import time
from collections.abc import Awaitable
from http import HTTPStatus
from typing import ClassVar

from opentelemetry import context as otel_context
from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.trace import Span, SpanKind, Status, StatusCode, Tracer, TracerProvider
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from chatkit_prod.asgi import ASGIApp, Message, Receive, Scope, Send, header_values, with_headers
from chatkit_prod.layer import Layer, require_inside
from chatkit_prod.records import write
from chatkit_prod.state import RequestState

access_logger = logging.getLogger("chatkit_prod.access")

_MAX_STATES = 32
_STATE = re.compile(
    r"[ \t]*(?:[a-z][a-z0-9_*/-]{0,255}|[a-z0-9][a-z0-9_*/-]{0,240}@[a-z][a-z0-9_*/-]{0,13})"
    r"=[\x20-\x2b\x2d-\x3c\x3e-\x7e]{0,255}[\x21-\x2b\x2d-\x3c\x3e-\x7e][ \t]*"
)
_PROPAGATOR = TraceContextTextMapPropagator()


class TracingMiddleware:
    """Make every request findable: by its trace, its id, its user or its thread.

    Args:
        app: The ASGI app to wrap.
        tracer_provider: Where the span goes; the global provider if None.

    Raises:
        ConfigurationError: `app` holds a layer that belongs outside.

    Sets:
        A SERVER span that lasts until the end of the stream; `x-request-id` on the response; one
        record on the logger `chatkit_prod.access`, whose `chatkit` attribute holds its fields.
    """

    layer: ClassVar = Layer.TRACING

    def __init__(self, app: ASGIApp, *, tracer_provider: TracerProvider | None = None) -> None:
        require_inside(self, app)
        self.app = app
        self._tracer: Tracer = trace.get_tracer("chatkit_prod", tracer_provider=tracer_provider)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Trace one request."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        scope, state = RequestState.seed(scope)
        responder = _TracingResponder(send, state.request_id)
        started = time.perf_counter()
        parent = _remote_context(scope)
        method, path = scope["method"], scope["path"]
        span = self._tracer.start_span(
            method,
            context=parent,
            kind=SpanKind.SERVER,
            attributes={
                "http.request.method": method,
                "url.path": path,
                "url.scheme": scope.get("scheme", "http"),
            },
        )
        token = otel_context.attach(trace.set_span_in_context(span, parent))
        try:
            await self.app(scope, receive, responder.send)
        except asyncio.CancelledError:
            state.outcome = state.outcome or "cancelled"
            raise
        except Exception as error:
            state.fail(error)
            raise
        finally:
            otel_context.detach(token)
            milliseconds = (time.perf_counter() - started) * 1000
            _finish(span, state, responder.status)
            _log(method, path, state, responder.status, milliseconds)


class _TracingResponder:
    """Adds the request id to one response, and keeps its status."""

    __slots__ = ("_headers", "_send", "status")

    def __init__(self, send: Send, request_id: str) -> None:
        self._send = send
        self._headers = [(b"x-request-id", request_id.encode())]
        self.status: int | None = None

    def send(self, message: Message) -> Awaitable[None]:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            message = with_headers(message, missing=self._headers)
        return self._send(message)


def _remote_context(scope: Scope) -> Context:
    """Return the caller's span; never what happens to be current (W3C Trace Context §3.2 and §3.3)."""
    parents = [value.decode("latin-1") for value in header_values(scope, b"traceparent")]
    states = b",".join(header_values(scope, b"tracestate")).decode("latin-1").split(",")
    carrier = {"traceparent": parents} if len(parents) == 1 else {}
    if len(states) <= _MAX_STATES and all(map(_STATE.fullmatch, states)):
        carrier["tracestate"] = [",".join(states)]  # the propagator would log what it does not understand
    return _PROPAGATOR.extract(carrier, context=Context())


def _finish(span: Span, state: RequestState, status: int | None) -> None:
    operation = state.peek().operation
    if operation is not None:
        span.update_name(operation.name)
        span.set_attribute("chatkit.operation", operation.name)
    if state.thread_id is not None:
        span.set_attribute("gen_ai.conversation.id", state.thread_id)
    if status is not None:
        span.set_attribute("http.response.status_code", status)
    if state.outcome is not None:
        span.set_attribute("chatkit.outcome", state.outcome)
    error_type = (state.error_type or "stream.error") if state.outcome == "error" else _server_error(status)
    if error_type is not None:
        span.set_attribute("error.type", error_type)
        span.set_status(Status(StatusCode.ERROR))
    span.end()


def _server_error(status: int | None) -> str | None:
    """Return the `error.type` of an answer that no layer of ours has judged."""
    return str(status) if status is not None and status >= HTTPStatus.INTERNAL_SERVER_ERROR else None


def _log(method: str, path: str, state: RequestState, status: int | None, milliseconds: float) -> None:
    if not access_logger.isEnabledFor(logging.INFO):
        return
    principal, _, operation = state.peek()
    fields = {
        "path": path,
        "method": method,
        "operation": operation.name if operation else None,
        "user_id": principal.subject if principal else None,
        "thread_id": state.thread_id,
        "status": status,
        "outcome": state.outcome,
        "milliseconds": round(milliseconds, 1),
        "request_id": state.request_id,
    }
    write(access_logger, fields)
