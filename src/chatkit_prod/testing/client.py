"""A client that talks to an ASGI app in process, and can go away at any moment."""

import asyncio
import json
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from chatkit_prod.asgi import ASGIApp, Message, Scope
from chatkit_prod.sse import SSEDecoder

JSON_BODY = {"content-type": "application/json"}


@dataclass(frozen=True, slots=True)
class Answer:
    """A whole response.

    Args:
        status: The HTTP status code.
        headers: By lower-case name; of a name that occurs twice, the values joined by commas.
        body: The whole body.
    """

    status: int
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> Any:
        """Return the body as JSON."""
        return json.loads(self.body)

    @property
    def events(self) -> list[Any]:
        """The body as a stream of ChatKit events."""
        return [event.json() for event in SSEDecoder().feed(self.body)]


class ChatKitClient:
    """Sends ChatKit requests to an ASGI app.

    Args:
        app: The app.
        path: Where its ChatKit endpoint is.
        headers: Sent with every request.
    """

    def __init__(
        self, app: ASGIApp, *, path: str = "/chatkit", headers: Mapping[str, str] | None = None
    ) -> None:
        self._app = app
        self._path = path
        self._headers = {**JSON_BODY, **_lower(headers)}

    async def send(
        self, body: bytes, *, method: str = "POST", headers: Mapping[str, str] | None = None
    ) -> Answer:
        """Send a request and wait for the whole answer.

        Args:
            body: The body, for example from `chatkit_request`.
            method: The HTTP method.
            headers: In addition to those of the client; an empty value takes one away.
        """
        async with self.stream(body, method=method, headers=headers) as stream:
            return Answer(stream.status, stream.headers, b"".join([chunk async for chunk in stream.chunks()]))

    @asynccontextmanager
    async def stream(
        self, body: bytes, *, method: str = "POST", headers: Mapping[str, str] | None = None
    ) -> AsyncGenerator["EventStream"]:
        """Send a request and read its answer as it comes; leaving the block disconnects.

        Args:
            body: The body.
            method: The HTTP method.
            headers: In addition to those of the client.

        Raises:
            Exception: What the app raised.
        """
        sent = {name: value for name, value in {**self._headers, **_lower(headers)}.items() if value}
        stream = EventStream(body)
        scope: Scope = {
            "type": "http",
            "asgi": {"version": "3.0", "spec_version": "2.3"},
            "http_version": "1.1",
            "method": method,
            "scheme": "http",
            "path": self._path,
            "raw_path": self._path.encode(),
            "query_string": b"",
            "root_path": "",
            "headers": [(name.encode(), value.encode()) for name, value in sent.items()],
            "client": ("127.0.0.1", 50000),
            "server": ("127.0.0.1", 80),
            "state": {},
        }
        try:
            await stream.open(self._app, scope)
            yield stream
        finally:
            await stream.disconnect()


def _lower(headers: Mapping[str, str] | None) -> dict[str, str]:
    return {name.lower(): value for name, value in (headers or {}).items()}


class EventStream:
    """The answer to one request, while it comes.

    Attributes:
        status: The HTTP status code.
        headers: By lower-case name.
    """

    status: int
    headers: Mapping[str, str]

    def __init__(self, body: bytes) -> None:
        self._body: bytes | None = body
        self._messages: asyncio.Queue[Message] = asyncio.Queue(1)
        self._gone = asyncio.Event()
        self._complete = False

    async def open(self, app: ASGIApp, scope: Scope) -> None:
        """Start the app, and wait for the head of the response."""
        self._task = asyncio.ensure_future(app(scope, self._receive, self._send))
        head = await self._next()
        if head is None:
            raise RuntimeError("the app ended without a response")
        self.status = head["status"]
        headers: dict[str, list[str]] = {}
        for name, value in head["headers"]:
            headers.setdefault(name.decode().lower(), []).append(value.decode())
        self.headers = {name: ", ".join(values) for name, values in headers.items()}

    async def chunks(self) -> AsyncIterator[bytes]:
        """Yield the body as the app sends it."""
        while not self._complete and (message := await self._next()) is not None:
            self._complete = not message.get("more_body", False)
            yield message.get("body", b"")

    async def __aiter__(self) -> AsyncIterator[Any]:
        """Yield the events of the stream, parsed."""
        decoder = SSEDecoder()
        async for chunk in self.chunks():
            for event in decoder.feed(chunk):
                yield event.json()

    async def disconnect(self) -> None:
        """Go away, and wait until the app has noticed and ended.

        Raises:
            Exception: What the app raised.
        """
        self._gone.set()
        while not self._messages.empty():
            self._messages.get_nowait()
        await self._task

    async def _next(self) -> Message | None:
        getter = asyncio.ensure_future(self._messages.get())
        try:
            await asyncio.wait({getter, self._task}, return_when=asyncio.FIRST_COMPLETED)
            if getter.done():
                return getter.result()
        finally:
            getter.cancel()
        await self._task
        return None

    async def _receive(self) -> Message:
        if self._body is not None:
            body, self._body = self._body, None
            return {"type": "http.request", "body": body, "more_body": False}
        await self._gone.wait()
        return {"type": "http.disconnect"}

    async def _send(self, message: Message) -> None:
        if not self._gone.is_set():
            await self._messages.put(message)
