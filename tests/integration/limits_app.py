"""An app with limits in a process of its own: `python -m tests.integration.limits_app '{"storage": …, "rules": …}'`.

Writes its port to standard output. Who asks is said by the header `x-user`.
"""

import asyncio
import json
import sys

import uvicorn

from chatkit_prod import Principal, RequestState
from chatkit_prod.asgi import ASGIApp, Receive, Scope, Send
from chatkit_prod.limits import LimitsMiddleware, Rules
from tests.path.servers import listening


async def streaming(scope: Scope, receive: Receive, send: Send) -> None:
    """Answer at once; with the header `x-hold`, when the client is gone."""
    if scope["type"] != "http":
        return
    await receive()
    await send(
        {"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/event-stream")]}
    )
    if b"x-hold" in dict(scope["headers"]):
        await send({"type": "http.response.body", "body": b": open\n\n", "more_body": True})
        while (await receive())["type"] != "http.disconnect":
            pass
    await send({"type": "http.response.body", "body": b"data: {}\n\n"})


class SignedIn:
    """Believes what the header says."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            scope, state = RequestState.seed(scope)
            name = dict(scope["headers"])[b"x-user"].decode()
            state.principal = Principal(issuer="https://idp.example.com", subject=name)
        await self.app(scope, receive, send)


def main() -> None:
    """Serve until a signal."""
    given = json.loads(sys.argv[1])
    app = SignedIn(LimitsMiddleware(streaming, rules=Rules(**given.pop("rules")), **given))
    server = uvicorn.Server(uvicorn.Config(app, log_config=None, access_log=False, ws="none"))
    with listening() as (listener, port):
        sys.stdout.write(f"{port}\n")
        sys.stdout.flush()
        asyncio.run(server.serve(sockets=[listener]))


if __name__ == "__main__":
    main()
