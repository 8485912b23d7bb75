"""A stream ends in many ways, and in none of them is anything lost."""

import asyncio
import contextvars
import gc
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from random import Random
from typing import Any

import anyio
import pytest
from chatkit.errors import CustomStreamError, StreamError
from chatkit.store import NotFoundError
from chatkit.types import (
    ProgressUpdateEvent,
    ThreadItem,
    ThreadItemAddedEvent,
    ThreadItemDoneEvent,
    ThreadItemReplacedEvent,
    ThreadMetadata,
    ThreadStreamEvent,
)
from hypothesis import given, settings
from hypothesis import strategies as st

from chatkit_prod import ChatKitEndpoint, RequestState, close_streams
from chatkit_prod.asgi import Message, Scope
from chatkit_prod.driver import EmptyStreamError, StreamDriver
from chatkit_prod.sse import KEEP_ALIVE
from chatkit_prod.testing import MemoryStore, chatkit_request, one_of_each, user_message
from chatkit_prod.texts import SESSION_ENDED
from tests.servers import (
    Gate,
    Script,
    ScriptedServer,
    SteppedStore,
    Wire,
    added,
    bounded,
    delta,
    done,
    forever,
    held,
    hello,
    hidden_items,
    http_scope,
    markers,
    nothing,
    signed_in_scope,
    stored_items,
    texts,
)

pytestmark = pytest.mark.anyio

SECRET = "a secret that is no source code".replace("secret", "canary")
CREATE = one_of_each()["threads.create"]
HELLO = [
    "thread.created",
    "thread.item.done",
    "stream_options",
    "thread.item.added",
    "thread.item.updated",
    "thread.item.updated",
    "thread.item.done",
]


class CarefulServer(ScriptedServer):
    """Takes several waits to save what a stopped stream has left.

    Attributes:
        finished: How often it came to the end of that.
    """

    finished = 0

    async def handle_stream_cancelled(
        self, thread: ThreadMetadata, pending_items: list[ThreadItem], context: Any
    ) -> None:
        for _ in range(3):
            await asyncio.sleep(0)
        await super().handle_stream_cancelled(thread, pending_items, context)
        for _ in range(3):
            await asyncio.sleep(0)
        self.finished += 1


class Desk:
    """A careful server behind an endpoint, with a store that can be held up."""

    def __init__(
        self, script: Script, *, step: Callable[[str], Awaitable[None]] | None = None, **options: Any
    ) -> None:
        self.store = MemoryStore()
        store = self.store if step is None else SteppedStore(self.store, step)
        self.server = CarefulServer(script, store)
        self.app = ChatKitEndpoint(self.server, **options)

    async def assert_saved(self, text: str) -> None:
        """Check that the partial answer and one marker are stored."""
        items = await stored_items(self.store)
        assert texts(items) == ([text] if text else [])
        assert markers(items) == 1
        assert self.server.finished == 1


def half(gate: Callable[[], Awaitable[object]]) -> Script:
    """Return a script that says half a word and then waits."""

    async def script(thread: ThreadMetadata) -> AsyncIterator[ThreadStreamEvent]:
        yield added(thread)
        yield delta("Hel")
        await gate()
        yield delta("lo")
        yield done(thread, "Hello")

    return script


def on(
    wanted: Callable[[Message], bool], action: Callable[[], Awaitable[None]]
) -> Callable[[Message], Awaitable[None]]:
    """Return a fault of the connection that happens at the first message that is wanted, and at every later one."""
    happened = False

    async def on_send(message: Message) -> None:
        nonlocal happened
        happened = happened or wanted(message)
        if happened:
            await action()

    return on_send


def is_head(message: Message) -> bool:
    return bool(message["type"] == "http.response.start")


def is_first_body(message: Message) -> bool:
    return b"thread.created" in bytes(message.get("body", b""))


def is_delta(message: Message) -> bool:
    return b"text_delta" in bytes(message.get("body", b""))


def is_end(message: Message) -> bool:
    return message.get("more_body") is False


def is_ping(message: Message) -> bool:
    return bool(message.get("body") == KEEP_ALIVE)


# ------------------------------------------------------------------------------------------------ a whole stream


@bounded
async def test_every_event_of_a_stream_arrives_in_order_behind_one_head() -> None:
    scope, state = signed_in_scope()
    wire = await Wire(CREATE).request(Desk(hello).app, scope)
    assert wire.status == 200
    assert wire.types == HELLO
    assert wire.ended
    assert [is_head(message) for message in wire.sent] == [True] + [False] * (len(wire.sent) - 1)
    assert state.outcome == "completed"


@bounded
async def test_the_head_is_not_sent_before_the_users_message_is_stored() -> None:
    gate = Gate()
    wire = Wire(CREATE)
    task = asyncio.ensure_future(wire.request(Desk(hello, step=held(add_thread_item=gate)).app))
    await gate.reached.wait()
    assert wire.sent == []
    gate.opened.set()
    await task
    assert wire.types == HELLO


@bounded
async def test_the_prelude_does_not_wait_for_the_model() -> None:
    gate = Gate()

    async def script(thread: ThreadMetadata) -> AsyncIterator[ThreadStreamEvent]:
        await gate()
        yield done(thread, "Hello")

    wire = Wire(CREATE)
    task = asyncio.ensure_future(wire.request(Desk(script).app))
    await gate.reached.wait()
    assert wire.types == HELLO[:3]
    gate.opened.set()
    await task


@bounded
async def test_a_context_variable_that_was_set_in_front_is_seen_by_the_server() -> None:
    variable = contextvars.ContextVar("variable", default="unset")

    async def script(thread: ThreadMetadata) -> AsyncIterator[ThreadStreamEvent]:
        yield done(thread, variable.get())

    token = variable.set("set in front")
    wire = await Wire(CREATE).request(Desk(script).app)
    variable.reset(token)
    assert wire.events[-1]["item"]["content"][0]["text"] == "set in front"


