"""Bounded reading of a request body, and replaying it to whoever reads next."""

from starlette.requests import Request

from .asgi import Message, Receive, Scope, header_values
from .errors import ContentTooLargeError, InvalidRequestError, UnsupportedMediaTypeError


def require_json(scope: Scope) -> None:
    """Refuse a body that is not declared as JSON in UTF-8.

    A page of another origin cannot send this media type without a preflight, which makes the check
    a line of defence against cross-site requests as well.

    Raises:
        UnsupportedMediaTypeError: No single `Content-Type: application/json` (RFC 9110 §8.3), or a
            charset other than UTF-8 (RFC 8259 §8.1).
    """
    raw = list(header_values(scope, b"content-type"))
    if raw == [b"application/json"]:
        return
    values = [value.decode("latin-1").lower() for value in raw]
    media_type, _, parameters = (values[0] if len(values) == 1 else "").partition(";")
    charset = parameters.replace(" ", "").replace('"', "")
    if media_type.strip() != "application/json" or charset not in ("", "charset=utf-8"):
        raise UnsupportedMediaTypeError


async def read_body(request: Request, *, limit: int) -> bytes:
    """Read the whole body, or stop as soon as it is too large.

    Args:
        request: A `Content-Length` over the limit is refused before reading.
        limit: The most bytes that are kept in memory; this is a security limit.

    Raises:
        ContentTooLargeError: The body is over `limit`.
        InvalidRequestError: `Content-Length` is not a number.
        ClientDisconnect: The client went away before the body was complete.
    """
    for value in header_values(request.scope, b"content-length"):
        if not value.isdigit():
            raise InvalidRequestError
        if len(value) > len(str(limit)) or int(value) > limit:
            raise ContentTooLargeError(_LIMIT)
    chunks: list[bytes] = []
    size = 0
    async for chunk in request.stream():
        size += len(chunk)
        if size > limit:
            raise ContentTooLargeError(_LIMIT)
        chunks.append(chunk)
    return b"".join(chunks)


_LIMIT = "max_body_bytes"


def replay(body: bytes, receive: Receive) -> Receive:
    """Return a channel that gives a body that was read, once, and then what comes on the wire.

    Args:
        body: The body for the next reader; need not be the one that came in.
        receive: The channel that it was read from; it still tells of a disconnect.
    """
    messages: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def receive_again() -> Message:
        return messages.pop() if messages else await receive()

    return receive_again
