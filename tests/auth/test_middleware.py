"""Nobody gets in who has not proved who they are."""

import gettext
import json
import time
from copy import deepcopy
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from starlette.applications import Starlette
from starlette.authentication import AuthCredentials, requires
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import HTTPConnection, Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from chatkit_prod import ConfigurationError, Principal, RequestState
from chatkit_prod.auth import AuthMiddleware, FirstOf
from chatkit_prod.errors import (
    AuthenticationError,
    ForbiddenError,
    InsufficientScopeError,
    InvalidRequestError,
    InvalidTokenError,
    MalformedCredentialsError,
    RefusedByAppError,
    RequestError,
    UnavailableError,
)
from chatkit_prod.locale import LocaleMiddleware
from tests.layers import Greeter, Rewriting, exchange, get, header_lines
from tests.servers import Wire

pytestmark = pytest.mark.anyio

CHALLENGE = 'Badge realm="desk"'


class Badge:
    """An authenticator of an app: the badge is the name."""

    challenge = CHALLENGE

    async def authenticate(self, connection: HTTPConnection) -> Principal | None:
        name = connection.headers.get("x-badge")
        if name is None:
            return None
        if name == "torn":
            raise InvalidTokenError(self.challenge)
        return Principal(issuer="badge", subject=name, scopes=frozenset({"write", "read"}))


class Raising:
    """An authenticator that fails."""

    challenge = "Badge"

    def __init__(self, error: Exception) -> None:
        self._error = error

    async def authenticate(self, connection: HTTPConnection) -> Principal | None:
        raise self._error


def guarded(inside: Greeter | None = None) -> AuthMiddleware:
    return AuthMiddleware(inside or Greeter(), authenticator=Badge())


async def test_without_credentials_the_app_is_not_called() -> None:
    inside = Greeter()
    wire = await Wire().request(guarded(inside), get())
    assert wire.status == 401
    assert wire.headers["www-authenticate"] == CHALLENGE
    assert wire.json["code"] == "authentication_required"
    assert inside.scopes == []


async def test_with_bad_credentials_the_challenge_names_the_error() -> None:
    inside = Greeter()
    wire = await Wire().request(guarded(inside), get((b"x-badge", b"torn")))
    assert wire.status == 401
    assert wire.headers["www-authenticate"] == f'{CHALLENGE}, error="invalid_token"'
    assert wire.json["code"] == "invalid_token"
    assert inside.scopes == []


async def test_the_principal_is_in_the_state_and_where_starlette_has_it() -> None:
    inside = Greeter()
    wire = await Wire().request(guarded(inside), get((b"x-badge", b"alice")))
    assert wire.status == 200
    principal = inside.state.principal
    assert (principal.issuer, principal.subject) == ("badge", "alice")
    assert inside.scopes[0]["user"] is principal
    assert isinstance(inside.scopes[0]["auth"], AuthCredentials)
    assert inside.scopes[0]["auth"].scopes == ["authenticated", "read", "write"]


async def test_starlettes_own_decorator_sees_the_scopes() -> None:
    @requires(["authenticated", "read"])
    async def allowed(request: Request) -> PlainTextResponse:
        return PlainTextResponse(request.user.display_name)

    @requires("delete")
    async def forbidden(request: Request) -> PlainTextResponse:
        return PlainTextResponse("never")

    middleware = [Middleware(AuthMiddleware, authenticator=Badge())]
    app = Starlette(
        routes=[Route("/allowed", allowed), Route("/forbidden", forbidden)], middleware=middleware
    )
    scope = get((b"x-badge", b"alice"))
    assert (await Wire().request(app, {**scope, "path": "/allowed"})).body == b"alice"
    assert (await Wire().request(app, {**scope, "path": "/forbidden"})).status == 403


class Old:
    """An authenticator that forgets to look at the end of what it has found.

    Args:
        expires_at: Seconds since the epoch.
    """

    challenge = "Old"

    def __init__(self, expires_at: float | None) -> None:
        self._expires_at = expires_at

    async def authenticate(self, connection: HTTPConnection) -> Principal:
        return Principal(issuer="old", subject="alice", expires_at=self._expires_at)


