"""A span that is current already is joined if it was made for this very request, and otherwise never."""

from collections.abc import Generator, Mapping
from contextlib import contextmanager
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry import context as otel_context
from opentelemetry.context import Context
from opentelemetry.instrumentation.asgi import OpenTelemetryMiddleware
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF
from opentelemetry.trace import Span, SpanKind, set_span_in_context

from chatkit_prod.asgi import Scope
from chatkit_prod.state import RequestState
from chatkit_prod.tracing import TracingMiddleware
from chatkit_prod.tracing.ambient import is_traced, outer_span
from tests.layers import Greeter, exchange, get
from tests.tracing.recording import Recorder, attributes
from tests.tracing.requests_traced import current, traced_request

pytestmark = pytest.mark.anyio


@contextmanager
def around(
    found: Mapping[str, Any], *, kind: SpanKind = SpanKind.SERVER, provider: TracerProvider | None = None
) -> Generator[Span]:
    """Make a span of some other instrumentation current."""
    tracer = (provider or Recorder().tracers).get_tracer("peer")
    span = tracer.start_span("peer", Context(), kind, found)
    token = otel_context.attach(set_span_in_context(span, Context()))
    try:
        yield span
    finally:
        otel_context.detach(token)


def scope_of(path: str, *, root_path: str = "") -> Scope:
    return {**get(), "path": path, "root_path": root_path}


@pytest.mark.parametrize(
    "found",
    [
        {"url.path": "/chatkit"},
        {"http.target": "/chatkit"},
        {"http.target": "/chatkit?token=1"},
        {"http.url": "http://127.0.0.1/chatkit?token=1"},
    ],
    ids=["today's", "the target of before", "a target with a query", "the URL of before"],
)
def test_a_server_span_of_this_path_is_joined(found: Mapping[str, Any]) -> None:
    with around(found) as span:
        assert outer_span(scope_of("/chatkit")) is span


def test_an_app_that_is_mounted_somewhere_is_known_by_its_whole_path() -> None:
    with around({"url.path": "/api/chatkit"}) as span:
        assert outer_span(scope_of("/chatkit", root_path="/api")) is span
        assert outer_span(scope_of("/api/chatkit", root_path="/api")) is span
        assert outer_span(scope_of("/chatkit", root_path="/other")) is None


@pytest.mark.parametrize(
    "found",
    [{}, {"url.path": "/other"}, {"url.path": 1}, {"http.target": "/other"}, {"http.url": 7}],
    ids=["no path", "another path", "no text", "another target", "no URL"],
)
def test_a_server_span_of_anything_else_is_not_joined(found: Mapping[str, Any]) -> None:
    with around(found):
        assert outer_span(scope_of("/chatkit")) is None


@pytest.mark.parametrize("kind", [kind for kind in SpanKind if kind is not SpanKind.SERVER])
def test_a_span_of_another_kind_is_not_joined(kind: SpanKind) -> None:
    with around({"url.path": "/chatkit"}, kind=kind):
        assert outer_span(scope_of("/chatkit")) is None


def test_a_span_that_has_ended_is_not_joined() -> None:
    """As that of the request before, on the same connection."""
    with around({"url.path": "/chatkit"}) as span:
        span.end()
        assert outer_span(scope_of("/chatkit")) is None


def test_a_span_that_nobody_records_is_not_joined() -> None:
    provider = TracerProvider(sampler=ALWAYS_OFF, shutdown_on_exit=False)
    with around({"url.path": "/chatkit"}, provider=provider):
        assert outer_span(scope_of("/chatkit")) is None


def test_where_nothing_is_current_nothing_is_joined() -> None:
    assert outer_span(scope_of("/chatkit")) is None


def test_a_span_that_another_request_has_is_not_joined_even_before_it_has_ended() -> None:
    recorder = Recorder()
    span = recorder.tracer.start_span("peer", Context(), SpanKind.SERVER, {"url.path": "/chatkit"})
    with current(traced_request(recorder, span=span, is_joined=True)):
        assert outer_span(scope_of("/chatkit")) is None


def test_a_new_server_span_inside_of_another_request_is_joined() -> None:
    """As of an app that asks another one in its own process."""
    recorder = Recorder()
    with current(traced_request(recorder)), around({"url.path": "/chatkit"}) as span:
        token = otel_context.attach(set_span_in_context(span))
        assert outer_span(scope_of("/chatkit")) is span
        otel_context.detach(token)


def test_a_request_is_traced_if_it_is_the_current_one() -> None:
    request = traced_request(Recorder())
    _, other = RequestState.seed(get())
    assert not is_traced(request.state)
    with current(request):
        assert is_traced(request.state)
        assert not is_traced(other)


PATHS = st.text(max_size=8).map(lambda text: f"/{text}") | st.sampled_from(
    ["*", "//x", "/a?b", "/a#b;c", "/%2F", "http://x/y", "/é"]
)


@given(PATHS, st.sampled_from(["", "/api"]))
async def test_whatever_the_path_a_request_has_one_span_under_the_instrumentation_of_opentelemetry(
    path: str, root_path: str
) -> None:
    recorder = Recorder()
    providers: dict[str, Any] = {"tracer_provider": recorder.tracers, "meter_provider": recorder.meters}
    peer: Any = OpenTelemetryMiddleware
    app = peer(TracingMiddleware(Greeter(), **providers), exclude_spans=["send", "receive"], **providers)
    await exchange(app, {**scope_of(path, root_path=root_path), "query_string": b"q=1"})
    (span,) = recorder.spans
    assert attributes(span)["chatkit.outcome"] == "completed"
