"""Requests as the tracing middleware knows them, without the middleware."""

from collections.abc import Generator
from contextlib import contextmanager

from opentelemetry import context as otel_context
from opentelemetry.context import Context
from opentelemetry.trace import Span, SpanKind

from chatkit_prod.state import RequestState
from chatkit_prod.tracing.failures import Failures
from chatkit_prod.tracing.metrics import Metrics
from chatkit_prod.tracing.request import TracedRequest
from chatkit_prod.tracing.user import UserTag
from tests.servers import http_scope
from tests.tracing.recording import Recorder


def traced_request(
    recorder: Recorder, *, span: Span | None = None, is_joined: bool = False, is_wanted: bool = True
) -> TracedRequest:
    """Return a request with a new SERVER span."""
    _, state = RequestState.seed(http_scope())
    return TracedRequest(
        state,
        span or recorder.tracer.start_span("request", Context(), SpanKind.SERVER),
        is_joined=is_joined,
        metrics=Metrics.of(recorder.meters),
        failures=Failures(recorder.loggers),
        tag=UserTag("id", None),
        is_wanted=is_wanted,
    )


@contextmanager
def current(request: TracedRequest) -> Generator[TracedRequest]:
    """Make a request the current one, and end its span."""
    token = otel_context.attach(request.inside(Context()))
    try:
        yield request
    finally:
        otel_context.detach(token)
        request.span.end()
