"""Providers of a test's own, and what has come out of them."""

from collections import Counter
from typing import Any

from opentelemetry.sdk._logs import LoggerProvider, ReadableLogRecord
from opentelemetry.sdk._logs.export import InMemoryLogRecordExporter, SimpleLogRecordProcessor
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import Span, SpanContext


class Recorder:
    """Three providers, each with everything that it was given.

    Args:
        processor: Gets the spans instead of the recorder, which then keeps none.

    Attributes:
        tracers: The tracer provider.
        meters: The meter provider.
        loggers: The logger provider.
        tracer: One of the app's own.
    """

    def __init__(self, processor: SpanProcessor | None = None) -> None:
        self._spans, self._logs = InMemorySpanExporter(), InMemoryLogRecordExporter()  # type: ignore[no-untyped-call]
        self._reader = InMemoryMetricReader()
        self.tracers = TracerProvider(shutdown_on_exit=False)
        self.tracers.add_span_processor(processor or SimpleSpanProcessor(self._spans))
        self.meters = MeterProvider([self._reader], shutdown_on_exit=False)
        self.loggers = LoggerProvider(shutdown_on_exit=False)
        self.loggers.add_log_record_processor(SimpleLogRecordProcessor(self._logs))
        self.tracer = self.tracers.get_tracer("app")

    @property
    def spans(self) -> tuple[ReadableSpan, ...]:
        """Those that have ended, in that order."""
        return self._spans.get_finished_spans()

    @property
    def names(self) -> list[str]:
        """The names of the spans."""
        return [span.name for span in self.spans]

    @property
    def records(self) -> list[ReadableLogRecord]:
        """The log records of OpenTelemetry."""
        return list(self._logs.get_finished_logs())

    def span(self, name: str) -> ReadableSpan:
        """Return the only span of a name."""
        (span,) = (span for span in self.spans if span.name == name)
        return span

    def points(self, metric: str) -> list[tuple[dict[str, Any], Any]]:
        """Return the attributes and the figures of a metric, as they are now."""
        data = self._reader.get_metrics_data()
        return [
            (dict(point.attributes or {}), point)
            for resource in (data.resource_metrics if data else ())
            for scope in resource.scope_metrics
            for found in scope.metrics
            if found.name == metric
            for point in found.data.data_points
        ]


def attributes(span: ReadableSpan) -> dict[str, Any]:
    """Return the attributes of a span."""
    return dict(span.attributes or {})


def context_of(span: ReadableSpan | Span) -> SpanContext:
    """Return the ids of a span."""
    context = span.get_span_context()
    assert context
    return context


def is_child(span: ReadableSpan, of: ReadableSpan) -> bool:
    """Tell whether a span was made inside of another one."""
    return span.parent is not None and span.parent.span_id == context_of(of).span_id


def recorded(spans: tuple[ReadableSpan, ...]) -> Counter[tuple[str, Any]]:
    """Return how often the spans have an exception among their events, by name and type."""
    return Counter(
        (span.name, (event.attributes or {})["exception.type"])
        for span in spans
        for event in span.events
        if event.name == "exception"
    )
