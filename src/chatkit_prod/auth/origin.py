"""Pages of foreign origins stay outside.

Host, Origin → allow-lists → app → Access-Control-Allow-Origin, Vary
                         ↘ preflight, 403
"""

from collections.abc import Awaitable, Iterable
from http import HTTPStatus
from typing import ClassVar

from starlette.datastructures import Headers
from starlette.middleware.cors import CORSMiddleware
from starlette.responses import Response

from chatkit_prod.asgi import ASGIApp, Message, Receive, Scope, Send, header_values, is_token, with_headers
from chatkit_prod.errors import ConfigurationError, ForbiddenError, InvalidRequestError, RequestError
from chatkit_prod.layer import Layer, require_inside
from chatkit_prod.options import listed
from chatkit_prod.refusal import refuse
from chatkit_prod.state import RequestState

from .audit import audit
from .origins import AllowedHosts, AllowedOrigins, hostname

# Starlette adds Accept, Accept-Language, Content-Language and Content-Type.
_REQUEST_HEADERS = (
    "authorization",
    "baggage",
    "chatkit-frame-instance-id",
    "traceparent",
    "tracestate",
    "x-api-key",
)
_RESPONSE_HEADERS = ("content-language", "retry-after", "www-authenticate", "x-request-id")
_VARY = (b"vary", b"Origin")


