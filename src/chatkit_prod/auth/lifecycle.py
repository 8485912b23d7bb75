"""What an authenticator that asks somebody else does when the app starts and stops."""

import logging
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from chatkit_prod.errors import UnavailableError

logger = logging.getLogger("chatkit_prod")


class Lifecycle:
    """Nothing is fetched before the first request, unless the app asks for it with one of these."""

    async def warm(self) -> None:
        """Fetch now what the first request would have to wait for.

        Raises:
            UnavailableError: Whom we asked does not answer; the log says how.
        """

    async def aclose(self) -> None:
        """Close the connections that are kept open."""

    @asynccontextmanager
    async def lifespan(self, _app: object = None) -> AsyncGenerator[None]:
        """Warm up when the app starts, and close when it stops: `Starlette(lifespan=auth.lifespan)`.

        An app starts as well when an identity provider is down; then the first request asks again.
        """
        try:
            await self.warm()
        except UnavailableError as error:
            logger.warning("the app starts without %s", error.reason)
        try:
            yield
        finally:
            await self.aclose()
