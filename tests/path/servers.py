"""Real servers on free ports of the loopback interface, in the process of the test or in one of their own."""

import asyncio
import os
import signal
import socket
import sys
from collections import defaultdict
from collections.abc import AsyncGenerator, Callable, Coroutine, Generator
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, cast

import hypercorn.asyncio
import hypercorn.config
import uvicorn
from granian.constants import Interfaces
from granian.server.embed import Server as GranianServer

from chatkit_prod.asgi import ASGIApp, Message, Receive, Scope, Send

LIMIT = 20.0
"""Seconds after which a wait has failed."""

run_hypercorn: Callable[..., Coroutine[Any, Any, None]] = cast("Any", hypercorn.asyncio).serve
"""Hypercorn's own entrance, whose types are not those of Starlette."""

ServerName = Literal["uvicorn-h11", "uvicorn-httptools", "hypercorn", "granian"]

SERVERS: tuple[ServerName, ...] = ("uvicorn-h11", "uvicorn-httptools", "hypercorn", "granian")

_ROOT = Path(__file__).parents[2]
_BLOCKED_SECONDS = 0.2


@asynccontextmanager
async def serve(app: ASGIApp, *, server: ServerName = "uvicorn-httptools") -> AsyncGenerator[int]:
    """Serve an app in this event loop; gives the port."""
    run = {"hypercorn": _hypercorn, "granian": _granian}.get(server)
    context = _uvicorn(app, server) if run is None else run(app)
    async with context as port:
        yield port


@asynccontextmanager
async def _uvicorn(app: ASGIApp, server: ServerName) -> AsyncGenerator[int]:
    http = "h11" if server == "uvicorn-h11" else "httptools"
    config = uvicorn.Config(app, http=http, ws="none", log_config=None, access_log=False)
    running = _Uvicorn(config)
    with listening() as (listener, port):
        task = asyncio.create_task(running.serve(sockets=[listener]))
        try:
            yield port
        finally:
            running.should_exit = True
            await asyncio.wait_for(task, LIMIT)


class _Uvicorn(uvicorn.Server):
    @contextmanager
    def capture_signals(self) -> Generator[None]:
        """Leave the signals to pytest."""
        yield


@asynccontextmanager
async def _hypercorn(app: ASGIApp) -> AsyncGenerator[int]:
    stop = asyncio.Event()
    with listening() as (listener, port):
        config = hypercorn.config.Config()
        config.bind = [f"fd://{listener.detach()}"]
        config.errorlog = None
        config.graceful_timeout = 1
        task = asyncio.create_task(run_hypercorn(app, config, shutdown_trigger=stop.wait))
        try:
            yield port
        finally:
            stop.set()
            await asyncio.wait_for(task, LIMIT)


@asynccontextmanager
async def _granian(app: ASGIApp) -> AsyncGenerator[int]:
    with listening() as (_, port):
        pass
    server = GranianServer(app, port=port, interface=Interfaces.ASGINL, websockets=False, log_enabled=False)
    task = asyncio.create_task(server.serve())
    try:
        await _until_connectable(port)
        yield port
    finally:
        server.stop()  # type: ignore[no-untyped-call]
        await asyncio.wait_for(task, LIMIT)


@contextmanager
def listening() -> Generator[tuple[socket.socket, int]]:
    """Give a socket that listens already, so that nobody has to wait for the server to start."""
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("127.0.0.1", 0))
        listener.listen(2048)
        yield listener, listener.getsockname()[1]


async def _until_connectable(port: int) -> None:
    async with asyncio.timeout(LIMIT):
        while True:
            with suppress(OSError):
                _, writer = await asyncio.open_connection("127.0.0.1", port)
                writer.close()
                return
            await asyncio.sleep(0.01)


@dataclass(frozen=True, slots=True)
class ServerProcess:
    """A server in a process of its own.

    Args:
        process: The process; its standard output holds the port, and what the app reports.
        port: Where it listens.
    """

    process: asyncio.subprocess.Process
    port: int

    async def stop(self, sent: int) -> bytes:
        """Send a signal, and wait for the end; returns what the process has written to standard error."""
        self.process.send_signal(sent)
        return (await asyncio.wait_for(self.process.communicate(), LIMIT))[1]

    async def ended(self) -> bytes:
        """Wait for the end; returns what the process has written to standard error."""
        return (await asyncio.wait_for(self.process.communicate(), LIMIT))[1]


@asynccontextmanager
async def serve_process(*arguments: str) -> AsyncGenerator[ServerProcess]:
    """Run `standalone.py` in a process of its own.

    Args:
        arguments: Its command line.
    """
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "tests.path.standalone",
        *arguments,
        cwd=_ROOT,
        env=dict(os.environ),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        start_new_session=True,
    )
    try:
        output = cast("asyncio.StreamReader", process.stdout)
        port = await asyncio.wait_for(output.readline(), LIMIT)
        if not port:
            raise RuntimeError((await process.communicate())[1].decode())
        await _until_connectable(int(port))
        yield ServerProcess(process, int(port))
    finally:
        if process.returncode is None:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)  # granian has workers
        await asyncio.wait_for(process.communicate(), LIMIT)


class Watched:
    """An app whose requests can be waited for, by the name in their header `x-name`.

    Args:
        app: The app.

    Attributes:
        read: Set when the app has got the whole body of a request.
        blocked: Set when a `send` of the request does not come back, because nobody reads.
        ended: Set when the app has returned.
        errors: What the app has raised.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app
        self.read: dict[str, asyncio.Event] = defaultdict(asyncio.Event)
        self.blocked: dict[str, asyncio.Event] = defaultdict(asyncio.Event)
        self.ended: dict[str, asyncio.Event] = defaultdict(asyncio.Event)
        self.errors: list[BaseException] = []

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        name = dict(scope["headers"]).get(b"x-name", b"").decode()

        async def receive_watched() -> Message:
            message = await receive()
            if message["type"] == "http.request" and not message.get("more_body", False):
                self.read[name].set()
            return message

        async def send_watched(message: Message) -> None:
            alarm = asyncio.get_running_loop().call_later(_BLOCKED_SECONDS, self.blocked[name].set)
            try:
                await send(message)
            finally:
                alarm.cancel()

        try:
            await self.app(scope, receive_watched, send_watched)
        except BaseException as error:
            self.errors.append(error)
            raise
        finally:
            self.ended[name].set()


class ByPath:
    """Sends each request to the app of its path, and everything else to another app.

    Args:
        apps: By their exact path.
        fallback: Gets the lifespan, and the paths that are left.
    """

    def __init__(self, apps: dict[str, ASGIApp], fallback: ASGIApp | None = None) -> None:
        self._apps = apps
        self._fallback = fallback or next(iter(apps.values()))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        app = self._apps.get(scope["path"], self._fallback) if scope["type"] == "http" else self._fallback
        await app(scope, receive, send)


async def soon(event: asyncio.Event) -> None:
    """Wait for an event, but not for ever."""
    await asyncio.wait_for(event.wait(), LIMIT)
