"""A layer with limits, an app behind it that can be held up, and what a client gets."""

import json
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any, NamedTuple

from chatkit_prod import Principal, RequestState
from chatkit_prod.asgi import Message, Receive, Scope, Send
from chatkit_prod.limits import LimitsMiddleware, Rules
from chatkit_prod.testing import chatkit_request, user_message
from tests.servers import http_scope

LIST = chatkit_request("threads.list")
MESSAGE = chatkit_request("threads.create", input=user_message("Hello"))
STREAM = chatkit_request("threads.custom_action", thread_id="thr_1", action={"type": "x", "payload": {}})


class Inside:
    """An app that answers when it is let.

    Args:
        step: Awaited before the answer; may raise.
    """

    def __init__(self, step: Callable[[], Awaitable[None]] | None = None) -> None:
        self.bodies: list[bytes] = []
        self.states: list[RequestState] = []
        self._step = step

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        self.bodies.append((await receive())["body"])
        state: RequestState = scope["state"]["chatkit"]
        self.states.append(state)
        with state.as_current():
            if self._step is not None:
                await self._step()
            await send({"type": "http.response.start", "status": 200, "headers": []})
            await send({"type": "http.response.body", "body": b"{}"})


class Got(NamedTuple):
    """An answer."""

    status: int
    headers: dict[str, str]
    body: bytes
    state: RequestState

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def event(self) -> Any:
        assert self.status == 200
        assert self.headers["content-type"].startswith("text/event-stream")
        return json.loads(self.body.removeprefix(b"data: "))

    @property
    def passed(self) -> bool:
        return self.body == b"{}"


def user(subject: str = "user_1", tenant: str | None = None) -> Principal:
    return Principal(issuer="https://idp.example.com", subject=subject, tenant=tenant)


async def ask(
    app: Any, body: bytes = LIST, principal: Principal | None = None, scope: Scope | None = None
) -> Got:
    """Send a request."""
    scope, state = RequestState.seed(http_scope() if scope is None else scope)
    if principal is not None:
        state.principal = principal
    messages: list[Message] = []

    async def receive() -> Message:
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message: Message) -> None:
        messages.append(message)

    await app(scope, receive, send)
    headers = {name.decode().lower(): value.decode() for name, value in messages[0]["headers"]}
    content = b"".join(message["body"] for message in messages[1:])
    return Got(messages[0]["status"], headers, content, state)


async def passes(app: Any, body: bytes = LIST, principal: Principal | None = None) -> bool:
    """Tell whether a request reaches the app."""
    return (await ask(app, body, principal or user())).passed


@asynccontextmanager
async def limited(rules: Rules, app: Any = None, **options: Any) -> AsyncGenerator[LimitsMiddleware]:
    """Put a layer in front of an app, and close it like a server does."""
    layer = LimitsMiddleware(app or Inside(), rules=rules, **options)
    try:
        yield layer
    finally:
        await close(layer)


async def close(layer: LimitsMiddleware) -> None:
    """Shut an app down."""

    async def receive() -> Message:
        return {"type": "lifespan.shutdown"}

    async def send(message: Message) -> None: ...

    await layer({"type": "lifespan", "asgi": {"version": "3.0"}, "state": {}}, receive, send)
