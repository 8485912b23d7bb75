"""A real Redis that nobody keeps, in a process of its own: it can be killed, and come back on the same port."""

import asyncio
import os
import signal
import tempfile
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import cast

from tests.path.servers import LIMIT, listening

_SERVER = os.environ.get("REDIS_SERVER") or "/usr/bin/redis-server"
_READY = b"Ready to accept connections"


class RedisServer:
    """A Redis on the loopback interface, which writes nothing to the disk.

    Args:
        folder: Where it runs.
    """

    def __init__(self, folder: str) -> None:
        self._folder = folder
        self._process: asyncio.subprocess.Process | None = None
        self._reading: asyncio.Task[None] | None = None
        with listening() as (_, port):
            self.port = port

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"

    async def start(self) -> None:
        """Start it, and wait until it listens; it has forgotten everything."""
        self._process = await asyncio.create_subprocess_exec(
            _SERVER,
            *("--port", str(self.port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"),
            cwd=self._folder,
            env={"LC_ALL": "C"},
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        ready: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        log = cast("asyncio.StreamReader", self._process.stdout)
        self._reading = asyncio.create_task(_read(log, ready))
        await asyncio.wait_for(ready, LIMIT)

    async def kill(self, sent: signal.Signals = signal.SIGKILL) -> None:
        """Send it a signal, and wait until it is gone."""
        if self._process is not None and self._process.returncode is None:
            self._process.send_signal(sent)
            await asyncio.wait_for(self._process.wait(), LIMIT)
        if self._reading is not None:
            await self._reading

    def pause(self) -> None:
        """Let it answer nothing more, with its connections open."""
        cast("asyncio.subprocess.Process", self._process).send_signal(signal.SIGSTOP)

    def go_on(self) -> None:
        """Let it answer again."""
        cast("asyncio.subprocess.Process", self._process).send_signal(signal.SIGCONT)


@asynccontextmanager
async def redis() -> AsyncGenerator[RedisServer]:
    """Run Redis on a free port of the loopback interface."""
    with tempfile.TemporaryDirectory(prefix="redis_") as folder:
        running = RedisServer(folder)
        await running.start()
        try:
            yield running
        finally:
            await running.kill()


async def _read(log: asyncio.StreamReader, ready: asyncio.Future[None]) -> None:
    """Read what the server logs to its end, so that it never waits for room in the pipe."""
    logged = b""
    async for line in log:
        logged += line
        if _READY in line and not ready.done():
            ready.set_result(None)
    if not ready.done():
        ready.set_exception(RuntimeError(f"Redis did not start:\n{logged.decode()}"))
