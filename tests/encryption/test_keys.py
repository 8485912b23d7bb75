"""Unwrapped keys are few, and not kept for long."""

from typing import Any

import pytest

from chatkit_prod.encryption import UnsealError, WrappedKey
from chatkit_prod.encryption import keys as module
from chatkit_prod.encryption.keys import Row, RowKeys
from tests.encryption.keyrings import Service, key

pytestmark = pytest.mark.anyio
ROW = Row("thread", "thr_1")


class Clock:
    now = 1000.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(module, "time", clock)
    return clock


@pytest.fixture
def service() -> Service:
    return Service({"new": key(), "old": key()})


async def made(service: Service, row: Row = ROW) -> WrappedKey:
    return (await RowKeys(service, size=1, seconds=1).make(row)).wrapped


async def test_a_key_is_unwrapped_once_in_a_while(service: Service, clock: Clock) -> None:
    wrapped, keys = await made(service), RowKeys(service, size=10, seconds=60)
    for _ in range(3):
        await keys.unwrap(ROW, wrapped)
    assert service.unwraps == 1
    clock.now += 60
    await keys.unwrap(ROW, wrapped)
    assert service.unwraps == 2


async def test_the_key_asked_for_longest_ago_is_forgotten_first(service: Service) -> None:
    keys = RowKeys(service, size=2, seconds=60)
    rows = [Row("thread", str(number)) for number in range(3)]
    wrapped = {row: await made(service, row) for row in rows}
    for number in (0, 1, 0, 2, 0, 1):
        await keys.unwrap(rows[number], wrapped[rows[number]])
    assert service.unwraps == 4


async def test_a_deleted_row_has_no_key_in_memory(service: Service) -> None:
    keys = RowKeys(service, size=2, seconds=60)
    one = await keys.carried(ROW)
    keys.forget(ROW)
    assert await keys.carried(ROW) != one
    await keys.unwrap(ROW, one.wrapped)
    assert service.unwraps == 1


async def test_a_key_is_its_rows_alone(service: Service) -> None:
    keys = RowKeys(service, size=2, seconds=60)
    wrapped = (await keys.make(ROW)).wrapped
    for other in (Row("thread", "thr_2"), Row("attachment", "thr_1")):
        with pytest.raises(UnsealError):
            await keys.unwrap(other, wrapped)


async def test_a_carried_key_lasts_for_a_while_and_no_longer_than_the_current_key(
    service: Service, clock: Clock
) -> None:
    keys = RowKeys(service, size=1, seconds=60)
    one = await keys.carried(ROW)
    assert one.is_carried
    assert await keys.carried(ROW) is one
    service.key_id = "old"
    two = await keys.carried(ROW)
    assert two.wrapped.key_id == "old"
    clock.now += 60
    assert await keys.carried(ROW) != two
    await keys.carried(Row("thread", "thr_2"))
    assert len(keys._carried) == 1


async def test_many_keys_are_unwrapped_at_once_and_a_bad_one_harms_none(service: Service) -> None:
    rows = [Row("thread", str(number)) for number in range(20)]
    wanted = [(row, await made(service, row)) for row in rows]
    wanted[3] = (wanted[3][0], wanted[4][1])
    keys = RowKeys(service, size=50, seconds=60)
    await keys.warm(wanted)
    assert service.unwraps == 20
    for number in (0, 19):
        await keys.unwrap(*wanted[number])
    assert service.unwraps == 20
    await keys.warm(wanted[:1])
    assert service.unwraps == 20


class Odd(Service):
    async def unwrap(self, wrapped: WrappedKey, *, associated_data: bytes) -> Any:
        return b"short"


async def test_a_key_of_another_length_is_none() -> None:
    odd = Odd({"a": key()})
    with pytest.raises(UnsealError, match="length"):
        await RowKeys(odd, size=1, seconds=1).unwrap(ROW, await made(odd))


async def test_no_key_is_in_what_is_printed(service: Service) -> None:
    one = await RowKeys(service, size=1, seconds=1).make(ROW)
    assert repr(one.data_key) not in repr(one)
