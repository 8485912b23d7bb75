"""What many want to know at the same time is asked once."""

import asyncio
import gc

import anyio
import pytest

from chatkit_prod.auth.single_flight import SingleFlight
from tests.servers import bounded

pytestmark = pytest.mark.anyio


class Work:
    """Returns how often it was begun, when it is allowed to; fails if it is told to."""

    def __init__(self, error: Exception | None = None) -> None:
        self.begun = 0
        self.over = asyncio.Event()
        self._error = error

    async def __call__(self) -> int:
        self.begun += 1
        begun = self.begun
        await self.over.wait()
        if self._error is not None:
            raise self._error
        return begun


@bounded
async def test_work_is_begun_once_for_a_key_and_again_when_it_is_over() -> None:
    flights, work = SingleFlight[str, int](), Work()
    first, second = flights.start("a", work), flights.start("a", work)
    assert first is second is flights.running("a")
    assert flights.running("b") is None
    work.over.set()
    assert await first == 1
    assert flights.running("a") is None
    assert await flights.start("a", work) == 2


@bounded
async def test_keys_do_not_wait_for_each_other() -> None:
    flights, slow, fast = SingleFlight[str, int](), Work(), Work()
    fast.over.set()
    waiting = flights.start("slow", slow)
    assert await flights.start("fast", fast) == 1
    assert not waiting.done()
    slow.over.set()
    assert await waiting == 1


@bounded
async def test_work_that_is_cancelled_before_its_first_step_is_forgotten() -> None:
    flights, work = SingleFlight[str, int](), Work()
    flights.start("a", work).cancel()
    await anyio.lowlevel.checkpoint()
    work.over.set()
    assert await flights.start("a", work) == 1


@bounded
async def test_work_that_fails_while_nobody_waits_is_not_reported() -> None:
    reports = list[object]()
    asyncio.get_running_loop().set_exception_handler(lambda _, report: reports.append(report))
    flights, work = SingleFlight[str, int](), Work(ValueError())
    work.over.set()
    task = flights.start("a", work)
    await asyncio.wait([task])
    del task
    await anyio.lowlevel.checkpoint()
    gc.collect()
    assert reports == []


@bounded
async def test_an_old_flight_does_not_forget_the_new_one() -> None:
    flights, work = SingleFlight[str, int](), Work()
    work.over.set()
    first = flights.start("a", work)
    await asyncio.wait([first])  # wakes before the callback that forgets, or after it
    second = flights.start("a", work)
    await anyio.lowlevel.checkpoint()
    assert second.done() or flights.running("a") is second
    assert await second == 2


def test_another_event_loop_has_work_of_its_own() -> None:
    flights = SingleFlight[str, int]()

    async def one() -> int:
        work = Work()
        work.over.set()
        assert flights.running("a") is None
        return await flights.start("a", work)

    assert [asyncio.run(one()), asyncio.run(one())] == [1, 1]
