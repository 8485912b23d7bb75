"""An HTTP/1.1 client on a raw socket, which can go away at any moment and in any way."""

import asyncio
import socket
import struct
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any, Literal

from chatkit_prod.sse import SSEDecoder
from chatkit_prod.testing import Answer

from .servers import LIMIT

Farewell = Literal["fin", "rst"]


class Connection:
    """One request and its answer.

    Args:
        reader: From the server.
        writer: To the server.

    Attributes:
        complete: Whether the answer has ended as HTTP wants it, and was not cut off.
    """

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self.complete = False

    async def send(
        self,
        body: bytes = b"",
        *,
        method: str = "POST",
        path: str = "/chatkit",
        headers: Mapping[str, str] | None = None,
        chunked: bool = False,
    ) -> None:
        """Send a request; a header with an empty value is left out."""
        length = {"transfer-encoding": "chunked"} if chunked else {"content-length": str(len(body))}
        sent = {"host": "127.0.0.1", "content-type": "application/json", **length, **(headers or {})}
        lines = [f"{method} {path} HTTP/1.1", *(f"{name}: {value}" for name, value in sent.items() if value)]
        if chunked:
            body = b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body)
        self._writer.write("\r\n".join(lines).encode() + b"\r\n\r\n" + body)

    async def read(self, size: int) -> bytes:
        """Read raw bytes."""
        return await asyncio.wait_for(self._reader.readexactly(size), LIMIT)

    async def head(self) -> None:
        """Read the head of the answer into `status` and `headers`."""
        head = await asyncio.wait_for(self._reader.readuntil(b"\r\n\r\n"), LIMIT)
        first, *lines = head.decode("latin-1").removesuffix("\r\n\r\n").split("\r\n")
        self.status = int(first.split(" ")[1])
        self.headers: dict[str, str] = {}
        for line in lines:
            name, _, value = line.partition(":")
            known = self.headers.get(name.lower())
            self.headers[name.lower()] = value.strip() if known is None else f"{known}, {value.strip()}"

    async def chunks(self, *, method: str = "POST") -> AsyncIterator[bytes]:
        """Yield the body as it comes."""
        if method == "HEAD":
            self.complete = True
        elif self.headers.get("transfer-encoding") == "chunked":
            while size := int(await asyncio.wait_for(self._reader.readline(), LIMIT), 16):
                yield (await self.read(size + 2))[:-2]
            self.complete = await self.read(2) == b"\r\n"
        else:
            yield await self.read(int(self.headers.get("content-length", "0")))
            self.complete = True

    async def events(self) -> AsyncIterator[Any]:
        """Yield the events of the answer, parsed; `head` has been read."""
        decoder = SSEDecoder()
        async for chunk in self.chunks():
            for event in decoder.feed(chunk):
                yield event.json()

    async def answer(self, *, method: str = "POST") -> Answer:
        """Read the whole answer."""
        await self.head()
        body = b"".join([chunk async for chunk in self.chunks(method=method)])
        return Answer(self.status, self.headers, body)

    def go(self, how: Farewell) -> None:
        """Go away at once, with whatever is unread."""
        if how == "rst":
            linger = struct.pack("ii", 1, 0)
            self._writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        self._writer.transport.abort()


@asynccontextmanager
async def connect(port: int, *, receive_buffer: int = 0) -> AsyncGenerator[Connection]:
    """Open a connection to a server.

    Args:
        port: On the loopback interface.
        receive_buffer: Bytes that the kernel keeps unread, and the reader not many more; 0 for its default.
    """
    client = socket.socket()
    if receive_buffer:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
    client.setblocking(False)
    try:
        await asyncio.wait_for(asyncio.get_running_loop().sock_connect(client, ("127.0.0.1", port)), LIMIT)
    except BaseException:
        client.close()
        raise
    reader, writer = await asyncio.open_connection(sock=client, limit=receive_buffer or 2**16)
    connection = Connection(reader, writer)
    try:
        async with asyncio.timeout(3 * LIMIT):
            yield connection
    finally:
        connection.go("fin")


async def ask(
    port: int,
    body: bytes = b"",
    *,
    method: str = "POST",
    path: str = "/chatkit",
    headers: Mapping[str, str] | None = None,
    chunked: bool = False,
) -> tuple[Answer, bool]:
    """Send one request, and return the whole answer and whether it ended cleanly."""
    async with connect(port) as connection:
        await connection.send(body, method=method, path=path, headers=headers, chunked=chunked)
        answer = await connection.answer(method=method)
        return answer, connection.complete
