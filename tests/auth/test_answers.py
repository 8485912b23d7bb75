"""What a caller is told who is not let in, and what is told when nobody could be asked."""

import asyncio
import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from starlette.exceptions import HTTPException
from starlette.requests import HTTPConnection

from chatkit_prod import Principal, RequestState
from chatkit_prod.auth import AuthMiddleware, JWTBearer
from chatkit_prod.errors import UnavailableError
from chatkit_prod.testing import LocalIdentityProvider
from tests.layers import Greeter, exchange, get, header_lines
from tests.servers import Gate, Wire, bounded

pytestmark = pytest.mark.anyio


class Saying:
    """An authenticator that always says the same.

    Args:
        outcome: Returned, or raised.
        challenge: Of a 401.
    """

    def __init__(self, outcome: Any, challenge: str = "Badge") -> None:
        self.challenge = challenge
        self._outcome = outcome

    async def authenticate(self, connection: HTTPConnection) -> Any:
        if isinstance(self._outcome, Exception):
            raise self._outcome
        return self._outcome


# ------------------------------------------------------------------------------------------------ failures


FAILURES: dict[str, tuple[Any, int, str]] = {
    "fails": (ConnectionError("what a client sent"), 500, "internal_error"),
    "unavailable": (UnavailableError("jwks"), 503, "temporarily_unavailable"),
    "upstream failed": (HTTPException(502, "what a client sent"), 500, "internal_error"),
}


@pytest.mark.parametrize(("error", "status", "code"), FAILURES.values(), ids=FAILURES.keys())
async def test_an_authenticator_that_fails_lets_nobody_in(
    caplog: pytest.LogCaptureFixture, error: Exception, status: int, code: str
) -> None:
    inside = Greeter()
    scope, state = RequestState.seed(get((b"x-badge", b"alice")))
    wire = await Wire().request(AuthMiddleware(inside, authenticator=Saying(error)), scope)
    assert (wire.status, wire.json["code"]) == (status, code)
    assert wire.headers.get("retry-after") == ("10" if status == 503 else None)
    assert (state.outcome, state.error_type) == ("error", type(error).__name__)
    assert inside.scopes == []
    assert (state.request_id in caplog.text) == (status == 500)  # a 503 was logged by whoever asked in vain
    assert "what a client sent" not in caplog.text


@pytest.mark.parametrize(("error", "status", "code"), FAILURES.values(), ids=FAILURES.keys())
async def test_a_streaming_request_gets_no_5xx_because_the_client_would_send_it_six_times(
    error: Exception, status: int, code: str
) -> None:
    inside = Greeter()
    scope, state = RequestState.seed(get((b"accept", b"text/event-stream")))
    wire = await Wire().request(AuthMiddleware(inside, authenticator=Saying(error)), scope)
    assert wire.status == 200
    assert wire.headers["content-type"] == "text/event-stream; charset=utf-8"
    assert wire.events == [{"type": "error", "code": "stream.error", "allow_retry": True}]
    assert wire.ended
    assert (state.outcome, state.error_type) == ("error", type(error).__name__)
    assert inside.scopes == []


@pytest.mark.parametrize("answer", [True, "alice", {"subject": "alice"}, Principal], ids=repr)
async def test_what_is_not_a_principal_lets_nobody_in(caplog: pytest.LogCaptureFixture, answer: Any) -> None:
    inside = Greeter()
    wire = await Wire().request(AuthMiddleware(inside, authenticator=Saying(answer)), get())
    assert wire.status == 500
    assert inside.scopes == []
    assert "Saying must return Principal or None" in caplog.text


@bounded
async def test_who_goes_away_before_the_decision_is_not_let_in() -> None:
    gate, inside = Gate(), Greeter()

    class Slow(Saying):
        async def authenticate(self, connection: HTTPConnection) -> Any:
            await gate()

    asking = asyncio.create_task(exchange(AuthMiddleware(inside, authenticator=Slow(None)), get()))
    await gate.reached.wait()
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking
    assert inside.scopes == []


# ------------------------------------------------------------------------------------------------ RFC 6750


PROVIDER = LocalIdentityProvider(algorithm="Ed25519")
GOOD, BAD = (f"Bearer {PROVIDER.token('alice', expires_in=seconds)}".encode() for seconds in (3600, -3600))
REALM = 'Bearer realm="chatkit"'

ANSWERS: dict[str, tuple[tuple[bytes, ...], int, str, str]] = {
    "no credentials": ((), 401, REALM, "authentication_required"),
    "another scheme": ((b"Basic YTpi",), 401, REALM, "authentication_required"),
    "two": ((GOOD, GOOD), 400, f'{REALM}, error="invalid_request"', "invalid_request"),
    "expired": ((BAD,), 401, f'{REALM}, error="invalid_token"', "invalid_token"),
    "malformed": ((b"Bearer x",), 401, f'{REALM}, error="invalid_token"', "invalid_token"),
    "no scope": (
        (GOOD,),
        403,
        f'{REALM}, error="insufficient_scope", scope="read write"',
        "insufficient_scope",
    ),
}


@pytest.mark.parametrize(("sent", "status", "challenge", "code"), ANSWERS.values(), ids=ANSWERS.keys())
@pytest.mark.parametrize("accept", [b"*/*", b"text/event-stream"], ids=["plain", "streaming"])
async def test_a_bearer_is_answered_as_the_rfc_says(
    sent: tuple[bytes, ...], status: int, challenge: str, code: str, accept: bytes
) -> None:
    inside = Greeter()
    bearer = JWTBearer(
        issuer=PROVIDER.issuer,
        audience=PROVIDER.audience,
        jwks=PROVIDER.jwks,
        required_scopes=["write", "read"],
    )
    headers = ((b"authorization", value) for value in sent)
    app = AuthMiddleware(inside, authenticator=bearer)
    messages = await exchange(app, get((b"accept", accept), *headers))
    assert messages[0]["status"] == status
    assert header_lines(messages, b"www-authenticate") == [challenge.encode()]
    assert json.loads(messages[1]["body"])["code"] == code
    assert inside.scopes == []


SCOPES = st.sets(st.sampled_from(["read", "write", "admin"]))


@settings(max_examples=50)
@given(SCOPES, SCOPES)
async def test_who_lacks_one_of_the_demanded_scopes_is_forbidden(needed: set[str], held: set[str]) -> None:
    inside = Greeter()
    authenticator = Saying(Principal(issuer="badge", subject="alice", scopes=frozenset(held)))
    app = AuthMiddleware(inside, authenticator=authenticator, required_scopes=list(needed))
    wire = await Wire().request(app, get())
    assert wire.status == (200 if needed <= held else 403)
    assert len(inside.scopes) == (needed <= held)
    if not inside.scopes:
        scope = " ".join(sorted(needed))
        assert wire.headers["www-authenticate"] == f'Badge error="insufficient_scope", scope="{scope}"'


@settings(max_examples=50)
@given(st.text(min_size=1))
async def test_whatever_challenge_an_app_has_the_answer_is_a_401(challenge: str) -> None:
    app = AuthMiddleware(Greeter(), authenticator=Saying(None, challenge))
    messages = await exchange(app, get())
    assert messages[0]["status"] == 401
    (line,) = header_lines(messages, b"www-authenticate")
    assert line.isascii()
    assert line.decode().isprintable()
