"""What comes in and what goes out of an app has no personal data in it, or does not come or go."""

import asyncio
import json
from collections.abc import Callable
from time import thread_time
from typing import Any

import anyio
import pytest
from chatkit.errors import CustomStreamError
from opentelemetry import metrics
from opentelemetry.metrics import MeterProvider

from chatkit_prod import ChatKitEndpoint, ConfigurationError, RequestState
from chatkit_prod.asgi import ASGIApp, Message, Receive, Scope, Send
from chatkit_prod.pii.cleaning import SLICE
from chatkit_prod.pii.middleware import PIIMiddleware
from chatkit_prod.sse import encode
from chatkit_prod.testing import MemoryStore, chatkit_request, one_of_each
from tests.layers import Greeter, exchange
from tests.pii.fakes import (
    JSON,
    SSE,
    WORD,
    Client,
    FakeScrubber,
    Saying,
    answering,
    event,
    item_event,
    message_item,
    part,
    said,
    streaming,
    text_delta,
)
from tests.servers import (
    FullServer,
    bounded,
    delta,
    every_request,
    furnish,
    hello,
    http_scope,
    typed,
)
from tests.tracing.recording import Recorder

pytestmark = pytest.mark.anyio

ACCEPTS_EVENTS = http_scope(headers=[JSON, (b"accept", b"text/event-stream")])


def scrubbing(app: ASGIApp, **options: Any) -> PIIMiddleware:
    given: dict[str, Any] = {"scrubber": FakeScrubber(), **options}
    return PIIMiddleware(app, **given)


def with_headers(*headers: tuple[bytes, bytes], method: str = "POST") -> Scope:
    return http_scope(method=method, headers=headers)


# ------------------------------------------------------------------------------------------------ requests


@pytest.mark.parametrize("name", one_of_each())
async def test_a_request_of_every_type_reaches_the_app_without_the_word(name: str) -> None:
    body = one_of_each(text=f"Hello {WORD}!")[name]
    inside = Saying([])
    scope = with_headers(JSON, (b"content-length", str(len(body)).encode()))
    await said(scrubbing(inside), body, scope)
    length = dict(inside.scopes[0]["headers"])[b"content-length"]
    assert int(length) == len(inside.body)
    assert json.loads(inside.body) == json.loads(body.replace(WORD.encode(), b"[]"))
    if WORD.encode() not in body:
        assert inside.body == body


@pytest.mark.parametrize("requests", ["redact", "reject"])
async def test_a_request_without_a_finding_is_passed_on_as_it_was_written(requests: str) -> None:
    body = b' {"type" : "threads.update", "params": {"thread_id": "t", "title": "\\u0041 1.50 \\/"} }\n'
    inside = Saying([])
    await said(scrubbing(inside, requests=requests), body)
    assert inside.body == body


async def test_what_only_some_readers_would_see_is_left_out() -> None:
    inside = Saying([])
    await said(scrubbing(inside), b'{"type":"threads.update","params":{"title":"SECRET","title":"x"}}')
    assert inside.body == b'{"type":"threads.update","params":{"title":"x"}}'


async def test_a_recording_is_not_looked_into() -> None:
    body = chatkit_request("input.transcribe", audio_base64="SECRET==", mime_type="audio/webm")
    inside = Saying([])
    await said(scrubbing(inside), body)
    assert inside.body == body


async def test_a_request_with_the_word_is_rejected_by_type_and_goes_no_further() -> None:
    inside = Saying([])
    wire = await said(scrubbing(inside, requests="reject"), one_of_each(text=WORD)["threads.create"])
    assert (wire.status, wire.json["code"], wire.json["types"]) == (422, "personal_data", ["WORD"])
    assert WORD not in wire.body.decode()
    assert inside.scopes == []


async def test_requests_may_be_left_alone() -> None:
    inside = Saying([])
    scope = with_headers((b"content-type", b"text/plain"))
    await said(scrubbing(inside, requests="off"), b"SECRET", scope)
    assert inside.body == b"SECRET"


