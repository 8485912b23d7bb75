"""The desk that fails, hardened, in a process of its own that sends its telemetry by OTLP.

    python -m tests.integration.otlp_app

The first line of its output is the port; where telemetry goes is said in OpenTelemetry's own variables.
"""

import asyncio
import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import uvicorn
from starlette.applications import Starlette
from starlette.routing import Route

from chatkit_prod import close_streams, harden
from chatkit_prod.tracing import AgentsBridge, setup_telemetry
from tests.path.servers import listening
from tests.tracing.failing import (
    MAX_BODY_BYTES,
    Door,
    FailingDesk,
    FailingPolicy,
    failing_context,
    furnish,
)

SERVICE = "help-desk"

_GRACEFUL_SECONDS = 1


def main() -> None:
    """Serve until a signal."""
    desk = FailingDesk()
    asyncio.run(furnish(desk))
    AgentsBridge(exclusive=True).install()
    hardened = harden(
        desk,
        auth=Door(),
        access=FailingPolicy(),
        context_factory=failing_context,
        max_body_bytes=MAX_BODY_BYTES,
        cancel_grace=2,
    )

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncGenerator[None]:
        with setup_telemetry(service_name=SERVICE, exporter="otlp"):
            yield
            await close_streams()

    app = Starlette(lifespan=lifespan, routes=[Route("/chatkit", hardened)])
    with listening() as (listener, port):
        sys.stdout.write(f"{port}\n")
        sys.stdout.flush()
        config = uvicorn.Config(app, ws="none", timeout_graceful_shutdown=_GRACEFUL_SECONDS)
        uvicorn.Server(config).run([listener])


if __name__ == "__main__":
    main()
