"""Everything that a process tells: spans, metrics, log records, and what every logger of Python's writes."""

import logging
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from copy import copy
from typing import Any, NamedTuple

from opentelemetry.sdk.metrics import AlwaysOnExemplarFilter, MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.trace import format_trace_id

from chatkit_prod.tracing.log_export import OpenTelemetryHandler
from chatkit_prod.tracing.logs import JSONFormatter, RequestFilter
from tests.tracing.recording import Recorder, attributes, context_of

OURS = ("chatkit_prod", "chatkit")
"""The loggers that `setup_telemetry` sends on, and whose records pass our filters."""

_FILTERED = (*OURS, "chatkit_prod.access", "chatkit_prod.audit", "chatkit_prod.client")
_PLAIN, _JSON = logging.Formatter(), JSONFormatter()


class Written(NamedTuple):
    """A record of Python's logging, as the handlers get it.

    Args:
        logger: Who wrote it.
        text: As a plain formatter and as ours write it, and every attribute of it.
        fields: What a record of ours says.
        record: The record itself.
    """

    logger: str
    text: str
    fields: dict[str, Any]
    record: logging.LogRecord

    @property
    def is_ours(self) -> bool:
        """Whether the record has passed our filters."""
        return any(self.logger == name or self.logger.startswith(f"{name}.") for name in OURS)


class _Listener(logging.Handler):
    """Keeps every record, as it is at that moment."""

    def __init__(self) -> None:
        super().__init__()
        self.written: list[Written] = []

    def emit(self, record: logging.LogRecord) -> None:
        text = "\n".join((_PLAIN.format(copy(record)), _JSON.format(copy(record)), repr(vars(record))))
        self.written.append(Written(record.name, text, vars(record).get("chatkit") or {}, copy(record)))


class Telemetry(Recorder):
    """Providers, and whatever they and the loggers have got.

    Every measurement becomes an example of its metric. The records of our loggers go through the same handler as
    with `setup_telemetry`, from level DEBUG on.
    """

    def __init__(self) -> None:
        super().__init__()
        self._reader = InMemoryMetricReader()
        self.meters = MeterProvider(
            [self._reader], exemplar_filter=AlwaysOnExemplarFilter(), shutdown_on_exit=False
        )
        self._listener = _Listener()
        self.handler = OpenTelemetryHandler(logging.DEBUG, logger_provider=self.loggers)
        self.handler.addFilter(RequestFilter())

    @contextmanager
    def listening(self) -> Generator[None]:
        """Listen to every logger; what our code puts on them meanwhile is taken away again at the end."""
        root = logging.getLogger()
        known = [found for found in root.manager.loggerDict.values() if isinstance(found, logging.Logger)]
        before = [(found, found.level, found.disabled, found.propagate) for found in (root, *known)]
        filters = {name: logging.getLogger(name).filters[:] for name in _FILTERED}
        for found in known:
            found.level, found.disabled, found.propagate = logging.NOTSET, False, True
        for name in _FILTERED:
            logging.getLogger(name).filters = []
        root.setLevel(logging.DEBUG)
        root.addHandler(self._listener)
        for name in OURS:
            logging.getLogger(name).addHandler(self.handler)
        _forget_levels()
        try:
            yield
        finally:
            for name in OURS:
                logging.getLogger(name).removeHandler(self.handler)
            root.removeHandler(self._listener)
            for name, found_filters in filters.items():
                logging.getLogger(name).filters = found_filters
            for found, level, disabled, propagate in before:
                found.level, found.disabled, found.propagate = level, disabled, propagate
            _forget_levels()

    def close(self) -> None:
        """End the providers."""
        for provider in (self.tracers, self.meters, self.loggers):
            provider.shutdown()

    @property
    def written(self) -> Sequence[Written]:
        """The records of Python's loggers."""
        return self._listener.written

    def access(self) -> list[dict[str, Any]]:
        """Return the fields of every access record."""
        return [found.fields for found in self.written if found.logger == "chatkit_prod.access"]

    def total(self, metric: str, **wanted: object) -> float:
        """Return the sum of a metric over its series with certain attributes, each with `.` as `_`."""
        found: list[float] = [
            point.value
            for known, point in self.points(metric)
            if all(known.get(name.replace("_", ".")) == value for name, value in wanted.items())
        ]
        return sum(found)

    def exported(self) -> dict[str, str]:
        """Return all that leaves by OpenTelemetry, as text, by signal; without the `tracestate` of the spans.

        A `tracestate` is to be handed on as it came (W3C Trace Context §3.3), and OTLP has a field for it.
        """
        return {
            "spans": "\n".join(map(_span_text, self.spans)),
            "metrics": repr(self._reader.get_metrics_data()),
            "log records": "\n".join(
                f"{found.log_record.event_name}: {found.to_json()}" for found in self.records
            ),
        }

    def own_records(self) -> str:
        """Return what our loggers and ChatKit's have written, as it leaves our filters."""
        return "\n".join(found.text for found in self.written if found.is_ours)

    def others_records(self) -> dict[str, str]:
        """Return what all other loggers have written, by logger."""
        found: dict[str, str] = {}
        for record in self.written:
            if not record.is_ours:
                found[record.logger] = f"{found.get(record.logger, '')}\n{record.text}"
        return found


@contextmanager
def captured() -> Generator[Telemetry]:
    """Give a telemetry that listens to this process."""
    found = Telemetry()
    try:
        with found.listening():
            yield found
    finally:
        found.close()


def server_span(spans: Sequence[ReadableSpan]) -> ReadableSpan:
    """Return the only span of a request as a whole."""
    (found,) = (span for span in spans if span.kind.name == "SERVER")
    return found


def trace_id(span: ReadableSpan) -> str:
    """Return the id of the trace of a span, as records have it."""
    return format_trace_id(context_of(span).trace_id)


def _span_text(span: ReadableSpan) -> str:
    events = [(event.name, dict(event.attributes or {})) for event in span.events]
    links = [dict(link.attributes or {}) for link in span.links]
    return repr(
        (
            span.name,
            attributes(span),
            events,
            links,
            span.status.status_code,
            span.status.description,
            dict(span.resource.attributes),
        )
    )


def _forget_levels() -> None:
    """Make every logger ask anew what it is to write."""
    logging.getLogger().manager._clear_cache()  # type: ignore[attr-defined] # pyright: ignore[reportAttributeAccessIssue]
