"""Telemetry that fails does not fail the request."""

import logging
from collections.abc import Iterator
from typing import Any

import pytest
from opentelemetry import context as otel_context
from opentelemetry.context import Context
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.trace import ReadableSpan, Span, SpanProcessor, TracerProvider

from chatkit_prod import ChatKitEndpoint
from chatkit_prod.testing import chatkit_request, user_message
from chatkit_prod.tracing import TracingMiddleware, instrument_server
from chatkit_prod.tracing.metrics import Metrics
from chatkit_prod.tracing.quietly import quietly
from tests.servers import ScriptedServer, Wire, hello

pytestmark = pytest.mark.anyio

CREATE = chatkit_request("threads.create", input=user_message("Hello"))
LIST = chatkit_request("threads.list")


class BrokenError(Exception):
    """What the broken part of somebody else raises."""


class Broken(SpanProcessor):
    """A processor that raises.

    Args:
        when: `start` or `end`.
    """

    def __init__(self, when: str) -> None:
        self._when = when

    def on_start(self, span: Span, parent_context: Context | None = None) -> None:
        if self._when == "start":
            raise BrokenError

    def on_end(self, span: ReadableSpan) -> None:
        if self._when == "end":
            raise BrokenError


class BrokenHandler(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        raise BrokenError


class BrokenFilter(logging.Filter):
    def filter(self, record: logging.LogRecord) -> bool:
        raise BrokenError


@pytest.fixture
def access() -> Iterator[logging.Logger]:
    logger = logging.getLogger("chatkit_prod.access")
    logger.setLevel(logging.INFO)
    handlers, filters = list(logger.handlers), list(logger.filters)
    yield logger
    logger.setLevel(logging.NOTSET)
    logger.handlers[:], logger.filters[:] = handlers, filters


def app_of(provider: TracerProvider, **options: Any) -> TracingMiddleware:
    server = ScriptedServer(hello)
    instrument_server(server, tracer_provider=provider)
    return TracingMiddleware(ChatKitEndpoint(server), tracer_provider=provider, **options)


@pytest.mark.parametrize("when", ["start", "end"])
@pytest.mark.parametrize("body", [CREATE, LIST], ids=["stream", "JSON"])
async def test_a_span_processor_that_raises_costs_nobody_an_answer(
    when: str, body: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(Broken(when))
    wire = await Wire(body).request(app_of(provider))
    assert wire.status == 200
    assert "error" not in wire.types
    assert otel_context.get_current() == {}
    assert "telemetry failed" in caplog.text


@pytest.mark.parametrize("broken", [BrokenHandler(), BrokenFilter()], ids=["handler", "filter"])
async def test_a_log_that_raises_costs_nobody_an_answer(access: logging.Logger, broken: Any) -> None:
    (access.addHandler if isinstance(broken, logging.Handler) else access.addFilter)(broken)
    wire = await Wire(CREATE).request(app_of(TracerProvider(shutdown_on_exit=False)))
    assert wire.status == 200
    assert wire.types[-1] == "thread.item.done"
    assert otel_context.get_current() == {}


async def test_an_instrument_that_raises_loses_one_figure_and_no_answer(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    meters = MeterProvider(shutdown_on_exit=False)
    app = app_of(TracerProvider(shutdown_on_exit=False), meter_provider=meters)
    assert (await Wire(LIST).request(app)).status == 200
    metrics = Metrics.of(meters)

    def broken(*_: Any) -> None:
        raise BrokenError

    monkeypatch.setattr(metrics._duration, "record", broken)  # pyright: ignore[reportPrivateUsage]
    statuses = [(await Wire(LIST).request(app)).status for _ in range(70)]
    assert set(statuses) == {200}


def test_what_is_no_failure_of_telemetry_goes_on() -> None:
    with pytest.raises(KeyboardInterrupt), quietly:
        raise KeyboardInterrupt


def test_a_log_that_cannot_be_written_is_no_failure_either(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: Any) -> None:
        raise BrokenError

    monkeypatch.setattr("chatkit_prod.tracing.quietly.logger.error", broken)
    with quietly:
        raise BrokenError
