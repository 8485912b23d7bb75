"""One issuer is asked about each token once at a time, and nothing but its answer is an answer."""

import asyncio
import gzip
import json
import logging
from collections.abc import AsyncGenerator, Mapping
from contextlib import AsyncExitStack
from typing import Any
from urllib.parse import quote_plus

import pytest
from starlette.responses import JSONResponse, RedirectResponse, Response

from chatkit_prod import ConfigurationError
from chatkit_prod.auth.introspection import Introspection
from chatkit_prod.errors import UnavailableError
from tests.auth.authority import CLIENT, Authority, active, pouring, speaking
from tests.path.servers import listening
from tests.servers import Gate, bounded

pytestmark = pytest.mark.anyio

SPECIAL = ("https://chatkit.example.com", "a:b+c d%41&e=f/é😀~")
ACTIVE = json.dumps(active()).encode()
ANSWER = b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\nconnection: close\r\n\r\n%s" % (len(ACTIVE), ACTIVE)


def introspection(url: str, **options: Any) -> Introspection:
    defaults: dict[str, Any] = {
        "client_id": CLIENT[0],
        "client_secret": CLIENT[1],
        "auth_method": "client_secret_basic",
        "timeout": 5.0,
    }
    return Introspection(url=url, **{**defaults, **options})


def local(port: int) -> str:
    return f"http://127.0.0.1:{port}/introspect"


async def ask(asked: Introspection, token: str = "t1") -> Mapping[str, Any]:
    claims, _ = await asked.ask(token.encode(), token.encode(), 0.0)
    return claims


@pytest.fixture
async def asked(authority: Authority) -> AsyncGenerator[Introspection]:
    made = introspection(authority.url)
    yield made
    await made.aclose()


# ------------------------------------------------------------------------------------------------ the connections


class Crowd(Gate):
    """Counts who is held up.

    Args:
        size: How many have to be there for the gate to be reached.
    """

    def __init__(self, size: int) -> None:
        super().__init__()
        self._size = size
        self.inside = self.most = 0

    async def __call__(self) -> None:
        self.inside += 1
        self.most = max(self.most, self.inside)
        if self.inside == self._size:
            self.reached.set()
        await self.opened.wait()
        self.inside -= 1


@bounded
async def test_no_more_than_twenty_questions_are_asked_at_once(
    authority: Authority, asked: Introspection
) -> None:
    authority.gate = crowd = Crowd(20)
    asking = [asyncio.create_task(ask(asked, f"t{number}")) for number in range(60)]
    await crowd.reached.wait()
    await ask_nobody()
    crowd.opened.set()
    await asyncio.gather(*asking)
    assert (crowd.most, len(authority.questions)) == (20, 60)


async def ask_nobody() -> None:
    """Take as long as a question takes, so that one that is under way arrives."""
    async with speaking(ANSWER) as port:
        other = introspection(local(port))
        await ask(other)
        await other.aclose()


def test_the_connections_of_an_event_loop_that_is_closed_are_forgotten() -> None:
    made = introspection(local(1))

    async def connect() -> None:
        made._peer()

    for _ in range(3):
        asyncio.run(connect())
    assert len(made._peers) == 1


# ------------------------------------------------------------------------------------------------ the question


async def test_a_question_is_a_form_that_asks_for_json(authority: Authority, asked: Introspection) -> None:
    authority.says["a~b+c/d=="] = active(sub="bob")
    assert await ask(asked, "a~b+c/d==") == active(sub="bob")
    (question,) = authority.questions
    assert question.form == {"token": "a~b+c/d==", "token_type_hint": "access_token"}
    assert question.accept == "application/json"


@pytest.mark.parametrize("client", [CLIENT, SPECIAL], ids=["plain", "special characters"])
async def test_in_the_header_id_and_secret_are_form_encoded(
    authority: Authority, client: tuple[str, str]
) -> None:
    """RFC 6749 §2.3.1: without the encoding, a colon in the id would move into the secret."""
    asked = introspection(authority.url, client_id=client[0], client_secret=client[1])
    await ask(asked)
    await asked.aclose()
    (question,) = authority.questions
    assert question.basic == (quote_plus(client[0]), quote_plus(client[1]))
    assert question.form.keys() == {"token", "token_type_hint"}


@pytest.mark.parametrize("client", [CLIENT, SPECIAL], ids=["plain", "special characters"])
async def test_in_the_body_id_and_secret_are_members_of_the_form(
    authority: Authority, client: tuple[str, str]
) -> None:
    options = {"client_id": client[0], "client_secret": client[1], "auth_method": "client_secret_post"}
    asked = introspection(authority.url, **options)
    await ask(asked)
    await asked.aclose()
    (question,) = authority.questions
    assert question.basic is None
    assert (question.form["client_id"], question.form["client_secret"]) == client
    assert question.form["token"] == "t1"


# ------------------------------------------------------------------------------------------------ at one time


