"""What tracing knows about one request; it travels in OpenTelemetry's context, with the span."""

from time import perf_counter

from opentelemetry import context as otel_context
from opentelemetry.context import Context, create_key
from opentelemetry.trace import INVALID_SPAN, Span, get_current_span, set_span_in_context

from chatkit_prod.state import RequestState

from .failures import Failures, mark, type_of
from .metrics import Metrics
from .user import User, UserTag

_REMEMBERED = 20

_KEY = create_key("chatkit_prod.request")


class TracedRequest:
    """One request, for whatever makes spans and records inside of it.

    Args:
        state: What the layers know.
        span: The SERVER span.
        is_joined: Whether that is the one of an instrumentation outside of us.
        metrics: Those of its process.
        failures: Records exceptions.
        tag: Names the user.
        is_wanted: Whether anybody will see what is found out: in a span, a metric or a record.

    Attributes:
        started: When it began, by the performance counter.
        operation: The name of the ChatKit operation, where no endpoint of ours has read it.
        process: The context of the server's span, in which those are made that nothing nearer is around.
        failure: The last exception that a span inside has seen. By itself it decides nothing: the app may
            have got over it.
        is_over: Whether it has ended; what it has begun may go on, and is not this request's any more.
    """

    __slots__ = (
        "_recorded",
        "_tag",
        "failure",
        "failures",
        "is_joined",
        "is_over",
        "is_wanted",
        "metrics",
        "operation",
        "process",
        "span",
        "started",
        "state",
    )

    def __init__(
        self,
        state: RequestState,
        span: Span,
        *,
        is_joined: bool,
        metrics: Metrics,
        failures: Failures,
        tag: UserTag,
        is_wanted: bool,
    ) -> None:
        self.state = state
        self.span = span
        self.is_joined = is_joined
        self.metrics = metrics
        self.failures = failures
        self._tag = tag
        self.is_wanted = is_wanted
        self.started = perf_counter()
        self.operation: str | None = None
        self.process: Context | None = None
        self.failure: BaseException | None = None
        self.is_over = False
        self._recorded: list[BaseException] = []

    @property
    def operation_name(self) -> str | None:
        """The name of the ChatKit operation, as far as it is known."""
        operation = self.state.peek().operation
        return self.operation if operation is None else operation.name

    @property
    def user(self) -> User:
        """The user, as far as telemetry may name one."""
        return self._tag(self.state.peek().principal)

    def inside(self, parent: Context) -> Context:
        """Return a context in which this is the current request, and its span the current one."""
        if self.span is not INVALID_SPAN:  # which is the current one where there is none
            parent = set_span_in_context(self.span, parent)
        return otel_context.set_value(_KEY, self, parent)

    def parent(self) -> Context:
        """Return the context of a new span: the current one, or the server's where that is the request's own."""
        if self.process is not None and get_current_span() is self.span:
            return self.process
        return otel_context.get_current()

    @staticmethod
    def current() -> "TracedRequest | None":
        """Return the request that this code runs for; None outside of a `TracingMiddleware`, and when it is over."""
        found = TracedRequest.around()
        return None if found is None or found.is_over else found

    @staticmethod
    def around() -> "TracedRequest | None":
        """Return the request that this code runs for, or that has begun what runs on behind its end."""
        found = otel_context.get_value(_KEY)
        return found if isinstance(found, TracedRequest) else None

    def end(self) -> None:
        """End it, and let go of exceptions: with their frames, they would be cycles."""
        self.is_over = True
        self.failure = self.state.failure = None
        self._recorded.clear()

    def fail(self, span: Span, error: BaseException) -> None:
        """Mark a span as failed; the exception itself is recorded with the first span that it leaves."""
        self.record(span, error)
        mark(span, type_of(error))

    def record(self, span: Span, error: BaseException) -> None:
        """Record an exception with a span, unless another span of the request has it already."""
        if self.remember(error):
            self.failures.record(span, error)

    def remember(self, error: BaseException) -> bool:
        """Take an exception for the last failure, and return whether it is a new one."""
        self.failure = error
        if any(error is known for known in self._recorded):
            return False
        self._recorded = [*self._recorded[-_REMEMBERED:], error]
        return True


_OUTSIDE = Failures()


def fail(span: Span, error: BaseException) -> None:
    """Mark a span as failed; outside of a request, as in a job of the app's, every span that it leaves records it."""
    request = TracedRequest.current()
    if request is not None:
        request.fail(span, error)
        return
    _OUTSIDE.record(span, error)
    mark(span, type_of(error))
