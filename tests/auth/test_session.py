"""Session cookies: whose they are, and who else may have made the browser send them."""

import json
import time
from base64 import b64encode
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from itsdangerous import TimestampSigner
from starlette.middleware.sessions import SessionMiddleware
from starlette.requests import HTTPConnection, Request
from starlette.responses import PlainTextResponse

from chatkit_prod import ConfigurationError, Principal, RequestState
from chatkit_prod.asgi import ASGIApp, Scope
from chatkit_prod.auth import Authenticator, AuthMiddleware, FirstOf
from chatkit_prod.auth.session import SessionCookie
from chatkit_prod.errors import (
    ForbiddenError,
    InvalidTokenError,
    MalformedCredentialsError,
    UnsupportedMediaTypeError,
)
from tests.auth.test_csrf import CASES, LISTED, headers_of, passes
from tests.layers import Greeter, get
from tests.servers import JSON, Wire, http_scope

pytestmark = pytest.mark.anyio

ISSUER = "https://app.example.com"
SIGNING_KEY = "a signing key of nobody"
CHALLENGE = 'Cookie realm="chatkit", cookie-name="session"'
ALICE = Principal(issuer=ISSUER, subject="alice", method="session")


class Sessions:
    """A store of an app.

    Attributes:
        asked: The ids that it was asked for.
    """

    def __init__(self, **sessions: Principal) -> None:
        self.asked: list[str] = []
        self._sessions = sessions

    async def load(self, session_id: str) -> Principal | None:
        self.asked.append(session_id)
        return self._sessions.get(session_id)


def cookie(*lines: bytes) -> tuple[tuple[bytes, bytes], ...]:
    return tuple((b"cookie", line) for line in lines)


async def authenticate(scope: Scope, sessions: Sessions | None = None, **options: Any) -> Principal | None:
    """Ask an authenticator that knows one session, `s1`."""
    authenticator = SessionCookie(sessions=sessions or Sessions(s1=ALICE), **options)
    return await authenticator.authenticate(HTTPConnection(scope))


# ------------------------------------------------------------------------------------------------ any store


async def test_a_session_of_the_store_is_its_principal() -> None:
    assert await authenticate(get(*cookie(b"theme=dark; session=s1; lang=fr"))) == ALICE


async def test_whatever_the_store_calls_it_the_method_is_a_session() -> None:
    sessions = Sessions(s1=Principal(issuer=ISSUER, subject="alice", tenant="acme", method="password"))
    principal = await authenticate(get(*cookie(b"session=s1")), sessions)
    assert principal == Principal(issuer=ISSUER, subject="alice", tenant="acme", method="session")


async def test_the_name_of_the_cookie_can_be_chosen() -> None:
    scope = get(*cookie(b"__Host-session=s1; session=s2"))
    assert await authenticate(scope, cookie="__Host-session") == ALICE


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b";",
        b"theme=dark",
        b"session",
        b"=session",
        b"Session=s1",
        b"my-session=s1",
        b"theme=session=s1",
        b"a=b,session=s1",
    ],
    ids=bytes.decode,
)
async def test_without_the_cookie_there_are_no_credentials(line: bytes) -> None:
    sessions = Sessions(s1=ALICE)
    assert await authenticate(get(*cookie(line)), sessions) is None
    assert sessions.asked == []


async def test_a_session_that_the_store_does_not_know_is_refused() -> None:
    with pytest.raises(InvalidTokenError) as caught:
        await authenticate(get(*cookie(b"session=s2")))
    assert (caught.value.reason, caught.value.challenge) == ("session", CHALLENGE)


async def test_a_session_ends_when_its_principal_does(monkeypatch: pytest.MonkeyPatch) -> None:
    end = time.time() + 1000
    sessions = Sessions(s1=Principal(issuer=ISSUER, subject="alice", expires_at=end))
    app = AuthMiddleware(Greeter(), authenticator=SessionCookie(sessions=sessions))
    assert (await Wire().request(app, get(*cookie(b"session=s1")))).status == 200
    monkeypatch.setattr(time, "time", lambda: end)
    assert (await Wire().request(app, get(*cookie(b"session=s1")))).status == 401


