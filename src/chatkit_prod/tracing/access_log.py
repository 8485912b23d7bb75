"""One access record for every request, on the logger `chatkit_prod.access`."""

import logging

from opentelemetry.trace import Span

from chatkit_prod.records import write

from .ended import Ended

access_logger = logging.getLogger("chatkit_prod.access")


def is_access_logged() -> bool:
    """Tell whether anybody wants the records."""
    return access_logger.isEnabledFor(logging.INFO)


def record_access(ended: Ended, span: Span) -> None:
    """Write down who asked for what, and how it ended; nothing of what was said.

    Args:
        ended: The request.
        span: By whose ids the record is found from the trace, and the trace from the record.
    """
    if not is_access_logged():
        return
    context = span.get_span_context()
    fields = {
        "path": ended.path,
        "method": ended.method,
        "operation": ended.operation,
        "user_id": ended.user.id,
        "user_hash": ended.user.hash,
        "thread_id": ended.thread_id,
        "session_id": ended.session_id,
        "status": ended.status,
        "outcome": ended.verdict.outcome,
        "error_type": ended.verdict.error_type,
        "milliseconds": round(ended.seconds * 1000, 1),
        "events": ended.stream.events if ended.stream else None,
        "request_id": ended.request_id,
        "trace_id": f"{context.trace_id:032x}" if context.is_valid else None,
        "span_id": f"{context.span_id:016x}" if context.is_valid else None,
    }
    write(access_logger, fields)
