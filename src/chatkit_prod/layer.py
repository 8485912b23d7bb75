"""The order of the layers, and how one of them notices that it stands in the wrong place."""

from collections.abc import Iterator
from enum import IntEnum
from typing import Any, Protocol, runtime_checkable

from .asgi import Scope, Send
from .errors import ConfigurationError
from .options import named
from .state import RequestState

_MAX_LAYERS = 100


class Layer(IntEnum):
    """Where a layer stands in the path of a request, outermost first."""

    TRACING = 1
    ORIGIN = 2
    AUTH = 3
    LOCALE = 4
    LIMITS = 5
    PII = 6
    ENDPOINT = 7


def require_inside(outer: object, app: Any) -> None:
    """Check that no layer which belongs outside of `outer` stands inside of it.

    Foreign middlewares between two layers are passed through as long as they keep the wrapped
    app as `.app`, as Starlette's do.

    Args:
        outer: The layer under construction; has a class variable `layer`.
        app: The ASGI app that it is to wrap.

    Raises:
        ConfigurationError: `app` is no app, or a layer in it must stand outside of `outer`, or stands
            there twice.
    """
    if not callable(app):
        raise ConfigurationError(
            f"app must be an ASGI app, not {named(app)}; a ChatKitServer goes into ChatKitEndpoint"
        )
    place: Layer = type(outer).layer  # type: ignore[attr-defined]
    for inner in _apps_in(app):
        found = getattr(type(inner), "layer", None)
        if isinstance(found, Layer) and found <= place:
            raise ConfigurationError(
                f"{type(inner).__name__} stands inside {type(outer).__name__}; the order, outermost first, is "
                + ", ".join(layer.name.lower() for layer in Layer)
            )


@runtime_checkable
class Interpreter(Protocol):
    """The layer that knows the user's language. Those outside of it ask, before they refuse a request."""

    def interpret(self, scope: Scope, state: RequestState, send: Send) -> Send:
        """Set the language of a request, and return what sends an answer in it."""
        ...


class _NoInterpreter:
    def interpret(self, scope: Scope, state: RequestState, send: Send) -> Send:  # noqa: ARG002 - as the protocol has it
        return send


def interpreter_in(app: Any) -> Interpreter:
    """Return the layer inside of an app that knows the user's language; one that changes nothing, if there is none."""
    for inner in _apps_in(app):
        if getattr(type(inner), "layer", None) is Layer.LOCALE and isinstance(inner, Interpreter):
            return inner
    return _NoInterpreter()


def _apps_in(app: Any) -> Iterator[object]:
    """Yield an app and those in it, outermost first."""
    for _ in range(_MAX_LAYERS):
        if app is None:
            return
        yield app
        app = getattr(app, "app", None)
