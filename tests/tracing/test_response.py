"""How far a response came is seen from outside, and it passes by unchanged."""

from collections.abc import Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatkit_prod.asgi import Message
from chatkit_prod.operation import Limits, parse
from chatkit_prod.testing import chatkit_request
from chatkit_prod.tracing.outcome import Seen, Stream
from chatkit_prod.tracing.response import identified, watch
from tests.tracing.recording import Recorder
from tests.tracing.requests_traced import traced_request

pytestmark = pytest.mark.anyio

SSE = (b"content-type", b"text/event-stream; charset=utf-8")
EVENT = b'data: {"type":"progress_update"}\n\n'
ERROR = b'data: {"type":"error","code":"stream.error"}\n\n'
PING = b": ping\n"
DISCONNECT: Message = {"type": "http.disconnect"}


def head(*headers: tuple[bytes, bytes], status: int = 200) -> Message:
    return {"type": "http.response.start", "status": status, "headers": list(headers)}


def part(body: bytes, *, more: bool = True) -> Message:
    return {"type": "http.response.body", "body": body, "more_body": more}


END = part(b"", more=False)


class Watching:
    """A response that is watched, and what came through."""

    def __init__(self) -> None:
        self.recorder = Recorder()
        self.request = traced_request(self.recorder)
        self.sent = list[Message]()
        self.incoming = list[Message]()

        async def receive() -> Message:
            return self.incoming.pop(0)

        async def send(message: Message) -> None:
            self.sent.append(message)

        self.watched = watch(receive, send, self.request)

    async def send(self, *messages: Message) -> "Watching":
        for message in messages:
            await self.watched.send(message)
        return self

    async def receive(self, message: Message) -> "Watching":
        self.incoming.append(message)
        assert await self.watched.receive() is message
        return self

    @property
    def seen(self) -> Seen:
        return self.watched.seen()

    def counted(self, metric: str) -> dict[str, int]:
        return {found["chatkit.operation"]: point.value for found, point in self.recorder.points(metric)}


def ticks(monkeypatch: pytest.MonkeyPatch, times: Iterable[float]) -> None:
    clock = iter(times)
    monkeypatch.setattr("chatkit_prod.tracing.response.perf_counter", lambda: next(clock))


# ------------------------------------------------------------------------------------------------ any sequence

HEADERS = st.lists(
    st.sampled_from(
        [
            SSE,
            (b"Content-Type", b"text/event-stream"),
            (b"content-type", b"text/html"),
            (b"X-Request-ID", b"mine"),
        ]
    ),
    max_size=3,
)
HEADS: st.SearchStrategy[Message] = st.fixed_dictionaries(
    {"type": st.just("http.response.start"), "status": st.sampled_from([200, 204, 404, 503])},
    optional={"headers": HEADERS},
)
BODIES: st.SearchStrategy[Message] = st.fixed_dictionaries(
    {"type": st.just("http.response.body")},
    optional={
        "body": st.binary(max_size=8)
        | st.sampled_from([memoryview(EVENT), memoryview(ERROR)])
        | st.sampled_from([EVENT, EVENT * 3, ERROR, PING, b"", b"\n\n"]),
        "more_body": st.booleans(),
    },
)
OTHERS: st.SearchStrategy[Message] = st.fixed_dictionaries(
    {
        "type": st.sampled_from(
            [
                "http.response.debug",
                "http.response.pathsend",
                "http.response.trailers",
                "http.response.zerocopysend",
                "x",
            ]
        )
    },
    optional={"more_body": st.booleans(), "more_trailers": st.booleans()},
)


def is_end(message: Message) -> bool:
    """Tell what ends a response (ASGI, HTTP & WebSocket, and its extensions)."""
    match message["type"]:
        case "http.response.body" | "http.response.zerocopysend":
            return not message.get("more_body", False)
        case "http.response.trailers":
            return not message.get("more_trailers", False)
        case kind:
            return bool(kind == "http.response.pathsend")


@given(st.lists(HEADS | BODIES | OTHERS, max_size=10))
async def test_whatever_an_app_sends_goes_through_in_order_and_unchanged_but_for_the_request_id(
    messages: list[Message],
) -> None:
    watching = Watching()
    before = [{**message, "headers": list(message.get("headers", []))} for message in messages]
    await watching.send(*messages)
    assert [{**message, "headers": message.get("headers", [])} for message in messages] == before
    assert len(watching.sent) == len(messages)
    has_begun_a_stream = False
    for message, sent in zip(messages, watching.sent, strict=True):
        if message["type"] != "http.response.start" or has_begun_a_stream:
            assert sent is message
            continue
        given_headers = message.get("headers", [])
        added = sent["headers"][len(given_headers) :]
        assert {**sent, "headers": sent["headers"][: len(given_headers)]} == {
            **message,
            "headers": given_headers,
        }
        has_own = any(name.lower() == b"x-request-id" for name, _ in given_headers)
        assert added == ([] if has_own else [(b"x-request-id", watching.request.state.request_id.encode())])
        has_begun_a_stream = any(value.startswith(b"text/event-stream") for _, value in given_headers)