@pytest.mark.parametrize(
    ("body", "headers", "status"),
    [
        (b"{", [JSON], 400),
        (b"\xff", [JSON], 400),
        ('"x"'.encode("utf-16"), [JSON], 400),
        (b"[" * 300 + b"]" * 300, [JSON], 400),
        (b"[" + b"0," * 20_000 + b"0]", [JSON], 413),
        (b'"' + b"x" * 5_000_000 + b'"', [JSON], 413),
        (b"SECRET", [(b"content-type", b"text/plain")], 415),
        (b"SECRET", [], 415),
    ],
    ids=[
        "no JSON",
        "no text",
        "UTF-16",
        "deep",
        "many values",
        "large",
        "another media type",
        "no media type",
    ],
)
async def test_a_body_that_cannot_be_scrubbed_goes_no_further(body: bytes, headers: Any, status: int) -> None:
    inside = Saying([])
    wire = await said(scrubbing(inside), body, with_headers(*headers))
    assert wire.status == status
    assert inside.scopes == []


async def test_a_request_without_a_body_is_passed_on() -> None:
    inside = answering(b"{}")
    wire = await said(scrubbing(inside), b"", with_headers(method="GET"))
    assert (wire.status, wire.body) == (200, b"{}")


@pytest.mark.parametrize("types", [LookupError, CustomStreamError])
async def test_a_scrubber_that_fails_lets_no_request_through(
    types: Callable[[str], Exception], caplog: pytest.LogCaptureFixture
) -> None:
    for scope, expected in ((None, 500), (ACCEPTS_EVENTS, 200)):
        inside = Saying([])
        scrubber = FakeScrubber(fails_at=0, error=types(f"it was {WORD}"))
        wire = await said(
            scrubbing(inside, scrubber=scrubber), one_of_each(text=WORD)["threads.create"], scope
        )
        assert wire.status == expected
        assert inside.scopes == []
        assert WORD not in wire.body.decode() + caplog.text
        if expected == 200:
            assert wire.types == ["error"]
    assert caplog.text.count("failed") == 2


async def test_a_client_that_goes_away_early_is_cancelled() -> None:
    scope, state = RequestState.seed(http_scope())
    inside = Saying([])
    sent = await exchange(scrubbing(inside), scope, {"type": "http.disconnect"})
    assert (sent, inside.scopes, state.outcome) == ([], [], "cancelled")


async def test_behind_the_body_the_app_hears_of_a_disconnect() -> None:
    heard: list[Message] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        heard.extend([await receive(), await receive()])

    received: list[Message] = [{"type": "http.request", "body": b"{}"}, {"type": "http.disconnect"}]
    assert await exchange(scrubbing(app), http_scope(), *received) == []
    assert heard[0]["body"] == b"{}"
    assert heard[1] == {"type": "http.disconnect"}


# ------------------------------------------------------------------------------------------------ answers


@pytest.mark.parametrize("status", [200, 404])
@pytest.mark.parametrize("media_type", [b"application/json", b"Application/Problem+JSON; charset=utf-8"])
async def test_an_answer_leaves_without_the_word(status: int, media_type: bytes) -> None:
    inside = Saying(
        [b'{"id":"SECRET","tit', b'le":"SECR\\u0045T"}'], (b"Content-Type", media_type), status=status
    )
    inside.headers.append((b"Content-Length", b"35"))
    wire = await said(scrubbing(inside))
    assert wire.body == b'{"id":"SECRET","title":"[]"}'
    assert (wire.status, wire.headers["content-length"]) == (status, "28")
    assert wire.ended


async def test_an_answer_without_a_finding_leaves_byte_by_byte() -> None:
    chunks = [b' {"id": "SECRET", ', b'"title" : "\\u0041" }']
    inside = answering(*chunks, headers=[(b"etag", b"1")])
    wire = await said(scrubbing(inside))
    assert wire.body == b"".join(chunks)
    assert wire.sent[0]["headers"] == inside.headers


async def test_an_answer_without_a_body_is_left_alone() -> None:
    inside = Saying([], JSON, (b"content-length", b"35"))
    wire = await said(scrubbing(inside), scope=with_headers(method="HEAD"))
    assert wire.sent[0]["headers"] == inside.headers
    assert wire.body == b""


