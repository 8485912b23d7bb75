"""OpenTelemetry for an app that has none yet: traces, metrics and logs, to the terminal or by OTLP."""

import logging
import sys
from collections.abc import Iterable, Mapping
from contextlib import ExitStack
from types import MappingProxyType, TracebackType
from typing import Literal, Self, get_args

from opentelemetry import _logs, metrics, trace
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import (
    BatchLogRecordProcessor,
    ConsoleLogRecordExporter,
    SimpleLogRecordProcessor,
)
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import (
    ConsoleMetricExporter,
    MetricReader,
    PeriodicExportingMetricReader,
)
from opentelemetry.sdk.resources import SERVICE_NAME, Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, ConsoleSpanExporter, SimpleSpanProcessor

from chatkit_prod.errors import ConfigurationError
from chatkit_prod.options import is_text, named

from .log_export import OpenTelemetryHandler
from .logs import RequestFilter

Exporter = Literal["console", "otlp"]

_LOGGERS = ("chatkit_prod", "chatkit")
_NO_ATTRIBUTES: Mapping[str, str] = MappingProxyType({})


class Telemetry:
    """What `setup_telemetry` has set up, until the app ends; a context manager that ends with `shutdown`.

    Args:
        traces: The global tracer provider.
        meters: The global meter provider.
        logs: The global logger provider.

    Sets:
        A handler on the loggers `chatkit_prod` and `chatkit`, until the end; level INFO where they have none.
    """

    def __init__(self, traces: TracerProvider, meters: MeterProvider, logs: LoggerProvider) -> None:
        self._traces, self._meters, self._logs = traces, meters, logs
        self._handler: logging.Handler | None = OpenTelemetryHandler(logging.INFO, logger_provider=logs)
        self._handler.addFilter(RequestFilter())
        for name in _LOGGERS:
            logger = logging.getLogger(name)
            logger.addHandler(self._handler)
            if logger.level == logging.NOTSET:
                logger.setLevel(logging.INFO)

    def force_flush(self, timeout: float = 30.0) -> bool:
        """Send what is waiting; it blocks, so call it from a thread where an event loop runs.

        Args:
            timeout: Seconds for each of the three signals.

        Returns:
            Whether all three were done in time; what an exporter could not send, it logs itself.
        """
        milliseconds = int(timeout * 1000)
        done = [_flushed(signal, milliseconds) for signal in (self._traces, self._meters, self._logs)]
        return all(done)

    def shutdown(self) -> None:
        """Send what is waiting, and end; a second time changes nothing.

        Call it when the app ends: what happens afterwards is not sent. It blocks until the exporters are done.
        """
        handler, self._handler = self._handler, None
        if handler is None:
            return
        for name in _LOGGERS:
            logging.getLogger(name).removeHandler(handler)
        with ExitStack() as signals:  # each of them, also where one fails
            for signal in (self._logs, self._meters, self._traces):
                signals.callback(signal.shutdown)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, stack: TracebackType | None
    ) -> None:
        self.shutdown()


def setup_telemetry(
    *,
    service_name: str,
    exporter: Exporter,
    attributes: Mapping[str, str] = _NO_ATTRIBUTES,
    metric_readers: Iterable[MetricReader] = (),
) -> Telemetry:
    """Set OpenTelemetry's global providers, and send the records of this package and of ChatKit as well.

    For an app that has nothing of the kind yet, once, before its requests. Sampling, limits and intervals are
    those of OpenTelemetry's environment variables, such as `OTEL_TRACES_SAMPLER`. The loggers `chatkit_prod` and
    `chatkit` write from level INFO on, unless they have a level already.

    Args:
        service_name: The `service.name` of the app.
        exporter: `console` writes to standard output as things happen, which is for development; `otlp` sends
            batches by HTTP to where `OTEL_EXPORTER_OTLP_ENDPOINT` and its relatives say.
        attributes: Of the resource besides, such as `deployment.environment.name`.
        metric_readers: Further readers of the metrics, such as a `PrometheusMetricReader`.

    Returns:
        What is to be shut down when the app ends.

    Raises:
        ConfigurationError: An argument is wrong; there is a global provider already; `otlp` is to be used and the
            extra `otlp` is not installed.
    """
    if not is_text(service_name):
        raise ConfigurationError(f"service_name must be a text, and not empty, not {named(service_name)}")
    if exporter not in get_args(Exporter):
        raise ConfigurationError(f"exporter must be one of {', '.join(get_args(Exporter))}, not {exporter!r}")
    _require_nothing_set()
    resource = Resource.create({**attributes, SERVICE_NAME: service_name})
    traces, meters, logs = (_by_otlp if exporter == "otlp" else _to_console)(resource, tuple(metric_readers))
    trace.set_tracer_provider(traces)
    metrics.set_meter_provider(meters)
    _logs.set_logger_provider(logs)
    return Telemetry(traces, meters, logs)


def _flushed(signal: TracerProvider | MeterProvider | LoggerProvider, milliseconds: int) -> bool:
    try:
        return signal.force_flush(milliseconds)
    except Exception:  # noqa: BLE001 - the meter provider raises where the others return False
        return False


Providers = tuple[TracerProvider, MeterProvider, LoggerProvider]


def _require_nothing_set() -> None:
    providers = {
        "opentelemetry.trace": trace.get_tracer_provider(),
        "opentelemetry.metrics": metrics.get_meter_provider(),
        "opentelemetry._logs": _logs.get_logger_provider(),
    }
    for api, provider in providers.items():
        if not type(provider).__module__.startswith(api):  # its own do nothing
            raise ConfigurationError(
                f"{named(provider)} is OpenTelemetry's global provider already: setup_telemetry is for apps"
                " that have none, and is called once"
            )


def _to_console(resource: Resource, readers: tuple[MetricReader, ...]) -> Providers:
    traces = TracerProvider(resource=resource)
    traces.add_span_processor(SimpleSpanProcessor(ConsoleSpanExporter(out=sys.stdout)))
    logs = LoggerProvider(resource=resource)
    logs.add_log_record_processor(SimpleLogRecordProcessor(ConsoleLogRecordExporter(out=sys.stdout)))
    return (
        traces,
        _meters(resource, PeriodicExportingMetricReader(ConsoleMetricExporter(out=sys.stdout)), readers),
        logs,
    )


def _by_otlp(resource: Resource, readers: tuple[MetricReader, ...]) -> Providers:
    try:
        from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter  # noqa: PLC0415
        from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter  # noqa: PLC0415
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter  # noqa: PLC0415
    except ImportError as error:
        raise ConfigurationError(
            "exporter='otlp' needs the extra `otlp`: pip install 'chatkit-prod[otlp]'"
        ) from error
    traces = TracerProvider(resource=resource)
    traces.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    logs = LoggerProvider(resource=resource)
    logs.add_log_record_processor(BatchLogRecordProcessor(OTLPLogExporter()))
    return traces, _meters(resource, PeriodicExportingMetricReader(OTLPMetricExporter()), readers), logs


def _meters(resource: Resource, reader: MetricReader, readers: tuple[MetricReader, ...]) -> MeterProvider:
    return MeterProvider(metric_readers=[reader, *readers], resource=resource)