@pytest.mark.parametrize("found", ["alice", {"subject": "alice"}, True], ids=repr)
async def test_a_store_that_returns_something_else_than_a_principal_is_named(found: Any) -> None:
    with pytest.raises(ConfigurationError, match="SessionStore must return Principal or None"):
        await authenticate(get(*cookie(b"session=s1")), Sessions(s1=found))


async def test_the_longest_session_id_reaches_the_store() -> None:
    longest = "s" * 4096
    sessions = Sessions(**{longest: ALICE})
    assert await authenticate(get(*cookie(b"session=" + longest.encode())), sessions) == ALICE


MALFORMED_IDS: dict[str, bytes] = {
    "empty": b"",
    "too long": b"s" * 4097,
    "quoted": b'"s1"',
    "a comma": b"s1,s1",
    "a backslash": b"s\\1",
    "a space within": b"s 1",
    "a space in front": b" s1",
    "a tab behind": b"s1\t",
    "a line feed": b"s1\n",
    "a control character": b"s1\x00",
    "beyond ASCII": "sé".encode(),
}


@pytest.mark.parametrize("value", MALFORMED_IDS.values(), ids=MALFORMED_IDS.keys())
async def test_what_cannot_be_a_session_id_never_reaches_the_store(value: bytes) -> None:
    sessions = Sessions(s1=ALICE)
    with pytest.raises(InvalidTokenError) as caught:
        await authenticate(get(*cookie(b"session=" + value)), sessions)
    assert caught.value.reason == "malformed"
    assert sessions.asked == []


async def test_more_cookies_than_a_browser_sends_are_not_searched() -> None:
    with pytest.raises(MalformedCredentialsError) as caught:
        await authenticate(get(*cookie(b"session=s1" + b";" * 32 * 1024)), Sessions(s1=ALICE))
    assert caught.value.reason == "too long"


# ------------------------------------------------------------------------------------------------ two cookies

TWICE: dict[str, tuple[bytes, ...]] = {
    "one line": (b"session=s1; session=s2",),
    "the same value": (b"session=s1; session=s1",),
    "two lines": (b"session=s1", b"session=s2"),
    "no space": (b"session=s1;session=s2",),
    "a space before the sign": (b"session =s1; session=s1",),
    "a tab before the name": (b"session=s1;\tsession=s2",),
    "a no-break space before the name": (b"session=s1;\xa0session=s2",),
    "an empty one": (b"session=s1; session=",),
    "far apart": (b"session=s1; a=b", b"c=d; session=s2"),
}


@pytest.mark.parametrize("lines", TWICE.values(), ids=TWICE.keys())
async def test_two_cookies_of_the_name_are_refused_whichever_was_meant(lines: tuple[bytes, ...]) -> None:
    sessions = Sessions(s1=ALICE)
    with pytest.raises(MalformedCredentialsError) as caught:
        await authenticate(get(*cookie(*lines)), sessions)
    assert caught.value.reason == "two cookies"
    assert sessions.asked == []


NAMES = st.sampled_from(["session", " session", "session\t", "\xa0session", "sessions", "Session", "a", ""])
PAIRS = st.tuples(NAMES, st.sampled_from(["s1", "s2", "", "=", '"s1"']))


@given(st.lists(st.lists(PAIRS, max_size=3), max_size=3))
async def test_no_cookie_that_starlette_sees_is_overlooked(lines: list[list[tuple[str, str]]]) -> None:
    headers = cookie(
        *(";".join(f"{name}={value}" for name, value in pairs).encode("latin-1") for pairs in lines)
    )
    connection = HTTPConnection(get(*headers))
    found = [value for pairs in lines for name, value in pairs if name.strip() == "session"]
    assert ("session" in connection.cookies) is (found != [])
    try:
        principal = await authenticate(get(*headers))
    except MalformedCredentialsError:
        assert len(found) > 1
    except InvalidTokenError:
        assert len(found) == 1
        assert found != ["s1"]
    else:
        assert found == (["s1"] if principal else [])


# ------------------------------------------------------------------------------------------------ other sites


BOB = Principal(issuer=ISSUER, subject="bob", method="jwt")