@pytest.mark.parametrize("together", [False, True], ids=["alone", "in a FirstOf"])
@pytest.mark.parametrize(("seconds", "status"), [(-0.001, 401), (0, 401), (60, 200), (None, 200)], ids=repr)
async def test_nobody_comes_in_whose_credentials_have_expired_whoever_has_found_them(
    seconds: float | None, status: int, *, together: bool
) -> None:
    inside = Greeter()
    old = Old(None if seconds is None else time.time() + seconds)
    app = AuthMiddleware(inside, authenticator=FirstOf(old) if together else old)
    wire = await Wire().request(app, get())
    assert wire.status == status
    assert len(inside.scopes) == (status == 200)
    if status == 401:
        assert wire.headers["www-authenticate"] == 'Old error="invalid_token"'


REFUSALS: dict[str, RequestError] = {
    "nobody": AuthenticationError("Badge"),
    "bad token": InvalidTokenError("Badge"),
    "bad request": InvalidRequestError(),
    "bad credentials": MalformedCredentialsError("Badge", "two headers"),
    "by the app": RefusedByAppError(HTTPException(429)),
    "scope": InsufficientScopeError(["read"]),
    "role": ForbiddenError(),
}


@pytest.mark.parametrize("error", REFUSALS.values(), ids=REFUSALS.keys())
async def test_a_refusal_is_a_problem_that_can_be_found_in_the_log(error: RequestError) -> None:
    inside = Greeter()
    scope, state = RequestState.seed(get())
    app = AuthMiddleware(inside, authenticator=Raising(error))
    sent = await exchange(app, scope)
    assert sent[0]["status"] == error.status
    assert header_lines(sent, b"content-type") == [b"application/problem+json"]
    assert header_lines(sent, b"cache-control") == [b"no-store"]
    assert header_lines(sent, b"x-request-id") == [state.request_id.encode()]
    assert json.loads(sent[1]["body"])["request_id"] == state.request_id
    assert state.outcome == "refused"
    assert inside.scopes == []


async def test_a_refusal_speaks_the_language_that_an_outer_layer_has_set() -> None:
    class French(gettext.NullTranslations):
        def gettext(self, message: str) -> str:
            return f"fr: {message}"

    scope, state = RequestState.seed(get())
    state.translations = French()
    sent = await exchange(guarded(), scope)
    assert json.loads(sent[1]["body"])["message"] == "fr: Sign in to continue."


# ------------------------------------------------------------------------------------------------ the language

IN_FRENCH = (b"accept-language", b"fr")


def speaking(
    authenticator: Any, inside: Greeter | None = None, *, scopes: tuple[str, ...] = (), **options: Any
) -> AuthMiddleware:
    """Put the layers of authentication and of the language around an app that speaks English and French."""
    located = LocaleMiddleware(inside or Greeter(), supported=["en", "fr"], **options)
    return AuthMiddleware(located, authenticator=authenticator, required_scopes=scopes)


def language(sent: list[Any]) -> list[bytes]:
    return header_lines(sent, b"content-language")


def varies_by(sent: list[Any]) -> list[bytes]:
    return b", ".join(header_lines(sent, b"vary")).split(b", ")


IN_OUR_CATALOGS: dict[str, tuple[Exception, int, str]] = {
    "nobody": (AuthenticationError("Badge"), 401, "Connectez-vous pour continuer."),
    "bad token": (InvalidTokenError("Badge"), 401, "Votre session n’est plus valide. Reconnectez-vous."),
    "role": (ForbiddenError(), 403, "Vous n’avez pas l’autorisation d’effectuer cette action."),
    "bad request": (InvalidRequestError(), 400, "La requête n’est pas valide."),
    "too fast": (
        HTTPException(429, headers={"Retry-After": "5"}),
        429,
        "Vous envoyez des messages trop rapidement. Réessayez dans 5 secondes.",
    ),
    "failed": (ValueError(), 500, "Une erreur s’est produite. Réessayez."),
    "unavailable": (
        UnavailableError("jwks"),
        503,
        "Il y a trop de requêtes en ce moment. Réessayez dans un instant.",
    ),
}


@pytest.mark.parametrize(("error", "status", "french"), IN_OUR_CATALOGS.values(), ids=IN_OUR_CATALOGS.keys())
async def test_a_refusal_is_in_the_language_of_the_user_if_a_layer_inside_knows_it(
    error: Exception, status: int, french: str
) -> None:
    inside = Greeter()
    scope, state = RequestState.seed(get(IN_FRENCH))
    sent = await exchange(speaking(Raising(error), inside), scope)
    assert sent[0]["status"] == status
    assert json.loads(sent[1]["body"])["message"] == french
    assert language(sent) == [b"fr"]
    assert varies_by(sent) == [b"Accept-Language"]
    assert state.locale == "fr"
    assert inside.scopes == []


