"""As much of a Redis as the limits need, in the process of the test: real sockets, and commands one after the other.

What it is held to is the suite in `shared.py`, which `tests/integration/test_limits.py` runs on a real one.
"""

import asyncio
import hashlib
import time
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any


class FakeRedis:
    """Speaks RESP 2 and 3.

    Attributes:
        commands: The names of the commands that came, but for those that open a connection.
        mute: Whether it answers nothing more, and keeps its connections open.
    """

    def __init__(self) -> None:
        self.commands: list[str] = []
        self.mute = False
        self._scripts: dict[str, str] = {}
        self._numbers: dict[str, tuple[int, float]] = {}
        self.slots: dict[str, dict[str, float]] = {}
        self._writers: set[asyncio.StreamWriter] = set()
        self._server: asyncio.Server | None = None

    @property
    def port(self) -> int:
        assert self._server is not None
        port: int = self._server.sockets[0].getsockname()[1]
        return port

    async def start(self, port: int = 0) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", port)

    async def stop(self) -> None:
        """Be gone, with every connection; the counters are lost."""
        assert self._server is not None
        self._server.close()
        for writer in self._writers:
            writer.transport.abort()
        await self._server.wait_closed()
        self._scripts.clear()
        self._numbers.clear()
        self.slots.clear()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.add(writer)
        with suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                count = int((await reader.readuntil(b"\r\n"))[1:])
                words = list[str]()
                for _ in range(count):
                    size = int((await reader.readuntil(b"\r\n"))[1:])
                    words.append((await reader.readexactly(size + 2))[:-2].decode())
                answer = self._answer([words[0].upper(), *words[1:]])
                if not self.mute:
                    writer.write(answer)
                    await writer.drain()
        self._writers.discard(writer)
        writer.close()

    def _answer(self, words: list[str]) -> bytes:
        if words[0] not in ("HELLO", "CLIENT"):
            self.commands.append(words[0])
        match words:
            case ["HELLO", *_]:
                return b"%1\r\n$5\r\nproto\r\n:3\r\n"
            case ["CLIENT", *_]:
                return b"+OK\r\n"
            case ["SCRIPT", _, script]:
                sha = hashlib.sha1(script.encode(), usedforsecurity=False).hexdigest()
                self._scripts[sha] = script
                return b"$40\r\n" + sha.encode() + b"\r\n"
            case ["EVALSHA", sha, _, key, *arguments]:
                if sha not in self._scripts:
                    return b"-NOSCRIPT No matching script.\r\n"
                run: Callable[..., int] = self._take if "ZADD" in self._scripts[sha] else self._incr
                return b":%d\r\n" % run(key, *arguments)
            case ["GET", key]:
                number = str(self._number(key)).encode()
                return b"$%d\r\n%b\r\n" % (len(number), number)
            case ["TTL", key]:
                return b":%d\r\n" % round(self._numbers.get(key, (0, 0.0))[1] - time.monotonic())
            case ["ZREM", key, token]:
                return b":%d\r\n" % (self.slots.get(key, {}).pop(token, None) is not None)
            case _:
                return b"-ERR unknown command\r\n"

    def _number(self, key: str) -> int:
        number, end = self._numbers.get(key, (0, 0.0))
        return number if end > time.monotonic() else 0

    def _incr(self, key: str, expiry: str, amount: str) -> int:
        number = self._number(key)
        end = self._numbers[key][1] if number else time.monotonic() + int(expiry)
        self._numbers[key] = (number + int(amount), end)
        return number + int(amount)

    def _take(self, key: str, token: str, lease: str, limit: str) -> int:
        now = time.monotonic()
        held = {name: end for name, end in self.slots.get(key, {}).items() if end > now}
        self.slots[key] = held
        if limit and token not in held and len(held) >= int(limit):
            return 0
        held[token] = now + int(lease) / 1000
        return 1


@asynccontextmanager
async def fake_redis() -> AsyncGenerator[FakeRedis]:
    """Run one on a free port of the loopback interface."""
    redis = FakeRedis()
    await redis.start()
    try:
        yield redis
    finally:
        await redis.stop()


def url_of(redis: Any) -> str:
    """Return where a Redis is."""
    return f"redis://127.0.0.1:{redis.port}/0"