class Bearer:
    """Knows one token, `good`."""

    challenge = "Bearer"

    async def authenticate(self, connection: HTTPConnection) -> Principal | None:
        return BOB if connection.headers.get("authorization") == "Bearer good" else None


CREDENTIALS = {
    "cookie": (b"cookie", b"session=s1"),
    "bearer": (b"authorization", b"Bearer good"),
    "none": (b"accept", b"*/*"),
}


def expected_status(credential: str, case: tuple[str, ...]) -> int:
    if credential == "cookie":
        return 200 if passes(case) else 403
    return 200 if credential == "bearer" else 401


@pytest.mark.parametrize("credential", CREDENTIALS)
async def test_only_a_cookie_is_subject_to_the_matrix_of_cross_site_requests(credential: str) -> None:
    session = SessionCookie(sessions=Sessions(s1=ALICE), allowed_origins=[LISTED.decode()])
    app = AuthMiddleware(Greeter(), authenticator=FirstOf(session, Bearer()))
    statuses: dict[tuple[str, ...], int] = {}
    for case in CASES:
        headers = [*JSON, *headers_of(case), CREDENTIALS[credential]]
        wire = await Wire().request(app, http_scope(method=case[0], headers=headers))
        statuses[case] = wire.status
    assert statuses == {case: expected_status(credential, case) for case in CASES}


def cross_site(origin: bytes, *, method: str = "POST") -> Scope:
    fetched = ((b"sec-fetch-site", b"cross-site"), (b"origin", origin), (b"host", b"app.example.com"))
    return http_scope(method=method, headers=(*JSON, *cookie(b"session=s1"), *fetched))


async def test_another_site_is_refused_before_the_store_is_asked() -> None:
    sessions = Sessions(s1=ALICE)
    with pytest.raises(ForbiddenError) as caught:
        await authenticate(cross_site(b"https://mallory.example"), sessions)
    assert caught.value.reason == "cross-site"
    assert sessions.asked == []


async def test_the_origin_that_the_layer_in_front_has_found_on_its_list_is_allowed() -> None:
    scope, state = RequestState.seed(cross_site(LISTED))
    with pytest.raises(ForbiddenError):
        await authenticate(scope)
    state.origin = LISTED.decode()
    assert await authenticate(scope) == ALICE


async def test_the_origin_of_the_layer_in_front_allows_no_other() -> None:
    scope, state = RequestState.seed(cross_site(b"https://mallory.example"))
    state.origin = LISTED.decode()
    with pytest.raises(ForbiddenError):
        await authenticate(scope)


@pytest.mark.parametrize("content_type", [None, b"text/plain", b"application/x-www-form-urlencoded"])
@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH"])
async def test_a_body_that_any_page_could_send_is_refused(method: str, content_type: bytes | None) -> None:
    sessions = Sessions(s1=ALICE)
    headers = [] if content_type is None else [(b"content-type", content_type)]
    with pytest.raises(UnsupportedMediaTypeError):
        await authenticate(http_scope(method=method, headers=[*headers, *cookie(b"session=s1")]), sessions)
    assert sessions.asked == []


@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS", "DELETE"])
async def test_a_request_without_a_body_needs_no_media_type(method: str) -> None:
    assert await authenticate(http_scope(method=method, headers=cookie(b"session=s1"))) == ALICE


async def test_without_a_cookie_neither_site_nor_media_type_matters() -> None:
    headers = [(b"sec-fetch-site", b"cross-site"), (b"content-type", b"text/plain")]
    assert await authenticate(http_scope(headers=headers)) is None


# ------------------------------------------------------------------------------------------------ Starlette


class Yesterday(TimestampSigner):
    """Signs as if it were a day ago."""

    def get_timestamp(self) -> int:
        return super().get_timestamp() - 24 * 60 * 60


def signed(session: object, signer: TimestampSigner | None = None) -> bytes:
    """Return a session as Starlette's middleware signs it."""
    payload = b64encode(json.dumps(session).encode())
    return b"session=" + (signer or TimestampSigner(SIGNING_KEY)).sign(payload)


