"""Reading a small document of an identity provider, and nothing else."""

import asyncio
import ssl
from contextlib import AsyncExitStack
from functools import cache

import httpx2

from .urls import is_loopback_url

MAX_BYTES = 512 * 1024
"""The largest document that is read; this is a security limit."""

_OK = 200


class FetchError(Exception):
    """A document could not be read; the text says why, without anything of the document."""


async def fetch(
    url: str, *, timeout_seconds: float, client: httpx2.AsyncClient | None = None
) -> bytes | None:
    """Return what is at a URL, or None if there is nothing for us (403, 404 and 410).

    No redirect is followed, wherever it leads.

    Args:
        url: Of which `is_safe_url` holds.
        timeout_seconds: For all of it.
        client: With which to fetch; a new one if None.

    Raises:
        FetchError: There is no answer in time, or not with 200, or it is too large.
    """
    try:
        async with AsyncExitStack() as stack:
            await stack.enter_async_context(asyncio.timeout(timeout_seconds))
            if client is None:
                client = await stack.enter_async_context(_client_for(url))
            request = client.stream(
                "GET",
                url,
                headers={"accept-encoding": "identity"},
                follow_redirects=False,
                timeout=None,  # that of the whole counts
            )
            response = await stack.enter_async_context(request)
            return await _content(response)
    # A client that the app has closed raises a RuntimeError.
    except (httpx2.HTTPError, httpx2.InvalidURL, OSError, TimeoutError, RuntimeError) as error:
        raise FetchError(f"{url}: {type(error).__name__}") from error


async def _content(response: httpx2.Response) -> bytes | None:
    if response.status_code in {403, 404, 410}:
        return None
    if response.status_code != _OK:
        raise FetchError(f"{response.url}: status {response.status_code}")
    content = bytearray()
    async for chunk in response.aiter_raw():
        content += chunk
        if len(content) > MAX_BYTES:
            raise FetchError(f"{response.url}: more than {MAX_BYTES} bytes")
    return bytes(content)


def _client_for(url: str) -> httpx2.AsyncClient:
    return httpx2.AsyncClient(
        verify=tls_context(),
        trust_env=not is_loopback_url(url),  # a proxy is somewhere else
    )


@cache
def tls_context() -> ssl.SSLContext:
    """Return the one TLS context of the process: making one takes tens of milliseconds."""
    return httpx2.create_ssl_context()
