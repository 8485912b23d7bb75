"""One span, one request id and one access record for every request.

traceparent → span ┬→ app → how it ended → the span's attributes, metrics
                   └→ x-request-id, access record
"""

import re
from collections.abc import Awaitable, Collection, Iterable
from time import perf_counter
from typing import ClassVar, NamedTuple, TypedDict, Unpack

from opentelemetry import context as otel_context
from opentelemetry import trace
from opentelemetry._logs import LoggerProvider
from opentelemetry.context import Context
from opentelemetry.metrics import MeterProvider
from opentelemetry.trace import Span, SpanKind, TracerProvider

from chatkit_prod.asgi import ASGIApp, Message, Receive, Scope, Send, header_values
from chatkit_prod.errors import ConfigurationError
from chatkit_prod.layer import Layer, require_inside
from chatkit_prod.options import boolean, listed
from chatkit_prod.state import RequestState

from .access_log import is_access_logged, record_access
from .ambient import is_traced, outer_span
from .ended import Ended, describe
from .failures import Failures
from .logs import identify_records
from .metrics import Metrics, is_of_api
from .names import (
    CLIENT_ADDRESS,
    HTTP_METHOD,
    OTHER,
    PROTOCOL_VERSION,
    SCOPE,
    SERVER_ADDRESS,
    SERVER_PORT,
    SESSION_HEADER,
    URL_PATH,
    URL_SCHEME,
    USER_AGENT,
)
from .outcome import Seen, judge
from .propagation import remote_context
from .proxies import TrustedProxies
from .quietly import quietly
from .request import TracedRequest
from .response import identified, is_last, watch
from .user import UserAs, UserTag

_METHODS = frozenset(
    ("CONNECT", "DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT", "QUERY", "TRACE")
)
_MAX_PATH = 256
_SESSION = re.compile(rb"[0-9a-f]{32}")


class TracingOptions(TypedDict, total=False):
    """The options of `TracingMiddleware` besides the providers.

    Keys:
        user_as: How spans, access records and the records of this package name the user: by `id`, by a keyed
            `hash`, or not at all (`none`); `id`. Audit records always have the id.
        user_key: The key of that hash: 16 to 64 random bytes.
        client_attributes: Whether the span gets the client's address and its `User-Agent`: personal data; false.
        baggage: Keys of W3C Baggage that are taken from the caller, for the app to read; whoever calls can
            set them to anything; none.
        trusted_proxies: Addresses and networks whose `x-request-id` is taken over; `*` for whoever connects;
            none.
    """

    user_as: UserAs
    user_key: bytes | None
    client_attributes: bool
    baggage: Collection[str]
    trusted_proxies: Iterable[str]


class _Readers(NamedTuple):
    """Who reads what requests tell.

    Args:
        metrics: Those of the process.
        is_tracing: Whether spans are made.
    """

    metrics: Metrics
    is_tracing: bool