def starlette_session(**options: Any) -> SessionCookie:
    return SessionCookie(issuer=ISSUER, subject_key="user_id", **options)


def behind(app: ASGIApp, **options: Any) -> ASGIApp:
    return with_sessions(AuthMiddleware(app, authenticator=starlette_session(**options)))


def with_sessions(app: ASGIApp) -> ASGIApp:
    return SessionMiddleware(app, secret_key=SIGNING_KEY, max_age=60 * 60)


async def knock(*lines: bytes, **options: Any) -> tuple[Wire, Greeter]:
    """Ask a protected app behind Starlette's middleware with these `Cookie` headers."""
    inside = Greeter()
    return await Wire().request(behind(inside, **options), get(*cookie(*lines))), inside


async def test_who_signed_in_through_starlettes_middleware_is_known() -> None:
    async def sign_in(scope: Scope, receive: Any, send: Any) -> None:
        Request(scope).session["user_id"] = "alice"
        await PlainTextResponse("welcome")(scope, receive, send)

    welcome = await Wire().request(SessionMiddleware(sign_in, secret_key=SIGNING_KEY), get())
    line = welcome.headers["set-cookie"].partition(";")[0].encode()
    wire, inside = await knock(line)
    assert wire.status == 200
    assert inside.state.principal == ALICE


SUBJECTS: dict[str, tuple[Any, str]] = {"text": ("alice", "alice"), "number": (42, "42"), "zero": (0, "0")}


@pytest.mark.parametrize(("value", "subject"), SUBJECTS.values(), ids=SUBJECTS.keys())
async def test_the_subject_is_what_the_session_says(value: Any, subject: str) -> None:
    _, inside = await knock(signed({"user_id": value}))
    assert inside.state.principal.subject == subject


SIGNED_OUT: dict[str, Any] = {
    "empty": {},
    "somebody": {"theme": "dark"},
    "none": {"user_id": None},
    "empty text": {"user_id": ""},
}


@pytest.mark.parametrize("session", SIGNED_OUT.values(), ids=SIGNED_OUT.keys())
async def test_a_session_in_which_nobody_is_signed_in_is_no_credential(session: Any) -> None:
    wire, inside = await knock(signed(session))
    assert wire.status == 401
    assert wire.headers["www-authenticate"] == CHALLENGE
    assert inside.scopes == []


FORGED: dict[str, Callable[[], bytes]] = {
    "unsigned": lambda: b"session=" + b64encode(b'{"user_id": "alice"}'),
    "of another key": lambda: signed({"user_id": "alice"}, TimestampSigner("another")),
    "expired": lambda: signed({"user_id": "alice"}, Yesterday(SIGNING_KEY)),
    "a changed payload": lambda: signed({"user_id": "alice"}).replace(b"=ey", b"=fy"),
    "a cut signature": lambda: signed({"user_id": "alice"})[:-1],
    "empty": lambda: b"session=",
    "cleared": lambda: b"session=null",
    "junk": lambda: b"session=\xff\x00..\xff",
}


@pytest.mark.parametrize("forge", FORGED.values(), ids=FORGED.keys())
async def test_a_cookie_that_starlette_does_not_believe_lets_nobody_in(forge: Callable[[], bytes]) -> None:
    wire, inside = await knock(forge())
    assert wire.status == 401
    assert inside.scopes == []


async def test_two_signed_cookies_are_refused() -> None:
    wire, inside = await knock(signed({"user_id": "alice"}), signed({"user_id": "mallory"}))
    assert wire.status == 400
    assert wire.headers["www-authenticate"] == f'{CHALLENGE}, error="invalid_request"'
    assert inside.scopes == []


async def test_a_session_without_its_cookie_is_nobodys() -> None:
    """Whatever put it there, a request that did not carry it has not proved anything."""
    scope = {**get(), "session": {"user_id": "alice"}}
    assert await starlette_session().authenticate(HTTPConnection(scope)) is None


async def test_the_answer_varies_by_cookie() -> None:
    wire, _ = await knock(signed({"user_id": "alice"}))
    assert "Cookie" in wire.headers["vary"]


