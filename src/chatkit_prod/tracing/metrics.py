"""The metrics of requests, streams and stores: by operation and outcome, never by user or thread.

What only has to be counted is counted here, and read when a reader asks for it; what has to be recorded is
handed on in batches. OpenTelemetry's own calls, one by one, would cost a request more than its span does.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from threading import Lock
from typing import Any, TypeVar
from weakref import WeakKeyDictionary

from opentelemetry import metrics
from opentelemetry.context import Context
from opentelemetry.metrics import CallbackOptions, MeterProvider, Observation
from opentelemetry.trace import Span, TracerProvider, set_span_in_context

from .ended import Ended
from .names import (
    ACTIVE_STREAMS,
    ERROR_TYPE,
    EVENTS,
    FIRST_EVENT,
    HTTP_METHOD,
    HTTP_ROUTE,
    HTTP_STATUS,
    LONGEST_GAP,
    OPERATION,
    OTHER,
    OUTCOME,
    REQUEST_DURATION,
    REQUEST_SECONDS,
    REQUESTS,
    SCOPE,
    STORE_CLASS,
    STORE_DURATION,
    STORE_METHOD,
    STORE_SECONDS,
    URL_SCHEME,
    WAIT_SECONDS,
)
from .outcome import Verdict
from .quietly import quietly

UNKNOWN = "unknown"
"""The operation of a request that is none of ChatKit's, or was refused before it was read."""

_MAX_ERROR_TYPES = 100
_BATCH = 64

T = TypeVar("T")


def is_of_api(provider: MeterProvider | TracerProvider) -> bool:
    """Tell whether a provider is the one that OpenTelemetry's API brings itself, of which nobody reads anything."""
    return type(provider).__module__.startswith(("opentelemetry.metrics", "opentelemetry.trace"))