class TracingMiddleware:
    """Make every request findable: by its trace, its id, its user or its thread.

    The span goes on with the trace of the caller, by W3C Trace Context level 2; a caller is believed in that,
    and in nothing else. Where an instrumentation outside of this one has made a SERVER span for the request
    already, that span is used. Telemetry is to be set up before the first request, or it gets nothing.

    Args:
        app: The ASGI app to wrap.
        tracer_provider: Where the span goes; the global provider if None.
        meter_provider: Where metrics go; the global provider if None.
        logger_provider: Where exceptions go that are to be log records; the global provider if None.
        options: See `TracingOptions`.

    Raises:
        ConfigurationError: An option is wrong, or `app` holds a layer that belongs outside.

    Sets:
        A SERVER span that lasts until the end of the stream; `x-request-id` on the response; the metrics of
        `names.py`; one record on the logger `chatkit_prod.access`, whose `chatkit` attribute holds its
        fields. The records of this package get the ids of their request.
    """

    layer: ClassVar[Layer] = Layer.TRACING

    def __init__(
        self,
        app: ASGIApp,
        *,
        tracer_provider: TracerProvider | None = None,
        meter_provider: MeterProvider | None = None,
        logger_provider: LoggerProvider | None = None,
        **options: Unpack[TracingOptions],
    ) -> None:
        require_inside(self, app)
        self.app = app
        self._tracer = trace.get_tracer(SCOPE, tracer_provider=tracer_provider)
        self._tracer_provider = tracer_provider
        self._meter_provider = meter_provider
        self._readers: _Readers | None = None
        self._failures = Failures(logger_provider)
        self._tag = UserTag(options.get("user_as", "id"), options.get("user_key"))
        self._client_attributes = boolean(options.get("client_attributes", False), "client_attributes")
        self._baggage = frozenset(listed(options.get("baggage", ()), "baggage"))
        self._proxies = TrustedProxies(options.get("trusted_proxies", ()))
        if unknown := options.keys() - TracingOptions.__annotations__.keys():
            raise ConfigurationError(f"TracingMiddleware has no option {', '.join(sorted(unknown))}")
        identify_records()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Trace one request."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        scope, state = RequestState.seed(scope)
        outer = None
        if otel_context.get_current():
            if is_traced(state):
                await self.app(scope, receive, send)
                return
            outer = outer_span(scope)
        state.request_id = self._proxies.request_id(scope) or state.request_id
        metrics, is_tracing = self._readers = self._readers or self._found_readers()
        if outer is None:
            parent = remote_context(scope, baggage=self._baggage)
            span = self._start(scope, parent) if is_tracing else trace.get_current_span(parent)
        else:
            parent, span = otel_context.get_current(), outer
        request = TracedRequest(
            state,
            span,
            is_joined=outer is not None,
            metrics=metrics,
            failures=self._failures,
            tag=self._tag,
            is_wanted=span.is_recording() or metrics.is_wanted or is_access_logged(),
        )
        token = otel_context.attach(request.inside(parent))
        try:
            if request.is_wanted:
                await self._watch(scope, receive, send, request)
            else:
                await self.app(scope, receive, identified(send, state.request_id))
        finally:
            if outer is None and is_tracing:
                with quietly:
                    span.end()
            request.end()
            otel_context.detach(token)

    def _found_readers(self) -> _Readers:
        provider = self._tracer_provider or trace.get_tracer_provider()
        return _Readers(Metrics.of(self._meter_provider), not is_of_api(provider))

    def _start(self, scope: Scope, parent: Context) -> Span:
        with quietly:
            return self._tracer.start_span(_name(scope), parent, SpanKind.SERVER, self._attributes(scope))
        return trace.get_current_span(parent)

    async def _watch(self, scope: Scope, receive: Receive, send: Send, request: TracedRequest) -> None:
        """Let the app answer, and tell how that ended: to the span, in metrics and in the access record."""

        def send_described(message: Message) -> Awaitable[None]:
            if is_last(message):  # with which the instrumentation outside of us ends its span
                with quietly:
                    describe(request.span, self._ended(scope, request, response.seen(), None))
            return send(message)

        response = watch(receive, send_described if request.is_joined else send, request)
        raised: BaseException | None = None
        try:
            await self.app(scope, response.receive, response.send)
        except BaseException as error:
            raised = error
            raise
        finally:
            with quietly:
                response.close()
                ended = self._ended(scope, request, response.seen(), raised)
                with quietly:
                    describe(request.span, ended)
                with quietly:
                    request.metrics.request_ended(ended, request.span)
                record_access(ended, request.span)
            raised = None  # with its frames, it would be a cycle

    def _attributes(self, scope: Scope) -> dict[str, str | int]:
        """Return what is known of a request before it is read."""
        attributes: dict[str, str | int] = {
            HTTP_METHOD: _method(scope),
            URL_PATH: _path(scope),
            URL_SCHEME: _scheme(scope),
            PROTOCOL_VERSION: scope.get("http_version", "1.1"),
        }
        server = scope.get("server")
        if server is not None:
            attributes[SERVER_ADDRESS] = server[0]
            if server[1] is not None:
                attributes[SERVER_PORT] = server[1]
        if self._client_attributes:
            client = scope.get("client")
            if client is not None:
                attributes[CLIENT_ADDRESS] = client[0]
            agent = next(header_values(scope, b"user-agent"), None)
            if agent is not None:
                attributes[USER_AGENT] = agent.decode("latin-1")
        return attributes

    def _ended(self, scope: Scope, request: TracedRequest, seen: Seen, raised: BaseException | None) -> Ended:
        """Return what is known of a request after its end; its exception is recorded, if nobody has yet."""
        state = request.state
        verdict = judge(state.outcome, state.error_type, raised, request.failure, seen)
        cause = raised or state.failure
        if verdict.outcome == "error" and cause is not None:
            request.record(request.span, cause)
        return Ended(
            _method(scope),
            _path(scope),
            _scheme(scope),
            _route(scope),
            request.operation_name,
            request.user,
            state.thread_id,
            _session_id(scope),
            state.request_id,
            seen.status,
            verdict,
            perf_counter() - request.started,
            seen.stream,
            is_new=not request.is_joined,
        )


def _method(scope: Scope) -> str:
    """Return the method, or one word for all that HTTP does not know: there is no end of them."""
    method: str = scope["method"]
    return method if method in _METHODS else OTHER


def _scheme(scope: Scope) -> str:
    """Return the scheme; what a proxy makes of it may be anything."""
    scheme = scope.get("scheme", "http")
    return scheme if scheme in ("http", "https") else OTHER


def _path(scope: Scope) -> str:
    """Return the path, cut: whoever asks may write anything there, at any length."""
    path: str = scope["path"]
    return path[:_MAX_PATH]


def _name(scope: Scope) -> str:
    """Return the name of the span until the operation is known (HTTP spans, semantic conventions: `HTTP` for `_OTHER`)."""
    method = _method(scope)
    return "HTTP" if method == OTHER else method


def _route(scope: Scope) -> str | None:
    """Return the template of the path, where the app's framework leaves it."""
    route = getattr(scope.get("route"), "path", None)
    return route if isinstance(route, str) else None


def _session_id(scope: Scope) -> str | None:
    """Return the session of the page, if it has the form that our browser module gives it."""
    given = next(header_values(scope, SESSION_HEADER), None)
    return given.decode() if given is not None and _SESSION.fullmatch(given) else None
