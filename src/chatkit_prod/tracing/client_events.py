"""The endpoint to which a page sends ChatKit's `log` and `error` events, and from which it gets our module.

POST → principal → body → rate → events ┬→ OpenTelemetry log records, in the trace of their ChatKit request
GET  → chatkit-prod.js, .d.ts           ├→ records on the logger `chatkit_prod.client`
                                        └→ a counter
"""

import logging
import time
from collections.abc import Mapping
from typing import ClassVar

from opentelemetry import metrics, trace
from opentelemetry._logs import LoggerProvider, SeverityNumber, get_logger
from opentelemetry.context import Context
from opentelemetry.metrics import MeterProvider
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from chatkit_prod.asgi import Receive, Scope, Send, decline
from chatkit_prod.body import read_body, require_json
from chatkit_prod.errors import ConfigurationError, MethodNotAllowedError
from chatkit_prod.layer import Layer
from chatkit_prod.principal import Principal
from chatkit_prod.records import write
from chatkit_prod.refusal import refuse
from chatkit_prod.scrub import TextScrubber
from chatkit_prod.state import RequestState

from . import names
from .browser import BrowserFiles
from .client_event import ClientBatch, ClientEvent, Value, parse_batch
from .client_rate import EventRate
from .propagation import context_of
from .request import TracedRequest
from .user import UserAs, UserTag

client_logger = logging.getLogger("chatkit_prod.client")

_MILLISECOND = 1_000_000
_MAX_CLOCK_SKEW = 10 * 60 * 1000 * _MILLISECOND
_NO_TRACE = trace.set_span_in_context(trace.INVALID_SPAN, Context())
_SEVERITY = {"log": SeverityNumber.INFO, "error": SeverityNumber.ERROR}
_EVENT_NAME = {"log": names.CLIENT_LOG, "error": names.CLIENT_ERROR}