class Metrics:
    """What is measured of the requests of one process.

    Args:
        provider: Where it goes.

    Attributes:
        is_wanted: Whether anybody reads it; not with the provider that OpenTelemetry's API brings itself.
    """

    def __init__(self, provider: MeterProvider) -> None:
        self.is_wanted = not is_of_api(provider)
        self._lock = Lock()
        self._requests = Counter[tuple[str, str, str | None]]()
        self._events = Counter[str]()
        self._active = Counter[str]()
        self._error_types = set[str]()
        self._pending: list[tuple[Callable[..., None], tuple[Any, ...]]] = []
        meter = provider.get_meter(SCOPE)
        self._duration = meter.create_histogram(
            REQUEST_DURATION,
            unit="s",
            description="Duration of HTTP server requests.",
            explicit_bucket_boundaries_advisory=REQUEST_SECONDS,
        )
        self._first_event = meter.create_histogram(
            FIRST_EVENT,
            unit="s",
            description="From the request to the first event of its stream.",
            explicit_bucket_boundaries_advisory=WAIT_SECONDS,
        )
        self._longest_gap = meter.create_histogram(
            LONGEST_GAP,
            unit="s",
            description="The longest time between two events of a stream.",
            explicit_bucket_boundaries_advisory=WAIT_SECONDS,
        )
        self._store_duration = meter.create_histogram(
            STORE_DURATION,
            unit="s",
            description="Duration of one call of a store.",
            explicit_bucket_boundaries_advisory=STORE_SECONDS,
        )
        meter.create_observable_counter(
            REQUESTS, [self._observed_requests], unit="{request}", description="Requests that have ended."
        )
        meter.create_observable_counter(
            EVENTS, [self._observed_events], unit="{event}", description="Events that were sent."
        )
        meter.create_observable_up_down_counter(
            ACTIVE_STREAMS, [self._observed_streams], unit="{stream}", description="Streams that are open."
        )

    @classmethod
    def of(cls, provider: MeterProvider | None) -> "Metrics":
        """Return the metrics of a provider; all requests of a process share them.

        Args:
            provider: The global one if None, as it is now.
        """
        provider = provider or metrics.get_meter_provider()
        found = _by_provider.get(provider)
        if found is None:
            found = _by_provider[provider] = cls(provider)
        return found

    def stream_began(self, operation: str) -> None:
        """Count one more stream that is open."""
        with self._lock:
            self._active[operation] += 1

    def stream_ended(self, operation: str, events: int) -> None:
        """Count one less stream that is open, and its events."""
        with self._lock:
            self._active[operation] -= 1
            self._events[operation] += events

    def request_ended(self, ended: Ended, span: Span) -> None:
        """Count and measure a request.

        Args:
            ended: The request.
            span: Its span, which the figures lead to as examples.
        """
        if not self.is_wanted:
            return
        error_type = self._bounded(ended.verdict.error_type)
        if error_type != ended.verdict.error_type:
            ended = ended._replace(verdict=Verdict(ended.verdict.outcome, error_type))
        with self._lock:
            self._requests[ended.operation or UNKNOWN, ended.verdict.outcome, error_type] += 1
        self._later(self._record_request, ended, span)

    def store_called(
        self, method: str, store: str, error_type: str | None, seconds: float, span: Span
    ) -> None:
        """Measure a call of a store.

        Args:
            method: What was called.
            store: The class of the store.
            error_type: The class of what it raised.
            seconds: How long it took.
            span: Its span.
        """
        if self.is_wanted:
            self._later(self._record_store_call, method, store, self._bounded(error_type), seconds, span)

    def _bounded(self, error_type: str | None) -> str | None:
        """Return a type of errors, as long as there are not too many: an app may make classes at run time."""
        if error_type is None or error_type in self._error_types:
            return error_type
        if len(self._error_types) >= _MAX_ERROR_TYPES:
            return OTHER
        self._error_types.add(error_type)
        return error_type

    def _later(self, record: Callable[..., None], *args: Any) -> None:
        """Hand something on in the next batch: when there are so many, or when a reader asks."""
        with self._lock:
            self._pending.append((record, args))
            is_due = len(self._pending) >= _BATCH
        if is_due:
            self._hand_on()

    def _hand_on(self) -> None:
        with self._lock:
            pending, self._pending = self._pending, []
        for record, args in pending:
            with quietly:
                record(*args)

    def _record_request(self, ended: Ended, span: Span) -> None:
        context = set_span_in_context(span, Context())
        attributes = {OPERATION: ended.operation or UNKNOWN, OUTCOME: ended.verdict.outcome}
        if ended.stream is not None:
            self._first_event.record(ended.stream.first_event, attributes, context)
            self._longest_gap.record(ended.stream.longest_gap, attributes, context)
        if ended.is_new:  # else an outer instrumentation measures it, under the same name
            of_http = {
                HTTP_METHOD: ended.method,
                URL_SCHEME: ended.scheme,
                HTTP_ROUTE: ended.route,
                HTTP_STATUS: ended.status,
                ERROR_TYPE: ended.verdict.error_type,
            }
            self._duration.record(ended.seconds, _known({**attributes, **of_http}), context)

    def _record_store_call(
        self, method: str, store: str, error_type: str | None, seconds: float, span: Span
    ) -> None:
        attributes = {STORE_METHOD: method, STORE_CLASS: store, ERROR_TYPE: error_type}
        self._store_duration.record(seconds, _known(attributes), set_span_in_context(span, Context()))

    def _observed_requests(self, _: CallbackOptions) -> Iterable[Observation]:
        self._hand_on()
        for (operation, outcome, error_type), count in self._copy(self._requests).items():
            yield Observation(count, _known({OPERATION: operation, OUTCOME: outcome, ERROR_TYPE: error_type}))

    def _observed_events(self, _: CallbackOptions) -> Iterable[Observation]:
        for operation, count in self._copy(self._events).items():
            yield Observation(count, {OPERATION: operation})

    def _observed_streams(self, _: CallbackOptions) -> Iterable[Observation]:
        for operation, count in self._copy(self._active).items():
            yield Observation(count, {OPERATION: operation})

    def _copy(self, counts: Counter[T]) -> Counter[T]:
        with self._lock:
            return counts.copy()


def _known(attributes: Mapping[str, str | int | None]) -> dict[str, str | int]:
    return {name: value for name, value in attributes.items() if value is not None}


_by_provider: WeakKeyDictionary[MeterProvider, Metrics] = WeakKeyDictionary()
