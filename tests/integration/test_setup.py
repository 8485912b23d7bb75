"""`setup_telemetry` in processes of its own: what arrives by OTLP, and what a terminal shows."""

import os
import subprocess
import sys
from typing import Any

from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from chatkit_prod.tracing import names
from tests.tracing.otlp_receiver import Receiver, endpoint, receiver

__all__ = ["receiver"]

# What an app does, in a process of its own.
REQUEST = """
import asyncio
import logging

from chatkit.errors import StreamError
from chatkit_prod import ChatKitEndpoint
from chatkit_prod.testing import ChatKitClient, chatkit_request, user_message
from chatkit_prod.tracing import TracingMiddleware
from chatkit_prod.tracing.setup import setup_telemetry
from tests.servers import ScriptedServer, hello

with setup_telemetry(service_name="my-chat", exporter="EXPORTER", attributes={"service.version": "7"}) as telemetry:
    app = TracingMiddleware(ChatKitEndpoint(ScriptedServer(hello)))
    asyncio.run(ChatKitClient(app).send(chatkit_request("threads.create", input=user_message("canary-19e4"))))
    logging.getLogger("chatkit").error(ValueError("canary-19e4"))
    assert telemetry.force_flush()
"""


def run(program: str, exporter: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a program in a fresh process, where nothing is set up."""
    given = {name: value for name, value in os.environ.items() if not name.startswith("OTEL_")}
    return subprocess.run(
        [sys.executable, "-c", program.replace("EXPORTER", exporter)],
        capture_output=True,
        check=False,
        env={**given, **environment},
        text=True,
        timeout=60,
    )


def attributes(found: Any) -> dict[str, str]:
    return {pair.key: pair.value.string_value for pair in found}


def test_all_three_signals_arrive_at_an_otlp_receiver_and_belong_together(receiver: Receiver) -> None:
    done = run(REQUEST, "otlp", **endpoint(receiver))
    assert (done.returncode, done.stdout) == (0, ""), done.stderr
    assert not any(b"canary-19e4" in body for _, body in receiver.bodies)
    assert {path for path, _ in receiver.bodies} == {"/v1/traces", "/v1/metrics", "/v1/logs"}

    sent = [
        ExportTraceServiceRequest.FromString(body) for path, body in receiver.bodies if path == "/v1/traces"
    ]
    (resource,) = [found for request in sent for found in request.resource_spans]
    assert attributes(resource.resource.attributes)["service.name"] == "my-chat"
    assert attributes(resource.resource.attributes)["service.version"] == "7"
    spans = [span for scope in resource.scope_spans for span in scope.spans]
    (server,) = [span for span in spans if span.name == "threads.create"]

    records = dict[str, Any]()
    for body in (body for path, body in receiver.bodies if path == "/v1/logs"):
        for resource_logs in ExportLogsServiceRequest.FromString(body).resource_logs:
            assert attributes(resource_logs.resource.attributes)["service.name"] == "my-chat"
            for scope_logs in resource_logs.scope_logs:
                records.update(dict.fromkeys([scope_logs.scope.name], scope_logs.log_records[0]))
    access = records["chatkit_prod.access"]
    assert (access.trace_id, access.span_id) == (server.trace_id, server.span_id)
    assert attributes(access.attributes)["chatkit.outcome"] == "completed"
    assert records["chatkit"].body.string_value == "ValueError"

    bounds = dict[str, list[float]]()
    for body in (body for path, body in receiver.bodies if path == "/v1/metrics"):
        for resource_metrics in ExportMetricsServiceRequest.FromString(body).resource_metrics:
            assert attributes(resource_metrics.resource.attributes)["service.name"] == "my-chat"
            for metric in (metric for scope in resource_metrics.scope_metrics for metric in scope.metrics):
                if metric.HasField("histogram"):
                    bounds[metric.name] = list(metric.histogram.data_points[0].explicit_bounds)
    assert bounds[names.REQUEST_DURATION] == list(names.REQUEST_SECONDS)
    assert bounds[names.FIRST_EVENT] == list(names.WAIT_SECONDS)


def test_on_a_console_they_are_written_as_they_happen() -> None:
    done = run(REQUEST, "console")
    assert done.returncode == 0, done.stderr
    assert "canary-19e4" not in done.stdout + done.stderr
    for expected in (
        '"name": "threads.create"',
        "my-chat",
        "http.server.request.duration",
        '"chatkit.access"',
    ):
        assert expected in done.stdout


def test_a_receiver_that_is_not_there_fails_nothing() -> None:
    environment = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9", "OTEL_EXPORTER_OTLP_TIMEOUT": "1"}
    done = run(REQUEST.replace("assert telemetry.force_flush()", ""), "otlp", **environment)
    assert done.returncode == 0, done.stderr
    assert "canary-19e4" not in done.stdout + done.stderr