@bounded
async def test_the_thread_that_a_stream_makes_is_noted_for_telemetry() -> None:
    scope, state = signed_in_scope()
    wire = await Wire(CREATE).request(Desk(hello).app, scope)
    assert state.thread_id == wire.events[0]["thread"]["id"]


# ------------------------------------------------------------------------------------------------ hidden items


def _public(script: Script) -> ScriptedServer:
    class Changed(ScriptedServer):
        async def process(self, request: str | bytes | bytearray, context: Any) -> Any:
            return await super().process(request, context)

    return Changed(script)


@pytest.mark.parametrize("server", [ScriptedServer, _public], ids=["direct", "public"])
@bounded
async def test_no_event_that_carries_a_hidden_item_leaves(server: Callable[[Script], ScriptedServer]) -> None:
    async def script(thread: ThreadMetadata) -> AsyncIterator[ThreadStreamEvent]:
        for item in hidden_items(thread.id):
            yield ThreadItemAddedEvent(item=item)
            yield ThreadItemReplacedEvent(item=item)
            yield ThreadItemDoneEvent(item=item)
        yield done(thread, '"type":"sdk_hidden_context"')

    wire = await Wire(CREATE).request(ChatKitEndpoint(server(script)))
    assert wire.types == [*HELLO[:3], "thread.item.done"]
    assert b"secret" not in wire.body


@bounded
async def test_a_stream_that_begins_with_a_hidden_item_goes_on_behind_it() -> None:
    async def events() -> AsyncIterator[bytes]:
        for chunk in (b"", b"data: one\n\n", b"data: two\n\n"):
            yield chunk

    wire, _ = await _drive(events())
    assert wire.body == b"data: one\n\ndata: two\n\n"


# ------------------------------------------------------------------------------------------------ a disconnect


async def _cut(desk: Desk, wire: Wire, gate: Gate) -> RequestState:
    """Send a message, go away where the gate is, and wait until the app has noticed."""
    scope, state = signed_in_scope()
    task = asyncio.ensure_future(wire.request(desk.app, scope))
    await gate.reached.wait()
    wire.gone.set()
    ended, _ = await asyncio.wait({task}, timeout=5)
    gate.opened.set()
    await task
    assert ended, "the app waited for what was held up"
    return state


@bounded
async def test_a_disconnect_while_the_model_thinks_saves_what_it_has_said() -> None:
    gate = Gate()
    desk = Desk(half(gate))
    state = await _cut(desk, Wire(CREATE), gate)
    await desk.assert_saved("Hel")
    assert state.outcome == "cancelled"


@bounded
async def test_a_disconnect_while_the_answer_is_being_stored_stores_it_with_the_marker() -> None:
    gate = Gate()
    calls = 0

    async def step(method: str) -> None:
        nonlocal calls
        calls += method == "add_thread_item"
        if calls == 3:
            calls += 1
            await gate()

    desk = Desk(hello, step=step)
    await _cut(desk, Wire(CREATE), gate)
    await desk.assert_saved("Hello")


@pytest.mark.parametrize("method", ["save_thread", "add_thread_item"])
@bounded
async def test_a_disconnect_while_the_users_message_is_being_stored_does_not_lose_it(method: str) -> None:
    gate = Gate()
    desk = Desk(half(forever), step=held(**{method: gate}))
    wire = Wire(CREATE)
    task = asyncio.ensure_future(wire.request(desk.app))
    await gate.reached.wait()
    wire.gone.set()
    await wire.told.wait()
    gate.opened.set()
    await task
    assert wire.sent == []
    await desk.assert_saved("Hel")
    assert (await stored_items(desk.store))[0].type == "user_message"


@pytest.mark.parametrize("message", [is_head, is_first_body, is_delta])
@bounded
async def test_a_disconnect_while_a_send_blocks_reaches_the_server(
    message: Callable[[Message], bool],
) -> None:
    gate = Gate()
    desk = Desk(half(forever))
    await _cut(desk, Wire(CREATE, on_send=on(message, gate)), gate)
    await desk.assert_saved("Hel")


@pytest.mark.parametrize("message", [is_head, is_first_body, is_delta])
@pytest.mark.parametrize("error", [OSError, asyncio.CancelledError])
@bounded
async def test_a_connection_that_breaks_in_a_send_is_a_disconnect(
    message: Callable[[Message], bool], error: type[BaseException]
) -> None:
    async def broken() -> None:
        raise error

    desk = Desk(half(forever))
    scope, state = signed_in_scope()
    await Wire(CREATE, on_send=on(message, broken)).request(desk.app, scope)
    await desk.assert_saved("Hel")
    assert state.outcome == "cancelled"


@bounded
async def test_a_disconnect_while_the_end_of_a_whole_stream_is_being_sent_ends_the_request() -> None:
    gate = Gate()
    desk = Desk(hello)
    state = await _cut(desk, Wire(CREATE, on_send=on(is_end, gate)), gate)
    items = await stored_items(desk.store)
    assert (texts(items), markers(items)) == (["Hello"], 0)
    assert state.outcome in {"completed", "cancelled"}


@bounded
async def test_a_disconnect_between_two_events_stops_the_next() -> None:
    wire = Wire(CREATE)

    async def leave(thread: ThreadMetadata) -> AsyncIterator[ThreadStreamEvent]:
        yield added(thread)
        yield delta("Hel")
        wire.gone.set()
        await wire.told.wait()
        await forever()
        yield delta("lo")

    desk = Desk(leave)
    await wire.request(desk.app)
    await desk.assert_saved("Hel")


@bounded
async def test_after_a_disconnect_nothing_more_is_sent() -> None:
    gate = Gate()
    wire = Wire(CREATE, on_send=on(is_delta, gate))
    desk = Desk(half(forever))
    await _cut(desk, wire, gate)
    assert not any(map(is_delta, wire.sent))
    assert not any(message.get("more_body") is False for message in wire.sent[1:])