@given(st.lists(HEADS | BODIES | OTHERS, max_size=10), st.integers(0, 10))
async def test_whatever_an_app_sends_is_counted_and_no_stream_stays_open(
    messages: list[Message], gone_after: int
) -> None:
    watching = Watching()
    await watching.send(*messages[:gone_after])
    was_over = watching.seen.is_complete
    await watching.receive(DISCONNECT)
    await watching.send(*messages[gone_after:])
    seen = watching.seen
    watching.watched.close()
    assert seen.is_disconnected != was_over
    assert (seen.status is None) == all(message["type"] != "http.response.start" for message in messages)
    assert seen.is_complete == (bool(messages) and is_end(messages[-1]))
    assert set(watching.counted("chatkit.stream.active").values()) <= {0}
    assert sum(watching.counted("chatkit.stream.events").values()) == (
        seen.stream.events if seen.stream else 0
    )
    if seen.stream:
        assert seen.stream.first_event >= 0
        assert seen.stream.longest_gap >= 0


# ------------------------------------------------------------------------------------------------ what is seen


async def test_nothing_is_seen_of_an_app_that_sends_nothing() -> None:
    assert Watching().seen == Seen(
        None, is_complete=False, has_error=False, is_disconnected=False, stream=None
    )


async def test_an_answer_that_is_no_stream_has_a_status_and_an_end() -> None:
    watching = await Watching().send(head((b"content-type", b"application/json"), status=404))
    assert watching.seen.status == 404
    assert not watching.seen.is_complete
    await watching.send(part(b"{}", more=False))
    assert watching.seen == Seen(404, is_complete=True, has_error=False, is_disconnected=False, stream=None)
    assert watching.recorder.points("chatkit.stream.active") == []


async def test_the_events_of_a_prelude_that_come_together_are_counted_one_by_one() -> None:
    watching = await Watching().send(head(SSE), part(EVENT * 3), part(EVENT), END)
    assert watching.seen.stream
    assert watching.seen.stream.events == 4


async def test_a_comment_that_keeps_the_connection_alive_is_no_event() -> None:
    watching = await Watching().send(head(SSE), part(PING), part(PING), END)
    assert watching.seen.stream is None


async def test_the_wait_for_the_first_event_and_the_longest_between_two_are_measured(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    watching = Watching()
    watching.request.started = 100.0
    ticks(monkeypatch, [102.5, 103.0, 107.0, 108.0])
    await watching.send(head(SSE), part(EVENT), part(EVENT), part(PING), part(EVENT), part(EVENT), END)
    assert watching.seen.stream == Stream(events=4, first_event=2.5, longest_gap=4.0)


@pytest.mark.parametrize("behind", [(), (EVENT,)], ids=["at the end", "before the last event"])
async def test_an_error_event_is_seen(behind: tuple[bytes, ...]) -> None:
    """Behind an `error`, ChatKit sends at most that the thread has changed."""
    watching = await Watching().send(head(SSE), part(EVENT), part(ERROR), *map(part, behind), END)
    assert watching.seen.has_error


async def test_an_error_in_an_answer_that_is_no_stream_is_none() -> None:
    watching = await Watching().send(head(), part(ERROR, more=False))
    assert not watching.seen.has_error


async def test_a_client_that_goes_before_the_end_is_noted() -> None:
    watching = await Watching().send(head(SSE), part(EVENT))
    await watching.receive({"type": "http.request", "body": b""})
    assert not watching.seen.is_disconnected
    await watching.receive(DISCONNECT)
    assert watching.seen.is_disconnected


async def test_a_client_that_goes_after_the_end_has_got_everything() -> None:
    watching = await (await Watching().send(head(SSE), END)).receive(DISCONNECT)
    assert not watching.seen.is_disconnected


async def test_an_open_stream_is_counted_by_its_operation_until_it_is_closed() -> None:
    watching = Watching()
    watching.request.state.operation = parse(chatkit_request("threads.list"), Limits())
    await watching.send(head(SSE), part(EVENT))
    assert watching.counted("chatkit.stream.active") == {"threads.list": 1}
    await watching.send(END)
    watching.watched.close()
    assert watching.counted("chatkit.stream.active") == {"threads.list": 0}
    assert watching.counted("chatkit.stream.events") == {"threads.list": 1}


async def test_a_stream_of_something_else_is_of_an_unknown_operation() -> None:
    watching = await Watching().send(head(SSE))
    assert watching.counted("chatkit.stream.active") == {"unknown": 1}


# ------------------------------------------------------------------------------------------------ unwatched


async def test_a_response_that_nobody_watches_has_the_request_id_all_the_same() -> None:
    sent = list[Message]()

    async def send(message: Message) -> None:
        sent.append(message)

    for message in (head(), END):
        await identified(send, "0123")(message)
    assert sent == [head((b"x-request-id", b"0123")), END]


async def test_a_file_that_the_server_sends_by_itself_is_the_end_of_a_response() -> None:
    watching = await Watching().send(head(), {"type": "http.response.pathsend", "path": "/srv/file"})
    assert watching.seen.is_complete


async def test_a_stream_that_begins_behind_the_end_is_not_counted_as_open() -> None:
    watching = Watching()
    watching.watched.close()
    await watching.send(head(SSE), part(EVENT))
    assert sum(watching.counted("chatkit.stream.active").values()) == 0
