"""A storage that fails costs one wait a second, is logged once, and is used again by itself."""

import asyncio
import logging
import time

import anyio
import pytest

from chatkit_prod.limits.backend import StorageDownError
from chatkit_prod.limits.breaker import Breaker
from tests.servers import Gate

pytestmark = pytest.mark.anyio


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


class Storage:
    """Answers, fails or hangs."""

    def __init__(self) -> None:
        self.asked = 0
        self.error: Exception | None = None

    async def ask(self) -> int:
        self.asked += 1
        if self.error is not None:
            raise self.error
        return 1


async def is_up(breaker: Breaker, storage: Storage) -> bool:
    try:
        return await breaker.run(storage.ask) == 1
    except StorageDownError:
        return False


async def test_after_a_failure_nobody_asks_for_a_second(caplog: pytest.LogCaptureFixture) -> None:
    clock, storage = Clock(), Storage()
    breaker = Breaker(timeout=0.5, now=clock)
    storage.error = ConnectionError("to alice@example.com")
    assert [await is_up(breaker, storage) for _ in range(5)] == [False] * 5
    assert storage.asked == 1
    for _ in range(3):
        clock.now += 1
        assert not await is_up(breaker, storage)
    assert storage.asked == 4
    storage.error = None
    assert not await is_up(breaker, storage)
    clock.now += 1
    assert await is_up(breaker, storage)
    levels = [record.levelno for record in caplog.records]
    assert levels == [logging.ERROR, logging.WARNING]
    assert "alice" not in caplog.text
    assert "after 4.0 s" in caplog.text


async def test_a_storage_that_hangs_is_given_up() -> None:
    breaker = Breaker(timeout=0.05)
    started = time.monotonic()
    with pytest.raises(StorageDownError):
        await breaker.run(Gate())
    assert time.monotonic() - started < 1


async def test_one_request_tries_again_and_the_others_do_not_wait_for_it() -> None:
    clock, storage, gate = Clock(), Storage(), Gate()
    breaker = Breaker(timeout=5, now=clock)
    storage.error = OSError()
    assert not await is_up(breaker, storage)
    storage.error = None
    clock.now += 1
    async with anyio.create_task_group() as group:
        group.start_soon(breaker.run, gate)
        await gate.reached.wait()
        assert not await is_up(breaker, storage)
        gate.opened.set()
    assert await is_up(breaker, storage)


async def test_who_was_asked_before_the_failure_does_not_end_it(caplog: pytest.LogCaptureFixture) -> None:
    storage, gate = Storage(), Gate()
    breaker = Breaker(timeout=5, now=Clock())
    async with anyio.create_task_group() as group:
        group.start_soon(breaker.run, gate)
        await gate.reached.wait()
        storage.error = OSError()
        assert not await is_up(breaker, storage)
        gate.opened.set()
    assert not await is_up(breaker, storage)
    assert len(caplog.records) == 1


async def test_a_request_that_is_cancelled_says_nothing_about_the_storage() -> None:
    clock, storage, gate = Clock(), Storage(), Gate()
    breaker = Breaker(timeout=5, now=clock)
    task = asyncio.create_task(breaker.run(gate))
    await gate.reached.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    gate.opened.set()
    assert await is_up(breaker, storage)


async def test_what_a_storage_says_to_a_request_that_is_gone_is_heard_by_nobody() -> None:
    gate = Gate()

    async def fail_late() -> None:
        await gate()
        raise OSError

    task = asyncio.create_task(Breaker(timeout=5).run(fail_late))
    await gate.reached.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    gate.opened.set()
    await asyncio.sleep(0)
