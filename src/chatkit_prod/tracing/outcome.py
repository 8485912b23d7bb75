"""How a request ended, and of what: a decision about what was seen, without I/O.

| what happened | outcome | `error.type` |
|---|---|---|
| the whole answer was sent | completed | |
| a 4xx | refused | |
| the client went away | cancelled | |
| the credentials expired in mid-stream | expired | |
| the process ended in mid-stream | cancelled | `shutdown` |
| an exception, or an `error` event behind which one was seen | error | its class |
| an `error` event, and nobody saw an exception | error | `stream.error` |
| a 5xx without an exception | error | the status |
| an answer that broke off, or none at all | error | `truncated`, `no_response` |
"""

import asyncio
from http import HTTPStatus
from typing import NamedTuple

from starlette.requests import ClientDisconnect

from chatkit_prod.state import Outcome

from .failures import type_of

SHUTDOWN = "shutdown"
"""The `error.type` of a stream that ended with its process."""


class Stream(NamedTuple):
    """What a stream made its user wait for.

    Args:
        events: How many there were.
        first_event: Seconds until the first.
        longest_gap: The most seconds between two.
    """

    events: int
    first_event: float
    longest_gap: float


class Seen(NamedTuple):
    """What went over the wire.

    Args:
        status: That of the response, if it has begun.
        is_complete: Whether its last message was sent.
        has_error: Whether an `error` event was among its events.
        is_disconnected: Whether the client went away before the end.
        stream: Of its events, if there were any.
    """

    status: int | None
    is_complete: bool
    has_error: bool
    is_disconnected: bool
    stream: Stream | None


class Verdict(NamedTuple):
    """How a request ended.

    Args:
        outcome: In a word.
        error_type: What of; None unless the span is to be marked as failed.
    """

    outcome: Outcome
    error_type: str | None = None


def judge(
    outcome: Outcome | None,
    error_type: str | None,
    raised: BaseException | None,
    failure: BaseException | None,
    seen: Seen,
) -> Verdict:
    """Decide how a request ended.

    Args:
        outcome: What a layer of ours, such as the endpoint, has said of it.
        error_type: The same, of what.
        raised: What left the app.
        failure: The last exception that a span inside has seen.
        seen: What went over the wire.
    """
    if outcome is None or (outcome == "completed" and (raised is not None or not seen.is_complete)):
        outcome = _outcome(raised, seen)
    if outcome != "error":
        is_shutdown = outcome == "cancelled" and error_type == SHUTDOWN
        return Verdict(outcome, SHUTDOWN if is_shutdown else None)
    cause = failure if raised is None else raised
    return Verdict(outcome, error_type or (_error_type(seen) if cause is None else type_of(cause)))


def _outcome(raised: BaseException | None, seen: Seen) -> Outcome:
    """Decide about an app that is none of ours."""
    if isinstance(raised, asyncio.CancelledError | ClientDisconnect) or seen.is_disconnected:
        return "cancelled"
    if raised is not None or seen.has_error or not seen.is_complete or seen.status is None:
        return "error"
    if seen.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        return "error"
    return "refused" if seen.status >= HTTPStatus.BAD_REQUEST else "completed"


def _error_type(seen: Seen) -> str:
    if seen.status is None:
        return "no_response"
    if seen.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        return str(seen.status)
    return "stream.error" if seen.has_error or seen.is_complete else "truncated"
