"""Every decision leaves one record that says who and why, and never with what."""

import json
import logging
import re
from collections.abc import Generator
from contextlib import contextmanager
from logging.handlers import QueueHandler
from queue import SimpleQueue
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from starlette.authentication import AuthCredentials, AuthenticationBackend, AuthenticationError, BaseUser
from starlette.exceptions import HTTPException
from starlette.requests import HTTPConnection
from starlette.responses import Response

from chatkit_prod import Principal, RequestState
from chatkit_prod.asgi import Scope
from chatkit_prod.auth import AuthMiddleware, FirstOf, JWTBearer
from chatkit_prod.auth.audit import audit
from chatkit_prod.errors import (
    ForbiddenError,
    ForeignTokenError,
    InvalidTokenError,
    MalformedCredentialsError,
    UnavailableError,
    UnsupportedMediaTypeError,
)
from chatkit_prod.testing import LocalIdentityProvider
from tests.auth.authority import Authority, active
from tests.auth.conftest import MakeBearer
from tests.layers import Greeter, exchange, get
from tests.servers import Gate, Wire, http_scope

pytestmark = pytest.mark.anyio

AUDIT = "chatkit_prod.audit"
ALICE = Principal(
    issuer="desk",
    subject="alice",
    tenant="acme",
    scopes=frozenset({"read"}),
    claims={"email": "alice@example.com"},
    method="badge",
)
NAMES = ["issuer", "user_id", "tenant", "method", "key_id", "status", "code", "reason"]
NOTHING: dict[str, Any] = dict.fromkeys(NAMES)
WHO = {"issuer": "desk", "user_id": "alice", "tenant": "acme", "method": "badge"}


class Saying:
    """An authenticator that always says the same.

    Args:
        outcome: Returned, or raised.
    """

    challenge = "Badge"

    def __init__(self, outcome: object) -> None:
        self._outcome = outcome

    async def authenticate(self, connection: HTTPConnection) -> Any:
        if isinstance(self._outcome, Exception):
            raise self._outcome
        return self._outcome


@pytest.fixture(autouse=True)
def _heard(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, AUDIT)


def records(caplog: pytest.LogCaptureFixture) -> list[logging.LogRecord]:
    return [record for record in caplog.records if record.name == AUDIT]


@contextmanager
def heard() -> Generator[list[logging.LogRecord]]:
    """Listen for a while; a fixture would listen to every example of a property."""
    queue: SimpleQueue[logging.LogRecord] = SimpleQueue()
    handler, listened = QueueHandler(queue), list[logging.LogRecord]()
    logging.getLogger(AUDIT).addHandler(handler)
    try:
        yield listened
    finally:
        logging.getLogger(AUDIT).removeHandler(handler)
        while not queue.empty():
            listened.append(queue.get())


def fields(record: logging.LogRecord) -> dict[str, Any]:
    found: dict[str, Any] = record.__dict__["chatkit"]
    return found


def parsed(text: str) -> dict[str, Any]:
    """Return the fields of the text of a record."""
    pair = r'(\w+)=("(?:[^"\\]|\\.)*"|\d+)'
    assert re.fullmatch(f"{pair}(?: {pair})*", text)
    return {name: json.loads(value) for name, value in re.findall(pair, text)}


# ------------------------------------------------------------------------------------------------ one for each


def refused(status: int, code: str, reason: str, **who: str) -> dict[str, object]:
    return {"decision": "refused", **who, "status": status, "code": code, "reason": reason}


