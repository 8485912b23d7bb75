"""The answer to a browser that asks for our module or its types."""

import hashlib
from importlib.resources import files
from typing import NamedTuple

from starlette.responses import Response

from chatkit_prod.asgi import RawHeaders, Scope, header_values
from chatkit_prod.errors import MethodNotAllowedError

_MEDIA_TYPES = {
    "chatkit-prod.js": b"text/javascript; charset=utf-8",
    "chatkit-prod.d.ts": b"text/plain; charset=utf-8",
}


class _File(NamedTuple):
    content: bytes
    etag: bytes
    headers: RawHeaders


class BrowserFiles:
    """Answers requests for `chatkit-prod.js` and `chatkit-prod.d.ts`, in whatever folder they are asked for."""

    def __init__(self) -> None:
        self._files = {name: _load(name, media_type) for name, media_type in _MEDIA_TYPES.items()}

    def answer(self, scope: Scope) -> Response | None:
        """Return a file, or that it has not changed; None where another path is asked for.

        Args:
            scope: An HTTP scope; untrusted.

        Raises:
            MethodNotAllowedError: The method is neither GET nor HEAD.
        """
        file = self._files.get(scope["path"].rpartition("/")[2])
        if file is None:
            return None
        if scope["method"] not in ("GET", "HEAD"):
            raise MethodNotAllowedError("GET, HEAD")
        is_known = _matches(scope, file.etag)
        response = Response(status_code=304 if is_known else 200)
        length = [] if is_known else [(b"content-length", str(len(file.content)).encode())]
        response.raw_headers = [*file.headers, *length]
        response.body = b"" if is_known or scope["method"] == "HEAD" else file.content
        return response


def _load(name: str, media_type: bytes) -> _File:
    content = files("chatkit_prod.tracing.browser").joinpath(name).read_bytes()
    etag = f'"{hashlib.sha256(content).hexdigest()[:32]}"'.encode()
    headers = (
        (b"content-type", media_type),
        (b"cache-control", b"public, max-age=300"),
        (b"etag", etag),
        (b"x-content-type-options", b"nosniff"),
    )
    return _File(content, etag, headers)


def _matches(scope: Scope, etag: bytes) -> bool:
    """Compare weakly, as for `If-None-Match` (RFC 9110 §13.1.2)."""
    tags = b",".join(header_values(scope, b"if-none-match")).split(b",")
    return any(tag.strip().removeprefix(b"W/") in (etag, b"*") for tag in tags)
