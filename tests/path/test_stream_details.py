"""What a stream looks like on the wire."""

from collections.abc import AsyncIterator, Mapping

import pytest
from chatkit.types import ThreadMetadata, ThreadStreamEvent, UserMessageItem

from chatkit_prod import harden
from chatkit_prod.auth import JWTBearer
from chatkit_prod.sse import SSEDecoder

from .desk import Desk, DeskContext, create, desk_context
from .servers import SERVERS, ServerName, serve
from .wire import ask, connect

pytestmark = pytest.mark.anyio

servers = pytest.mark.parametrize("server", SERVERS)


class SilentDesk(Desk):
    """Says nothing before `finish` is set."""

    async def respond(
        self, thread: ThreadMetadata, input_user_message: UserMessageItem | None, context: DeskContext
    ) -> AsyncIterator[ThreadStreamEvent]:
        """Answer at last."""
        await self.finish.wait()
        async for event in super().respond(thread, input_user_message, context):
            yield event


@servers
async def test_the_first_events_leave_before_the_model_has_said_a_word(
    server: ServerName, auth: JWTBearer, bearer: Mapping[str, str]
) -> None:
    desk = SilentDesk()
    app = harden(desk, auth=auth, context_factory=desk_context)
    async with serve(app, server=server) as port, connect(port) as connection:
        await connection.send(create("Hello"), headers=bearer)
        await connection.head()
        events = connection.events()
        first = [(await anext(events))["type"] for _ in range(3)]
        assert first == ["thread.created", "thread.item.done", "stream_options"]
        assert not desk.begun.is_set()
        desk.finish.set()
        assert [event["type"] async for event in events][-1] == "thread.item.done"
        assert connection.complete


@servers
async def test_a_silent_stream_gets_comments_that_are_no_messages(
    server: ServerName, auth: JWTBearer, bearer: Mapping[str, str]
) -> None:
    desk = SilentDesk()
    app = harden(desk, auth=auth, context_factory=desk_context, keep_alive=0.05)
    async with serve(app, server=server) as port, connect(port) as connection:
        await connection.send(create("Hello"), headers=bearer)
        await connection.head()
        body = b""
        chunks = connection.chunks()
        while body.count(b": ping\n") < 3:
            body += await anext(chunks)
        prelude, comments = body[: body.index(b": ping\n")], body[body.index(b": ping\n") :]
        assert prelude.endswith(b"}\n\n")
        assert comments == b": ping\n" * 3
        desk.finish.set()
        body += b"".join([chunk async for chunk in chunks])
    events = [event.json()["type"] for event in SSEDecoder().feed(body)]
    assert events[:3] == ["thread.created", "thread.item.done", "stream_options"]
    assert len(events) == body.count(b"data: ") == 5 + len(desk.words) + 1
    assert b": ping\n\n" not in body


@servers
async def test_a_stream_has_the_headers_that_keep_it_from_being_buffered(
    server: ServerName, auth: JWTBearer, bearer: Mapping[str, str]
) -> None:
    app = harden(Desk(), auth=auth, context_factory=desk_context, locales=["en", "fr"])
    async with serve(app, server=server) as port:
        headers = {**bearer, "accept-language": "fr"}
        answer, complete = await ask(port, create("Hello"), headers=headers)
    assert complete
    assert answer.headers["content-type"] == "text/event-stream; charset=utf-8"
    assert answer.headers["cache-control"] == "no-cache, no-transform"
    assert answer.headers["x-accel-buffering"] == "no"
    assert answer.headers["content-language"] == "fr"
    assert answer.headers["vary"] == "Accept-Language, Origin"
    assert len(answer.headers["x-request-id"]) == 32
    assert "content-length" not in answer.headers


@servers
async def test_a_connection_serves_one_stream_after_the_other(
    server: ServerName, auth: JWTBearer, bearer: Mapping[str, str]
) -> None:
    app = harden(Desk(), auth=auth, context_factory=desk_context)
    async with serve(app, server=server) as port, connect(port) as connection:
        for text in ("one", "two", "three"):
            connection.complete = False
            await connection.send(create(text), headers=bearer)
            answer = await connection.answer()
            assert answer.events[1]["item"]["content"][0]["text"] == text
            assert connection.complete


@servers
async def test_head_is_answered_without_a_body(
    server: ServerName, auth: JWTBearer, bearer: Mapping[str, str]
) -> None:
    app = harden(Desk(), auth=auth, context_factory=desk_context)
    async with serve(app, server=server) as port, connect(port) as connection:
        await connection.send(method="HEAD", headers=bearer)
        head = await connection.answer(method="HEAD")
        assert (head.status, head.headers["allow"], head.body) == (405, "POST", b"")
        await connection.send(create("Hello"), headers=bearer)
        assert (await connection.answer()).status == 200