@pytest.mark.parametrize(
    ("headers", "locale"),
    [
        ([], b"en"),
        ([(b"accept-language", b"ja")], b"en"),
        ([(b"accept-language", b"ja, fr-CA;q=0.5")], b"fr"),
    ],
    ids=["no language", "another one", "the second of two"],
)
async def test_the_language_of_a_refusal_is_negotiated_as_that_of_an_answer(
    headers: list[tuple[bytes, bytes]], locale: bytes
) -> None:
    refused = await exchange(speaking(Badge()), get(*headers))
    answered = await exchange(speaking(Badge()), get(*headers, (b"x-badge", b"alice")))
    assert (refused[0]["status"], answered[0]["status"]) == (401, 200)
    assert language(refused) == language(answered) == [locale]
    assert varies_by(refused) == varies_by(answered) == [b"Accept-Language"]


async def test_a_foreign_layer_in_between_does_not_hide_the_language() -> None:
    located = LocaleMiddleware(Greeter(), supported=["en", "fr"])
    app = AuthMiddleware(Rewriting(located, []), authenticator=Badge())
    wire = await Wire().request(app, get(IN_FRENCH))
    assert wire.json["message"] == "Connectez-vous pour continuer."


async def test_a_request_for_a_stream_that_is_refused_or_fails_names_its_language_too() -> None:
    scope = get(IN_FRENCH, (b"accept", b"text/event-stream"))
    refused = await exchange(speaking(Badge()), scope)
    assert json.loads(refused[1]["body"])["message"] == "Connectez-vous pour continuer."
    failed = await exchange(speaking(Raising(ValueError())), scope)
    assert header_lines(failed, b"content-type") == [b"text/event-stream; charset=utf-8"]
    assert [found[0]["status"] for found in (refused, failed)] == [401, 200]
    assert language(refused) == language(failed) == [b"fr"]
    assert varies_by(refused) == varies_by(failed) == [b"Accept-Language"]


async def test_where_no_layer_inside_knows_the_language_a_refusal_stays_english() -> None:
    scope, state = RequestState.seed(get(IN_FRENCH))
    sent = await exchange(guarded(), scope)
    assert json.loads(sent[1]["body"])["message"] == "Sign in to continue."
    assert language(sent) == []
    assert header_lines(sent, b"vary") == []
    assert state.peek().locale is None


@pytest.mark.parametrize("headers", [[], [(b"x-badge", b"torn")]], ids=["nobody", "a bad token"])
async def test_a_language_that_would_be_the_users_own_is_looked_for_elsewhere_while_nobody_is_known(
    headers: list[tuple[bytes, bytes]],
) -> None:
    app = speaking(Badge(), sources=("principal", "header"))
    sent = await exchange(app, get(IN_FRENCH, *headers))
    assert sent[0]["status"] == 401
    assert language(sent) == [b"fr"]
    assert varies_by(sent) == [b"Authorization", b"Cookie", b"Accept-Language"]


async def test_a_source_that_needs_to_know_who_asks_does_not_get_in_the_way_of_a_refusal() -> None:
    def chosen(state: RequestState) -> str | None:
        claim: str = state.principal.claims["locale"]
        return claim

    sent = await exchange(speaking(Badge(), sources=(chosen, "header")), get(IN_FRENCH))
    assert sent[0]["status"] == 401
    assert json.loads(sent[1]["body"])["message"] == "Connectez-vous pour continuer."
    assert language(sent) == [b"fr"]


class Membership:
    """An authenticator that knows what its users speak."""

    challenge = "Member"

    async def authenticate(self, connection: HTTPConnection) -> Principal:
        return Principal(issuer="club", subject="alice", claims={"locale": "fr"})


async def test_who_is_known_and_may_not_come_in_is_told_so_in_their_own_language() -> None:
    app = speaking(Membership(), scopes=("write",), sources=("principal", "header"))
    sent = await exchange(app, get((b"accept-language", b"en")))
    body = json.loads(sent[1]["body"])
    assert (body["status"], body["code"]) == (403, "insufficient_scope")
    assert body["message"] == "Vous n’avez pas l’autorisation d’effectuer cette action."
    assert language(sent) == [b"fr"]


# ------------------------------------------------------------------------------------------------ exempt paths


