"""Pages of foreign origins stay outside.

Host, Origin → allow-lists → app → Access-Control-Allow-Origin, Vary
                         ↘ preflight, 403
"""

from collections.abc import Awaitable, Iterable
from http import HTTPStatus
from typing import ClassVar

from starlette.responses import Response

from chatkit_prod.asgi import (
    ASGIApp,
    Message,
    Receive,
    Scope,
    Send,
    header_values,
    is_token,
    pass_lifespan,
    with_headers,
)
from chatkit_prod.errors import ConfigurationError, ForbiddenError, InvalidRequestError, RequestError
from chatkit_prod.layer import Layer, interpreter_in, require_inside
from chatkit_prod.options import listed
from chatkit_prod.refusal import refuse
from chatkit_prod.state import RequestState

from .allow_lists import AllowedHosts, AllowedOrigins
from .audit import audit
from .cors import answer_preflight, is_preflight, readable_by, refused_parts
from .hosts import hostname
from .same_origin import is_own_origin, may_be_same_origin

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
        The CORS headers for such a page, credentials included, in place of those of the app, and
        `Vary: Origin` for everybody.
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
        self._interpreter = interpreter_in(app)
        self._origins = AllowedOrigins(allowed_origins)
        self._hosts = AllowedHosts(allowed_hosts)
        self._headers = _header_names(allowed_headers)
        self._max_age = max_age

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Admit or refuse one request; a WebSocket is refused."""
        if scope["type"] != "http":
            await pass_lifespan(self.app, scope, receive, send)
            return
        scope, state = RequestState.seed(scope)
        try:
            origin = state.origin = self._admit(scope)
        except RequestError as refusal:
            audit(state, "refused", refusal)
            send = self._interpreter.interpret(scope, state, send)
            response = refuse(refusal, state)
            response.headers["vary"] = "Origin"
            await response(scope, receive, send)
            return
        if origin is not None and is_preflight(scope):
            await self._preflight(scope, state, origin)(scope, receive, send)
            return

        def send_with_cors(message: Message) -> Awaitable[None]:
            if message["type"] == "http.response.start":
                if origin is not None:
                    message = readable_by(origin, message)
                message = with_headers(message, added=[_VARY])
            return send(message)

        await self.app(scope, receive, send_with_cors)

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
            case [origin] if is_own_origin(origin, host) and may_be_same_origin(scope):
                return None
            case _:
                raise ForbiddenError("origin")

    def _preflight(self, scope: Scope, state: RequestState, origin: str) -> Response:
        """Return the answer to a preflight of a page on the list."""
        response = answer_preflight(scope, origin, headers=self._headers, max_age=self._max_age)
        response.headers["x-request-id"] = state.request_id
        state.outcome = "completed"
        if response.status_code != HTTPStatus.OK:
            state.outcome = "refused"
            audit(state, "refused", InvalidRequestError(reason=refused_parts(response)))
        return response


def _header_names(names: Iterable[str]) -> tuple[str, ...]:
    """Return the names of further request headers; a star is none, it would stand for every header."""
    found = listed(names, "allowed_headers")
    for name in found:
        if name == "*" or not is_token(name):
            raise ConfigurationError(f"{name!r} is not the name of a header")
    return found
