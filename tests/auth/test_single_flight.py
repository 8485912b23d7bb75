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

    def __init__(self, error: BaseException | None = None) -> None:
        self.begun = 0
        self.reached = asyncio.Event()
        self.over = asyncio.Event()
        self._error = error

    async def __call__(self) -> int:
        self.begun += 1
        begun = self.begun
        self.reached.set()
        await self.over.wait()
        if self._error is not None:
            raise self._error
        return begun


@bounded
async def test_work_is_begun_once_for_a_key_and_again_when_it_is_over() -> None:
    flights, work = SingleFlight[str, int](), Work()
    assert flights.start("a", work)
    assert not flights.start("a", work)
    joining = [asyncio.create_task(flights.join("a", work)) for _ in range(3)]
    await work.reached.wait()
    assert (flights.is_running("a"), flights.is_running("b")) == (True, False)
    work.over.set()
    assert await asyncio.gather(*joining) == [1] * 3
    assert not flights.is_running("a")
    assert await flights.join("a", work) == 2


@bounded
async def test_keys_do_not_wait_for_each_other() -> None:
    flights, slow, fast = SingleFlight[str, int](), Work(), Work()
    fast.over.set()
    waiting = asyncio.create_task(flights.join("slow", slow))
    assert await flights.join("fast", fast) == 1
    assert not waiting.done()
    slow.over.set()
    assert await waiting == 1


@bounded
@pytest.mark.parametrize("how", ["join", "settled"])
async def test_one_who_waits_and_goes_away_does_not_take_the_work_along(how: str) -> None:
    flights, work = SingleFlight[str, int](), Work()
    staying = asyncio.create_task(flights.join("a", work))
    await work.reached.wait()
    going = asyncio.create_task(flights.join("a", work) if how == "join" else flights.settled("a"))
    await anyio.lowlevel.checkpoint()
    going.cancel()
    await asyncio.wait([going])
    assert going.cancelled()
    work.over.set()
    assert await staying == 1


@bounded
@pytest.mark.parametrize("error", [None, ValueError(), asyncio.CancelledError()], ids=repr)
async def test_who_only_wants_it_to_be_over_does_not_hear_how_it_ended(error: BaseException | None) -> None:
    flights, work = SingleFlight[str, int](), Work(error)
    await flights.settled("a")
    flights.start("a", work)
    waiting = asyncio.create_task(flights.settled("a"))
    await work.reached.wait()
    assert not waiting.done()
    work.over.set()
    await waiting
    assert not flights.is_running("a")


@bounded
async def test_everybody_who_joined_hears_that_it_failed() -> None:
    flights, work = SingleFlight[str, int](), Work(ValueError())
    work.over.set()
    ends = await asyncio.gather(*(flights.join("a", work) for _ in range(2)), return_exceptions=True)
    assert [type(end) for end in ends] == [ValueError] * 2
    assert work.begun == 1


@bounded
async def test_work_that_fails_while_nobody_waits_is_not_reported() -> None:
    reports = list[object]()
    asyncio.get_running_loop().set_exception_handler(lambda _, report: reports.append(report))
    flights, work = SingleFlight[str, int](), Work(ValueError())
    flights.start("a", work)
    await work.reached.wait()
    work.over.set()
    await flights.settled("a")
    await anyio.lowlevel.checkpoint()
    gc.collect()
    assert reports == []


@bounded
async def test_an_old_flight_does_not_forget_the_new_one() -> None:
    flights, old, new = SingleFlight[str, int](), Work(), Work()
    old.over.set()
    flights.start("a", old)
    await asyncio.sleep(0)  # it is over, and the callback that forgets it has not run yet
    assert flights.start("a", new)
    await new.reached.wait()
    assert flights.is_running("a")
    assert not flights.start("a", old)
    new.over.set()
    await flights.settled("a")


def test_another_event_loop_has_work_of_its_own() -> None:
    flights = SingleFlight[str, int]()

    async def one() -> int:
        work = Work()
        work.over.set()
        assert not flights.is_running("a")
        return await flights.join("a", work)

    assert [asyncio.run(one()), asyncio.run(one())] == [1, 1]
