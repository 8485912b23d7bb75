"""A thousand answers at once."""

import asyncio
import os
import resource
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest

from .desk import create
from .servers import ServerProcess, serve_process
from .standalone import WORDS
from .wire import Connection, ask, connect

pytestmark = pytest.mark.anyio

_STREAMS = 1000
_FILES = 2 * _STREAMS + 200
_MOST_BYTES_PER_STREAM = 256 * 1024


@pytest.fixture
def _many_files() -> None:
    """Let this process and the servers that it starts open enough sockets."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < _FILES:
        resource.setrlimit(resource.RLIMIT_NOFILE, (_FILES, max(hard, _FILES)))


def _resident_bytes(server: ServerProcess) -> int:
    pages = Path(f"/proc/{server.process.pid}/statm").read_text(encoding="ascii").split()[1]
    return int(pages) * os.sysconf("SC_PAGE_SIZE")


def _shape(event: Any) -> tuple[str, str]:
    """Return the type of an event, and what tells it from its neighbours."""
    update = event.get("update", {})
    return event["type"], update.get("delta", update.get("type", event.get("item", {}).get("type", "")))


def _expected(question: str) -> list[tuple[str, str]]:
    return [
        ("thread.created", ""),
        ("thread.item.done", "user_message"),
        ("stream_options", ""),
        ("thread.item.added", "assistant_message"),
        ("thread.item.updated", "assistant_message.content_part.added"),
        *(("thread.item.updated", f"{question}.{number} ") for number in range(len(WORDS))),
        ("thread.item.done", "assistant_message"),
    ]


class _Stream:
    """One of the thousand.

    Args:
        connection: To the server.
        question: Told from all the others.
    """

    def __init__(self, connection: Connection, question: str) -> None:
        self._connection = connection
        self._question = question
        self._events: AsyncIterator[Any] = connection.events()
        self.seen: list[tuple[str, str]] = []

    async def open(self) -> None:
        """Ask, and read up to the last word."""
        await self._connection.send(create(self._question))
        await self._connection.head()
        while len(self.seen) < len(_expected("")) - 1:
            self.seen.append(_shape(await anext(self._events)))

    async def finish(self) -> bool:
        """Read the rest, and tell whether the answer was whole and in order."""
        self.seen += [_shape(event) async for event in self._events]
        return self.seen == _expected(self._question) and self._connection.complete


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="tells the memory of a process by /proc")
@pytest.mark.usefixtures("_many_files")
async def test_a_thousand_streams_at_once_get_every_event_in_order(figures: Callable[[str], None]) -> None:
    async with serve_process("streams") as server, AsyncExitStack() as stack:
        warm_up = _Stream(await stack.enter_async_context(connect(server.port)), "warm-up")
        await warm_up.open()
        before = _resident_bytes(server)
        started = time.perf_counter()
        streams = [
            _Stream(await stack.enter_async_context(connect(server.port)), f"question {number}")
            for number in range(_STREAMS)
        ]
        await asyncio.gather(*(stream.open() for stream in streams))
        opened = time.perf_counter() - started
        per_stream = (_resident_bytes(server) - before) / _STREAMS
        answer, _ = await ask(server.port, path="/finish")
        whole = await asyncio.gather(*(stream.finish() for stream in [warm_up, *streams]))
    figures(
        f"{sum(whole) - 1} of {_STREAMS} concurrent streams got every event in order; "
        f"{per_stream / 1024:.1f} KiB per open stream, all of them open after {opened:.1f} s"
    )
    assert answer.status == 204
    assert all(whole)
    assert per_stream < _MOST_BYTES_PER_STREAM
