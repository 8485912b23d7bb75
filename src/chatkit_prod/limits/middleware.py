"""Nobody uses more than their share of requests, streams, messages and tokens.

body → kind → admission ┬→ app → RateLimit fields; at the end, tokens are counted and the slot is given back
                        └→ 429, or an `error` event
"""

from collections.abc import Awaitable
from typing import ClassVar, Literal, get_args

from opentelemetry.metrics import MeterProvider
from starlette.requests import ClientDisconnect, Request

from chatkit_prod.asgi import ASGIApp, Message, Receive, Scope, Send, with_headers
from chatkit_prod.body import read_body, replay, require_json
from chatkit_prod.errors import ConfigurationError, RateLimitedError, RequestError
from chatkit_prod.layer import Layer, require_inside
from chatkit_prod.operation import Limits
from chatkit_prod.options import named, seconds
from chatkit_prod.refusal import refuse
from chatkit_prod.state import RequestState

from .admission import Admission, Visit
from .backend import StorageDownError, backend_for
from .caller import caller_of
from .fields import rate_limit_fields
from .kind import Kind, kind_of
from .records import Refusals
from .refusals import refuse_limited, refuse_unchecked
from .rules import Rules

OnStorageError = Literal["open", "closed"]

_LIMITS = Limits()


class LimitsMiddleware:
    """Refuse what is beyond a caller's share, before anybody inside has any work with it.

    It reads the body, because only that says what a request costs: one that is not JSON, or of a type that this release does not
    know, goes no further. A stream holds its slot until the app has returned, however it ends.

    Args:
        app: The ASGI app to wrap.
        rules: What a user and a tenant may use.
        storage: Where that is counted: `memory://` for one process; `redis://…` or `rediss://…` for several, which have to have the
            same rules.
        on_storage_error: What becomes of requests while Redis is gone: refused (`closed`), or let through uncounted (`open`).
        storage_timeout: Seconds that one answer of Redis may take. After a failure it is left alone for a second.
        slot_lease: Seconds after which the slots of a process that died are free again.
        meter_provider: Where the counter of refusals goes; the global provider if None.
        max_body_bytes: Size of a request body; a security limit, as that of the endpoint.
        max_json_values: How many members and elements it may have, as the endpoint counts them.

    Raises:
        ConfigurationError: `rules` are none, another option is wrong, its library is not installed, or `app` holds a layer that
            belongs outside.

    Sets:
        `state.usage`: counts the tokens of the request, if there is a rule of them.
        `RateLimit-Policy` and `RateLimit`: what the user may use, and what is left of it.
    """

    layer: ClassVar = Layer.LIMITS

    def __init__(
        self,
        app: ASGIApp,
        *,
        rules: Rules,
        storage: str = "memory://",
        on_storage_error: OnStorageError = "closed",
        storage_timeout: float = 0.5,
        slot_lease: float = 30.0,
        meter_provider: MeterProvider | None = None,
        max_body_bytes: int = _LIMITS.max_body_bytes,
        max_json_values: int = _LIMITS.max_json_values,
    ) -> None:
        require_inside(self, app)
        if not isinstance(rules, Rules):
            raise ConfigurationError(f'rules must be Rules(requests="60/minute", …), not {named(rules)}')
        if on_storage_error not in get_args(OnStorageError):
            raise ConfigurationError(f"on_storage_error must be open or closed, not {on_storage_error!r}")
        self.app = app
        self._backend = backend_for(
            storage,
            lease=seconds(slot_lease, "slot_lease"),
            timeout=seconds(storage_timeout, "storage_timeout"),
        )
        self._admission = Admission(rules, self._backend)
        self._counts_tokens = rules.tokens is not None
        self._is_open = on_storage_error == "open"
        self._refusals = Refusals(meter_provider)
        self._limits = Limits(max_body_bytes=max_body_bytes, max_json_values=max_json_values)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let one request begin, or refuse it."""
        if scope["type"] == "lifespan":
            try:
                await self.app(scope, receive, send)
            finally:
                await self._backend.aclose()
            return
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        scope, state = RequestState.seed(scope)
        try:
            body = await read_body(Request(scope, receive), limit=self._limits.max_body_bytes)
            if body:
                require_json(scope)
            kind = kind_of(body, max_values=self._limits.max_json_values)
        except ClientDisconnect:
            state.outcome = "cancelled"
            return
        except RequestError as refusal:
            await refuse(refusal, state)(scope, receive, send)
            return
        await self._visit(kind, state, scope, replay(body, receive), send)

    async def _visit(
        self, kind: Kind, state: RequestState, scope: Scope, receive: Receive, send: Send
    ) -> None:
        visit = Visit(caller_of(scope, state.peek().principal), state.request_id)
        try:
            answer = await self._admitted(visit, kind, state)
            fields = rate_limit_fields(visit.standings)

            def send_with_fields(message: Message) -> Awaitable[None]:
                if message["type"] == "http.response.start":
                    message = with_headers(message, added=fields)
                return send(message)

            await answer(scope, receive, send_with_fields)
        finally:
            await self._admission.end(visit)

    async def _admitted(self, visit: Visit, kind: Kind, state: RequestState) -> ASGIApp:
        """Return what answers a request: the app, or a refusal."""
        if self._counts_tokens:
            state.usage = visit
        try:
            await self._admission.admit(visit, kind)
        except RateLimitedError as refusal:
            self._refusals.add(refusal, state)
            return refuse_limited(refusal, state, streaming=kind.streaming)
        except StorageDownError:
            if not self._is_open:
                return refuse_unchecked(state, streaming=kind.streaming)
        return self.app
