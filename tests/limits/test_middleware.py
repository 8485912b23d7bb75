"""What is beyond a caller's share goes no further, and the caller is told when to come back."""

import asyncio
import logging
import socket
import sys
import time
from typing import Any, cast

import pytest

from chatkit_prod import ChatKitEndpoint, ConfigurationError
from chatkit_prod.asgi import Receive, Scope, Send
from chatkit_prod.limits import LimitsMiddleware, Rules
from chatkit_prod.locale import LocaleMiddleware
from chatkit_prod.pii import PIIMiddleware
from chatkit_prod.testing import one_of_each
from chatkit_prod.usage import add_tokens
from tests.layers import exchange
from tests.limits.apps import LIST, MESSAGE, STREAM, Inside, ask, close, limited, passes, user
from tests.limits.fake_redis import FakeRedis, fake_redis, url_of
from tests.pii.fakes import FakeScrubber
from tests.servers import JSON, Gate, ScriptedServer, bounded, hello, http_scope
from tests.tracing.recording import Recorder

pytestmark = pytest.mark.anyio

ONE = Rules(requests="1/minute")


# ------------------------------------------------------------------------------------------------ refusals


async def test_a_plain_request_over_its_limit_gets_a_429_that_says_when_to_come_back() -> None:
    app = LimitsMiddleware(Inside(), rules=ONE)
    await ask(app)
    got = await ask(app)
    assert got.status == 429
    assert got.headers["content-type"] == "application/problem+json"
    assert got.headers["retry-after"] == "60"
    assert got.json["code"] == "rate_limited"
    assert got.json["title"] == "Too Many Requests"
    assert got.json["limit"] == "requests"
    assert got.json["message"] == "You are sending messages too quickly. Try again in 60 seconds."
    assert got.state.outcome == "refused"


async def test_a_stream_over_its_limit_gets_an_event_in_the_users_language() -> None:
    limits = LimitsMiddleware(Inside(), rules=Rules(messages="1/day"))
    app = LocaleMiddleware(limits, supported=["en", "fr"])
    scope = http_scope(headers=[*JSON, (b"accept-language", b"fr")])
    await ask(app, MESSAGE, scope=scope)
    got = await ask(app, MESSAGE, scope=scope)
    assert (got.event["type"], got.event["code"], got.event["allow_retry"]) == ("error", "custom", False)
    assert got.event["message"].endswith("dans 24 heures.")
    assert got.headers["content-length"] == str(len(got.body))
    assert "retry-after" not in got.headers
    assert got.state.outcome == "refused"


async def test_for_a_short_wait_the_client_may_offer_to_try_again() -> None:
    app = LimitsMiddleware(Inside(), rules=ONE)
    await ask(app, STREAM)
    assert (await ask(app, STREAM)).event["allow_retry"] is True


async def test_nobody_can_say_when_a_stream_ends() -> None:
    hold = asyncio.Event()
    inside = Inside(cast("Any", hold.wait))
    app = LimitsMiddleware(inside, rules=Rules(streams=1))
    first = asyncio.create_task(ask(app, STREAM))
    await asyncio.sleep(0)
    got = await ask(app, STREAM)
    hold.set()
    assert (await first).passed
    assert got.event == {
        "type": "error",
        "code": "custom",
        "message": "There are too many requests right now. Try again in a moment.",
        "allow_retry": True,
    }


@pytest.mark.parametrize("name", one_of_each())
async def test_no_refusal_of_a_stream_is_a_4xx_or_5xx_and_none_of_another_is_a_200(name: str) -> None:
    app = LimitsMiddleware(Inside(), rules=ONE)
    body = one_of_each()[name]
    assert (await ask(app, body)).passed
    got = await ask(app, body)
    streaming = got.headers["content-type"].startswith("text/event-stream")
    assert got.status == (200 if streaming else 429)
    assert streaming == (name.startswith("threads.") and name.split(".")[1] in STREAMING)


STREAMING = {
    "create",
    "add_user_message",
    "add_client_tool_output",
    "add_structured_input",
    "retry_after_item",
    "custom_action",
}