@bounded
async def test_a_disconnect_while_a_comment_is_being_sent_reaches_the_server() -> None:
    gate = Gate()
    desk = Desk(half(forever), keep_alive=0.01)
    await _cut(desk, Wire(CREATE, on_send=on(is_ping, gate)), gate)
    await desk.assert_saved("Hel")


@bounded
async def test_a_disconnect_while_an_event_waits_behind_a_comment_reaches_the_server() -> None:
    comment, model = Gate(), Gate()
    desk = Desk(half(model), keep_alive=0.01)
    wire = Wire(CREATE, on_send=on(is_ping, comment))
    task = asyncio.ensure_future(wire.request(desk.app))
    await model.reached.wait()
    await comment.reached.wait()
    model.opened.set()
    wire.gone.set()
    await task
    items = await stored_items(desk.store)
    assert texts(items) in (["Hel"], ["Hello"])


@bounded
async def test_a_connection_that_breaks_in_a_comment_is_found_out_by_the_next_event() -> None:
    comment = Gate()

    async def broken() -> None:
        comment.reached.set()
        raise OSError

    async def script(thread: ThreadMetadata) -> AsyncIterator[ThreadStreamEvent]:
        yield added(thread)
        await comment.reached.wait()
        yield delta("Hel")
        await forever()

    desk = Desk(script, keep_alive=0.01)
    await Wire(CREATE, on_send=on(is_ping, broken)).request(desk.app)
    await desk.assert_saved("Hel")


@pytest.mark.parametrize(
    "last",
    [
        pytest.param({"type": "http.request", "body": b"", "more_body": False}, id="after another message"),
        pytest.param(None, id="as a channel that fails"),
    ],
)
@bounded
async def test_a_disconnect_is_told(last: Message | None) -> None:
    messages: list[Message] = [{"type": "http.disconnect"}]
    if last is not None:
        messages.append(last)

    async def receive() -> Message:
        if last is None:
            raise OSError
        return messages.pop()

    async def events() -> AsyncIterator[bytes]:
        yield b"data: one\n\n"
        await forever()

    _, state = await _drive(events(), receive=receive)
    assert state.outcome == "cancelled"


@bounded
async def test_a_second_stop_changes_nothing() -> None:
    gate = Gate()
    desk = Desk(half(gate))
    scope, state = signed_in_scope(expires_in=0.05)

    async def step() -> None:
        await desk.store.load_threads(1, None, "asc", None)

    wire = Wire(CREATE, on_send=on(lambda message: b"error" in message.get("body", b""), step))
    task = asyncio.ensure_future(wire.request(desk.app, scope))
    await gate.reached.wait()
    await task
    wire.gone.set()
    assert state.outcome == "expired"
    await desk.assert_saved("Hel")


# ------------------------------------------------------------------------------------------------ cancellation


@bounded
async def test_a_cancelled_request_lets_the_server_finish_and_ends_the_stream_with_an_error() -> None:
    gate = Gate()
    desk = Desk(half(gate))
    wire = Wire(CREATE)
    scope, state = signed_in_scope()
    task = asyncio.ensure_future(wire.request(desk.app, scope))
    await gate.reached.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await desk.assert_saved("Hel")
    assert wire.events[-1] == {"type": "error", "code": "stream.error", "allow_retry": True}
    assert wire.ended
    assert state.outcome == "cancelled"


@bounded
async def test_a_cancel_scope_that_delivers_again_and_again_lets_the_server_finish() -> None:
    gate = Gate()
    desk = Desk(half(gate))
    async with anyio.create_task_group() as group:
        group.start_soon(Wire(CREATE).request, desk.app)
        await gate.reached.wait()
        group.cancel_scope.cancel()
    await desk.assert_saved("Hel")


@bounded
async def test_a_request_that_is_cancelled_twice_lets_the_server_finish() -> None:
    model, store = Gate(), Gate()
    calls = 0

    async def step(method: str) -> None:
        nonlocal calls
        calls += method == "add_thread_item"
        if calls == 3:
            calls += 1
            await store()

    desk = Desk(half(model), step=step)
    task = asyncio.ensure_future(Wire(CREATE).request(desk.app))
    await model.reached.wait()
    task.cancel()
    await store.reached.wait()
    task.cancel()
    store.opened.set()
    with pytest.raises(asyncio.CancelledError):
        await task
    await desk.assert_saved("Hel")


@bounded
async def test_a_server_that_cancels_every_task_at_once_lets_the_answer_be_saved() -> None:
    model = Gate()
    desk = Desk(half(model))
    before = asyncio.all_tasks()
    request = asyncio.ensure_future(Wire(CREATE).request(desk.app))
    await model.reached.wait()
    for task in asyncio.all_tasks() - before:
        task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await request
    await desk.assert_saved("Hel")


@bounded
async def test_closing_the_streams_does_not_wait_for_the_next_comment_to_give_one_up() -> None:
    stubborn = Stubborn()
    request = asyncio.ensure_future(Wire(CREATE).request(Desk(stubborn, cancel_grace=0.01).app))
    await stubborn.waiting.wait()
    try:
        await close_streams()
        await request
    finally:
        stubborn.let_go.set()
        await stubborn.ended.wait()


@bounded
async def test_a_request_that_is_cancelled_in_its_prelude_stores_the_users_message_and_the_marker() -> None:
    gate = Gate()
    desk = Desk(half(forever), step=held(add_thread_item=gate))
    task = asyncio.ensure_future(Wire(CREATE).request(desk.app))
    await gate.reached.wait()
    task.cancel()
    await asyncio.sleep(0)
    gate.opened.set()
    with pytest.raises(asyncio.CancelledError):
        await task
    await desk.assert_saved("Hel")


