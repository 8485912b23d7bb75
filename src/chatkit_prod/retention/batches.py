"""The size of a batch, the pause after it, and how its threads are worked on side by side."""

import math
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Final, TypeVar

import anyio

from chatkit_prod.errors import ConfigurationError

T = TypeVar("T")
TResult = TypeVar("TResult")

DEFAULT_BATCH: Final = 100
DEFAULT_PAUSE: Final = 0.05
MAX_BATCH: Final = 1000

_AT_ONCE: Final = 8
"""So many threads are worked on side by side: fewer than the connections that a pool has."""


def batch_size(value: Any) -> int:
    """Return the threads of a batch.

    Raises:
        ConfigurationError: It is no number, or too large to be in memory at once.
    """
    if not isinstance(value, int) or isinstance(value, bool) or not 1 <= value <= MAX_BATCH:
        raise ConfigurationError(f"batch must be a number from 1 to {MAX_BATCH}, not {value!r}")
    return value


def pause_seconds(value: Any) -> float:
    """Return the seconds between two batches; there may be none.

    Raises:
        ConfigurationError: It is something else, or has no end.
    """
    if not isinstance(value, int | float) or isinstance(value, bool) or not 0 <= value < math.inf:
        raise ConfigurationError(f"pause must be seconds, or 0, not {value!r}")
    return value


async def each(rows: Sequence[T], work: Callable[[T], Awaitable[TResult]]) -> list[TResult]:
    """Work on some rows at once, and return the results in the order of the rows.

    Args:
        rows: A batch of them.
        work: Must not raise.
    """
    results: dict[int, TResult] = {}
    waiting = iter(enumerate(rows))

    async def worker() -> None:
        for number, row in waiting:
            results[number] = await work(row)

    async with anyio.create_task_group() as group:
        for _ in range(min(_AT_ONCE, len(rows))):
            group.start_soon(worker)
    return [results[number] for number in range(len(rows))]