@pytest.mark.parametrize(
    ("body", "headers", "status"),
    [
        (b"{}", JSON, 400),
        (MESSAGE, ((b"content-type", b"text/plain"),), 415),
        (MESSAGE + b" " * 1000, JSON, 413),
    ],
    ids=["no type", "no JSON", "too large"],
)
async def test_what_cannot_be_told_goes_no_further(body: bytes, headers: Any, status: int) -> None:
    inside = Inside()
    app = LimitsMiddleware(inside, rules=ONE, max_body_bytes=900)
    assert (await ask(app, body, scope=http_scope(headers=headers))).status == status
    assert inside.bodies == []


async def test_the_app_gets_the_body_as_it_came() -> None:
    inside = Inside()
    app = LimitsMiddleware(inside, rules=ONE)
    await ask(app, MESSAGE)
    assert inside.bodies == [MESSAGE]


async def test_a_request_without_a_body_counts_as_a_request() -> None:
    app = LimitsMiddleware(Inside(), rules=ONE)
    got = [(await ask(app, b"", scope=http_scope(method="GET", headers=()))).status for _ in range(2)]
    assert got == [200, 429]


async def test_a_client_that_goes_away_before_its_body_is_complete_is_no_request() -> None:
    inside = Inside()
    app = LimitsMiddleware(inside, rules=ONE)
    assert await exchange(app, http_scope(), {"type": "http.disconnect"}) == []
    assert await passes(app)


# ------------------------------------------------------------------------------------------------ fields


async def test_every_answer_says_what_there_is_and_what_is_left() -> None:
    app = LimitsMiddleware(
        Inside(), rules=Rules(requests="2/second; 3/minute", messages="5/day", tokens="9/day")
    )
    got = await ask(app, MESSAGE)
    assert got.headers["ratelimit-policy"] == (
        '"requests-1";q=2;w=1, "requests-60";q=3;w=60, "tokens";q=9;qu="tokens";w=86400, "messages";q=5;w=86400'
    )
    assert got.headers["ratelimit"] == (
        '"requests-1";r=1;t=1, "requests-60";r=2;t=60, "tokens";r=9;t=86400, "messages";r=4;t=86400'
    )
    assert (await ask(app)).headers["ratelimit"] == '"requests-1";r=0;t=1, "requests-60";r=1;t=60'
    refused = await ask(app)
    assert refused.headers["ratelimit"] == '"requests-1";r=0;t=1'
    assert refused.headers["retry-after"] == "1"


async def test_what_a_tenant_has_left_is_not_said() -> None:
    app = LimitsMiddleware(Inside(), rules=Rules(tenant_requests="1/minute"))
    first, second = [await ask(app, LIST, user("a", "t")) for _ in range(2)]
    assert not {"ratelimit", "ratelimit-policy"} & (first.headers.keys() | second.headers.keys())
    assert (second.status, second.headers["retry-after"]) == (429, "60")


# ------------------------------------------------------------------------------------------------ records


async def test_a_refusal_is_counted_by_rule_and_never_with_a_user(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO)
    recorder = Recorder()
    app = LimitsMiddleware(Inside(), rules=ONE, meter_provider=recorder.meters)
    who = user("canary_user", "canary_tenant")
    got = [await ask(app, LIST, who) for _ in range(3)]
    (first, second) = caplog.records
    assert cast("Any", second).chatkit == {
        "decision": "refused",
        "status": 429,
        "code": "rate_limited",
        "reason": "limit of requests",
        "request_id": got[2].state.request_id,
    }
    assert first.name == "chatkit_prod.audit"
    assert "canary" not in caplog.text
    ((attributes, point),) = recorder.points("chatkit.limits.refused")
    assert (attributes, point.value) == ({"chatkit.limits.rule": "requests"}, 2)


async def test_nothing_is_recorded_that_nobody_reads(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING, "chatkit_prod.audit")
    app = LimitsMiddleware(Inside(), rules=ONE)
    for _ in range(2):
        await ask(app)
    assert caplog.records == []