@bounded
async def test_a_hundred_who_ask_about_one_token_at_once_are_one_question(authority: Authority) -> None:
    authority.says["t1"] = active()
    authority.gate = Gate()
    asked = introspection(authority.url)
    waiting = [asyncio.create_task(ask(asked)) for _ in range(100)]
    await authority.gate.reached.wait()
    authority.gate.opened.set()
    assert await asyncio.gather(*waiting) == [active()] * 100
    assert authority.asked == ["t1"]
    await asked.aclose()


@bounded
async def test_answers_about_different_tokens_are_not_mixed_up(
    authority: Authority, asked: Introspection
) -> None:
    tokens = [f"t{number}" for number in range(60)]
    authority.says = {token: active(sub=token) for token in tokens}
    answers = await asyncio.gather(*(ask(asked, token) for token in tokens))
    assert [answer["sub"] for answer in answers] == tokens
    assert sorted(authority.asked) == sorted(tokens)


async def test_who_asks_later_is_a_new_question(authority: Authority, asked: Introspection) -> None:
    authority.says["t1"] = active()
    assert (await ask(asked))["active"] is True
    del authority.says["t1"]
    assert (await ask(asked))["active"] is False
    assert authority.asked == ["t1", "t1"]


@bounded
@pytest.mark.parametrize("gone", [0, 1], ids=["the first", "the second"])
async def test_one_who_goes_away_does_not_take_the_answer_from_the_others(
    authority: Authority, asked: Introspection, gone: int
) -> None:
    authority.says["t1"] = active()
    authority.gate = Gate()
    waiting = [asyncio.create_task(ask(asked)) for _ in range(3)]
    await authority.gate.reached.wait()
    waiting.pop(gone).cancel()
    authority.gate.opened.set()
    assert await asyncio.gather(*waiting) == [active()] * 2
    assert authority.asked == ["t1"]


@bounded
async def test_all_who_wait_hear_that_there_is_no_answer_and_the_next_asks_again(
    authority: Authority, asked: Introspection
) -> None:
    authority.says["t1"] = active()
    authority.failure = Response(status_code=500)
    outcomes = await asyncio.gather(*(ask(asked) for _ in range(10)), return_exceptions=True)
    assert [type(outcome) for outcome in outcomes] == [UnavailableError] * 10
    assert authority.asked == ["t1"]
    authority.failure = None
    assert await ask(asked) == active()


# ------------------------------------------------------------------------------------------------ no answer


UNSUPPORTED = {"error": "unsupported_token_type", "active": True}


async def test_a_token_of_a_type_that_the_issuer_does_not_look_at_is_not_active(
    authority: Authority, asked: Introspection
) -> None:
    authority.failure = JSONResponse(UNSUPPORTED, status_code=400)
    assert await ask(asked) == {"active": False}


NO_ANSWER: dict[str, tuple[Response, str]] = {
    "refuses the question": (JSONResponse({"error": "invalid_request"}, status_code=400), "status 400"),
    "refuses without a word": (Response(status_code=400), "JSONDecodeError"),
    "does not know us, nor the type": (JSONResponse(UNSUPPORTED, status_code=401), "status 401"),
    "refuses this service": (Response(status_code=401), "status 401"),
    "failed": (JSONResponse(active(), status_code=500), "status 500"),
    "created": (JSONResponse(active(), status_code=201), "status 201"),
    "empty": (Response(status_code=204), "status 204"),
    "redirect": (RedirectResponse("http://127.0.0.1:1/"), "status 307"),
    "too large": (JSONResponse(active(more="m" * 65536)), "more than 65536 bytes"),
    "too large when unpacked": (
        Response(
            gzip.compress(json.dumps(active(more="m" * 65536)).encode()), headers={"content-encoding": "gzip"}
        ),
        "a compressed answer",
    ),
    "not packed as it says": (
        Response(ACTIVE, headers={"content-encoding": "gzip"}),
        "a compressed answer",
    ),
    "no JSON": (Response("<p>active"), "JSONDecodeError"),
    "no UTF-8": (Response(b'{"active": true, "sub": "\xff"}'), "UnicodeDecodeError"),
    "a list": (JSONResponse([active()]), "ValueError"),
    "true": (JSONResponse(content=True), "ValueError"),
    "a member twice": (Response('{"active": false, "active": true}'), "ValueError"),
    "too deep": (Response('{"active":' + "[" * 20_000), "ValueError"),
}


@pytest.mark.parametrize(("failure", "cause"), NO_ANSWER.values(), ids=NO_ANSWER.keys())
async def test_what_is_no_answer_is_logged_and_lets_nobody_in(
    authority: Authority,
    asked: Introspection,
    caplog: pytest.LogCaptureFixture,
    failure: Response,
    cause: str,
) -> None:
    authority.failure = failure
    with pytest.raises(UnavailableError) as caught:
        await ask(asked)
    assert caught.value.reason == "introspection"
    records = [record for record in caplog.records if record.name == "chatkit_prod"]
    assert [record.getMessage() for record in records] == [f"{authority.url} could not be asked: {cause}"]
    assert authority.asked == ["t1"]


