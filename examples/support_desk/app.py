"""The wrapping: a ChatKit server that works on a laptop, and `harden` around it."""

import os
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

from agents import Model
from starlette.applications import Starlette
from starlette.routing import Route

from chatkit_prod import close_streams, harden
from chatkit_prod.access import OwnerOnly
from chatkit_prod.auth import AuthMiddleware, JWTBearer
from chatkit_prod.locale import Translations
from chatkit_prod.pii import Scrubber
from chatkit_prod.testing import LocalIdentityProvider
from chatkit_prod.tracing import AgentsBridge, ClientEventsEndpoint
from examples.stores.sqlite import SQLiteStore

from .metrics import scrapable
from .model import choose_model
from .server import SupportDesk

identity_provider = LocalIdentityProvider(algorithm="ES256")
"""Stands in for the one where your users sign in."""


def create_app(database: Path, *, model: Model | None) -> Starlette:
    """Return the support desk as an ASGI app.

    Args:
        database: The SQLite file; made when it is not there.
        model: The language model; the default of the Agents SDK if None.
    """
    store = SQLiteStore(database)
    scrubber = Scrubber(action="label")  # the model is to know that there was an address
    meter_provider, metrics = scrapable()
    AgentsBridge(exclusive=True).install()  # exclusive: the SDK then sends nothing to OpenAI itself
    auth = JWTBearer(
        issuer=identity_provider.issuer,
        audience=identity_provider.audience,
        jwks=identity_provider.jwks,
    )

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncGenerator[None]:
        async with store:
            yield
            await close_streams()
        meter_provider.shutdown()

    endpoint = harden(
        SupportDesk(store, model=model),
        auth=auth,
        access=OwnerOnly(),
        locales=["en", "fr", "de"],
        translations=Translations(Path(__file__).with_name("locales")),
        pii=scrubber,
        meter_provider=meter_provider,
    )
    client_events = AuthMiddleware(
        ClientEventsEndpoint(scrubber=scrubber, meter_provider=meter_provider),
        authenticator=auth,
        exempt=["/client-events/chatkit-prod.js", "/client-events/chatkit-prod.d.ts"],
    )
    return Starlette(
        routes=[
            Route("/chatkit", endpoint, methods=["POST", "OPTIONS"]),
            Route("/client-events", client_events, methods=["POST"]),
            Route("/client-events/{file}", client_events, methods=["GET"]),
            Route("/metrics", metrics),  # on loopback; elsewhere not where the public comes
        ],
        lifespan=lifespan,
    )


app = create_app(Path(os.environ.get("SUPPORT_DESK_DATABASE", "support_desk.sqlite3")), model=choose_model())