class ClientEventsEndpoint:
    """Takes what happened in the browser, and puts it beside what happened here.

    An ASGI app that stands behind an `AuthMiddleware`: without one, nothing is taken in. A GET of
    `chatkit-prod.js` or `chatkit-prod.d.ts` below its path gives the module for the page; these two are
    public, and may be exempt from authentication. A POST anywhere else is a batch of events.

    Args:
        scrubber: Goes over every text that is kept.
        user_as: How the user is named, as in `TracingMiddleware`; None for what the one around it says, or by id
            where there is none.
        user_key: The key of `user_as="hash"`.
        logger_provider: Where log records go; the global provider if None.
        meter_provider: Where the counter goes; the global provider if None.
        max_body_bytes: Size of a batch. Browsers send at most 64 KiB when a page closes.
        max_events: Events of a batch.
        max_events_per_minute: Events of a user, in each process; at least `max_events`. A batch beyond
            is a 429 that says when to come back.

    Raises:
        ConfigurationError: A limit is not a positive integer, or a batch could exceed the events per
            minute; the user cannot be named so.
    """

    layer: ClassVar[Layer] = Layer.ENDPOINT

    def __init__(
        self,
        *,
        scrubber: TextScrubber | None = None,
        user_as: UserAs | None = None,
        user_key: bytes | None = None,
        logger_provider: LoggerProvider | None = None,
        meter_provider: MeterProvider | None = None,
        max_body_bytes: int = 64 * 1024,
        max_events: int = 100,
        max_events_per_minute: int = 600,
    ) -> None:
        limits = {
            "max_body_bytes": max_body_bytes,
            "max_events": max_events,
            "max_events_per_minute": max_events_per_minute,
        }
        for name, value in limits.items():
            if not isinstance(value, int) or isinstance(value, bool) or value < 1:
                raise ConfigurationError(f"{name} must be a positive integer, not {value!r}")
        if max_events > max_events_per_minute:
            raise ConfigurationError("max_events must be at most max_events_per_minute")
        self._max_body_bytes = max_body_bytes
        self._max_events = max_events
        self._scrubber = scrubber
        self._follows_request = user_as is None and user_key is None
        self._user_tag = UserTag(user_as or "id", user_key)
        self._rate = EventRate(max_events_per_minute)
        self._files = BrowserFiles()
        self._logger = get_logger(names.SCOPE, logger_provider=logger_provider)
        self._events = metrics.get_meter(names.SCOPE, meter_provider=meter_provider).create_counter(
            names.CLIENT_EVENTS,
            unit="{event}",
            description="Events of pages, by kind and whether they were kept.",
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await decline(scope, receive, send, at_shutdown=_nothing)
            return
        scope, state = RequestState.seed(scope)
        try:
            response = self._files.answer(scope) or await self._take(Request(scope, receive), state)
        except ClientDisconnect:
            state.outcome = "cancelled"
            return
        except Exception as error:  # noqa: BLE001 - a refusal, or a 500 that says nothing
            response = refuse(error, state)
        else:
            state.outcome = "completed"
        await response(scope, receive, send)

    async def _take(self, request: Request, state: RequestState) -> Response:
        """Take a batch in.

        Raises:
            ConfigurationError: No `AuthMiddleware` stands in front.
            RequestError: The batch is refused.
            HTTPException: The user has sent too many events.
            ClientDisconnect: The page went away before the body was complete.
        """
        principal = state.principal
        if request.method != "POST":
            raise MethodNotAllowedError
        require_json(request.scope)
        body = await read_body(request, limit=self._max_body_bytes)
        batch = parse_batch(body, max_events=self._max_events)
        user = (principal.issuer, principal.tenant, principal.subject)
        if wait := self._rate.take(user, max(batch.size, 1)):
            raise HTTPException(429, headers={"Retry-After": str(wait)})
        if self._scrubber is not None:  # only now: it may cost far more than to read them
            batch = parse_batch(body, max_events=self._max_events, scrubber=self._scrubber)
        self._count(batch)
        tags = self._tags(principal, batch.session)
        for event in batch.events:
            self._emit(event, tags)
        return Response(status_code=204, headers={"x-request-id": state.request_id})

    def _tags(self, principal: Principal, session: str) -> Mapping[str, Value]:
        request = TracedRequest.current()
        user = request.user if self._follows_request and request is not None else self._user_tag(principal)
        return {names.SESSION_ID: session, **user.attributes}

    def _count(self, batch: ClientBatch) -> None:
        for event in batch.events:
            self._events.add(1, {names.CLIENT_KIND: event.kind, names.CLIENT_OUTCOME: "kept"})
        if dropped := batch.malformed + batch.lost:
            self._events.add(dropped, {names.CLIENT_KIND: "unknown", names.CLIENT_OUTCOME: "dropped"})

    def _emit(self, event: ClientEvent, tags: Mapping[str, Value]) -> None:
        context = _context(event.traceparent)
        attributes = {names.CLIENT_EVENT: event.name, **tags, **event.fields}
        now = time.time_ns()
        self._logger.emit(
            timestamp=_happened_at(event.time, now),
            observed_timestamp=now,
            context=context,
            severity_number=_SEVERITY[event.kind],
            severity_text=_SEVERITY[event.kind].name,
            event_name=_EVENT_NAME[event.kind],
            attributes=attributes,
        )
        if client_logger.isEnabledFor(logging.INFO):
            write(client_logger, _fields(event, attributes, context))


async def _nothing() -> None:
    """End nothing: no task and no connection is held."""


def _context(traceparent: str | None) -> Context:
    """Return a context with the span of the ChatKit request; in no trace at all if there is none.

    An empty context would stand for the current one, which is that of the request that brings the event.
    """
    return context_of(traceparent) or _NO_TRACE


def _happened_at(said: int | None, now: int) -> int:
    """Return when an event happened, in nanoseconds since the epoch.

    Args:
        said: What the page says, in milliseconds: believed if it is within ten minutes of now.
        now: The time here, in nanoseconds.
    """
    at = now if said is None else said * _MILLISECOND
    return at if abs(at - now) <= _MAX_CLOCK_SKEW else now


def _fields(event: ClientEvent, attributes: Mapping[str, Value], context: Context) -> dict[str, Value | None]:
    """Return the same for a record of Python's own logging, by the names that the access record has."""
    span = trace.get_current_span(context).get_span_context()
    return {
        "kind": event.kind,
        "event": event.name,
        "user_id": attributes.get(names.USER_ID),
        "user_hash": attributes.get(names.USER_HASH),
        "session_id": attributes[names.SESSION_ID],
        "thread_id": attributes.get(names.CONVERSATION_ID),
        "item_id": attributes.get(names.ITEM_ID),
        "attachment_id": attributes.get(names.ATTACHMENT_ID),
        "code": attributes.get(names.CLIENT_CODE),
        "error_type": attributes.get(names.ERROR_TYPE),
        "status": attributes.get(names.HTTP_STATUS),
        "milliseconds": attributes.get(names.CLIENT_DURATION),
        "request_id": attributes.get(names.REQUEST_ID),
        "trace_id": f"{span.trace_id:032x}" if span.is_valid else None,
        "span_id": f"{span.span_id:016x}" if span.is_valid else None,
    }