def test_a_cancelled_request_whose_prelude_fails_leaves_no_unheard_exception() -> None:
    async def cancel_in_the_prelude() -> None:
        gate = Gate()

        async def step(method: str) -> None:
            if method == "add_thread_item":
                await gate()
                raise NotFoundError

        asyncio.get_running_loop().set_exception_handler(lambda _, context: unheard.append(context))
        task = asyncio.ensure_future(Wire(CREATE).request(Desk(hello, step=step).app))
        async with asyncio.timeout(10):
            await gate.reached.wait()
            task.cancel()
            await asyncio.sleep(0)
            gate.opened.set()
            await asyncio.wait({task})
        assert task.cancelled()

    unheard: list[dict[str, Any]] = []
    asyncio.run(cancel_in_the_prelude())
    gc.collect()
    assert unheard == []


@pytest.mark.parametrize("cancelled_before", [False, True], ids=["by the loop alone", "by the server before"])
def test_the_end_of_the_event_loop_lets_the_server_finish(*, cancelled_before: bool) -> None:
    async def stream_and_leave() -> Desk:
        gate = Gate()
        desk = Desk(half(gate))
        tasks.append(asyncio.ensure_future(Wire(CREATE).request(desk.app)))
        async with asyncio.timeout(10):
            await gate.reached.wait()
        if cancelled_before:
            tasks[0].cancel()
            for _ in range(3):
                await asyncio.sleep(0)
        return desk

    tasks: list[asyncio.Future[Wire]] = []
    desk = asyncio.run(stream_and_leave())
    assert tasks[0].cancelled()
    asyncio.run(desk.assert_saved("Hel"))


def test_the_end_of_the_event_loop_lets_the_users_message_be_stored() -> None:
    async def stream_and_leave() -> Desk:
        reached = asyncio.Event()

        async def step(method: str) -> None:
            reached.set()
            for _ in range(5):
                await asyncio.sleep(0)

        desk = Desk(half(forever), step=step)
        tasks.append(asyncio.ensure_future(Wire(CREATE).request(desk.app)))
        async with asyncio.timeout(10):
            await reached.wait()
        return desk

    tasks: list[asyncio.Future[Wire]] = []
    desk = asyncio.run(stream_and_leave())
    asyncio.run(desk.assert_saved("Hel"))


@bounded
async def test_a_generator_that_is_cancelled_from_within_before_its_first_event_is_an_error() -> None:
    async def events() -> AsyncIterator[bytes]:
        raise asyncio.CancelledError
        yield b""

    with pytest.raises(RuntimeError, match="cancelled from within"):
        await _drive(events())


@bounded
async def test_a_server_that_cancels_itself_later_ends_the_stream_with_one_error() -> None:
    async def script(thread: ThreadMetadata) -> AsyncIterator[ThreadStreamEvent]:
        yield added(thread)
        yield delta("Hel")
        raise asyncio.CancelledError

    desk = Desk(script)
    wire = await Wire(CREATE).request(desk.app)
    assert wire.types[3:] == ["thread.item.added", "thread.item.updated", "error"]
    assert wire.ended
    await desk.assert_saved("Hel")


# ------------------------------------------------------------------------------------------------ grace


class Stubborn:
    """A generator that takes no cancel for an answer, until it is let go."""

    def __init__(self) -> None:
        self.waiting = asyncio.Event()
        self.let_go = asyncio.Event()
        self.ended = asyncio.Event()

    async def __call__(self, thread: ThreadMetadata) -> AsyncIterator[ThreadStreamEvent]:
        yield added(thread)
        yield delta("Hel")
        await self.wait()
        self.ended.set()

    async def wait(self) -> None:
        while not self.let_go.is_set():
            self.waiting.set()
            with suppress(asyncio.CancelledError):
                await self.let_go.wait()


@bounded
async def test_a_generator_that_does_not_end_is_given_up_after_the_grace(
    caplog: pytest.LogCaptureFixture,
) -> None:
    stubborn = Stubborn()
    scope, state = signed_in_scope()
    wire = Wire(CREATE)
    task = asyncio.ensure_future(wire.request(Desk(stubborn, cancel_grace=0.01).app, scope))
    await stubborn.waiting.wait()
    wire.gone.set()
    try:
        await task
    finally:
        stubborn.let_go.set()
        await stubborn.ended.wait()
    assert [record.message for record in caplog.records if record.name == "chatkit_prod"] == [
        f"the stream of request {state.request_id} did not end within cancel_grace=0.01 seconds"
    ]
    assert sum(map(is_head, wire.sent)) == 1
    assert state.outcome == "cancelled"


@bounded
async def test_a_stubborn_generator_does_not_keep_its_client_waiting_at_the_deadline() -> None:
    stubborn = Stubborn()
    scope, state = signed_in_scope(expires_in=0.01)
    wire = Wire(CREATE)
    try:
        await wire.request(Desk(stubborn, cancel_grace=0.01).app, scope)
        sent = list(wire.sent)
    finally:
        stubborn.let_go.set()
        await stubborn.ended.wait()
    assert wire.types[-2:] == ["thread.item.updated", "error"]
    assert wire.events[-1] == _session_ended()
    assert wire.ended
    assert state.outcome == "expired"
    assert wire.sent == sent


@bounded
async def test_a_request_that_is_cancelled_again_and_again_is_given_up_after_the_grace() -> None:
    stubborn = Stubborn()
    scope, state = signed_in_scope()
    task = asyncio.ensure_future(Wire(CREATE).request(Desk(stubborn, cancel_grace=0.05).app, scope))
    await stubborn.waiting.wait()
    try:
        while not task.done():
            task.cancel()
            await asyncio.sleep(0)
    finally:
        stubborn.let_go.set()
        await stubborn.ended.wait()
    assert task.cancelled()
    assert state.outcome == "cancelled"


