"""Personal data is taken out of what comes in and what goes out.

body → walk → scrubber → app ┬→ JSON → walk → scrubber
                             └→ events → a window for each text that grows
"""

from typing import ClassVar, Literal, get_args

from opentelemetry.metrics import MeterProvider
from starlette.requests import ClientDisconnect, Request

from chatkit_prod.asgi import ASGIApp, Receive, Scope, Send
from chatkit_prod.body import read_body, replay, require_json
from chatkit_prod.errors import ConfigurationError, PersonalDataError, RequestError
from chatkit_prod.layer import Layer, require_inside
from chatkit_prod.operation import Limits
from chatkit_prod.options import named
from chatkit_prod.refusal import expects_events, refuse
from chatkit_prod.state import RequestState

from .cleaning import AnyScrubber, run
from .counts import Counts
from .requests import clean_request
from .responses import Exchanged, refusal_of, scrub_response
from .walk import prepare

Requests = Literal["redact", "reject", "off"]
Responses = Literal["redact", "off"]

_LIMITS = Limits()

_UNSEEN = frozenset(("http.response.pathsend", "http.response.zerocopysend", "http.response.trailers"))
"""The extensions by which an app sends what nobody on the way can look into."""


class PIIMiddleware:
    """Take personal data out of requests before anybody inside sees them, and out of answers before they leave.

    Fails closed. A request whose body is not JSON, or not scrubbed, goes no further; an answer that cannot be
    scrubbed is replaced by a 500, and a stream ends with an `error` event. The texts of a body are those that
    `walk.py` knows, and whatever this release does not know. Numbers and keys are left alone.

    Answers in JSON are held until they are complete; a stream is not. A response of any other media type is passed
    as it is, such as a file that is downloaded; one without a media type is read as JSON if it looks like it, and what is compressed,
    has several types, or is JSON line by line is replaced by a 500.

    Args:
        app: The ASGI app to wrap.
        scrubber: Says what personal data is, and what stands in its place; called in a thread if it `is_slow`.
        requests: Whether it is replaced in requests (`redact`), or such requests are refused (`reject`), or neither
            (`off`).
        responses: Whether it is replaced in answers (`redact`) or not (`off`).
        meter_provider: Where the counter of findings goes; the global provider if None.
        max_body_bytes: Size of a request body; a security limit, as that of the endpoint.
        max_json_values: How many members and elements it may have, as the endpoint counts them.

    Raises:
        ConfigurationError: `scrubber` is none, another option is wrong, or `app` holds a layer that belongs outside.

    Sets:
        `Content-Length`, of the request and of a JSON answer, where something was replaced; a stream has none.
    """

    layer: ClassVar = Layer.PII

    def __init__(
        self,
        app: ASGIApp,
        *,
        scrubber: AnyScrubber,
        requests: Requests = "redact",
        responses: Responses = "redact",
        meter_provider: MeterProvider | None = None,
        max_body_bytes: int = _LIMITS.max_body_bytes,
        max_json_values: int = _LIMITS.max_json_values,
    ) -> None:
        require_inside(self, app)
        if isinstance(scrubber, type) or not isinstance(scrubber, AnyScrubber):
            raise ConfigurationError(f"scrubber must be a Scrubber, not {named(scrubber)}")
        _require_one_of(requests, get_args(Requests), "requests")
        _require_one_of(responses, get_args(Responses), "responses")
        prepare()
        self.app = app
        self._scrubber = scrubber
        self._requests = requests
        self._responses = responses
        self._counts = Counts(meter_provider)
        self._limits = Limits(max_body_bytes=max_body_bytes, max_json_values=max_json_values)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Scrub one request and its answer."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        scope, state = RequestState.seed(scope)
        exchanged = Exchanged(scope, receive, send, state)
        if self._requests != "off":
            admitted = await self._admit(exchanged)
            if admitted is None:
                return
            exchanged = admitted
        if self._responses == "off":
            await self.app(exchanged.scope, exchanged.receive, send)
            return
        response = scrub_response(exchanged, self._scrubber, self._counts)
        try:
            await self.app(_without_unseen(exchanged.scope), exchanged.receive, response.send)
        finally:
            response.close()

    async def _admit(self, exchanged: Exchanged) -> Exchanged | None:
        """Return a request as it may go on; None if it was answered, or nobody waits for an answer."""
        scope, receive, send, state = exchanged
        try:
            body = await read_body(Request(scope, receive), limit=self._limits.max_body_bytes)
            cleaned = await self._clean(body, scope, state)
        except ClientDisconnect:
            state.outcome = "cancelled"
            return None
        except RequestError as refusal:
            await refuse(refusal, state)(scope, receive, send)
            return None
        except Exception as error:  # noqa: BLE001 - a scrubber may raise anything
            response = refusal_of(error, state, is_stream=expects_events(scope))
            await response(scope, receive, send)
            return None
        if cleaned != body:
            scope = {**scope, "headers": _with_length(scope, len(cleaned))}
        return exchanged._replace(scope=scope, receive=replay(cleaned, receive))

    async def _clean(self, body: bytes, scope: Scope, state: RequestState) -> bytes:
        if not body:
            return body
        require_json(scope)
        steps = clean_request(
            body, self._scrubber, max_values=self._limits.max_json_values, scope=state.request_id
        )
        cleaned, found = await run(steps, is_slow=self._scrubber.is_slow)
        self._counts.add(found, "request")
        if found and self._requests == "reject":
            raise PersonalDataError(found)
        return cleaned


def _require_one_of(value: object, choices: tuple[str, ...], name: str) -> None:
    if value not in choices:
        raise ConfigurationError(f"{name} must be one of {', '.join(choices)}, not {value!r}")


def _with_length(scope: Scope, length: int) -> list[tuple[bytes, bytes]]:
    """Return the headers of a request with the length of its new body, where they say one."""
    return [
        (name, b"%d" % length if name == b"content-length" else value) for name, value in scope["headers"]
    ]


def _without_unseen(scope: Scope) -> Scope:
    extensions: dict[str, object] = scope.get("extensions") or {}
    if _UNSEEN.isdisjoint(extensions):
        return scope
    return {**scope, "extensions": {name: extensions[name] for name in extensions if name not in _UNSEEN}}
