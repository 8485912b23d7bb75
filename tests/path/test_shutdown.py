"""A server that ends while answers are open loses nothing of them."""

import asyncio
import signal
import socket
import sqlite3
import threading
from contextlib import AsyncExitStack, closing
from pathlib import Path

import pytest

from .desk import create
from .servers import LIMIT, listening, serve_process
from .standalone import WORDS, desk_on, hardened, uvicorn_for
from .wire import Connection, connect

pytestmark = pytest.mark.anyio

_STREAMS = 5


def _stored(database: Path) -> dict[str, list[str]]:
    """Return the texts of what is on the disk, by type of item."""
    found: dict[str, list[str]] = {}
    with closing(sqlite3.connect(database)) as connection:
        for kind, text in connection.execute("SELECT type, text FROM items ORDER BY text"):
            found.setdefault(kind, []).append(text)
    return found


async def _open(stack: AsyncExitStack, port: int) -> list[Connection]:
    """Open streams, and read each to its last word."""
    opened = [await stack.enter_async_context(connect(port)) for _ in range(_STREAMS)]
    for number, connection in enumerate(opened):
        await connection.send(create(f"question {number}"))
    for connection in opened:
        await connection.head()
        async for event in connection.events():
            if event.get("update", {}).get("delta") == WORDS[-1]:
                break
    return opened


@pytest.mark.parametrize(
    ("runner", "sent"),
    [
        pytest.param("uvicorn", signal.SIGTERM, id="uvicorn-SIGTERM"),
        pytest.param("uvicorn", signal.SIGINT, id="uvicorn-SIGINT"),
        pytest.param("starlette", signal.SIGTERM, id="uvicorn-Starlette-SIGTERM"),
        pytest.param("hypercorn", signal.SIGTERM, id="hypercorn-SIGTERM"),
    ],
)
async def test_a_shutdown_saves_the_partial_messages_before_the_process_ends(
    runner: str, sent: signal.Signals, tmp_path: Path
) -> None:
    database = tmp_path / "desk.sqlite"
    async with serve_process(runner, str(database)) as server, AsyncExitStack() as stack:
        opened = await _open(stack, server.port)
        errors = await server.stop(sent)
    _assert_saved(database, len(opened), errors)


async def test_granian_waits_for_open_streams_and_what_its_clients_leave_is_saved(tmp_path: Path) -> None:
    database = tmp_path / "desk.sqlite"
    async with serve_process("granian", str(database)) as server, AsyncExitStack() as stack:
        opened = await _open(stack, server.port)
        server.process.send_signal(signal.SIGTERM)
        for connection in opened:
            connection.go("fin")
        errors = await server.ended()
    _assert_saved(database, len(opened), errors)


async def test_an_event_loop_that_is_torn_down_saves_the_partial_messages_first(tmp_path: Path) -> None:
    database = tmp_path / "desk.sqlite"
    streams_are_open = threading.Event()

    async def abandon_a_server(listener: socket.socket) -> None:
        serving = asyncio.create_task(uvicorn_for(hardened(desk_on(str(database)))).serve([listener]))
        await asyncio.to_thread(streams_are_open.wait, LIMIT)
        assert not serving.done()

    with listening() as (listener, port):
        async with AsyncExitStack() as stack:
            run = asyncio.create_task(asyncio.to_thread(asyncio.run, abandon_a_server(listener)))
            opened = await _open(stack, port)
            streams_are_open.set()
            await asyncio.wait_for(run, LIMIT)
    _assert_saved(database, len(opened))


def _assert_saved(database: Path, count: int, errors: bytes = b"") -> None:
    stored = _stored(database)
    assert stored["assistant_message"] == ["".join(WORDS)] * count, errors.decode()
    assert len(stored["sdk_hidden_context"]) == count
    assert stored["user_message"] == [f"question {number}" for number in range(count)]