async def test_a_meter_that_fails_does_not_fail_the_request() -> None:
    class Failing:
        def add(self, *_: object) -> None:
            raise RuntimeError

    app = LimitsMiddleware(Inside(), rules=ONE)
    app._refusals._refused = cast("Any", Failing())
    assert [(await ask(app)).status for _ in range(2)] == [200, 429]


# ------------------------------------------------------------------------------------------------ tokens and slots


async def test_tokens_are_counted_only_where_a_rule_asks_for_them() -> None:
    inside = Inside()
    await ask(LimitsMiddleware(inside, rules=ONE), STREAM)
    await ask(LimitsMiddleware(inside, rules=Rules(tokens="1/day")), STREAM)
    assert [state.usage is None for state in inside.states] == [True, False]


@bounded
async def test_a_slot_is_free_when_messages_are_used_up() -> None:
    app = LimitsMiddleware(Inside(), rules=Rules(streams=1, messages="1/day"))
    assert [await passes(app, MESSAGE) for _ in range(3)] == [True, False, False]
    assert await passes(app, STREAM)
    assert cast("Any", app)._backend.taken() == 0


# ------------------------------------------------------------------------------------------------ the loss of Redis


ALL = Rules(requests="9/hour", tenant_requests="9/hour", streams=1, messages="9/day", tokens="9/day")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@bounded
@pytest.mark.parametrize("body", [LIST, MESSAGE], ids=["plain", "stream"])
async def test_closed_refuses_while_redis_is_gone_and_never_with_a_5xx_for_a_stream(body: bytes) -> None:
    storage = f"redis://127.0.0.1:{free_port()}"
    async with limited(ALL, storage=storage) as app:
        for _ in range(2):
            got = await ask(app, body, user("a", "t"))
            if body is LIST:
                assert (got.status, got.headers["retry-after"], got.json["code"]) == (
                    503,
                    "2",
                    "temporarily_unavailable",
                )
            else:
                assert got.event["code"] == "stream.error"
        assert app.app.bodies == []  # type: ignore[attr-defined]