@pytest.mark.parametrize("headers", [[(b"content-type", b"text/plain")], [(b"content-type", b"image/png")]])
async def test_other_media_types_are_passed_as_they_are(headers: Any) -> None:
    wire = await said(scrubbing(Saying([WORD.encode()], *headers)))
    assert wire.body == WORD.encode()
    assert [message["type"] for message in wire.sent] == ["http.response.start"] + ["http.response.body"] * 2


async def test_what_comes_before_the_head_is_passed() -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.debug"})

    assert await exchange(scrubbing(app, requests="off"), http_scope()) == [{"type": "http.response.debug"}]


async def test_answers_may_be_left_alone() -> None:
    assert (await said(scrubbing(streaming(b"SECRET"), responses="off"))).body == b"SECRET"
    inside = Saying([])
    await said(scrubbing(inside, responses="off"), one_of_each(text=WORD)["threads.create"])
    assert WORD.encode() not in inside.body


def _path_send(*headers: tuple[bytes, bytes]) -> ASGIApp:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": list(headers)})
        await send({"type": "http.response.pathsend", "path": "/SECRET"})
        await send(part(b"SECRET", more=False))

    return app


GZIP = (b"content-encoding", b"gzip")
UNSEEN: dict[str, tuple[ASGIApp, int]] = {
    "no JSON": (answering(b"SECRET"), 500),
    "no UTF-8": (answering(b'"\xff SECRET"'), 500),
    "compressed JSON": (answering(b"SECRET", headers=[GZIP]), 500),
    "compressed events": (Saying([b"data: SECRET\n\n"], SSE, GZIP), 200),
    "events that are no UTF-8": (streaming(b"data: \xff SECRET\n\n"), 200),
    "a file of JSON": (_path_send(JSON), 500),
    "a file of events": (_path_send(SSE), 200),
}


@pytest.mark.parametrize(("app", "status"), UNSEEN.values(), ids=UNSEEN)
async def test_what_cannot_be_looked_into_does_not_leave(app: ASGIApp, status: int) -> None:
    scope, state = RequestState.seed(http_scope())
    wire = await said(scrubbing(app), scope=scope)
    assert (wire.status, state.outcome) == (status, "error")
    assert WORD not in wire.body.decode()
    assert wire.ended
    if status == 200:
        assert wire.types == ["error"]
    else:
        assert wire.json["code"] == "internal_error"


async def test_apps_do_not_hear_of_extensions_that_nobody_can_look_into() -> None:
    extensions: dict[str, dict[str, str]] = {"http.response.pathsend": {}, "tls": {}}
    inside = Saying([])
    await said(scrubbing(inside), scope={**http_scope(), "extensions": extensions})
    assert inside.scopes[0]["extensions"] == {"tls": {}}


# ------------------------------------------------------------------------------------------------ failures


CONVERSATION = [
    event({"type": "notice", "level": "info", "message": "SECRET"}),
    item_event("added", message_item("SECRET SEC")),
    *map(text_delta, ["RET ", "a", "SECRET", " S", "EC", "RET"]),
    text_delta("x" * SLICE + WORD),
    item_event("done", message_item("x")),
]


@pytest.mark.parametrize("is_slow", [False, True], ids=["fast", "slow"])
async def test_a_scrubber_that_fails_at_any_call_ends_the_stream_with_an_error(
    is_slow: bool, caplog: pytest.LogCaptureFixture
) -> None:
    whole = FakeScrubber(is_slow=is_slow)
    complete = await said(scrubbing(streaming(*CONVERSATION), scrubber=whole))
    assert "error" not in complete.types
    assert whole.calls > 10
    for call in range(whole.calls):
        scope, state = RequestState.seed(http_scope())
        scrubber = FakeScrubber(is_slow=is_slow, fails_at=call)
        wire = await said(scrubbing(streaming(*CONVERSATION), scrubber=scrubber), scope=scope)
        assert wire.types.count("error") == 1
        assert wire.types[-1] == "error"
        assert wire.ended
        assert WORD.encode() not in wire.body
        assert (state.outcome, state.error_type) == ("error", "LookupError")
        assert scrubber.calls == call + 1
    assert WORD not in caplog.text


async def test_a_scrubber_that_fails_in_an_answer_makes_it_a_problem() -> None:
    wire = await said(scrubbing(answering(b'{"title":"SECRET"}'), scrubber=FakeScrubber(fails_at=0)))
    assert (wire.status, wire.json["code"]) == (500, "internal_error")
    assert WORD.encode() not in wire.body


