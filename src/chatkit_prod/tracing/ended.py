"""What is known of a request when it has ended: what the span, the metrics and the access record tell."""

from typing import NamedTuple

from opentelemetry.trace import Span

from .failures import mark
from .names import (
    CONVERSATION_ID,
    HTTP_ROUTE,
    HTTP_STATUS,
    OPERATION,
    OUTCOME,
    REQUEST_ID,
    SESSION_ID,
    STREAM_EVENTS,
)
from .outcome import Stream, Verdict
from .user import User


class Ended(NamedTuple):
    """One request, from outside.

    Args:
        method: One of HTTP's, or `_OTHER`.
        path: Without the query.
        scheme: `http` or `https`.
        route: The template of the path, where it is known.
        operation: That of ChatKit; None where there is none, or was refused before it was read.
        user: As telemetry names one.
        thread_id: The thread that the request names, or has made.
        session_id: That of the page.
        request_id: As in `x-request-id`.
        status: That of the response, if it has begun.
        verdict: How it ended.
        seconds: Until the end of the stream.
        stream: Of its events, if there were any.
        is_new: Whether no outer instrumentation has made its span, and measures its duration.
    """

    method: str
    path: str
    scheme: str
    route: str | None
    operation: str | None
    user: User
    thread_id: str | None
    session_id: str | None
    request_id: str
    status: int | None
    verdict: Verdict
    seconds: float
    stream: Stream | None
    is_new: bool = True


def describe(span: Span, ended: Ended) -> None:
    """Put on the span of a request what was not known when it began."""
    if not span.is_recording():
        return
    attributes: dict[str, str | int] = {REQUEST_ID: ended.request_id, OUTCOME: ended.verdict.outcome}
    if ended.operation is not None:
        span.update_name(ended.operation)
        attributes[OPERATION] = ended.operation
    attributes.update(ended.user.attributes)
    if ended.stream is not None:
        attributes[STREAM_EVENTS] = ended.stream.events
    known = {
        HTTP_ROUTE: ended.route,
        HTTP_STATUS: ended.status,
        CONVERSATION_ID: ended.thread_id,
        SESSION_ID: ended.session_id,
    }
    attributes.update((name, value) for name, value in known.items() if value is not None)
    span.set_attributes(attributes)
    if ended.verdict.error_type is not None:
        mark(span, ended.verdict.error_type)
