"""What limits cost: CPU time that the layer adds to a request, with every rule, in memory."""

import statistics

from chatkit_prod import Principal, RequestState
from chatkit_prod.asgi import ASGIApp, Receive, Scope, Send
from chatkit_prod.limits import LimitsMiddleware, Rules
from chatkit_prod.testing import chatkit_request, user_message
from chatkit_prod.usage import add_tokens

from .measure import Request, Row, batch, paired

RULES = Rules(
    requests="1000000000/minute",
    tenant_requests="1000000000/minute",
    streams=4,
    messages="1000000000/day",
    tokens="1000000000/day",
)
MESSAGE = chatkit_request("threads.create", input=user_message("Hello"))
LIST = chatkit_request("threads.list")
USERS = 10_000
"""Who were here before: their counters are there as well."""


async def _answer(scope: Scope, receive: Receive, send: Send) -> None:
    """Read a request, use some tokens, and answer."""
    await receive()
    state: RequestState = scope["state"]["chatkit"]
    with state.as_current():
        add_tokens(10)
    await send(
        {"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/event-stream")]}
    )
    await send({"type": "http.response.body", "body": b"data: {}\n\n"})


class _SignedIn:
    """Signs a user in; each time another one, where there are several."""

    def __init__(self, app: ASGIApp, users: int = 1) -> None:
        self._app = app
        self._users = users
        self._next = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        scope, state = RequestState.seed(scope)
        self._next = (self._next + 1) % self._users
        state.principal = Principal(
            issuer="https://idp.example.com", subject=f"user_{self._next}", tenant="tenant_1"
        )
        await self._app(scope, receive, send)


async def rows(rounds: int) -> list[Row]:
    """Measure a message with every rule, and a request without a stream."""

    async def nothing() -> None: ...

    layer = LimitsMiddleware(_answer, rules=RULES)
    for _ in range(USERS):
        await Request(MESSAGE, {"content-type": "application/json"}).send(_SignedIn(layer, USERS))
    found: list[Row] = []
    for name, body in (("a message", MESSAGE), ("`threads.list`", LIST)):
        request = Request(body, {"content-type": "application/json", "host": "localhost"})
        figures = await paired(
            {
                "without": batch(request, _SignedIn(_answer), nothing, size=300),
                "with": batch(request, _SignedIn(layer), nothing, size=300),
            },
            rounds=rounds,
        )
        added = statistics.median(
            slow - fast for slow, fast in zip(figures["with"], figures["without"], strict=True)
        )
        found.append(
            Row(f"`LimitsMiddleware` in memory, every rule, added to {name}", added * 1e6, 60, " µs")
        )
    return found