DECISIONS: dict[str, tuple[object, dict[str, object]]] = {
    "allowed": (ALICE, {"decision": "allowed", **WHO}),
    "a key of a program": (
        Principal(
            issuer="desk", subject="ci", claims={"key_id": "k1"}, scopes=ALICE.scopes, method="api_key"
        ),
        {"decision": "allowed", "issuer": "desk", "user_id": "ci", "method": "api_key", "key_id": "k1"},
    ),
    "a key_id that is no API key": (
        Principal(issuer="desk", subject="ci", claims={"key_id": "k1"}, scopes=ALICE.scopes, method="jwt"),
        {"decision": "allowed", "issuer": "desk", "user_id": "ci", "method": "jwt"},
    ),
    "nobody": (None, refused(401, "authentication_required", "no credentials")),
    "bad token": (InvalidTokenError("Badge", "expired"), refused(401, "invalid_token", "expired")),
    "bad, who knows why": (InvalidTokenError("Badge"), refused(401, "invalid_token", "invalid")),
    "foreign": (ForeignTokenError("Badge", "issuer"), refused(401, "invalid_token", "issuer")),
    "malformed": (
        MalformedCredentialsError("Badge", "two headers"),
        refused(400, "invalid_request", "two headers"),
    ),
    "forbidden": (ForbiddenError("csrf"), refused(403, "forbidden", "csrf")),
    "scope": (
        Principal(issuer="desk", subject="bob", method="badge"),
        refused(403, "insufficient_scope", "scope", issuer="desk", user_id="bob", method="badge"),
    ),
    "content type": (UnsupportedMediaTypeError(), refused(415, "unsupported_media_type", "media type")),
    "by the app": (HTTPException(429, "not alice again"), refused(429, "refused", "refused")),
    "failure": (
        ConnectionError("t1"),
        {"decision": "failed", "status": 500, "code": "internal_error", "reason": "internal error"},
    ),
    "no principal": (
        "alice",
        {"decision": "failed", "status": 500, "code": "internal_error", "reason": "internal error"},
    ),
    "unavailable": (
        UnavailableError("introspection"),
        {"decision": "failed", "status": 503, "code": "temporarily_unavailable", "reason": "introspection"},
    ),
}


@pytest.mark.parametrize("accept", [b"*/*", b"text/event-stream"], ids=["plain", "streaming"])
@pytest.mark.parametrize(("outcome", "expected"), DECISIONS.values(), ids=DECISIONS.keys())
async def test_every_decision_is_one_record(
    caplog: pytest.LogCaptureFixture, outcome: object, expected: dict[str, object], accept: bytes
) -> None:
    scope, state = RequestState.seed(get((b"accept", accept)))
    app = AuthMiddleware(Greeter(), authenticator=Saying(outcome), required_scopes=["read"])
    await exchange(app, scope)
    (record,) = records(caplog)
    assert record.levelno == logging.INFO
    assert fields(record) == {**NOTHING, **expected, "request_id": state.request_id}
    assert parsed(record.getMessage()) == {
        name: value for name, value in fields(record).items() if value is not None
    }


async def test_a_request_that_nobody_is_asked_about_is_one_record(caplog: pytest.LogCaptureFixture) -> None:
    app = AuthMiddleware(Greeter(), authenticator=Saying(ALICE), exempt=["/healthz"])
    await exchange(app, {**get(), "path": "/healthz"})
    (record,) = records(caplog)
    assert fields(record).items() >= {**NOTHING, "decision": "exempt"}.items()


async def test_what_the_app_does_afterwards_is_no_second_decision(caplog: pytest.LogCaptureFixture) -> None:
    inside = Greeter(error=ValueError("later"))
    with pytest.raises(ValueError, match="later"):
        await exchange(AuthMiddleware(inside, authenticator=Saying(ALICE)), get())
    assert [fields(record)["decision"] for record in records(caplog)] == ["allowed"]


async def test_several_authenticators_make_one_decision(caplog: pytest.LogCaptureFixture) -> None:
    either = FirstOf(Saying(None), Saying(ForeignTokenError("Badge", "issuer")), Saying(ALICE))
    await exchange(AuthMiddleware(Greeter(), authenticator=either), get())
    assert [fields(record)["decision"] for record in records(caplog)] == ["allowed"]


async def test_the_lifespan_is_no_decision(caplog: pytest.LogCaptureFixture) -> None:
    await exchange(AuthMiddleware(Greeter(), authenticator=Saying(ALICE)), {"type": "lifespan"})
    assert records(caplog) == []


async def test_nothing_is_written_where_nobody_listens(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING, AUDIT)
    await exchange(AuthMiddleware(Greeter(), authenticator=Saying(ALICE)), get())
    assert records(caplog) == []


@settings(max_examples=60)
@given(st.text(min_size=1), st.text(min_size=1), st.none() | st.text(min_size=1))
def test_whatever_an_issuer_says_a_record_is_one_line_that_can_be_read_back(
    issuer: str, subject: str, tenant: str | None
) -> None:
    _, state = RequestState.seed(http_scope())
    state.principal = Principal(issuer=issuer, subject=subject, tenant=tenant)
    with heard() as listened:
        audit(state, "allowed")
    text = listened[0].getMessage()
    assert text.isprintable()
    assert parsed(text).items() >= {"issuer": issuer, "user_id": subject}.items()
    assert parsed(text).get("tenant") == tenant


