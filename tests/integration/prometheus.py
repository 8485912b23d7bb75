"""A real Prometheus: on a free port, with nothing in it, in a process of its own."""

import asyncio
import os
import signal
import subprocess
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, cast

import httpx2

from tests.path.servers import LIMIT, listening

PROMTOOL = os.environ.get("PROMTOOL", "/usr/bin/promtool")
_PROMETHEUS = os.environ.get("PROMETHEUS", "/usr/bin/prometheus")
_READY = b"Server is ready to receive web requests."
_PAUSE = 0.05

Labels = dict[str, str]
Sample = tuple[Labels, float]


class Prometheus:
    """What a person would ask a Prometheus.

    Args:
        client: Speaks to it.
    """

    def __init__(self, client: httpx2.AsyncClient) -> None:
        self._client = client

    async def get(self, path: str, **parameters: str) -> Any:
        """Ask its HTTP API, and return the data."""
        response = await self._client.get(f"/api/v1/{path}", params=parameters)
        answer = response.json()
        assert answer["status"] == "success", (parameters, answer)
        return answer["data"]

    async def samples(self, query: str) -> list[Sample]:
        """Return the labels and the value of everything that a PromQL query finds now."""
        data = await self.get("query", query=query)
        assert data["resultType"] == "vector", query
        return [(found["metric"], float(found["value"][1])) for found in data["result"]]

    async def by(self, label: str, query: str) -> dict[str, float]:
        """Return the values of a query by the value of a label."""
        return {labels.get(label, ""): value for labels, value in await self.samples(query)}

    async def until(
        self, label: str, query: str, is_right: Callable[[dict[str, float]], bool]
    ) -> dict[str, float]:
        """Ask again and again until the values are right, and return them."""
        found: dict[str, float] = {}
        try:
            async with asyncio.timeout(LIMIT):
                while True:
                    found = await self.by(label, query)
                    if is_right(found):
                        return found
                    await asyncio.sleep(_PAUSE)
        except TimeoutError:
            raise AssertionError(f"{query} remains {found}") from None


@asynccontextmanager
async def prometheus(config: Path, data: Path) -> AsyncGenerator[Prometheus]:
    """Run Prometheus on a free port of the loopback interface.

    Args:
        config: Its configuration.
        data: An empty folder for what it collects.
    """
    with listening() as (_, port):
        pass
    process = await asyncio.create_subprocess_exec(
        _PROMETHEUS,
        f"--config.file={config}",
        f"--storage.tsdb.path={data}",
        f"--web.listen-address=127.0.0.1:{port}",
        stderr=asyncio.subprocess.PIPE,
    )
    ready: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    reading = asyncio.create_task(_read(cast("asyncio.StreamReader", process.stderr), ready))
    try:
        await asyncio.wait_for(ready, LIMIT)
        url = f"http://127.0.0.1:{port}"
        async with httpx2.AsyncClient(base_url=url, trust_env=False, timeout=LIMIT) as client:
            yield Prometheus(client)
    finally:
        if process.returncode is None:
            process.send_signal(signal.SIGTERM)
        await asyncio.wait_for(process.wait(), LIMIT)
        await reading


def promtool(*arguments: str, folder: Path) -> None:
    """Run promtool, and fail with what it says if it is not content.

    Args:
        arguments: Its command line.
        folder: Where.
    """
    found = subprocess.run(
        [PROMTOOL, *arguments], cwd=folder, capture_output=True, text=True, check=False, timeout=6 * LIMIT
    )
    assert found.returncode == 0, found.stdout + found.stderr


async def _read(log: asyncio.StreamReader, ready: asyncio.Future[None]) -> None:
    """Read what it logs to its end, so that it never waits for room in the pipe."""
    logged = b""
    async for line in log:
        logged += line
        if _READY in line and not ready.done():
            ready.set_result(None)
    if not ready.done():
        ready.set_exception(RuntimeError(f"Prometheus did not start:\n{logged.decode()}"))
