"""The order of the layers, and how one of them notices that it stands in the wrong place."""

from enum import IntEnum
from typing import Any

from .errors import ConfigurationError
from .options import named

_MAX_LAYERS = 100


class Layer(IntEnum):
    """Where a layer stands in the path of a request, outermost first."""

    TRACING = 1
    ORIGIN = 2
    AUTH = 3
    LOCALE = 4
    ENDPOINT = 5


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
    inner: object = app
    for _ in range(_MAX_LAYERS):
        found = getattr(type(inner), "layer", None)
        if isinstance(found, Layer) and found <= place:
            raise ConfigurationError(
                f"{type(inner).__name__} stands inside {type(outer).__name__}; the order, outermost first, is "
                + ", ".join(layer.name.lower() for layer in Layer)
            )
        inner = getattr(inner, "app", None)
