"""The client in process."""

import asyncio
from collections.abc import AsyncIterator

import anyio
import pytest
from chatkit.types import ThreadMetadata, ThreadStreamEvent

from chatkit_prod import ChatKitEndpoint
from chatkit_prod.asgi import Message, Receive, Scope, Send
from chatkit_prod.testing import ChatKitClient, chatkit_request, user_message
from tests.layers import Greeter
from tests.servers import ScriptedServer, added, delta, hello, stored_items, texts

pytestmark = pytest.mark.anyio

CREATE = chatkit_request("threads.create", input=user_message("Hello"))
LIMIT = 10.0


async def echo(scope: Scope, receive: Receive, send: Send) -> None:
    """Answer with the body of the request, in two parts."""
    message = await receive()
    assert not message["more_body"]
    await send({"type": "http.response.start", "status": 201, "headers": [(b"X-A", b"1"), (b"x-a", b"2")]})
    await send({"type": "http.response.body", "body": message["body"], "more_body": True})
    await send({"type": "http.response.body", "body": b"!"})


async def test_an_answer_has_status_headers_and_body() -> None:
    answer = await ChatKitClient(echo).send(b"hello")
    assert (answer.status, answer.headers, answer.body) == (201, {"x-a": "1, 2"}, b"hello!")


async def test_an_answer_can_be_read_as_json_or_as_events() -> None:
    client = ChatKitClient(ChatKitEndpoint(ScriptedServer(hello)))
    events = (await client.send(CREATE)).events
    assert [event["type"] for event in events[:2]] == ["thread.created", "thread.item.done"]
    listed = await client.send(chatkit_request("threads.list"))
    assert listed.json()["data"][0]["id"] == events[0]["thread"]["id"]


async def test_the_request_is_the_one_that_was_asked_for() -> None:
    inside = Greeter()
    client = ChatKitClient(inside, path="/api/chat", headers={"Authorization": "Bearer a", "x-a": "1"})
    await client.send(b"", method="PUT", headers={"x-a": "2", "x-b": "3"})
    (scope,) = inside.scopes
    assert (scope["type"], scope["method"], scope["path"], scope["raw_path"]) == (
        "http",
        "PUT",
        "/api/chat",
        b"/api/chat",
    )
    assert scope["headers"] == [
        (b"content-type", b"application/json"),
        (b"authorization", b"Bearer a"),
        (b"x-a", b"2"),
        (b"x-b", b"3"),
    ]


@pytest.mark.parametrize("name", ["content-type", "Content-Type"])
async def test_a_header_is_replaced_or_taken_away_whatever_its_case(name: str) -> None:
    inside = Greeter()
    client = ChatKitClient(inside)
    await client.send(b"", headers={name: "text/plain"})
    await client.send(b"", headers={name: ""})
    assert [scope["headers"] for scope in inside.scopes] == [[(b"content-type", b"text/plain")], []]


async def endless(thread: ThreadMetadata) -> AsyncIterator[ThreadStreamEvent]:
    yield added(thread)
    while True:
        yield delta("a")
        await asyncio.sleep(0)


async def test_events_arrive_as_the_app_sends_them_and_leaving_disconnects() -> None:
    server = ScriptedServer(endless)
    seen = list[str]()
    with anyio.fail_after(LIMIT):
        async with ChatKitClient(ChatKitEndpoint(server)).stream(CREATE) as stream:
            assert stream.status == 200
            assert stream.headers["content-type"].startswith("text/event-stream")
            async for event in stream:
                seen.append(event["type"])
                if len(seen) == 10:
                    break
    assert seen[-1] == "thread.item.updated"
    assert texts(await stored_items(server.store)) != []


async def test_a_stream_can_be_read_to_its_end() -> None:
    with anyio.fail_after(LIMIT):
        async with ChatKitClient(ChatKitEndpoint(ScriptedServer(hello))).stream(CREATE) as stream:
            types = [event["type"] async for event in stream]
            assert [event async for event in stream] == []
    assert (types[0], types[-1]) == ("thread.created", "thread.item.done")


@pytest.mark.parametrize("chunks", [0, 1, 2, 3])
async def test_the_client_can_go_away_after_any_chunk(chunks: int) -> None:
    async def counting(scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        await send({"type": "http.response.start", "status": 200, "headers": []})
        for _ in range(5):
            await send({"type": "http.response.body", "body": b"x", "more_body": True})
        ended.append(await receive())

    ended = list[Message]()
    with anyio.fail_after(LIMIT):
        async with ChatKitClient(counting).stream(b"") as stream:
            body = stream.chunks()
            for _ in range(chunks):
                assert await anext(body) == b"x"
    assert ended == [{"type": "http.disconnect"}]


async def test_an_app_that_ends_without_its_last_message_ends_the_answer() -> None:
    async def cut(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"half", "more_body": True})

    with anyio.fail_after(LIMIT):
        assert (await ChatKitClient(cut).send(b"")).body == b"half"


async def test_an_app_that_does_not_answer_is_an_error_of_the_test() -> None:
    async def silent(scope: Scope, receive: Receive, send: Send) -> None:
        await receive()

    with pytest.raises(RuntimeError, match="without a response"):
        await ChatKitClient(silent).send(b"")


async def test_what_the_app_raises_before_its_answer_is_raised() -> None:
    with pytest.raises(ValueError, match="early"):
        await ChatKitClient(Greeter(error=ValueError("early"))).send(b"")


@pytest.mark.parametrize("read", [True, False], ids=["while it is read", "when it is left"])
async def test_what_the_app_raises_within_its_answer_is_raised(read: bool) -> None:
    async def failing(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        raise ValueError("late")

    async def leave_or_read() -> None:
        async with ChatKitClient(failing).stream(b"") as stream:
            if read:
                await anext(stream.chunks())

    with pytest.raises(ValueError, match="late"):
        await leave_or_read()


async def test_a_client_that_gives_up_waiting_leaves_no_task_behind() -> None:
    cancelled = list[bool]()

    async def stuck(scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await anyio.Event().wait()
        except asyncio.CancelledError:
            cancelled.append(True)
            raise

    with anyio.move_on_after(0.01) as scope:
        await ChatKitClient(stuck).send(b"")
    assert scope.cancelled_caught
    await asyncio.sleep(0)
    assert cancelled == [True]
