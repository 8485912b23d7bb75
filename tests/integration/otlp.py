"""A small OTLP receiver: HTTP with protobuf in, rows out, and one language to ask them in.

/v1/traces   → spans, exceptions        /v1/logs → logs
/v1/metrics  → points                   every body, as it came → `raw`
"""

import gzip
import json
import sqlite3
from collections.abc import Generator, Iterable, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Lock, Thread
from typing import Any

from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.metrics.v1.metrics_pb2 import Metric
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

_TABLES = """
CREATE TABLE spans (service, trace_id, span_id PRIMARY KEY, parent_id, name, kind, status, description, attributes);
CREATE TABLE exceptions (span_id, type, stack, attributes);
CREATE TABLE logs (service, trace_id, span_id, event, severity, body, at, attributes);
CREATE TABLE points (service, metric, value, attributes);
"""

Row = tuple[Any, ...]


class Receiver:
    """What has been received.

    `spans`, `exceptions`, `logs` and `points` are tables of SQLite; their `attributes` are JSON. Times are in
    seconds since the epoch. Of a metric that is sent again, the last value counts.

    Attributes:
        url: Where to send it.
        raw: Every body, unpacked.
    """

    url: str

    def __init__(self) -> None:
        self.raw: list[bytes] = []
        self._lock = Lock()
        self._database = sqlite3.connect(":memory:", check_same_thread=False)
        self._database.executescript(_TABLES)

    def query(self, statement: str, **values: object) -> list[Row]:
        """Return what SQLite answers.

        Args:
            statement: A query, with `:name` where a value belongs.
            values: Those.
        """
        with self._lock:
            return self._database.execute(statement, values).fetchall()

    def take(self, path: str, body: bytes) -> None:
        """Take one export in.

        Raises:
            KeyError: There is no such signal.
            DecodeError: The body is not what it should be.
        """
        with self._lock, self._database:
            self.raw.append(body)
            {"/v1/traces": self._traces, "/v1/metrics": self._metrics, "/v1/logs": self._logs}[path](body)

    def close(self) -> None:
        """Forget everything."""
        self._database.close()

    def _traces(self, body: bytes) -> None:
        for resource in ExportTraceServiceRequest.FromString(body).resource_spans:
            service = _service(resource.resource.attributes)
            for scope in resource.scope_spans:
                for span in scope.spans:
                    self._span(service, span)

    def _span(self, service: str, span: Span) -> None:
        row = (
            service,
            span.trace_id.hex(),
            span.span_id.hex(),
            span.parent_span_id.hex(),
            span.name,
            Span.SpanKind.Name(span.kind).removeprefix("SPAN_KIND_"),
            Status.StatusCode.Name(span.status.code).removeprefix("STATUS_CODE_"),
            span.status.message,
            _json(span.attributes),
        )
        self._insert("spans", row)
        for event in span.events:
            known = _values(event.attributes)
            stack = known.get("exception.stacktrace")
            self._insert("exceptions", (row[2], known.get("exception.type"), stack, json.dumps(known)))

    def _logs(self, body: bytes) -> None:
        for resource in ExportLogsServiceRequest.FromString(body).resource_logs:
            service = _service(resource.resource.attributes)
            for scope in resource.scope_logs:
                for log in scope.log_records:
                    ids = (log.trace_id.hex(), log.span_id.hex())
                    at = (log.time_unix_nano or log.observed_time_unix_nano) / 1e9
                    said = (log.event_name, log.severity_text, str(_value(log.body)), at)
                    self._insert("logs", (service, *ids, *said, _json(log.attributes)))

    def _metrics(self, body: bytes) -> None:
        for resource in ExportMetricsServiceRequest.FromString(body).resource_metrics:
            service = _service(resource.resource.attributes)
            for scope in resource.scope_metrics:
                for metric in scope.metrics:
                    for value, attributes in _points(metric):
                        key = (service, metric.name, attributes)
                        self._database.execute(
                            "DELETE FROM points WHERE service = ? AND metric = ? AND attributes = ?", key
                        )
                        self._insert("points", (service, metric.name, value, attributes))

    def _insert(self, table: str, row: Row) -> None:
        marks = ", ".join("?" * len(row))
        self._database.execute(f"INSERT INTO {table} VALUES ({marks})", row)  # noqa: S608 - names of ours


def _points(metric: Metric) -> list[tuple[float, str]]:
    """Return the values of a metric, those of a histogram as how often it was recorded, with their attributes."""
    if metric.HasField("histogram"):
        return [(point.count, _json(point.attributes)) for point in metric.histogram.data_points]
    numbers = metric.sum.data_points if metric.HasField("sum") else metric.gauge.data_points
    return [(point.as_double or point.as_int, _json(point.attributes)) for point in numbers]


def _json(attributes: Iterable[KeyValue]) -> str:
    return json.dumps(_values(attributes), sort_keys=True)


def _values(attributes: Iterable[KeyValue]) -> Mapping[str, Any]:
    return {found.key: _value(found.value) for found in attributes}


def _value(value: AnyValue) -> Any:
    kind = value.WhichOneof("value")
    if kind is None:
        return None
    if kind == "array_value":
        return [_value(found) for found in value.array_value.values]
    if kind == "kvlist_value":
        return _values(value.kvlist_value.values)
    return getattr(value, kind)


def _service(attributes: Iterable[KeyValue]) -> str:
    return str(_values(attributes).get("service.name"))


@contextmanager
def receiving() -> Generator[Receiver]:
    """Give a receiver that listens on the loopback interface."""
    receiver = Receiver()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            packed = self.headers.get("content-encoding") == "gzip"
            receiver.take(self.path, gzip.decompress(body) if packed else body)
            self.send_response(200)
            self.send_header("content-type", "application/x-protobuf")
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    receiver.url = f"http://127.0.0.1:{server.server_port}"
    thread = Thread(target=server.serve_forever)
    thread.start()
    try:
        yield receiver
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
        receiver.close()