async def test_nothing_is_sent_behind_the_end_of_an_answer() -> None:
    app = _path_send(JSON)
    wire = await said(scrubbing(app))
    assert wire.ended


async def test_an_app_that_raises_is_heard() -> None:
    with pytest.raises(LookupError, match="its own"):
        await exchange(scrubbing(Greeter(error=LookupError("its own")), requests="off"), http_scope())


# ------------------------------------------------------------------------------------------------ streams


async def test_the_very_same_message_goes_on_where_nothing_has_changed() -> None:
    message, sent = part(text_delta("Hello")), list[Message]()

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send(
            {"type": "http.response.start", "status": 200, "headers": [SSE, (b"content-length", b"9")]}
        )
        for _ in range(3):
            await send(message)

    async def send(found: Message) -> None:
        sent.append(found)

    await scrubbing(app, requests="off")(http_scope(), None, send)  # type: ignore[arg-type]
    assert [found is message for found in sent] == [False, True, True, True]
    assert sent[0]["headers"] == [SSE]


@pytest.mark.parametrize("is_slow", [False, True], ids=["fast", "slow"])
async def test_deltas_of_any_writing_are_scrubbed(is_slow: bool) -> None:
    deltas = [
        text_delta("SEC"),
        text_delta("RET"),
        text_delta("SE"),
        text_delta("C") + text_delta("RE"),
        text_delta("T").replace(b":", b": "),
        text_delta("S").replace(b'"S"', b'"\\u0053"'),
        text_delta("").replace(b'""', b'"\\ud83d"'),
        text_delta("S").replace(b'"S"', b'"S","x":"SECRET"'),
        text_delta("ECRET", index=1),
        text_delta("ECRET"),
        text_delta("x" * 2 * SLICE + "SECRET"),
    ]
    wire = await said(scrubbing(streaming(*deltas), scrubber=FakeScrubber(is_slow=is_slow)))
    texts = Client(wire.body).texts
    assert texts["msg_1", 0].encode("utf-16", "surrogatepass").decode("utf-16", "replace") == (
        "[][]S\ufffd[]" + "x" * 2 * SLICE + "[]"
    )
    assert texts["msg_1", 1] == "ECRET"
    assert WORD.encode() not in wire.body


async def test_the_last_message_may_bring_events() -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": [SSE]})
        await send(part(text_delta("SEC")))
        await send(part(text_delta("RET S"), more=False))
        await send(part(text_delta("SECRET"), more=False))

    wire = await said(scrubbing(app, requests="off"))
    assert wire.body == text_delta("[] ") + text_delta("S")
    assert wire.ended


async def test_what_is_no_whole_event_at_the_end_is_discarded_as_clients_do() -> None:
    wire = await said(scrubbing(streaming(text_delta("Hello"), b"data: SECRET")))
    assert wire.body == text_delta("Hello")


# ------------------------------------------------------------------------------------------------ the whole path


async def test_chatkits_own_server_neither_hears_nor_says_the_word() -> None:
    for name, body in every_request(f"Hello {WORD}").items():
        store: MemoryStore = MemoryStore()
        await furnish(store)
        server = FullServer(lambda thread: typed(thread, "You said SE", "CRET", " and S"), store)
        wire = await said(scrubbing(ChatKitEndpoint(server), scrubber=FakeScrubber(scoped=True)), body)
        assert wire.status == 200, name
        assert WORD.encode() not in wire.body
        if name == "threads.add_user_message":
            assert "You said [thr_1] and S" in Client(wire.body).texts.values()
            items = await store.load_thread_items("thr_1", None, 100, "asc", None)
            assert f"Hello {WORD}" not in repr(items)


async def test_an_answer_of_chatkits_own_without_the_word_is_the_same() -> None:
    store: MemoryStore = MemoryStore()
    await furnish(store)
    endpoint = ChatKitEndpoint(FullServer(hello, store))
    for name in ("threads.get_by_id", "items.list", "threads.list"):
        body = every_request()[name]
        assert (await said(scrubbing(endpoint), body)).body == (await said(endpoint, body)).body