async def test_another_site_is_refused_with_a_signed_cookie_as_well() -> None:
    headers = [*JSON, *cookie(signed({"user_id": "alice"})), (b"sec-fetch-site", b"cross-site")]
    wire = await Wire().request(behind(Greeter()), http_scope(headers=headers))
    assert wire.status == 403


FROM_ELSEWHERE: dict[str, tuple[list[tuple[bytes, bytes]], int]] = {
    "another site": ([*JSON, (b"sec-fetch-site", b"cross-site")], 403),
    "another origin": ([*JSON, (b"origin", b"https://mallory.example"), (b"host", b"app.example.com")], 403),
    "not JSON": ([(b"content-type", b"text/plain")], 415),
}
"""What is refused with the cookie of a user, and how."""

ELSEWHERE = pytest.mark.parametrize(("headers", "status"), FROM_ELSEWHERE.values(), ids=FROM_ELSEWHERE.keys())


@ELSEWHERE
async def test_a_session_in_which_nobody_is_signed_in_leaves_the_decision_to_a_token(
    headers: list[tuple[bytes, bytes]], status: int
) -> None:
    inside = Greeter()
    app = with_sessions(AuthMiddleware(inside, authenticator=FirstOf(starlette_session(), Bearer())))
    anonymous = [*headers, *cookie(signed({"theme": "dark"}))]
    wire = await Wire().request(app, http_scope(headers=anonymous))
    assert wire.status == 401
    assert inside.scopes == []
    token = (b"authorization", b"Bearer good")
    wire = await Wire().request(app, http_scope(headers=[*anonymous, token]))
    assert wire.status == 200
    assert inside.state.principal == BOB


@ELSEWHERE
@pytest.mark.parametrize("options", [{}, {"tenant_key": "org"}], ids=["complete", "without its tenant"])
async def test_a_signed_in_session_from_elsewhere_is_refused_whatever_token_comes_with_it(
    headers: list[tuple[bytes, bytes]], status: int, options: dict[str, Any]
) -> None:
    inside = Greeter()
    authenticator = FirstOf(starlette_session(**options), Bearer())
    app = with_sessions(AuthMiddleware(inside, authenticator=authenticator))
    sent = [*headers, *cookie(signed({"user_id": "alice"})), (b"authorization", b"Bearer good")]
    wire = await Wire().request(app, http_scope(headers=sent))
    assert wire.status == status
    assert inside.scopes == []


@ELSEWHERE
async def test_a_store_is_not_asked_from_elsewhere_whoever_the_session_may_be(
    headers: list[tuple[bytes, bytes]], status: int
) -> None:
    sessions = Sessions()
    authenticator = FirstOf(SessionCookie(sessions=sessions), Bearer())
    sent = [*headers, *cookie(b"session=s2"), (b"authorization", b"Bearer good")]
    with pytest.raises((ForbiddenError, UnsupportedMediaTypeError)) as caught:
        await authenticator.authenticate(HTTPConnection(http_scope(headers=sent)))
    assert caught.value.status == status
    assert sessions.asked == []


async def test_the_tenant_is_what_the_session_says() -> None:
    _, inside = await knock(signed({"user_id": "alice", "org": 7}), tenant_key="org")
    assert inside.state.principal.tenant == "7"


async def test_a_user_without_a_tenant_is_refused_where_there_must_be_one() -> None:
    scope = {**get(*cookie(b"session=x")), "session": {"user_id": "alice"}}
    with pytest.raises(InvalidTokenError) as caught:
        await starlette_session(tenant_key="org").authenticate(HTTPConnection(scope))
    assert caught.value.reason == "tenant"


SCOPES: dict[str, tuple[Any, set[str]]] = {
    "absent": (None, set()),
    "list": (["read", "write"], {"read", "write"}),
    "text": ("read  write", {"read", "write"}),
    "empty list": ([], set()),
    "empty text": ("", set()),
}


@pytest.mark.parametrize(("value", "scopes"), SCOPES.values(), ids=SCOPES.keys())
async def test_the_scopes_are_what_the_session_says(value: Any, scopes: set[str]) -> None:
    _, inside = await knock(signed({"user_id": "alice", "rights": value}), scopes_key="rights")
    assert inside.state.principal.scopes == scopes


