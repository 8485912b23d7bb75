"""An exception on a span: its type and its stack, never its message; in a request once, with the first span it leaves.

Where it goes is OpenTelemetry's switch `OTEL_SEMCONV_EXCEPTION_SIGNAL_OPT_IN`: an event of the span, or with
`logs` a log record in its place, or with `logs/dup` both.
"""

import os
import re

from opentelemetry._logs import LoggerProvider, SeverityNumber, get_logger
from opentelemetry.context import Context
from opentelemetry.trace import Span, Status, StatusCode, set_span_in_context

from chatkit_prod.errors import stack_of

from .names import (
    ERROR_TYPE,
    EXCEPTION_EVENT,
    EXCEPTION_STACKTRACE,
    EXCEPTION_TYPE,
    OTHER,
    REQUEST_EXCEPTION,
    SCOPE,
)

_CLASS = re.compile(r"[A-Za-z_][A-Za-z0-9_.<>]{0,127}")
_SWITCH = "OTEL_SEMCONV_EXCEPTION_SIGNAL_OPT_IN"


class Failures:
    """Puts exceptions on spans, or beside them.

    Args:
        logger_provider: Where log records go; the global provider if None.
    """

    def __init__(self, logger_provider: LoggerProvider | None = None) -> None:
        chosen = {word.strip() for word in os.environ.get(_SWITCH, "").split(",")}
        self._on_spans = "logs" not in chosen or "logs/dup" in chosen
        self._logger = (
            get_logger(SCOPE, logger_provider=logger_provider) if chosen & {"logs", "logs/dup"} else None
        )

    def record(self, span: Span, error: BaseException) -> None:
        """Record an exception with the span in which it was first seen.

        Args:
            span: Has not ended.
            error: Its message may quote what a user wrote, and is left out.
        """
        attributes = {EXCEPTION_TYPE: type_of(error), EXCEPTION_STACKTRACE: stack_of(error)}
        if self._on_spans and span.is_recording():
            span.add_event(EXCEPTION_EVENT, attributes)
        if self._logger is not None:
            self._logger.emit(
                context=set_span_in_context(span, Context()),
                severity_number=SeverityNumber.ERROR,
                severity_text="ERROR",
                event_name=REQUEST_EXCEPTION,
                attributes=attributes,
            )


def mark(span: Span, error_type: str) -> None:
    """Mark a span as failed.

    Args:
        span: Has not ended.
        error_type: Of few values: the name of an exception's class, a status, a word of ours.
    """
    span.set_attribute(ERROR_TYPE, error_type)
    span.set_status(Status(StatusCode.ERROR))


def type_of(error: BaseException) -> str:
    """Return the name of an exception's class, as `error.type` has it; that of a class made at run time may be no name."""
    name = type(error).__qualname__
    return name if _CLASS.fullmatch(name) else OTHER
