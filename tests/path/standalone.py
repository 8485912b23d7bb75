"""A desk in a process of its own, for tests that end the process or weigh it.

    python -m tests.path.standalone uvicorn|starlette|hypercorn|granian DATABASE
    python -m tests.path.standalone streams

The first line of its output is the port.
"""

import asyncio
import os
import socket
import sqlite3
import sys
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import asynccontextmanager, closing
from functools import partial
from typing import cast

import hypercorn.config
import uvicorn
from chatkit.types import AssistantMessageItem, ThreadItem, UserMessageItem
from granian.constants import Interfaces
from granian.server import Server as GranianServer
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from chatkit_prod import close_streams, harden
from chatkit_prod.asgi import ASGIApp, Receive, Scope, Send
from chatkit_prod.testing import MemoryStore

from .desk import Desk, DeskContext, desk_context
from .servers import ByPath, listening, run_hypercorn

WORDS = tuple(f"word{number} " for number in range(20))
GRACEFUL_SECONDS = 1

_DATABASE = "DESK_DATABASE"
_SAVING_SECONDS = 0.05


class DiskStore(MemoryStore):
    """Writes every item to a file, and takes a moment for it.

    Args:
        path: The SQLite database.
    """

    def __init__(self, path: str) -> None:
        super().__init__()
        self._path = path
        self._run("CREATE TABLE IF NOT EXISTS items (id TEXT PRIMARY KEY, type TEXT, text TEXT)")

    async def save_item(self, thread_id: str, item: ThreadItem, context: DeskContext) -> None:
        """Insert or replace an item."""
        await asyncio.sleep(_SAVING_SECONDS)
        await super().save_item(thread_id, item, context)
        text = item.content[0].text if isinstance(item, AssistantMessageItem | UserMessageItem) else ""
        await asyncio.to_thread(self._run, "REPLACE INTO items VALUES (?, ?, ?)", item.id, item.type, text)

    def _run(self, statement: str, *values: str) -> None:
        with closing(sqlite3.connect(self._path)) as connection, connection:
            connection.execute(statement, values)


class EchoDesk(Desk):
    """Repeats the question in every word of its answer."""

    def words_for(self, message: UserMessageItem | None) -> Sequence[str]:
        """Return the words for a question."""
        question = cast("UserMessageItem", message).content[0].text
        return [f"{question}.{number} " for number in range(len(WORDS))]


def desk_on(path: str) -> Desk:
    """Return a desk whose answers do not end."""
    return Desk(store=DiskStore(path), words=WORDS, pause=partial(asyncio.sleep, 0.002), endless=True)


def hardened(desk: Desk) -> ASGIApp:
    """Return the app of a desk that lets everybody in."""
    return harden(desk, auth=None, insecure=True, context_factory=desk_context)


def granian_app() -> ASGIApp:
    """Return the app for granian, which makes it in a process of its own."""
    return hardened(desk_on(os.environ[_DATABASE]))


def uvicorn_for(app: ASGIApp) -> uvicorn.Server:
    """Return a uvicorn that does not wait long for open streams."""
    config = uvicorn.Config(
        app, ws="none", log_level="error", access_log=False, timeout_graceful_shutdown=GRACEFUL_SECONDS
    )
    return uvicorn.Server(config)


def serve_uvicorn(database: str) -> None:
    """Serve by uvicorn until a signal."""
    with listening() as (listener, port):
        _announce(port)
        uvicorn_for(hardened(desk_on(database))).run([listener])


def serve_starlette(database: str) -> None:
    """Serve an endpoint inside an app of Starlette, which keeps the lifespan to itself, by uvicorn."""

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncGenerator[None]:
        yield
        await close_streams()

    app = Starlette(routes=[Route("/chatkit", hardened(desk_on(database)))], lifespan=lifespan)
    with listening() as (listener, port):
        _announce(port)
        uvicorn_for(app).run([listener])


def serve_hypercorn(database: str) -> None:
    """Serve by hypercorn until a signal."""
    with listening() as (listener, port):
        config = hypercorn.config.Config()
        config.bind = [f"fd://{listener.detach()}"]
        config.graceful_timeout = GRACEFUL_SECONDS
        _announce(port)
        asyncio.run(run_hypercorn(hardened(desk_on(database)), config))


def serve_granian(database: str) -> None:
    """Serve by granian until a signal."""
    os.environ[_DATABASE] = database
    with listening() as (_, port):
        pass
    server = GranianServer(
        "tests.path.standalone:granian_app",
        port=port,
        interface=Interfaces.ASGI,
        websockets=False,
        factory=True,
        log_enabled=False,
    )
    _announce(port)
    server.serve()


def serve_streams() -> None:
    """Serve answers that all stay open until a request to /finish."""

    async def main(listener: socket.socket) -> None:
        desk = EchoDesk(endless=True, pause=partial(asyncio.sleep, 0))

        async def finish(scope: Scope, receive: Receive, send: Send) -> None:
            await Request(scope, receive).body()
            desk.finish.set()
            await Response(status_code=204)(scope, receive, send)

        app = ByPath({"/chatkit": hardened(desk), "/finish": finish})
        await uvicorn_for(app).serve([listener])

    with listening() as (listener, port):
        _announce(port)
        asyncio.run(main(listener))


def _announce(port: int) -> None:
    sys.stdout.write(f"{port}\n")
    sys.stdout.flush()


RUNNERS: dict[str, Callable[..., None]] = {
    "uvicorn": serve_uvicorn,
    "starlette": serve_starlette,
    "hypercorn": serve_hypercorn,
    "granian": serve_granian,
    "streams": serve_streams,
}

if __name__ == "__main__":
    RUNNERS[sys.argv[1]](*sys.argv[2:])