@bounded
async def test_a_store_that_ends_when_nobody_waits_any_more_is_answered_once() -> None:
    stubborn = Stubborn()
    ended = asyncio.Event()

    async def step(method: str) -> None:
        await stubborn.wait()
        if method == "add_thread_item":
            ended.set()

    scope, state = signed_in_scope(expires_in=0.01)
    wire = Wire(CREATE)
    try:
        await wire.request(Desk(half(forever), step=step, cancel_grace=0.01).app, scope)
        sent = list(wire.sent)
    finally:
        stubborn.let_go.set()
        await ended.wait()
    assert wire.types == ["error"]
    assert wire.ended
    assert state.outcome == "expired"
    assert wire.sent == sent


@bounded
async def test_a_head_that_cannot_be_sent_is_not_followed_by_the_end() -> None:
    gate = Gate()
    scope, state = signed_in_scope(expires_in=0.01)
    wire = Wire(CREATE, on_send=on(is_head, gate))
    desk = Desk(half(forever), cancel_grace=0.05)
    await wire.request(desk.app, scope)
    assert wire.sent == []
    assert state.outcome == "expired"
    await desk.assert_saved("Hel")


@bounded
async def test_a_store_that_hangs_and_then_fails_is_answered_once() -> None:
    async def step(method: str) -> None:
        try:
            await forever()
        except asyncio.CancelledError:
            raise ConnectionError from None

    scope, state = signed_in_scope(expires_in=0.01)
    wire = await Wire(CREATE).request(Desk(hello, step=step, cancel_grace=0.01).app, scope)
    assert sum(map(is_head, wire.sent)) == 1
    assert wire.types == ["error"]
    assert wire.ended
    assert state.outcome == "expired"


@bounded
async def test_a_generator_that_ends_at_the_second_cancel_is_done_with(
    caplog: pytest.LogCaptureFixture,
) -> None:
    cancels = 0
    waiting = asyncio.Event()

    async def script(thread: ThreadMetadata) -> AsyncIterator[ThreadStreamEvent]:
        nonlocal cancels
        yield added(thread)
        waiting.set()
        try:
            await forever()
        except asyncio.CancelledError:
            cancels += 1
            await forever()

    scope, state = signed_in_scope()
    wire = Wire(CREATE)
    desk = Desk(script, cancel_grace=0.01)
    task = asyncio.ensure_future(wire.request(desk.app, scope))
    await waiting.wait()
    wire.gone.set()
    await task
    assert cancels == 1
    assert "did not end" in caplog.text
    assert state.outcome == "cancelled"
    assert desk.server.finished == 1


@pytest.mark.parametrize("expires_in", [None, 0.01], ids=["disconnect", "deadline"])
@bounded
async def test_a_store_that_hangs_in_the_prelude_is_given_up_after_the_grace(
    expires_in: float | None,
) -> None:
    gate = Gate()
    scope, state = signed_in_scope(expires_in=expires_in)
    wire = Wire(CREATE)
    desk = Desk(hello, step=held(save_thread=gate), cancel_grace=0.01)
    task = asyncio.ensure_future(wire.request(desk.app, scope))
    await gate.reached.wait()
    if expires_in is None:
        wire.gone.set()
    await task
    if expires_in is None:
        assert state.outcome == "cancelled"
    else:
        assert wire.status == 200
        assert wire.events == [_session_ended()]
        assert wire.ended
        assert state.outcome == "expired"


@bounded
async def test_an_expired_stream_whose_client_stopped_reading_is_given_up_after_the_grace() -> None:
    gate = Gate()
    scope, state = signed_in_scope(expires_in=0.01)
    desk = Desk(half(forever), cancel_grace=0.05)
    await Wire(CREATE, on_send=on(is_delta, gate)).request(desk.app, scope)
    await desk.assert_saved("Hel")
    assert state.outcome == "expired"


# ------------------------------------------------------------------------------------------------ the deadline


def _session_ended() -> dict[str, Any]:
    return {"type": "error", "code": "custom", "message": SESSION_ENDED, "allow_retry": False}


async def _assert_expired(desk: Desk, wire: Wire, state: RequestState, text: str) -> None:
    assert wire.events[-1] == _session_ended()
    assert wire.types.count("error") == 1
    assert wire.ended
    assert state.outcome == "expired"
    await desk.assert_saved(text)


@bounded
async def test_a_deadline_while_the_model_thinks_ends_the_stream_with_one_event() -> None:
    scope, state = signed_in_scope(expires_in=0.02)
    desk = Desk(half(forever))
    wire = await Wire(CREATE).request(desk.app, scope)
    await _assert_expired(desk, wire, state, "Hel")


@bounded
async def test_a_deadline_that_has_passed_already_still_stores_the_users_message() -> None:
    scope, state = signed_in_scope(expires_in=-1)
    desk = Desk(half(forever))
    wire = await Wire(CREATE).request(desk.app, scope)
    assert wire.types[:3] == HELLO[:3]
    await _assert_expired(desk, wire, state, texts(await stored_items(desk.store))[0])


@pytest.mark.parametrize("method", ["save_thread", "add_thread_item"])
@bounded
async def test_a_deadline_in_the_prelude_ends_the_stream_behind_it(method: str) -> None:
    async def slow(name: str) -> None:
        if name == method:
            await asyncio.sleep(0.05)  # the latency of a store, longer than the credential lasts

    scope, state = signed_in_scope(expires_in=0.01)
    desk = Desk(half(forever), step=slow)
    wire = await Wire(CREATE).request(desk.app, scope)
    assert wire.types == [*HELLO[:3], "error"]
    await _assert_expired(desk, wire, state, "Hel")


