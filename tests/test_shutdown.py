"""When the process ends, every open stream gets the time to save what there is."""

import asyncio
from typing import TYPE_CHECKING

import pytest

from chatkit_prod import ChatKitEndpoint, close_streams
from chatkit_prod.asgi import Message
from chatkit_prod.shutdown import DrivingTask
from tests.servers import ScriptedServer, bounded, forever, hello

if TYPE_CHECKING:
    from collections.abc import Callable

pytestmark = pytest.mark.anyio


class Stream:
    """Something that takes a few turns to end once it is stopped."""

    def __init__(self, *, patience: float = 5, turns: int = 5) -> None:
        self._turns = turns
        self.stops = 0
        self.ended = False
        self.going = asyncio.Event()
        self.task = DrivingTask(self._run(), stop=self._stop, patience=patience)

    async def _run(self) -> None:
        await self.going.wait()
        for _ in range(self._turns):
            await asyncio.sleep(0)
        self.ended = True

    def _stop(self) -> None:
        self.stops += 1
        self.going.set()


@bounded
async def test_closing_waits_until_every_stream_has_ended() -> None:
    streams = [Stream(turns=turns) for turns in range(1, 4)]
    await close_streams()
    assert all(stream.ended and stream.stops == 1 for stream in streams)


@bounded
async def test_closing_waits_no_longer_than_the_most_patient_stream() -> None:
    class Stuck(Stream):
        async def _run(self) -> None:
            await forever()

    stuck = [Stuck(patience=0.01), Stuck(patience=0.02)]
    await close_streams()
    for stream in stuck:
        assert not stream.task.done()
        stream.task.interrupt()
    await asyncio.wait([stream.task for stream in stuck])


@bounded
async def test_closing_without_an_open_stream_is_done_at_once() -> None:
    await close_streams()


@bounded
async def test_a_stream_that_has_ended_is_not_stopped() -> None:
    stream = Stream()
    stream.going.set()
    await stream.task
    await close_streams()
    assert stream.stops == 0


@bounded
async def test_a_stream_that_no_task_has_begun_is_closed_as_well() -> None:
    begun = list[Stream]()
    asyncio.get_running_loop().call_soon(lambda: begun.append(Stream()))
    await asyncio.sleep(0.01)
    await close_streams()
    assert begun[0].ended


def test_the_streams_of_another_loop_are_left_alone() -> None:
    async def stream() -> Stream:
        return Stream()

    with asyncio.Runner() as runner:
        other = runner.run(stream())
        closing = asyncio.new_event_loop()
        closing.run_until_complete(close_streams())
        closing.close()
        assert other.stops == 0
    assert other.ended


@pytest.mark.parametrize("method", ["cancel", "interrupt"])
@bounded
async def test_while_the_loop_runs_a_cancel_is_a_cancel(method: str) -> None:
    stream = Stream()
    await asyncio.sleep(0)
    cancel: Callable[[], object] = getattr(stream.task, method)
    cancel()
    with pytest.raises(asyncio.CancelledError):
        await stream.task
    assert stream.stops == 0


class Sender:
    """Something that sends once, and waits for ever after that.

    Attributes:
        sent: Whether what was sent has arrived.
    """

    def __init__(self) -> None:
        self.sending = asyncio.Event()
        self.sent = False
        self._arrives = asyncio.Event()
        self.task = DrivingTask(self._run(), stop=self.arrive, patience=5)

    def arrive(self) -> None:
        self._arrives.set()

    async def _run(self) -> None:
        self.task.sending = True
        self.sending.set()
        await self._arrives.wait()
        self.sent = True
        self.task.sent()
        await forever()


@bounded
async def test_a_cancel_while_the_task_sends_is_put_off_until_it_has_sent() -> None:
    sender = Sender()
    await sender.sending.wait()
    assert sender.task.cancel()
    sender.arrive()
    with pytest.raises(asyncio.CancelledError):
        await sender.task
    assert sender.sent


@bounded
async def test_an_interrupt_reaches_a_send() -> None:
    sender = Sender()
    await sender.sending.wait()
    sender.task.interrupt()
    with pytest.raises(asyncio.CancelledError):
        await sender.task
    assert not sender.sent


@bounded
async def test_a_send_that_nothing_has_cancelled_goes_on() -> None:
    sender = Sender()
    await sender.sending.wait()
    sender.arrive()
    done, _ = await asyncio.wait({sender.task}, timeout=0.01)
    assert not done
    assert sender.sent
    sender.task.interrupt()
    await asyncio.wait({sender.task})


def test_the_end_of_the_loop_stops_a_stream_and_waits_for_it() -> None:
    async def leave() -> Stream:
        return Stream()

    stream = asyncio.run(leave())
    assert stream.ended
    assert stream.stops == 1


@bounded
async def test_the_end_of_a_lifespan_closes_the_streams_of_the_endpoint() -> None:
    told = iter(["lifespan.startup", "lifespan.shutdown"])
    sent: list[str] = []

    async def receive() -> Message:
        return {"type": next(told)}

    async def send(message: Message) -> None:
        sent.append(message["type"])

    app = ChatKitEndpoint(ScriptedServer(hello))
    stream = Stream()
    await app({"type": "lifespan"}, receive, send)
    assert stream.ended
    assert sent == ["lifespan.startup.complete", "lifespan.shutdown.complete"]


@bounded
async def test_a_cancel_that_was_put_off_and_not_met_is_put_off_again_by_the_next_send() -> None:
    sending, go_on = asyncio.Event(), asyncio.Event()
    sends = 0

    async def drive() -> None:
        nonlocal sends
        for _ in range(2):  # between two sends it waits for nothing
            await task.begin_send()
            sending.set()
            await go_on.wait()
            sends += 1
            task.sent()
        await forever()

    task = DrivingTask(drive(), stop=lambda: None, patience=1)
    await sending.wait()
    task.cancel("too late")
    go_on.set()
    with pytest.raises(asyncio.CancelledError, match="too late"):
        await task
    assert sends == 2
