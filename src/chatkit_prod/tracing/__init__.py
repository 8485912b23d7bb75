"""What happened: one trace from the page to the failing tool, one request id, one access record, metrics."""

from .agents import AgentsBridge, tool_errors
from .client_events import ClientEventsEndpoint
from .log_export import OpenTelemetryHandler
from .logs import ExceptionTextFilter, JSONFormatter, RequestFilter
from .middleware import TracingMiddleware, TracingOptions
from .server import instrument_server
from .setup import Telemetry, setup_telemetry
from .store import TracedAttachmentStore, TracedStore

__all__ = [
    "AgentsBridge",
    "ClientEventsEndpoint",
    "ExceptionTextFilter",
    "JSONFormatter",
    "OpenTelemetryHandler",
    "RequestFilter",
    "Telemetry",
    "TracedAttachmentStore",
    "TracedStore",
    "TracingMiddleware",
    "TracingOptions",
    "instrument_server",
    "setup_telemetry",
    "tool_errors",
]