@bounded
async def test_open_lets_requests_through_uncounted_and_counts_again_by_itself(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("chatkit_prod.limits.breaker._PAUSE", 0.05)
    redis = FakeRedis()
    await redis.start()
    port = redis.port

    async def spend() -> None:
        add_tokens(1)

    async with limited(ONE, Inside(spend), storage=url_of(redis), on_storage_error="open") as app:
        assert [await passes(app) for _ in range(2)] == [True, False]
        await redis.stop()
        assert [await passes(app) for _ in range(5)] == [True] * 5
        await redis.start(port)
        async with asyncio.timeout(5):
            while "ratelimit" not in (await ask(app, LIST, user("probe"))).headers:  # noqa: ASYNC110 - nobody tells
                await asyncio.sleep(0.01)
        assert [await passes(app) for _ in range(2)] == [True, False]
    assert [record.levelno for record in caplog.records] == [logging.ERROR, logging.WARNING]
    await redis.stop()


@bounded
async def test_redis_that_goes_away_while_a_stream_runs_does_not_harm_it() -> None:
    async with fake_redis() as redis:
        port = redis.port

        async def lose() -> None:
            add_tokens(5)
            await redis.stop()
            await asyncio.sleep(0.15)  # longer than it takes to renew
            await redis.start(port)

        async with limited(ALL, Inside(lose), storage=url_of(redis), slot_lease=0.3) as app:
            assert await passes(app, MESSAGE)


@bounded
async def test_a_slot_that_nobody_can_give_is_a_refusal_as_well() -> None:
    async with limited(Rules(streams=1), storage=f"redis://127.0.0.1:{free_port()}") as app:
        assert (await ask(app, STREAM)).event["code"] == "stream.error"


@bounded
async def test_a_redis_that_hangs_is_waited_for_once_a_second() -> None:
    async with fake_redis() as redis:
        options: dict[str, Any] = {
            "storage": url_of(redis),
            "on_storage_error": "open",
            "storage_timeout": 0.1,
        }
        async with limited(ALL, **options) as app:
            redis.mute = True
            started = time.monotonic()
            assert all([await passes(app, MESSAGE) for _ in range(5)])
            assert time.monotonic() - started < 0.8


@bounded
async def test_a_slot_is_renewed_while_its_stream_runs_and_given_back_when_the_app_stops() -> None:
    gate = Gate()
    async with fake_redis() as redis:
        slots = redis.slots
        async with limited(Rules(streams=1), Inside(gate), storage=url_of(redis), slot_lease=0.15) as app:
            stream = asyncio.create_task(ask(app, STREAM, user()))
            await gate.reached.wait()
            await asyncio.sleep(0.4)
            assert not await passes(app, STREAM)
        assert [len(held) for held in slots.values()] == [0]
        gate.opened.set()
        assert (await stream).passed


@bounded
async def test_a_steady_request_asks_redis_once_a_rule() -> None:
    async with fake_redis() as redis, limited(ALL, storage=url_of(redis)) as app:
        for _ in range(2):
            redis.commands.clear()
            assert await passes(app, MESSAGE, user("a", "t"))
        assert redis.commands == ["EVALSHA", "EVALSHA", "GET", "EVALSHA", "EVALSHA", "ZREM"]


# ------------------------------------------------------------------------------------------------ its place


async def test_a_lifespan_is_the_apps_and_other_protocols_pass() -> None:
    seen: list[str] = []

    async def app(scope: Scope, _receive: Receive, _send: Send) -> None:
        seen.append(scope["type"])

    layer = LimitsMiddleware(app, rules=ONE)
    await close(layer)
    await exchange(layer, {"type": "websocket"})
    assert seen == ["lifespan", "websocket"]


async def test_it_stands_between_language_and_personal_data() -> None:
    endpoint = ChatKitEndpoint(ScriptedServer(hello))
    LocaleMiddleware(
        LimitsMiddleware(PIIMiddleware(endpoint, scrubber=FakeScrubber()), rules=ONE), supported=["en"]
    )
    with pytest.raises(ConfigurationError):
        PIIMiddleware(LimitsMiddleware(endpoint, rules=ONE), scrubber=FakeScrubber())
    with pytest.raises(ConfigurationError):
        LimitsMiddleware(LocaleMiddleware(endpoint, supported=["en"]), rules=ONE)
    with pytest.raises(ConfigurationError):
        LimitsMiddleware(LimitsMiddleware(endpoint, rules=ONE), rules=ONE)


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"rules": {"requests": "1/minute"}}, "rules must be Rules"),
        ({"storage": "redis"}, "storage must be"),
        ({"storage": "memcached://localhost"}, "storage must be"),
        ({"storage": None}, "storage must be"),
        ({"storage": "redis://localhost:port"}, "no URL of a Redis"),
        ({"on_storage_error": "ajar"}, "open or closed"),
        ({"storage_timeout": 0}, "storage_timeout must be"),
        ({"slot_lease": -1}, "slot_lease must be"),
        ({"max_body_bytes": 0}, "max_body_bytes must be"),
    ],
)
def test_a_wrong_option_is_refused(options: dict[str, Any], says: str) -> None:
    given: dict[str, Any] = {"rules": ONE, **options}
    with pytest.raises(ConfigurationError, match=says):
        LimitsMiddleware(Inside(), **given)


def test_a_url_with_a_password_is_in_no_error() -> None:
    with pytest.raises(ConfigurationError) as caught:
        LimitsMiddleware(Inside(), rules=ONE, storage="redis://:" + "canary" + "@localhost:port")
    assert "canary" not in str(caught.value)


def test_without_the_client_of_redis_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "chatkit_prod.limits.redis", None)
    with pytest.raises(ConfigurationError, match=r"chatkit-prod\[limits\]"):
        LimitsMiddleware(Inside(), rules=ONE, storage="redis://localhost")
