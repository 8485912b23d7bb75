"""A window is as long as it says, is given back at its end, and nobody is told to come back too early."""

import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatkit_prod.limits.counters import Counters
from chatkit_prod.limits.memory import MemoryBackend, MemoryStorage
from chatkit_prod.limits.rules import Rules, compiled

pytestmark = pytest.mark.anyio

(MINUTE,) = compiled(Rules(requests="3/minute")).requests
(DAY,) = compiled(Rules(tokens="100/day")).tokens


class Clock:
    """A clock that only a test moves."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


class Storage(MemoryStorage):
    """Ends windows by the test's clock, as it would be in seconds since the epoch."""

    def __init__(self, clock: Clock, **options: Any) -> None:
        super().__init__(now=clock, **options)
        self._clock = clock
        self.asked = 0

    async def get_expiry(self, key: str) -> float:
        self.asked += 1
        return await super().get_expiry(key) - time.time() + self._clock.now


def made() -> tuple[Clock, Storage, Counters]:
    clock = Clock()
    storage = Storage(clock)
    return clock, storage, Counters(storage, now=clock)


async def test_a_window_begins_with_the_first_request_and_is_given_back_at_its_end() -> None:
    clock, _, counters = made()
    found: list[tuple[int, int]] = []
    for wait in (0, 10, 40, 9.9, 0.2, 59.7, 0.4):
        clock.now += wait
        standing = await counters.count(MINUTE, "a")
        found.append((standing.used, standing.remaining))
    assert found == [(1, 2), (2, 1), (3, 0), (4, 0), (1, 2), (2, 1), (1, 2)]


@given(waits=st.lists(st.floats(0, 50), max_size=20))
async def test_who_comes_back_when_told_finds_everything_given_back(waits: list[float]) -> None:
    clock, _, counters = made()
    for wait in waits:
        clock.now += wait
        standing = await counters.count(MINUTE, "a")
        assert 1 <= standing.ends <= 60
        assert standing.ends == (await counters.look(MINUTE, "a")).ends
    clock.now += (await counters.look(MINUTE, "a")).ends
    assert (await counters.look(MINUTE, "a")).used == 0


async def test_the_storage_is_asked_once_for_the_end_of_a_window() -> None:
    clock, storage, counters = made()
    another = Counters(storage, now=clock)  # another process
    for counter in (counters, counters, another, another, counters):
        await counter.count(MINUTE, "a")
    assert storage.asked == 1
    clock.now += 61
    await another.count(MINUTE, "a")
    assert storage.asked == 1
    await counters.count(MINUTE, "a")
    assert storage.asked == 2


async def test_looking_counts_nothing() -> None:
    clock, _, counters = made()
    assert [(await counters.look(DAY, "a"))[1:] for _ in range(2)] == [(0, 86400)] * 2
    await counters.count(DAY, "a", 70)
    clock.now += 86400 / 2
    assert [(await counters.look(DAY, "a"))[1:] for _ in range(2)] == [(70, 43201)] * 2


async def test_ends_that_are_remembered_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("chatkit_prod.limits.counters._MAX_ENDS", 2)
    _, storage, counters = made()
    for name in "abca":
        await counters.count(MINUTE, name)
    assert storage.asked == 1


# ------------------------------------------------------------------------------------------------ the memory


@given(
    steps=st.lists(
        st.tuples(st.sampled_from("abcd"), st.sampled_from([5.0, 60.0]), st.integers(1, 9), st.floats(0, 30)),
        max_size=40,
    )
)
async def test_a_sum_is_that_of_its_window_whatever_others_do(
    steps: list[tuple[str, float, int, float]],
) -> None:
    clock = Clock()
    storage = MemoryStorage(now=clock)
    expected: dict[str, tuple[int, float]] = {}
    for name, length, amount, wait in steps:
        key = f"{name}{length}"
        used, end = expected.get(key, (0, 0.0))
        used, end = (used, end) if end > clock.now else (0, clock.now + length)
        expected[key] = (used + amount, end)
        assert await storage.incr(key, length, amount) == used + amount
        clock.now += wait
        for known, (used, end) in expected.items():
            assert await storage.get(known) == (used if end > clock.now else 0)


async def test_windows_that_are_over_leave_the_memory() -> None:
    clock = Clock()
    storage = MemoryStorage(now=clock)
    for number in range(1000):
        await storage.incr(f"old {number}", 60)
    clock.now += 61
    for number in range(500):
        await storage.incr(f"new {number}", 60)
    assert await storage.reset() == 500
    assert await storage.get("new 1") == 0


async def test_the_memory_is_bounded_and_the_oldest_window_goes_first() -> None:
    clock = Clock()
    storage = MemoryStorage(now=clock, max_keys=10)
    for number in range(100):
        clock.now += 0.01
        await storage.incr(str(number), 60)
    assert [await storage.get(key) for key in ("0", "89", "99")] == [0, 0, 1]
    assert await storage.reset() <= 10


async def test_a_window_can_be_cleared_as_the_library_does() -> None:
    storage = MemoryStorage()
    counters = Counters(storage)
    assert await storage.check()
    assert await counters.hit(MINUTE.item, "a")
    await counters.clear(MINUTE.item, "a")
    await counters.clear(MINUTE.item, "nobody")
    assert (await counters.look(MINUTE, "a")).used == 0
    assert storage.base_exceptions == ()


async def test_slots_are_counted_exactly() -> None:
    backend = MemoryBackend()
    slots = [await backend.hold("a", 2, str(n)) for n in range(3)]
    assert [slot is not None for slot in slots] == [True, True, False]
    assert backend.taken() == 2
    for slot in slots[:2]:
        assert slot is not None
        await slot.release()
    assert backend.taken() == 0