# ------------------------------------------------------------------------------------------------ the credential


CANARY = "canary7731"
PROVIDER = LocalIdentityProvider(algorithm="Ed25519")


class Careless(AuthenticationBackend):
    """A backend that quotes what it was given wherever it can."""

    async def authenticate(self, conn: HTTPConnection) -> tuple[AuthCredentials, BaseUser] | None:
        if "x-careless" in conn.headers:
            raise AuthenticationError(str(conn.headers))
        raise ValueError(dict(conn.headers), conn.query_params, conn.cookies)


def marked(authorization: bytes, *headers: tuple[bytes, bytes]) -> Scope:
    """Return a scope that holds the canary wherever a client can put it."""
    scope = get(
        (b"authorization", authorization),
        (b"cookie", f"session={CANARY}; {CANARY}=1".encode()),
        (b"user-agent", CANARY.encode()),
        (b"origin", f"https://{CANARY}.example.com".encode()),
        (b"accept-language", CANARY.encode()),
        (b"x-request-id", CANARY.encode()),
        (f"x-{CANARY}".encode(), CANARY.encode()),
        *headers,
    )
    return {**scope, "query_string": f"token={CANARY}&{CANARY}=1".encode()}


def everything(caplog: pytest.LogCaptureFixture, wire: Wire) -> str:
    """Return all that was logged, with every attribute of every record, and the answer."""
    formatted = map(logging.Formatter().format, caplog.records)
    return "\n".join([*formatted, *(repr(record.__dict__) for record in caplog.records), repr(wire.sent)])


TOKENS = {
    "opaque, active": f"Bearer {CANARY}-good",
    "opaque, unknown": f"Bearer {CANARY}-bad",
    "opaque, for somebody else": f"Bearer {CANARY}-other",
    "not a token": f"Bearer {CANARY} {CANARY}",
    "another scheme": f"Basic {CANARY}",
    "signed, expired": f"Bearer {PROVIDER.token(CANARY, expires_in=-60, jti=CANARY)}",
    "signed, of another issuer": f"Bearer {PROVIDER.token(CANARY, iss=CANARY)}",
    "signed, forged": f"Bearer {PROVIDER.token(CANARY)[:-8]}{CANARY}",
    "signed, for somebody else": f"Bearer {PROVIDER.token(CANARY, aud=CANARY)}",
}


@pytest.mark.parametrize("accept", [b"*/*", b"text/event-stream"], ids=["plain", "streaming"])
@pytest.mark.parametrize("state", ["up", "down", "garbage", "slow"])
@pytest.mark.parametrize("authorization", TOKENS.values(), ids=TOKENS.keys())
async def test_nothing_of_a_credential_is_in_any_log_or_answer(
    authority: Authority,
    bearer: MakeBearer,
    caplog: pytest.LogCaptureFixture,
    authorization: str,
    state: str,
    accept: bytes,
) -> None:
    caplog.set_level(logging.DEBUG)
    authority.says = {f"{CANARY}-good": active(), f"{CANARY}-other": active(aud=CANARY, iss=CANARY)}
    authority.failure = {"down": Response(CANARY, 500), "garbage": Response(CANARY)}.get(state)
    if state == "slow":
        authority.gate = Gate()
    signed = JWTBearer(issuer=PROVIDER.issuer, audience=PROVIDER.audience, jwks=PROVIDER.jwks)
    app = AuthMiddleware(Greeter(), authenticator=FirstOf(signed, bearer(timeout=0.03)))
    wire = await Wire().request(app, marked(authorization.encode(), (b"accept", accept)))
    said = everything(caplog, wire)
    assert len(records(caplog)) == 1
    for secret in (CANARY, authorization.partition(" ")[2]):
        assert secret not in said


@pytest.mark.parametrize("headers", [(), ((b"x-careless", b"1"),)], ids=["failure", "refusal"])
async def test_what_a_careless_backend_quotes_stays_in(
    caplog: pytest.LogCaptureFixture, headers: tuple[tuple[bytes, bytes], ...]
) -> None:
    caplog.set_level(logging.DEBUG)
    app = AuthMiddleware(Greeter(), authenticator=Careless())
    wire = await Wire().request(app, marked(f"Bearer {CANARY}".encode(), *headers))
    assert CANARY not in everything(caplog, wire)
    assert len(records(caplog)) == 1
