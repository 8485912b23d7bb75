"""ASGI aliases and header access."""

import re
from collections.abc import Awaitable, Callable, Iterable, Iterator

from starlette.types import ASGIApp, Message, Receive, Scope, Send

__all__ = [
    "ASGIApp",
    "Message",
    "RawHeaders",
    "Receive",
    "Scope",
    "Send",
    "decline",
    "header_values",
    "is_token",
    "pass_lifespan",
    "with_headers",
]

_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")

RawHeaders = Iterable[tuple[bytes, bytes]]


def header_values(scope: Scope, name: bytes) -> Iterator[bytes]:
    """Yield every value of a request header, in the order of the wire.

    Args:
        scope: An ASGI HTTP or WebSocket scope; its header values are untrusted.
        name: The field name in lower case, as the ASGI specification sends it.
    """
    for key, value in scope["headers"]:
        if key == name:
            yield value


def is_token(name: object) -> bool:
    """Tell whether a name may be that of a header or a cookie (RFC 9110 §5.6.2, RFC 6265 §4.1.1)."""
    return isinstance(name, str) and _TOKEN.fullmatch(name) is not None


def with_headers(message: Message, *, added: RawHeaders = (), missing: RawHeaders = ()) -> Message:
    """Return a copy of an `http.response.start` message with more headers.

    Args:
        message: The message of the app; it is not changed.
        added: Headers that stand beside others of the same name, such as `Vary`.
        missing: Headers that are left out where the app has set one of that name, in lower case.
    """
    headers = [*message.get("headers", ()), *added]
    names = {name.lower() for name, _ in headers}
    headers += [(name, value) for name, value in missing if name not in names]
    return {**message, "headers": headers}


async def pass_lifespan(app: ASGIApp, scope: Scope, receive: Receive, send: Send) -> None:
    """Hand a lifespan on, and refuse whatever else is not HTTP.

    Args:
        app: The wrapped app.
        scope: A lifespan or WebSocket scope, or one of a type to come.
        receive: The ASGI channel.
        send: The ASGI channel.
    """
    if scope["type"] == "lifespan":
        await app(scope, receive, send)
    else:
        await _decline_websocket(send)


async def _decline_websocket(send: Send) -> None:
    """Refuse a WebSocket: ChatKit has none, and nothing here would look into one (1008, RFC 6455 §7.4.1)."""
    await send({"type": "websocket.close", "code": 1008})


async def decline(
    scope: Scope, receive: Receive, send: Send, *, at_shutdown: Callable[[], Awaitable[None]]
) -> None:
    """Answer what is not HTTP: a WebSocket is refused, a lifespan has only an end.

    Args:
        scope: A WebSocket or lifespan scope, or one of a type to come, which is left alone.
        receive: The ASGI channel.
        send: The ASGI channel.
        at_shutdown: Awaited when the server shuts down.
    """
    if scope["type"] == "websocket":
        await _decline_websocket(send)
    elif scope["type"] == "lifespan":
        while (await receive())["type"] == "lifespan.startup":
            await send({"type": "lifespan.startup.complete"})
        await at_shutdown()
        await send({"type": "lifespan.shutdown.complete"})