WIRE: dict[str, bytes] = {
    "hangs up": b"",
    "cut short": ANSWER[:-1],
    "another protocol": b"220 mail.example.com ESMTP\r\n",
    "head without an end": b"HTTP/1.1 200 OK\r\nx: " + b"x" * 200_000,
}


@bounded
@pytest.mark.parametrize("answer", WIRE.values(), ids=WIRE.keys())
async def test_an_issuer_that_does_not_speak_http_lets_nobody_in(answer: bytes) -> None:
    async with speaking(answer) as port, AsyncExitStack() as stack:
        asked = introspection(local(port))
        stack.push_async_callback(asked.aclose)
        with pytest.raises(UnavailableError):
            await ask(asked)


@bounded
async def test_an_answer_without_an_end_is_read_up_to_the_limit_and_no_further(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with pouring() as (port, gone), AsyncExitStack() as stack:
        asked = introspection(local(port), timeout=60.0)
        stack.push_async_callback(asked.aclose)
        with pytest.raises(UnavailableError):
            await ask(asked)
        assert caplog.messages == [f"{local(port)} could not be asked: more than 65536 bytes"]
        await gone.wait()


async def test_an_answer_may_be_as_large_as_the_limit(authority: Authority, asked: Introspection) -> None:
    authority.failure = Response(ACTIVE + b" " * (65536 - len(ACTIVE)))
    assert await ask(asked) == active()


@bounded
async def test_an_issuer_that_is_down_lets_nobody_in_until_it_is_back() -> None:
    with listening() as (_, port):
        pass
    asked = introspection(local(port))
    with pytest.raises(UnavailableError):
        await ask(asked)
    async with speaking(ANSWER, port):
        assert await ask(asked) == active()
    with pytest.raises(UnavailableError):
        await ask(asked)
    await asked.aclose()


@bounded
async def test_an_issuer_that_is_too_slow_lets_nobody_in(
    authority: Authority, caplog: pytest.LogCaptureFixture
) -> None:
    authority.says["t1"] = active()
    authority.gate = Gate()
    asked = introspection(authority.url, timeout=0.05)
    with pytest.raises(UnavailableError):
        await ask(asked)
    assert caplog.messages[-1].endswith("could not be asked: TimeoutError")
    await asked.aclose()


# ------------------------------------------------------------------------------------------------ the end


async def test_closing_twice_or_before_the_first_question_does_no_harm() -> None:
    asked = introspection("https://idp.example.com/introspect")
    await asked.aclose()
    await asked.aclose()


async def test_who_asks_after_the_end_opens_a_new_connection(
    authority: Authority, asked: Introspection
) -> None:
    authority.says["t1"] = active()
    await ask(asked)
    await asked.aclose()
    assert await ask(asked) == active()


def test_one_authenticator_serves_one_event_loop_after_another() -> None:
    async def run(asked: Introspection) -> Mapping[str, Any]:
        async with speaking(ANSWER, port):
            return await ask(asked)

    with listening() as (_, port):
        pass
    asked = introspection(local(port))
    assert [asyncio.run(run(asked)) for _ in range(2)] == [active()] * 2


@bounded
async def test_a_question_of_another_event_loop_is_not_waited_for(authority: Authority) -> None:
    authority.says["t1"] = active()
    authority.gate = first = Gate()
    asked = introspection(authority.url)

    async def ask_and_close() -> Mapping[str, Any]:
        answer = await ask(asked)
        await asked.aclose()
        return answer

    here = asyncio.create_task(ask_and_close())
    await first.reached.wait()
    authority.gate = second = Gate()
    elsewhere = asyncio.create_task(asyncio.to_thread(asyncio.run, ask_and_close()))
    await second.reached.wait()
    first.opened.set()
    second.opened.set()
    assert [await here, await elsewhere] == [active()] * 2
    assert authority.asked == ["t1", "t1"]


# ------------------------------------------------------------------------------------------------ options


@pytest.mark.parametrize(
    "options",
    [
        {"url": "http://idp.example.com/introspect"},
        {"url": "ftp://localhost/introspect"},
        {"url": "https://user:password@idp.example.com/"},
        {"url": ""},
        {"url": None},
        {"client_id": ""},
        {"client_secret": ""},
        {"auth_method": "none"},
        {"auth_method": "private_key_jwt"},
        {"timeout": 0},
        {"timeout": -1},
        {"timeout": float("inf")},
        {"timeout": float("nan")},
    ],
    ids=lambda options: "-".join(f"{name}={value}" for name, value in options.items()),
)
def test_an_option_that_cannot_work_is_refused_at_construction(options: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError) as caught:
        introspection(**{"url": "https://idp.example.com/introspect", **options})
    assert CLIENT[1] not in str(caught.value)


def test_the_secret_is_not_shown(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    asked = introspection("https://idp.example.com/introspect")
    assert CLIENT[1] not in repr(asked)
    assert caplog.records == []