NOT_SESSIONS: dict[str, dict[str, Any]] = {
    "a user that is true": {"user_id": True},
    "a user that is a list": {"user_id": ["alice"]},
    "a tenant that is a fraction": {"user_id": "alice", "org": 1.5},
    "scopes that are a number": {"user_id": "alice", "org": "acme", "rights": 1},
    "scopes that are an object": {"user_id": "alice", "org": "acme", "rights": {"read": True}},
    "scopes that are numbers": {"user_id": "alice", "org": "acme", "rights": [1]},
}


@pytest.mark.parametrize("session", NOT_SESSIONS.values(), ids=NOT_SESSIONS.keys())
async def test_an_app_that_signs_what_cannot_be_a_user_is_told(session: dict[str, Any]) -> None:
    scope = {**get(*cookie(b"session=x")), "session": session}
    authenticator = starlette_session(tenant_key="org", scopes_key="rights")
    with pytest.raises(ConfigurationError, match="session"):
        await authenticator.authenticate(HTTPConnection(scope))


@pytest.mark.parametrize("headers", [(), cookie(b"session=s1")], ids=["no cookie", "cookie"])
async def test_a_missing_session_middleware_is_named(headers: tuple[tuple[bytes, bytes], ...]) -> None:
    with pytest.raises(ConfigurationError, match=r"SessionMiddleware.*extra `session`"):
        await starlette_session().authenticate(HTTPConnection(get(*headers)))


# ------------------------------------------------------------------------------------------------ both

LINES = st.one_of(
    st.binary(max_size=60),
    st.lists(
        st.sampled_from([b"session", b"=", b"s1", b"; ", b";", b" ", b'"', b"\xff", b"\\054", b"null", b"."]),
        max_size=8,
    ).map(b"".join),
)


@given(st.lists(LINES, max_size=3))
@example([b"session=s1"])
async def test_whatever_the_cookies_are_a_store_gives_an_answer(lines: list[bytes]) -> None:
    try:
        principal = await authenticate(get(*cookie(*lines)))
    except (InvalidTokenError, MalformedCredentialsError):
        return
    assert principal in {None, ALICE}


@given(st.lists(LINES, max_size=3))
async def test_whatever_the_cookies_are_nobody_gets_past_starlettes_signature(lines: list[bytes]) -> None:
    wire, inside = await knock(*lines)
    assert wire.status in {400, 401}
    assert inside.scopes == []


def test_it_is_an_authenticator_whose_challenge_names_the_cookie() -> None:
    authenticator = SessionCookie(sessions=Sessions(), cookie="__Host-id")
    assert isinstance(authenticator, Authenticator)
    assert authenticator.challenge == 'Cookie realm="chatkit", cookie-name="__Host-id"'


OPTIONS: dict[str, dict[str, Any]] = {
    "nothing": {},
    "no subject": {"issuer": ISSUER},
    "no issuer": {"subject_key": "user_id"},
    "an empty issuer": {"issuer": "", "subject_key": "user_id"},
    "both ways": {"sessions": Sessions(), "issuer": ISSUER, "subject_key": "user_id"},
    "a tenant for a store": {"sessions": Sessions(), "tenant_key": "org"},
    "scopes for a store": {"sessions": Sessions(), "scopes_key": "rights"},
    "no store": {"sessions": {"s1": ALICE}},
    "a class for a store": {"sessions": Sessions},
    "no name": {"sessions": Sessions(), "cookie": ""},
    "a name with a quote": {"sessions": Sessions(), "cookie": 'a"b'},
    "a name with a line feed": {"sessions": Sessions(), "cookie": "a\n"},
    "an origin that is none": {"sessions": Sessions(), "allowed_origins": ["app.example.com"]},
    "null": {"sessions": Sessions(), "allowed_origins": ["null"]},
    "one origin without a list": {"sessions": Sessions(), "allowed_origins": ISSUER},
}


@pytest.mark.parametrize("options", OPTIONS.values(), ids=OPTIONS.keys())
def test_options_that_cannot_work_are_refused_at_construction(options: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError):
        SessionCookie(**options)