class OriginMiddleware:
    """Let in only those pages that are on a list, and answer their preflights.

    A request with an `Origin` is let in if that is on the list, or is the request's own: its host
    and port are those of `Host`, and the browser does not say otherwise in `Sec-Fetch-Site`. The
    schemes are not compared, because behind a proxy that ends TLS the server does not know its own;
    nothing but HSTS keeps an `http://` page of the same host away from browsers that do not send
    `Sec-Fetch-Site`. A proxy that rewrites `Host` makes a page of its own host foreign: put that
    origin on the list. A request without an `Origin` goes on, because it does not come from the
    script of another page: whether it may is for the authentication to say.

    Any page can name itself in `Host` if its owner points a name at this server (DNS rebinding):
    use `allowed_hosts` wherever that server can be reached by another name.

    A refusal carries no CORS header, so that the foreign page cannot read it; nor does the error
    page of the server if the app raises.

    Args:
        app: The ASGI app to wrap.
        allowed_origins: The origins of the pages that may ask, such as `https://app.example.com` or
            `https://*.example.com`, see `AllowedOrigins`; a `DomainKeys` is such a list. Empty for
            pages of this host only.
        allowed_hosts: The names that this service goes by, without a port, see `AllowedHosts`; empty
            if the server or a proxy in front checks `Host`.
        allowed_headers: Names of request headers that pages send besides those of the ChatKit client,
            of W3C Trace Context, `Authorization` and `X-API-Key`.
        max_age: Seconds for which a browser may keep the answer to a preflight.

    Raises:
        ConfigurationError: An option is malformed, or `app` holds a layer that belongs outside.

    Sets:
        `state.origin`: the origin of the page, if it is on the list.
        The CORS headers for such a page, credentials included, and `Vary: Origin` for everybody.
    """

    layer: ClassVar = Layer.ORIGIN

    def __init__(
        self,
        app: ASGIApp,
        *,
        allowed_origins: Iterable[str],
        allowed_hosts: Iterable[str] = (),
        allowed_headers: Iterable[str] = (),
        max_age: int = 600,
    ) -> None:
        require_inside(self, app)
        if isinstance(max_age, bool) or not isinstance(max_age, int) or max_age < 0:
            raise ConfigurationError(f"max_age must be a number of seconds, not {max_age!r}")
        self.app = app
        self._origins = AllowedOrigins(allowed_origins)
        self._hosts = AllowedHosts(allowed_hosts)
        self._cors = _CORS(
            self._call_with_copy, self._origins, headers=_header_names(allowed_headers), max_age=max_age
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Admit or refuse one request; a WebSocket is refused."""
        if scope["type"] == "lifespan":
            await self.app(scope, receive, send)
            return
        if scope["type"] != "http":
            await send({"type": "websocket.close", "code": 1008})
            return
        scope, state = RequestState.seed(scope)
        try:
            state.origin = self._admit(scope)
        except RequestError as refusal:
            audit(state, "refused", refusal)
            response = refuse(refusal, state)
            response.headers["vary"] = "Origin"
            await response(scope, receive, send)
            return
        if state.origin is None:
            await self._call_without_cors(scope, receive, send)
        elif _is_preflight(scope):
            await self._preflight(scope, state)(scope, receive, send)
        else:
            await self._cors(scope, receive, send)

    def _admit(self, scope: Scope) -> str | None:
        """Return the origin if it is on the list, None if there is none or it is the request's own.

        Raises:
            InvalidRequestError: There are two `Host` headers (RFC 9112 §3.2).
            ForbiddenError: The host or the origin is foreign, or malformed, or sent twice.
        """
        hosts = [value.decode("latin-1") for value in header_values(scope, b"host")]
        if len(hosts) > 1:
            raise InvalidRequestError(reason="two hosts")
        host = "".join(hosts)
        if self._hosts and not self._hosts.allows(hostname(host)):
            raise ForbiddenError("host")
        match [value.decode("latin-1") for value in header_values(scope, b"origin")]:
            case []:
                return None
            case [origin] if self._origins.allows(origin):
                return origin
            case [origin] if _is_own(origin, host) and may_be_same_origin(scope):
                return None
            case _:
                raise ForbiddenError("origin")

    def _preflight(self, scope: Scope, state: RequestState) -> Response:
        """Return the answer to a preflight of a page on the list."""
        response = self._cors.preflight_response(request_headers=Headers(scope=scope))
        response.headers["x-request-id"] = state.request_id
        state.outcome = "completed"
        if response.status_code != HTTPStatus.OK:
            state.outcome = "refused"
            audit(state, "refused", InvalidRequestError(reason="preflight"))
        return response

    async def _call_without_cors(self, scope: Scope, receive: Receive, send: Send) -> None:
        def send_with_vary(message: Message) -> Awaitable[None]:
            if message["type"] == "http.response.start":
                message = with_headers(message, added=[_VARY])
            return send(message)

        await self.app(scope, receive, send_with_vary)

    async def _call_with_copy(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Call the app; Starlette writes into the messages that it is given, so these are copies."""

        def send_copy(message: Message) -> Awaitable[None]:
            return send(_with_one_vary(message) if message["type"] == "http.response.start" else message)

        await self.app(scope, receive, send_copy)


class _CORS(CORSMiddleware):
    """Starlette's CORS headers for the pages of a list."""

    def __init__(
        self, app: ASGIApp, origins: AllowedOrigins, *, headers: Iterable[str], max_age: int
    ) -> None:
        super().__init__(
            app,
            allow_methods=("GET", "POST"),
            allow_headers=(*_REQUEST_HEADERS, *headers),
            allow_credentials=True,
            expose_headers=_RESPONSE_HEADERS,
            max_age=max_age,
        )
        self._origins = origins

    def is_allowed_origin(self, origin: str) -> bool:
        return self._origins.allows(origin)


def may_be_same_origin(scope: Scope) -> bool:
    """Tell whether the browser does not deny that a request comes from a page of its own origin.

    Args:
        scope: An HTTP scope. `Sec-Fetch-Site` is absent outside of browsers, in old ones, and on
            plain HTTP; no script can set it (W3C Fetch Metadata §2.3).
    """
    return all(value in {b"same-origin", b"none"} for value in header_values(scope, b"sec-fetch-site"))


def _is_own(origin: str, host: str) -> bool:
    return hostname(host) != "" and origin in {f"https://{host}", f"http://{host}"}


def _is_preflight(scope: Scope) -> bool:
    asked = next(header_values(scope, b"access-control-request-method"), None)
    return scope["method"] == "OPTIONS" and asked is not None


def _with_one_vary(message: Message) -> Message:
    """Return a copy of a message whose `Vary` is on one line: of several, Starlette 1.3 keeps the first."""
    headers: list[tuple[bytes, bytes]] = list(message.get("headers", ()))
    varying = [value for name, value in headers if name.lower() == b"vary"]
    others = [(name, value) for name, value in headers if name.lower() != b"vary"]
    return {**message, "headers": [*others, (b"vary", b", ".join(varying))] if varying else others}


def _header_names(names: Iterable[str]) -> tuple[str, ...]:
    """Return the names of further request headers; a star is none, it would stand for every header."""
    found = listed(names, "allowed_headers")
    for name in found:
        if name == "*" or not is_token(name):
            raise ConfigurationError(f"{name!r} is not the name of a header")
    return found