EXEMPT = frozenset({"/healthz", "/chatkit/config"})
NEAR = [
    "", "/", "healthz", "/healthz/", "//healthz", "/healthz//", "/Healthz", "/HEALTHZ", "/%68ealthz", "/healthz%00",
    "/healthz\0", "/healthz ", " /healthz", "/healthz?a", "/healthz#a", "/healthz;a", "/./healthz", "/a/../healthz",
    "/api/healthz", "/healthz/chatkit", "/chatkit/config/", "/chatkit//config", "/chatkit%2Fconfig", "/chatkit\\config",
    "/chatkit/confi", "\uff0fhealthz", "/healthz\n",
]  # fmt: skip


@settings(max_examples=100)
@given(
    st.sampled_from(NEAR) | st.text() | st.sampled_from(sorted(EXEMPT)),
    st.sampled_from(["", "/api", "/healthz"]),
)
async def test_only_the_exempt_paths_themselves_are_let_through_unasked(path: str, root_path: str) -> None:
    inside = Greeter()
    app = AuthMiddleware(inside, authenticator=Badge(), exempt=EXEMPT)
    messages = await exchange(app, {**get(), "path": path, "root_path": root_path})
    assert messages[0]["status"] == (200 if path in EXEMPT else 401)
    assert len(inside.scopes) == (path in EXEMPT)


async def test_on_an_exempt_path_there_is_nobody_whatever_the_request_carries() -> None:
    inside = Greeter()
    app = AuthMiddleware(inside, authenticator=Badge(), exempt=["/chatkit"])
    await exchange(app, get((b"x-badge", b"alice")))
    with pytest.raises(ConfigurationError, match="AuthMiddleware"):
        _ = inside.state.principal
    assert "user" not in inside.scopes[0]


@pytest.mark.parametrize(
    "options",
    [{"exempt": "/healthz"}, {"exempt": ["healthz"]}, {"exempt": ["/a", ""]}, {"required_scopes": "read"}]
    + [{"required_scopes": [scope]} for scope in ("", "a b", 'a"', "é", 1)],
    ids=str,
)
def test_an_option_that_cannot_work_is_refused_at_construction(options: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError):
        AuthMiddleware(Greeter(), authenticator=Badge(), **options)


# ------------------------------------------------------------------------------------------------ what it sees


async def test_the_authenticator_sees_the_request_as_it_reaches_the_layer() -> None:
    inside = Greeter()
    app = Rewriting(guarded(inside), [])
    scope, _ = RequestState.seed(get((b"x-badge", b"mallory")))
    assert (await exchange(app, scope))[0]["status"] == 401
    assert inside.scopes == []


@settings(max_examples=100)
@given(st.lists(st.tuples(st.binary(max_size=10), st.binary(max_size=20)), max_size=5))
async def test_no_header_whatever_stands_for_a_credential(headers: list[tuple[bytes, bytes]]) -> None:
    inside = Greeter()
    assert (await exchange(guarded(inside), get(*headers)))[0]["status"] == 401
    assert inside.scopes == []


async def test_an_identity_that_the_client_claims_in_the_scope_is_replaced() -> None:
    inside = Greeter()
    scope = {**get((b"x-badge", b"alice")), "user": "mallory", "auth": AuthCredentials(["admin"])}
    await exchange(guarded(inside), scope)
    assert inside.scopes[0]["user"].subject == "alice"
    assert inside.scopes[0]["auth"].scopes == ["authenticated", "read", "write"]


async def test_the_scope_of_the_server_is_not_changed() -> None:
    scope = get((b"x-badge", b"alice"))
    before = deepcopy(scope)
    await exchange(guarded(), scope)
    assert scope == before


async def test_a_websocket_is_refused() -> None:
    inside = Greeter()
    sent = await exchange(guarded(inside), {**get((b"x-badge", b"alice")), "type": "websocket"})
    assert sent == [{"type": "websocket.close", "code": 1008}]
    assert inside.scopes == []


async def test_the_lifespan_of_the_app_is_passed_on() -> None:
    inside = Greeter()
    await exchange(guarded(inside), {"type": "lifespan"})
    assert inside.scopes == [{"type": "lifespan"}]


@pytest.mark.parametrize(
    "authenticator", [None, "Bearer", object(), Badge], ids=["none", "text", "object", "class"]
)
def test_what_is_not_an_authenticator_is_refused_at_construction(authenticator: Any) -> None:
    with pytest.raises(ConfigurationError, match="authenticator"):
        AuthMiddleware(Greeter(), authenticator=authenticator)