def test_a_delta_of_chatkits_own_is_written_as_in_these_tests() -> None:
    assert encode(delta("é\n")) == text_delta("é\n", "msg_answer")


@pytest.mark.parametrize("kind", ["websocket", "lifespan"])
async def test_what_is_not_http_is_passed_on(kind: str) -> None:
    inside = Greeter()
    assert await exchange(scrubbing(inside), {"type": kind}) == inside.messages
    assert inside.scopes == [{"type": kind}]


# ------------------------------------------------------------------------------------------------ others wait not long


@bounded
async def test_huge_texts_do_not_hold_up_another_stream() -> None:
    class Busy(FakeScrubber):
        """Takes two milliseconds of the processor for a slice."""

        def called(self) -> None:
            end = thread_time() + 0.002
            while thread_time() < end:
                pass

    app = scrubbing(answering(json.dumps({"title": "S" * 80_000}).encode()), scrubber=Busy())
    longest, is_over = 0.0, False

    async def watch() -> None:
        nonlocal longest
        while not is_over:
            before = thread_time()
            await asyncio.sleep(0)
            longest = max(longest, thread_time() - before)

    async def hostile() -> None:
        body = one_of_each(text="S" * 80_000)["threads.create"]
        await said(app, body)

    async with anyio.create_task_group() as group:
        group.start_soon(watch)
        async with anyio.create_task_group() as hostiles:
            for _ in range(8):
                hostiles.start_soon(hostile)
        is_over = True
    assert longest < 0.05  # of 8 × 40 ms; one step is 2 ms


async def test_many_small_texts_are_done_in_steps() -> None:
    turns, is_over = 0, False

    async def watch() -> None:
        nonlocal turns
        while not is_over:
            turns += 1
            await asyncio.sleep(0)

    body = chatkit_request("threads.add_client_tool_output", thread_id="t", result=["x"] * 10_000)
    async with anyio.create_task_group() as group:
        group.start_soon(watch)
        await said(scrubbing(Saying([])), body)
        is_over = True
    assert turns > 30


# ------------------------------------------------------------------------------------------------ counts


async def test_findings_are_counted_by_type_and_surface() -> None:
    recorder = Recorder()
    body = one_of_each(text=f"{WORD} {WORD}")["threads.create"]
    for inside in (streaming(text_delta(WORD), text_delta(WORD)), answering(b'["SECRET"]'), Saying([])):
        await said(scrubbing(inside, meter_provider=recorder.meters), body)
    counted = {
        (found["chatkit.pii.type"], found["chatkit.pii.surface"]): point.value
        for found, point in recorder.points("chatkit.pii.findings")
    }
    assert counted == {("WORD", "request"): 6, ("WORD", "stream"): 2, ("WORD", "answer"): 1}


async def test_a_meter_that_fails_fails_no_request(caplog: pytest.LogCaptureFixture) -> None:
    class Failing(metrics.NoOpMeter):
        def create_counter(self, *args: Any, **more: Any) -> Any:
            return None

    class Provider(MeterProvider):
        def get_meter(self, *args: Any, **more: Any) -> metrics.Meter:
            return Failing("failing")

    wire = await said(scrubbing(answering(b'["SECRET"]'), meter_provider=Provider()))
    assert wire.json == ["[]"]
    assert "telemetry failed" in caplog.text


# ------------------------------------------------------------------------------------------------ construction


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"scrubber": None}, "scrubber must be a Scrubber, not a NoneType"),
        ({"scrubber": FakeScrubber}, "scrubber must be a Scrubber, not the class FakeScrubber"),
        ({"requests": "block"}, "requests must be one of redact, reject, off, not 'block'"),
        ({"responses": "reject"}, "responses must be one of redact, off, not 'reject'"),
        ({"max_body_bytes": 0}, "max_body_bytes must be a positive integer"),
        ({"max_json_values": True}, "max_json_values must be a positive integer"),
    ],
    ids=str,
)
def test_what_cannot_work_is_refused_at_construction(options: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigurationError, match=said):
        scrubbing(Greeter(), **options)


def test_a_layer_that_belongs_outside_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="PIIMiddleware stands inside PIIMiddleware"):
        scrubbing(scrubbing(Greeter()))
