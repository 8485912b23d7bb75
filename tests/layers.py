"""Small ASGI apps to put a layer in front of, and what passes through the layer."""

from collections.abc import Mapping
from typing import Any

from chatkit_prod.asgi import ASGIApp, Message, RawHeaders, Receive, Scope, Send
from tests.servers import http_scope


class Greeter:
    """An app that knows nothing of ChatKit: it greets whoever is let in.

    Args:
        status: The status of the answer.
        headers: The headers of the answer.
        error: Raised instead of an answer.

    Attributes:
        scopes: What it was called with.
        messages: What it sent.
    """

    def __init__(
        self, *, status: int = 200, headers: RawHeaders = (), error: BaseException | None = None
    ) -> None:
        self.scopes: list[Scope] = []
        self.messages: list[Message] = [
            {"type": "http.response.start", "status": status, "headers": list(headers)},
            {"type": "http.response.body", "body": b"hello"},
        ]
        self._error = error

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.scopes.append(scope)
        if self._error is not None:
            raise self._error
        for message in self.messages:
            await send(message)

    @property
    def state(self) -> Any:
        """The `RequestState` of the last call."""
        return self.scopes[-1]["state"]["chatkit"]


class Rewriting:
    """A middleware of somebody else: replaces the headers of the request.

    Args:
        app: The app to wrap.
        headers: What the app gets to see.
    """

    def __init__(self, app: ASGIApp, headers: RawHeaders) -> None:
        self.app = app
        self._headers = list(headers)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self.app({**scope, "headers": self._headers}, receive, send)


async def exchange(app: ASGIApp, scope: Mapping[str, Any], *received: Message) -> list[Message]:
    """Call an app with what is to come, and return what it sent."""
    incoming, sent = list(received), list[Message]()

    async def receive() -> Message:
        return incoming.pop(0)

    async def send(message: Message) -> None:
        sent.append(message)

    await app(dict(scope), receive, send)
    return sent


def header_lines(messages: list[Message], name: bytes) -> list[bytes]:
    """Return every value of a response header."""
    return [value for key, value in messages[0]["headers"] if key.lower() == name]


def get(*headers: tuple[bytes, bytes]) -> Scope:
    """Return the scope of a GET request."""
    return http_scope(method="GET", headers=headers)
