"""What the layers know about one request."""

import secrets
from collections.abc import Generator
from contextlib import contextmanager
from contextvars import ContextVar
from gettext import NullTranslations
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, TypeVar

from starlette.requests import HTTPConnection

from .asgi import Scope
from .errors import ConfigurationError

if TYPE_CHECKING:
    from .operation import Operation
    from .principal import Principal
    from .usage import UsageSink

T = TypeVar("T")

_UNTRANSLATED = NullTranslations()

Outcome = Literal["completed", "error", "cancelled", "expired", "refused"]
"""How a request ended: `refused` before the server ran, `expired` at its deadline."""


class Known(NamedTuple):
    """What the layers have found out so far; each part is None where nothing has set it."""

    principal: "Principal | None"
    locale: str | None
    operation: "Operation | None"


class RequestState:
    """The one object through which the layers of a request talk; `request.state.chatkit`.

    The outermost layer seeds it, each layer sets its part, the context factory reads it. Reading a
    part that no layer has set raises, so that a missing layer is never taken for an empty answer.

    Attributes:
        connection: The connection as the innermost layer so far has seen it; headers are untrusted.
        origin: The origin of the page that asks, if `OriginMiddleware` has found it on its list.
        request_id: 128 random bits in hex; on every response as `x-request-id`.
        translations: The catalog of the user's language; without one, texts stay as they are.
        thread_id: The thread that the request names, or the one that it made.
        outcome: How the request ended; None while it runs.
        failure: The exception behind the outcome `error`, where one is known.
        error_type: What went wrong, in a word for telemetry: the class of that exception, or one of ours.
        context: What the store, the server and the tools get, once it has been made.
        usage: Whom to tell how many tokens of a model the request has used, if anybody asks.
    """

    __slots__ = (
        "_is_over",
        "_locale",
        "_memory",
        "_operation",
        "_principal",
        "connection",
        "context",
        "error_type",
        "failure",
        "origin",
        "outcome",
        "request_id",
        "thread_id",
        "translations",
        "usage",
    )

    def __init__(self, connection: HTTPConnection) -> None:
        self.connection = connection
        self.origin: str | None = None
        self.request_id = secrets.token_hex(16)
        self.translations = _UNTRANSLATED
        self.thread_id: str | None = None
        self.outcome: Outcome | None = None
        self.failure: BaseException | None = None
        self.error_type: str | None = None
        self.context: Any = None
        self.usage: UsageSink | None = None
        self._memory: dict[object, dict[Any, Any]] = {}
        self._is_over = False
        self._principal: Principal | None = None
        self._locale: str | None = None
        self._operation: Operation | None = None

    @classmethod
    def seed(cls, scope: Scope) -> tuple[Scope, "RequestState"]:
        """Return the state of a request, and a scope that carries it.

        Args:
            scope: An HTTP scope; it is copied when the state is new, never changed.
        """
        shared: dict[str, Any] = scope.get("state") or {}
        state = shared.get("chatkit")
        if isinstance(state, cls):
            return scope, state
        state = cls(HTTPConnection(scope))
        return {**scope, "state": {**shared, "chatkit": state}}, state

    @staticmethod
    def current() -> "RequestState | None":
        """Return the state of the request that is being answered; None outside of its endpoint.

        Its tasks know it until it is over, and so do the threads of `asyncio.to_thread` and AnyIO; other
        threads do not.
        """
        state = _current.get()
        return None if state is None or state._is_over else state  # noqa: SLF001 - one of ours

    @staticmethod
    def current_translations() -> NullTranslations:
        """Return the catalogs of the request that is being answered; outside of its endpoint, none."""
        state = RequestState.current()
        return _UNTRANSLATED if state is None else state.translations

    @staticmethod
    def within_request() -> bool:
        """Tell whether this code runs for a request, or was begun by one that is over."""
        return _current.get() is not None

    @staticmethod
    def memory(key: object) -> dict[Any, Any]:
        """Return a dictionary that lasts as long as the request; outside of one, it is a new one each time.

        Args:
            key: Whose it is, and what for.
        """
        state = _current.get()
        if state is None or state._is_over:  # noqa: SLF001 - one of ours
            return {}
        return state._memory.setdefault(key, {})  # noqa: SLF001 - one of ours

    @contextmanager
    def as_current(self) -> Generator[None]:
        """Make this the current request for the length of a block; then it is over, also for what it has begun."""
        token = _current.set(self)
        try:
            yield
        finally:
            _current.reset(token)
            self._is_over = True
            self._memory.clear()

    @property
    def principal(self) -> "Principal":
        """Who is asking.

        Raises:
            ConfigurationError: No `AuthMiddleware` stands in front.
        """
        return _set_by(self._principal, "AuthMiddleware", "principal")

    @principal.setter
    def principal(self, principal: "Principal") -> None:
        self._principal = principal

    @property
    def locale(self) -> str:
        """The negotiated BCP 47 tag, as the app spells it.

        Raises:
            ConfigurationError: No `LocaleMiddleware` stands in front.
        """
        return _set_by(self._locale, "LocaleMiddleware", "locale")

    @locale.setter
    def locale(self, locale: str) -> None:
        self._locale = locale

    @property
    def operation(self) -> "Operation":
        """The validated ChatKit request.

        Raises:
            ConfigurationError: The endpoint has not read the body yet, or refused it.
        """
        return _set_by(self._operation, "ChatKitEndpoint", "operation")

    @operation.setter
    def operation(self, operation: "Operation") -> None:
        self._operation = operation
        self.thread_id = operation.thread_id

    def peek(self) -> Known:
        """Return what is known, without raising where something is not."""
        return Known(self._principal, self._locale, self._operation)

    def fail(self, error: BaseException) -> None:
        """Note that an exception decided the outcome."""
        self.outcome = "error"
        self.failure = error
        self.error_type = type(error).__qualname__


_current: ContextVar[RequestState | None] = ContextVar("chatkit_prod.request", default=None)


def _set_by(value: T | None, layer: str, name: str) -> T:
    if value is None:
        raise ConfigurationError(f"state.{name} is not set: put {layer} in front of whatever reads it")
    return value