@bounded
async def test_a_deadline_while_a_send_blocks_ends_the_stream_with_one_event() -> None:
    blocked = False

    async def on_send(message: Message) -> None:
        nonlocal blocked
        if is_delta(message) and not blocked:
            blocked = True
            await forever()

    scope, state = signed_in_scope(expires_in=0.02)
    desk = Desk(half(forever))
    wire = await Wire(CREATE, on_send=on_send).request(desk.app, scope)
    await _assert_expired(desk, wire, state, "Hel")


@bounded
async def test_a_deadline_while_a_comment_is_being_sent_ends_the_stream_behind_it() -> None:
    async def on_send(message: Message) -> None:
        if is_ping(message):
            await asyncio.sleep(0.05)  # the latency of a client, longer than the credential lasts

    scope, state = signed_in_scope(expires_in=0.03)
    desk = Desk(half(forever), keep_alive=0.01)
    wire = await Wire(CREATE, on_send=on_send).request(desk.app, scope)
    assert wire.sent[-3]["body"] == KEEP_ALIVE
    await _assert_expired(desk, wire, state, "Hel")


@bounded
async def test_a_stream_that_ends_before_its_deadline_is_complete() -> None:
    scope, state = signed_in_scope(expires_in=60)
    wire = await Wire(CREATE).request(Desk(hello).app, scope)
    assert wire.types == HELLO
    assert state.outcome == "completed"


# ------------------------------------------------------------------------------------------------ errors


@pytest.mark.parametrize(
    ("error", "event"),
    [
        pytest.param(ValueError("secret"), {"code": "stream.error", "allow_retry": True}, id="any"),
        pytest.param(
            CustomStreamError("Try tomorrow."),
            {"code": "custom", "message": "Try tomorrow.", "allow_retry": False},
            id="custom",
        ),
    ],
)
@bounded
async def test_an_error_of_the_app_ends_the_stream_with_the_event_that_chatkit_sends(
    error: Exception, event: dict[str, Any]
) -> None:
    async def script(thread: ThreadMetadata) -> AsyncIterator[ThreadStreamEvent]:
        yield added(thread)
        raise error

    scope, state = signed_in_scope()
    wire = await Wire(CREATE).request(Desk(script).app, scope)
    assert wire.events[-1] == {"type": "error", **event}
    assert wire.ended
    assert state.outcome == "error"


@pytest.mark.parametrize(
    ("error", "code"),
    [
        pytest.param(ValueError("secret"), "stream.error", id="any"),
        pytest.param(StreamError("stream.error"), "stream.error", id="stream error"),  # type: ignore[arg-type]
        pytest.param(CustomStreamError("Try tomorrow."), "custom", id="custom"),
    ],
)
@bounded
async def test_an_exception_behind_the_first_event_becomes_one_error_event_and_a_clean_end(
    error: Exception, code: str, caplog: pytest.LogCaptureFixture
) -> None:
    async def events() -> AsyncIterator[bytes]:
        yield b"data: one\n\n"
        raise error

    wire, state = await _drive(events())
    assert wire.body.startswith(b"data: one\n\n")
    assert wire.body.count(b"data:") == 2
    assert f'"code":"{code}"'.encode() in wire.body
    assert wire.ended
    assert state.outcome == "error"
    assert state.error_type == type(error).__qualname__
    assert "secret" not in caplog.text
    assert f"the stream of request {state.request_id} failed" in caplog.text


@bounded
async def test_an_event_that_cannot_be_encoded_becomes_one_error_event() -> None:
    async def script(thread: ThreadMetadata) -> AsyncIterator[ThreadStreamEvent]:
        yield added(thread)
        yield ProgressUpdateEvent(text="\ud800")
        yield done(thread, "never sent")

    wire = await Wire(CREATE).request(Desk(script).app)
    assert wire.types[3:] == ["thread.item.added", "error"]
    assert wire.ended


@bounded
async def test_an_exception_while_a_stopped_stream_is_saved_is_logged(
    caplog: pytest.LogCaptureFixture,
) -> None:
    class Failing(ScriptedServer):
        async def handle_stream_cancelled(self, *args: Any, **kwargs: Any) -> None:
            await asyncio.sleep(0)
            raise ValueError(SECRET)

    gate = Gate()
    scope, state = signed_in_scope()
    wire = Wire(CREATE)
    task = asyncio.ensure_future(wire.request(ChatKitEndpoint(Failing(half(gate))), scope))
    await gate.reached.wait()
    wire.gone.set()
    await task
    assert state.outcome == "cancelled"
    assert state.error_type == "ValueError"
    assert f"the stream of request {state.request_id} failed" in caplog.text
    assert SECRET not in caplog.text


@bounded
async def test_a_stream_without_any_event_is_an_error_and_sends_nothing() -> None:
    async def events() -> AsyncIterator[bytes]:
        return
        yield b""

    wire = Wire()
    with pytest.raises(EmptyStreamError):
        await _drive(events(), wire=wire)
    assert wire.sent == []


@bounded
async def test_an_answer_without_any_event_is_complete() -> None:
    wire = await Wire(CREATE).request(Desk(nothing).app)
    assert wire.types == HELLO[:3]
    assert wire.ended


@bounded
async def test_a_thread_whose_message_names_an_absent_attachment_is_not_left_behind() -> None:
    desk = Desk(hello)
    body = chatkit_request("threads.create", input=user_message("Hello", attachments=["atc_absent"]))
    wire = await Wire(body).request(desk.app)
    assert wire.status == 404
    assert (await desk.store.load_threads(10, None, "asc", None)).data == []


@pytest.mark.parametrize("expires_in", [None, 0.01], ids=["disconnect", "deadline"])
@bounded
async def test_such_a_thread_is_not_left_behind_by_a_stream_that_was_stopped(
    expires_in: float | None,
) -> None:
    wire = Wire(chatkit_request("threads.create", input=user_message("Hello", attachments=["atc_absent"])))

    async def slow(method: str) -> None:
        if expires_in is None:
            wire.gone.set()
            await wire.told.wait()
        await asyncio.sleep(0.03)  # the latency of a store, longer than the credential lasts

    desk = Desk(hello, step=slow)
    scope, _ = signed_in_scope(expires_in=expires_in)
    await wire.request(desk.app, scope)
    assert (await desk.store.load_threads(10, None, "asc", None)).data == []


