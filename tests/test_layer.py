"""A layer in the wrong place is noticed when it is put there."""

from collections.abc import Callable
from functools import partial
from gettext import NullTranslations
from itertools import product
from typing import Any, ClassVar

import pytest

from chatkit_prod import ChatKitEndpoint, ConfigurationError, RequestState
from chatkit_prod.asgi import Message, Receive, Scope, Send
from chatkit_prod.auth import AuthMiddleware, OriginMiddleware
from chatkit_prod.layer import Interpreter, Layer, interpreter_in, require_inside
from chatkit_prod.locale import LocaleMiddleware
from chatkit_prod.pii import PIIMiddleware
from chatkit_prod.tracing import TracingMiddleware
from tests.layers import Greeter
from tests.pii.fakes import FakeScrubber
from tests.servers import ScriptedServer, hello, http_scope
from tests.test_stack import BEARER


class Middleware:
    """Wraps an app, as middlewares do, and is no layer of ours."""

    def __init__(self, app: Any) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        raise NotImplementedError


def test_preflights_are_answered_before_anybody_is_asked_who_they_are() -> None:
    assert [layer.name for layer in sorted(Layer)] == [
        "TRACING",
        "ORIGIN",
        "AUTH",
        "LOCALE",
        "LIMITS",
        "PII",
        "ENDPOINT",
    ]


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
            "is tracing, origin, auth, locale, limits, pii, endpoint",
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
        partial(PIIMiddleware, scrubber=FakeScrubber()),
    ],
    ids=["tracing", "origin", "auth", "locale", "pii"],
)
def test_what_is_no_app_at_all_is_refused(layer: Callable[..., object], app: Any) -> None:
    with pytest.raises(ConfigurationError, match=r"app must be an ASGI app, not a .*ChatKitEndpoint"):
        layer(app)


# ------------------------------------------------------------------------------------------------ the language


class Latin(Middleware):
    """A layer that knows what the user speaks."""

    layer: ClassVar = Layer.LOCALE

    def interpret(self, scope: Scope, state: RequestState, send: Send) -> Send:
        async def send_in_latin(message: Message) -> None:
            await send({**message, "language": "la"})

        state.locale = "la"
        return send_in_latin


def _behind_foreign(app: Any, count: int) -> Any:
    for _ in range(count):
        app = Middleware(app)
    return app


@pytest.mark.parametrize("between", [0, 1, 99], ids=["directly", "behind one", "behind many"])
@pytest.mark.parametrize(
    "inside", [Latin(Greeter()), LocaleMiddleware(Greeter(), supported=["la"])], ids=["any", "ours"]
)
def test_the_layer_that_knows_the_language_is_found_behind_foreign_middlewares(
    inside: Interpreter, between: int
) -> None:
    assert isinstance(inside, Interpreter)
    assert interpreter_in(_behind_foreign(inside, between)) is inside


def test_the_outermost_of_those_who_know_the_language_is_asked() -> None:
    inside = Latin(Greeter())
    outside = Latin(Middleware(inside))
    assert interpreter_in(Middleware(outside)) is outside


def _endless() -> Middleware:
    app = Middleware(None)
    app.app = app
    return app


SILENT: dict[str, Any] = {
    "an app": Greeter(),
    "an endpoint": ChatKitEndpoint(ScriptedServer(hello)),
    "a layer": AuthMiddleware(Greeter(), authenticator=BEARER),
    "nothing": None,
    "a middleware around nothing": Middleware(None),
    "a middleware around itself": _endless(),
    "more middlewares than anybody has": _behind_foreign(Latin(Greeter()), 100),
}


@pytest.mark.parametrize("app", SILENT.values(), ids=SILENT)
def test_where_nobody_knows_the_language_nothing_is_changed(app: Any) -> None:
    _, state = RequestState.seed(http_scope())
    translations = state.translations = NullTranslations()

    async def send(message: Message) -> None:
        raise NotImplementedError

    assert interpreter_in(app).interpret(http_scope(), state, send) is send
    assert state.translations is translations
    assert state.peek().locale is None
