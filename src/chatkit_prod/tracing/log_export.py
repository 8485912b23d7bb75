"""Records of stdlib logging, sent on as OpenTelemetry log records, without the text of an exception."""

import logging
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, cast

from opentelemetry import context as otel_context
from opentelemetry._logs import LoggerProvider, SeverityNumber, get_logger

from . import names
from .logs import EXCEPTION_STACK, EXCEPTION_TYPE, IDS, exception_fields, fields_of, plain, text_of

_ATTRIBUTES: Final[Mapping[str, str]] = {
    "user_id": names.USER_ID,
    "user_hash": names.USER_HASH,
    "session_id": names.SESSION_ID,
    "thread_id": names.CONVERSATION_ID,
    "operation": names.OPERATION,
    "outcome": names.OUTCOME,
    "status": names.HTTP_STATUS,
    "path": names.URL_PATH,
    "events": names.STREAM_EVENTS,
    "error_type": names.ERROR_TYPE,
    "request_id": names.REQUEST_ID,
    EXCEPTION_TYPE: names.EXCEPTION_TYPE,
    EXCEPTION_STACK: names.EXCEPTION_STACKTRACE,
}
_EVENTS: Final[Mapping[str, str]] = {
    "chatkit_prod.access": names.ACCESS_EVENT,
    "chatkit_prod.audit": names.AUDIT_EVENT,
}
_LEFT_OUT: Final = ("opentelemetry", "chatkit_prod.client")
"""OpenTelemetry's own trouble would be sent in a circle; what a browser reports is a log record already."""
_MAX_INTEGER: Final = 2**63 - 1
_IN_CONTEXT: Final = frozenset(("trace_id", "span_id"))
_SEVERITY: Final = (
    (logging.CRITICAL, SeverityNumber.FATAL),
    (logging.ERROR, SeverityNumber.ERROR),
    (logging.WARNING, SeverityNumber.WARN),
    (logging.INFO, SeverityNumber.INFO),
    (logging.DEBUG, SeverityNumber.DEBUG),
    (logging.NOTSET, SeverityNumber.TRACE),
)


class OpenTelemetryHandler(logging.Handler):
    """Send records on as OpenTelemetry log records, in the trace in which they are written.

    The body is the message. The attributes are the fields of the records of this package and the ids of
    `RequestFilter`, by the names that spans have, and of an exception its type and its stack. What other loggers
    give as `extra` stays behind, for nobody here knows what it says; so do the records of OpenTelemetry
    itself, and what is written while telemetry is being exported.

    Args:
        level: The lowest level that is sent.
        logger_provider: Where to; the global provider if None.
    """

    def __init__(self, level: int = logging.NOTSET, *, logger_provider: LoggerProvider | None = None) -> None:
        super().__init__(level)
        self._logger_provider = logger_provider

    def emit(self, record: logging.LogRecord) -> None:
        """Send one record; a failure goes to `handleError`, as in every handler."""
        if _is_left_out(record.name) or otel_context.get_value(_SUPPRESSED):
            return
        try:
            get_logger(record.name, logger_provider=self._logger_provider).emit(
                timestamp=int(record.created * 1e9),
                severity_number=next((to for level, to in _SEVERITY if record.levelno >= level), None),
                severity_text=record.levelname,
                body=_sendable(text_of(record)),
                attributes=dict(_attributes(record)),
                event_name=_EVENTS.get(record.name),
            )
        except Exception:  # noqa: BLE001 - a request must not end because its log record cannot be sent
            self.handleError(record)


_SUPPRESSED = otel_context._SUPPRESS_INSTRUMENTATION_KEY  # noqa: SLF001 - what exporters say, and nothing else does


def _is_left_out(name: str) -> bool:
    return any(name == logger or name.startswith(f"{logger}.") for logger in _LEFT_OUT)


def _attributes(record: logging.LogRecord) -> Iterator[tuple[str, Any]]:
    """Yield what a record says by itself, before what `RequestFilter` says about its request."""
    is_access = record.name == "chatkit_prod.access"
    ids = {name: vars(record).get(name) for name in IDS}
    said = {name: value for name, value in fields_of(record).items() if value is not None}
    if "user_id" in said:
        del ids["user_hash"]  # beside the id, it would tell whose every other hash is
    for name, value in {**ids, **said, **exception_fields(record)}.items():
        if value is None or name in _IN_CONTEXT:
            continue
        attribute = names.HTTP_METHOD if is_access and name == "method" else _ATTRIBUTES.get(name)
        yield attribute or names.record_field(name), _value(value)


def _value(value: object) -> str | bool | int | float | list[str]:
    """Return what an attribute may hold; anything else by the name of its type."""
    if isinstance(value, list | tuple):
        return [_sendable(plain(part)) for part in cast("Sequence[object]", value)]
    if isinstance(value, float) or (isinstance(value, int) and abs(value) <= _MAX_INTEGER):
        return value
    return _sendable(plain(value))


def _sendable(text: str) -> str:
    """Return text without the half characters over which an exporter would lose a whole batch."""
    return text.encode(errors="replace").decode()