@bounded
async def test_events_that_cannot_be_closed_are_driven_as_well() -> None:
    class Events:
        def __init__(self) -> None:
            self.left = [b"data: two\n\n", b"data: one\n\n"]

        def __aiter__(self) -> "Events":
            return self

        async def __anext__(self) -> bytes:
            if not self.left:
                raise StopAsyncIteration
            return self.left.pop()

    wire, _ = await _drive(Events())
    assert wire.body == b"data: one\n\ndata: two\n\n"
    assert wire.ended


@bounded
async def test_a_generator_that_fails_while_it_is_closed_does_not_spoil_the_end(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def events() -> AsyncIterator[bytes]:
        try:
            yield b"data: one\n\n"
            yield b"not to be encoded"
        finally:
            raise ValueError(SECRET)

    def encode(chunk: bytes) -> bytes:
        if chunk == b"not to be encoded":
            raise TypeError
        return chunk

    wire, state = await _drive(events(), encode=encode)
    assert wire.body.count(b"data:") == 2
    assert wire.ended
    assert (state.outcome, state.error_type) == ("error", "TypeError")
    assert f"the generator of request {state.request_id} did not close" in caplog.text
    assert SECRET not in caplog.text


# ------------------------------------------------------------------------------------------------ timeouts of the app


@asynccontextmanager
async def _anyio_timeout(seconds: float) -> AsyncGenerator[None]:
    with anyio.fail_after(seconds):
        yield


@pytest.mark.parametrize(
    "within", [asyncio.timeout, _anyio_timeout], ids=["asyncio.timeout", "anyio.fail_after"]
)
@bounded
async def test_a_timeout_around_the_model_still_works(
    within: Callable[[float], AbstractAsyncContextManager[object]],
) -> None:
    async def script(thread: ThreadMetadata) -> AsyncIterator[ThreadStreamEvent]:
        yield added(thread)
        try:
            async with within(0.01):
                await forever()
        except TimeoutError:
            yield delta("too late")
        yield done(thread, "too late")

    wire = await Wire(CREATE).request(Desk(script).app)
    assert wire.types[3:] == ["thread.item.added", "thread.item.updated", "thread.item.done"]
    assert wire.ended


@bounded
async def test_a_timeout_around_the_answer_that_ends_while_a_send_blocks_waits_for_the_send() -> None:
    over = asyncio.Event()

    async def on_send(message: Message) -> None:
        if is_delta(message):
            await over.wait()

    async def script(thread: ThreadMetadata) -> AsyncIterator[ThreadStreamEvent]:
        asyncio.get_running_loop().call_later(0.04, over.set)
        try:
            async with asyncio.timeout(0.02):
                yield added(thread)
                yield delta("Hel")
                await forever()
        except TimeoutError:
            yield done(thread, "too late")

    desk = Desk(script)
    wire = await Wire(CREATE, on_send=on_send).request(desk.app)
    assert wire.types[-3:] == ["thread.item.added", "thread.item.updated", "thread.item.done"]
    assert wire.ended
    assert texts(await stored_items(desk.store)) == ["too late"]


def slow_to_give_up(cleanup: Gate, *, then: Script) -> Script:
    """Return a script whose model takes too long, and takes its time to notice."""

    async def script(thread: ThreadMetadata) -> AsyncIterator[ThreadStreamEvent]:
        yield added(thread)
        yield delta("Hel")
        try:
            async with asyncio.timeout(0.01):
                try:
                    await forever()
                finally:
                    await cleanup()
        except TimeoutError:
            async for event in then(thread):
                yield event

    return script


async def lo(thread: ThreadMetadata) -> AsyncIterator[ThreadStreamEvent]:
    yield delta("lo")
    await forever()


async def silence(thread: ThreadMetadata) -> AsyncIterator[ThreadStreamEvent]:
    await forever()
    yield delta("never")


@pytest.mark.parametrize(
    ("then", "saved"), [(lo, "Hello"), (silence, "Hel")], ids=["and goes on", "and says no more"]
)
@bounded
async def test_a_stop_while_a_timeout_of_the_app_unwinds_is_made_up_for(
    then: Script, saved: str, caplog: pytest.LogCaptureFixture
) -> None:
    cleanup = Gate()
    desk = Desk(slow_to_give_up(cleanup, then=then), cancel_grace=0.2)
    wire = Wire(CREATE)

    async def leave() -> None:
        await cleanup.reached.wait()
        wire.gone.set()
        await wire.told.wait()
        cleanup.opened.set()

    async with anyio.create_task_group() as group:
        group.start_soon(leave)
        await wire.request(desk.app)
    await desk.assert_saved(saved)
    assert "cancel_grace" not in caplog.text


@bounded
async def test_a_stop_while_the_rest_of_another_cancel_is_saved_does_not_cancel_the_saving() -> None:
    tasks = list[asyncio.Task[Any]]()
    wire = Wire(CREATE)

    async def step(method: str) -> None:
        if method == "add_thread_item" and tasks and not wire.told.is_set():
            tasks[0].uncancel()  # as a timeout does that the generator has left behind
            wire.gone.set()
            await wire.told.wait()
            for _ in range(5):
                await asyncio.sleep(0)

    async def script(thread: ThreadMetadata) -> AsyncIterator[ThreadStreamEvent]:
        yield added(thread)
        yield delta("Hel")
        task = asyncio.current_task()
        assert task is not None
        tasks.append(task)
        asyncio.get_running_loop().call_soon(task.cancel)
        await forever()

    desk = Desk(script, step=step)
    await wire.request(desk.app)
    await desk.assert_saved("Hel")


# ------------------------------------------------------------------------------------------------ keep-alive


@bounded
async def test_silence_is_filled_with_comments_that_are_no_messages() -> None:
    pings = 0
    enough = asyncio.Event()

    async def on_send(message: Message) -> None:
        nonlocal pings
        pings += is_ping(message)
        if pings == 3:
            enough.set()

    wire = Wire(CREATE, on_send=on_send)
    await wire.request(Desk(half(enough.wait), keep_alive=0.005).app)
    assert wire.body.count(KEEP_ALIVE) >= 3
    assert wire.types == HELLO
    assert b": ping\n\n" not in wire.body


@bounded
async def test_a_stream_that_is_never_silent_gets_no_comment() -> None:
    wire = await Wire(CREATE).request(Desk(hello, keep_alive=60).app)
    assert KEEP_ALIVE not in wire.body


@bounded
async def test_an_event_waits_for_the_comment_that_is_being_sent() -> None:
    gate = Gate()
    sending = 0

    async def on_send(message: Message) -> None:
        nonlocal sending
        sending += 1
        assert sending == 1, "two sends at once"
        if is_ping(message) and not gate.opened.is_set():
            await gate()
        sending -= 1

    async def release() -> None:
        await gate.reached.wait()
        model.set()
        for _ in range(5):
            await asyncio.sleep(0)
        gate.opened.set()

    model = asyncio.Event()
    wire = Wire(CREATE, on_send=on_send)
    async with anyio.create_task_group() as group:
        group.start_soon(release)
        await wire.request(Desk(half(model.wait), keep_alive=0.005).app)
    assert wire.types == HELLO
    assert wire.ended


@bounded
async def test_a_send_that_blocks_is_not_silence() -> None:
    pings = 0

    async def on_send(message: Message) -> None:
        nonlocal pings
        pings += is_ping(message)
        if is_delta(message):
            await asyncio.sleep(0.03)  # the latency of a client, longer than the keep-alive

    await Wire(CREATE, on_send=on_send).request(Desk(hello, keep_alive=0.01).app)
    assert pings == 0


@bounded
async def test_a_comment_that_hangs_is_not_followed_by_another() -> None:
    gate = Gate()
    pings = 0

    async def on_send(message: Message) -> None:
        nonlocal pings
        if is_ping(message):
            pings += 1
            await gate()

    async def script(thread: ThreadMetadata) -> AsyncIterator[ThreadStreamEvent]:
        yield added(thread)
        await gate.reached.wait()
        await asyncio.sleep(0.03)  # a silence of several keep-alives
        gate.opened.set()
        yield done(thread, "Hello")

    wire = await Wire(CREATE, on_send=on_send).request(Desk(script, keep_alive=0.01).app)
    assert pings == 1
    assert wire.types[-1] == "thread.item.done"


# ------------------------------------------------------------------------------------------------ every moment


class Interleaving:
    """Waits a random number of turns at every step, and lets the client go away at one of them."""

    def __init__(self, seed: int, leave_at: int | None) -> None:
        self._random = Random(seed)
        self._leave_at = leave_at
        self.steps = 0
        self.leave: Callable[[], None] = lambda: None

    async def __call__(self, _: object = None) -> None:
        self.steps += 1
        if self.steps == self._leave_at:
            self.leave()
        for _turn in range(self._random.randrange(4)):
            await asyncio.sleep(0)


class Typist:
    """Says a few words with waits between them, and then waits until it is stopped.

    Attributes:
        said: What it has yielded.
    """

    def __init__(self, words: list[str], step: Interleaving) -> None:
        self._words = words
        self._step = step
        self.said = ""

    async def __call__(self, thread: ThreadMetadata) -> AsyncIterator[ThreadStreamEvent]:
        await self._step()
        yield added(thread)
        for word in self._words:
            await self._step()
            self.said += word
            yield delta(word)
        await self._step()
        self._step.leave()
        await forever()


async def _leave_at(seed: int, words: list[str], leave_at: int | None) -> int:
    """Run one interleaving with one disconnect, check what is left, and return the number of steps."""
    step = Interleaving(seed, leave_at)
    typist = Typist(words, step)
    wire = Wire(CREATE, on_send=step)
    step.leave = wire.gone.set
    desk = Desk(typist, step=step)
    with anyio.fail_after(10):
        await wire.request(desk.app)
    await desk.assert_saved(typist.said if typist.said.strip() else "")
    sent = "".join(
        event["update"]["delta"] for event in wire.events if event["type"] == "thread.item.updated"
    )
    assert typist.said.startswith(sent)
    return step.steps


@settings(max_examples=40)
@given(seed=st.integers(0, 2**32), words=st.lists(st.text("ab ", min_size=1, max_size=3), max_size=4))
async def test_whenever_the_client_goes_away_the_marker_and_all_that_was_said_are_stored(
    seed: int, words: list[str]
) -> None:
    steps = await _leave_at(seed, words, None)
    for moment in range(1, steps + 1):
        await _leave_at(seed, words, moment)


# ------------------------------------------------------------------------------------------------ tools


async def _drive(
    events: AsyncIterator[bytes],
    *,
    wire: Wire | None = None,
    receive: Callable[[], Awaitable[Message]] | None = None,
    encode: Callable[[bytes], bytes] = bytes,
) -> tuple[Wire, RequestState]:
    """Drive a stream of bytes without a server."""
    wire = Wire() if wire is None else wire
    scope: Scope = http_scope()
    _, state = RequestState.seed(scope)
    driver = StreamDriver(
        events,
        encode,
        head={"type": "http.response.start", "status": 200, "headers": []},
        state=state,
        keep_alive=60,
        cancel_grace=5,
        deadline=None,
        deadline_message="",
    )
    await driver.run(wire.receive if receive is None else receive, wire.send)
    return wire, state
