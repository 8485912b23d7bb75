"""A layer in the wrong place is noticed when it is put there."""

from collections.abc import Callable
from functools import partial
from itertools import product
from typing import Any, ClassVar

import pytest

from chatkit_prod import ConfigurationError
from chatkit_prod.asgi import Receive, Scope, Send
from chatkit_prod.auth import AuthMiddleware, OriginMiddleware
from chatkit_prod.layer import Layer, require_inside
from chatkit_prod.locale import LocaleMiddleware
from chatkit_prod.tracing import TracingMiddleware
from tests.servers import ScriptedServer, hello
from tests.test_stack import BEARER


class Middleware:
    """Wraps an app, as middlewares do, and is no layer of ours."""

    def __init__(self, app: Any) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        raise NotImplementedError


def test_preflights_are_answered_before_anybody_is_asked_who_they_are() -> None:
    assert [layer.name for layer in sorted(Layer)] == ["TRACING", "ORIGIN", "AUTH", "LOCALE", "ENDPOINT"]


def _middleware(place: Layer) -> type[Middleware]:
    class Placed(Middleware):
        layer: ClassVar = place

    return Placed


@pytest.mark.parametrize(
    ("outer", "inner"), list(product(Layer, Layer)), ids=lambda place: place.name.lower()
)
@pytest.mark.parametrize("between", [0, 2], ids=["directly", "behind foreign middlewares"])
def test_a_layer_takes_only_those_that_belong_inside(outer: Layer, inner: Layer, between: int) -> None:
    app: Any = _middleware(inner)(None)
    for _ in range(between):
        app = Middleware(app)
    if inner > outer:
        require_inside(_middleware(outer)(app), app)
    else:
        with pytest.raises(
            ConfigurationError,
            match="Placed stands inside Placed; the order, outermost first, "
            "is tracing, origin, auth, locale, endpoint",
        ):
            require_inside(_middleware(outer)(app), app)


def test_an_app_that_wraps_itself_is_not_looked_through_for_ever() -> None:
    app = Middleware(None)
    app.app = app
    require_inside(_middleware(Layer.ENDPOINT)(app), app)


class Odd(Middleware):
    """Has a layer that is none."""

    layer = 3


@pytest.mark.parametrize(
    "app", [Middleware(object()), Middleware(None), Odd(None)], ids=["object", "none", "odd"]
)
def test_what_is_no_layer_of_ours_may_stand_anywhere(app: object) -> None:
    require_inside(_middleware(Layer.ENDPOINT)(app), app)


@pytest.mark.parametrize("app", [None, "app", ScriptedServer(hello)], ids=["none", "text", "a server"])
@pytest.mark.parametrize(
    "layer",
    [
        TracingMiddleware,
        partial(OriginMiddleware, allowed_origins=[]),
        partial(AuthMiddleware, authenticator=BEARER),
        partial(LocaleMiddleware, supported=["en"]),
    ],
    ids=["tracing", "origin", "auth", "locale"],
)
def test_what_is_no_app_at_all_is_refused(layer: Callable[..., object], app: Any) -> None:
    with pytest.raises(ConfigurationError, match=r"app must be an ASGI app, not a .*ChatKitEndpoint"):
        layer(app)
