"""What a page on another origin may send, and read of the answer: CORS (WHATWG Fetch §3.3)."""

from collections.abc import Iterable

from starlette.datastructures import Headers
from starlette.middleware.cors import CORSMiddleware
from starlette.responses import Response

from chatkit_prod.asgi import Message, Scope, header_values

_METHODS = ("GET", "POST")
# Starlette adds Accept, Accept-Language, Content-Language and Content-Type.
_REQUEST_HEADERS = (
    "authorization",
    "baggage",
    "chatkit-frame-instance-id",
    "chatkit-session",
    "traceparent",
    "tracestate",
    "x-api-key",
)
_RESPONSE_HEADERS = b"content-language, retry-after, www-authenticate, x-request-id"
_PARTS = ("method", "headers", "private-network")


def is_preflight(scope: Scope) -> bool:
    """Tell whether a browser asks what a page may send, before it sends it.

    Args:
        scope: An HTTP scope with an `Origin`; its headers are untrusted.
    """
    asked = next(header_values(scope, b"access-control-request-method"), None)
    return scope["method"] == "OPTIONS" and asked is not None


def answer_preflight(scope: Scope, origin: str, *, headers: Iterable[str], max_age: int) -> Response:
    """Return Starlette's answer to a preflight: 200, or 400 if the page asks for more than it may.

    Args:
        scope: That of the preflight; its headers are untrusted.
        origin: The origin of the page, which is on the list.
        headers: Names of request headers that the page may send, besides those of the ChatKit client.
        max_age: Seconds for which a browser may keep the answer.
    """
    # Only asked for its answer: the app that it would wrap is never called.
    cors = CORSMiddleware(
        Response(),
        allow_origins=(origin,),
        allow_methods=_METHODS,
        allow_headers=(*_REQUEST_HEADERS, *headers),
        allow_credentials=True,
        max_age=max_age,
    )
    return cors.preflight_response(request_headers=Headers(scope=scope))


def refused_parts(answer: Response) -> str:
    """Return what of a preflight was refused: one or more of three fixed words, nothing of the request."""
    text = bytes(answer.body).decode()
    return ", ".join(part for part in _PARTS if part in text)


def readable_by(origin: str, message: Message) -> Message:
    """Return a copy of a response head with which the page may read the answer.

    Args:
        origin: The origin of the page, which is on the list.
        message: An `http.response.start` of the app; what that says about CORS is left out.
    """
    others = [
        (name, value)
        for name, value in message.get("headers", ())
        if not name.lower().startswith(b"access-control-")
    ]
    readable = [
        (b"access-control-allow-origin", origin.encode("latin-1")),
        (b"access-control-allow-credentials", b"true"),
        (b"access-control-expose-headers", _RESPONSE_HEADERS),
    ]
    return {**message, "headers": [*others, *readable]}
