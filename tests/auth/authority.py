"""An authorization server that is asked about tokens over a real socket, and says what a test wants."""

import asyncio
import base64
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from tests.path.servers import serve

if TYPE_CHECKING:
    from tests.servers import Gate

ISSUER = "https://idp.example.com"
CLIENT = ("chatkit", "a secret of nobody")


@dataclass(frozen=True, slots=True)
class Question:
    """What the authority was asked.

    Args:
        form: The body.
        basic: User and password of the `Authorization` header, as they stand there.
        accept: Which media type was asked for.
    """

    form: dict[str, str]
    basic: tuple[str, str] | None
    accept: str


class Authority:
    """An introspection endpoint (RFC 7662 §2).

    Attributes:
        url: Where it listens, once it does.
        says: The answer about each token, any JSON value; about all others, that they are not active.
        failure: Sent instead of every answer.
        gate: Where every question is held up.
        questions: What it was asked.
    """

    def __init__(self) -> None:
        self.app = Starlette(routes=[Route("/introspect", self._introspect, methods=["POST"])])
        self.url = ""
        self.reset()

    def reset(self) -> None:
        """Forget everything."""
        self.says: dict[str, Any] = {}
        self.failure: Response | None = None
        self.gate: Gate | None = None
        self.questions: list[Question] = []

    @property
    def asked(self) -> list[str]:
        """The tokens of all questions."""
        return [question.form["token"] for question in self.questions]

    async def _introspect(self, request: Request) -> Response:
        form = dict(parse_qsl((await request.body()).decode(), keep_blank_values=True))
        self.questions.append(Question(form, _basic(request), request.headers["accept"]))
        if self.gate is not None:
            await self.gate()
        return self.failure or JSONResponse(self.says.get(form["token"], {"active": False}))


def _basic(request: Request) -> tuple[str, str] | None:
    scheme, _, encoded = request.headers.get("authorization", "").partition(" ")
    if scheme != "Basic":
        return None
    user, _, password = base64.b64decode(encoded).decode("latin-1").partition(":")
    return user, password


@asynccontextmanager
async def serving() -> AsyncGenerator[Authority]:
    """Run an authorization server in this event loop."""
    authority = Authority()
    async with serve(authority.app) as port:
        authority.url = f"http://127.0.0.1:{port}/introspect"
        yield authority


@asynccontextmanager
async def speaking(answer: bytes, port: int = 0) -> AsyncGenerator[int]:
    """Answer every request with the same bytes, HTTP or not, and hang up; gives the port.

    Args:
        answer: The bytes.
        port: Where to listen; any free port if 0.
    """

    async def speak(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(answer)
        writer.close()
        await writer.wait_closed()

    server = await asyncio.start_server(speak, "127.0.0.1", port)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        await server.wait_closed()


@asynccontextmanager
async def pouring() -> AsyncGenerator[tuple[int, asyncio.Event]]:
    """Answer without an end; gives the port, and what is set when the one who asked has hung up."""
    gone = asyncio.Event()

    async def pour(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n")
        with suppress(ConnectionError):
            while True:
                writer.write(b" " * 4096)
                await writer.drain()
                await asyncio.sleep(0)
        gone.set()
        writer.close()

    server = await asyncio.start_server(pour, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1], gone
    finally:
        server.close()
        await server.wait_closed()


def active(**claims: Any) -> dict[str, Any]:
    """Return a good answer about a token.

    Args:
        claims: Members to add or replace; None leaves one out.
    """
    good = {"active": True, "iss": ISSUER, "aud": "chatkit", "sub": "alice", "scope": "read write"}
    return {name: value for name, value in (good | claims).items() if value is not None}
