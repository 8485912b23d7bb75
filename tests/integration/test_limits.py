"""Several processes on one real Redis keep one limit, and outlive its loss and their own."""

import asyncio
import json
import os
import signal
import sys
import time
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from pathlib import Path
from typing import Any, cast

import httpx2
import pytest
from redis.asyncio import Redis

from chatkit_prod.limits import Rules
from chatkit_prod.testing import chatkit_request, user_message
from tests.integration.redis import RedisServer, redis
from tests.limits.apps import LIST, MESSAGE, Inside, ask, limited, passes, user
from tests.limits.shared import Storages, cancel_at_random
from tests.path.servers import LIMIT
from tests.servers import Gate

pytestmark = pytest.mark.anyio

ROOT = Path(__file__).parents[2]
HEADERS = {"content-type": "application/json", "accept": "text/event-stream"}
SEND = chatkit_request("threads.create", input=user_message("Hello"))


@pytest.fixture
async def running() -> AsyncGenerator[RedisServer]:
    async with redis() as server:
        yield server


class TestRealRedis(Storages):
    """What holds in memory and on the Redis of the unit tests holds on a real one."""

    @pytest.fixture
    def storage(self, running: RedisServer) -> str:
        return running.url


class Process:
    """An app in a process of its own."""

    def __init__(self, process: asyncio.subprocess.Process, port: int) -> None:
        self.process = process
        self.url = f"http://127.0.0.1:{port}/chatkit"


@asynccontextmanager
async def app_process(**given: Any) -> AsyncGenerator[Process]:
    """Serve `limits_app.py`."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.integration.limits_app", json.dumps(given)),
        cwd=ROOT,
        env=dict(os.environ),
        stdout=asyncio.subprocess.PIPE,
    )
    try:
        output = cast("asyncio.StreamReader", process.stdout)
        yield Process(process, int(await asyncio.wait_for(output.readline(), LIMIT)))
    finally:
        with suppress(ProcessLookupError):
            process.kill()
        await asyncio.wait_for(process.wait(), LIMIT)


@asynccontextmanager
async def clients(count: int = 1) -> AsyncGenerator[list[httpx2.AsyncClient]]:
    """Give clients that each have a connection of their own."""
    async with AsyncExitStack() as stack:
        yield [
            await stack.enter_async_context(
                httpx2.AsyncClient(trust_env=False, timeout=LIMIT, headers=HEADERS)
            )
            for _ in range(count)
        ]


async def send(client: httpx2.AsyncClient, process: Process, name: str, body: bytes = SEND) -> bool:
    """Tell whether a request reached the app."""
    answer = await client.post(process.url, content=body, headers={"x-user": name})
    assert answer.status_code in (200, 429, 503), answer
    return answer.content == b"data: {}\n\n"


async def slots(server: RedisServer) -> int:
    """Return how many slots Redis holds, also those whose lease is over."""
    client: Any
    async with Redis(port=server.port) as client:
        return sum(
            [await client.zcard(key) async for key in client.scan_iter("chatkit_prod:limits:streams/*")]
        )


async def until(reached: Any, seconds: float) -> None:
    """Wait for something, but not for long."""
    async with asyncio.timeout(seconds):
        while not await reached():  # noqa: ASYNC110 - nobody tells
            await asyncio.sleep(0.05)


# ------------------------------------------------------------------------------------------------ one limit


async def test_two_processes_keep_one_limit_exactly_under_200_concurrent_clients(
    running: RedisServer,
) -> None:
    options = {
        "storage": running.url,
        "rules": {"requests": "500/hour", "messages": "300/day"},
        "storage_timeout": 10,
    }
    async with app_process(**options) as one, app_process(**options) as two, clients(200) as everybody:

        async def three(number: int, client: httpx2.AsyncClient) -> int:
            return sum([await send(client, (one, two)[(number + n) % 2], "alice") for n in range(3)])

        found = await asyncio.gather(*(three(number, client) for number, client in enumerate(everybody)))
        assert sum(found) == 300
        assert not any([await send(everybody[0], process, "alice", LIST) for process in (one, two)])
        assert await send(everybody[0], one, "bob")


async def test_two_processes_hold_no_more_streams_open_than_one_may(running: RedisServer) -> None:
    options = {"storage": running.url, "rules": {"streams": 4}, "storage_timeout": 5}
    async with app_process(**options) as one, app_process(**options) as two, clients(20) as everybody:

        async def hold(number: int, client: httpx2.AsyncClient, stop: asyncio.Event) -> bool:
            headers = {"x-user": "alice", "x-hold": "1"}
            url = (one, two)[number % 2].url
            async with client.stream("POST", url, content=SEND, headers=headers) as answer:
                chunks = answer.aiter_bytes()
                is_open = await anext(chunks) == b": open\n\n"
                if is_open:
                    await stop.wait()
                return is_open

        stop = asyncio.Event()
        tasks = [asyncio.create_task(hold(*numbered, stop)) for numbered in enumerate(everybody)]
        _, waiting = await asyncio.wait(tasks, timeout=3)
        assert len(waiting) == 4
        assert await slots(running) == 4
        stop.set()
        assert sum(await asyncio.gather(*tasks)) == 4
        await until(lambda: _is_free(running), 5)


async def _is_free(server: RedisServer) -> bool:
    return await slots(server) == 0


# ------------------------------------------------------------------------------------------------ a crash


async def test_slots_of_a_killed_process_are_free_once_their_lease_is_over(running: RedisServer) -> None:
    options = {"storage": running.url, "rules": {"streams": 2}, "slot_lease": 1.5}
    async with app_process(**options) as one, app_process(**options) as two, clients(3) as everybody:
        held = asyncio.gather(*(_held_by(client, one) for client in everybody[:2]), return_exceptions=True)
        await until(lambda: _are_taken(running), LIMIT)
        await asyncio.sleep(2)  # longer than a lease: they are renewed
        assert not await send(everybody[2], two, "alice")
        one.process.kill()
        killed = time.monotonic()
        await held

        async def is_let_in() -> bool:
            return await send(everybody[2], two, "alice")

        await until(is_let_in, 5)
        assert time.monotonic() - killed < 1.5 + 1


async def _held_by(client: httpx2.AsyncClient, process: Process) -> None:
    await client.post(process.url, content=SEND, headers={"x-user": "alice", "x-hold": "1"})


async def _are_taken(server: RedisServer) -> bool:
    return await slots(server) == 2


async def test_streams_that_are_cancelled_at_random_leave_no_slot_in_redis(running: RedisServer) -> None:
    await cancel_at_random(running.url, rounds=12, streams=25)
    assert await slots(running) == 0


# ------------------------------------------------------------------------------------------------ the loss of Redis


@pytest.mark.parametrize("mode", ["open", "closed"])
async def test_redis_is_killed_and_comes_back_in_the_middle(running: RedisServer, mode: str) -> None:
    """Nobody gets a 5xx for a stream, nobody waits long, and the limit holds again by itself."""
    options = {
        "storage": running.url,
        "rules": {"messages": "20/day", "streams": 50},
        "on_storage_error": mode,
    }
    async with app_process(**options) as one, app_process(**options) as two, clients(20) as everybody:
        longest = 0.0

        async def each(name: str) -> list[bool]:
            nonlocal longest

            async def timed(number: int, client: httpx2.AsyncClient) -> bool:
                nonlocal longest
                started = time.monotonic()
                found = await send(client, (one, two)[number % 2], name)
                longest = max(longest, time.monotonic() - started)
                return found

            return list(await asyncio.gather(*(timed(*numbered) for numbered in enumerate(everybody))))

        assert all(await each("before"))
        assert not any(await each("before"))
        await running.kill()
        for _ in range(5):
            assert set(await each("during")) == {mode == "open"}
        await running.start()

        async def counts_again() -> bool:
            return (await _remaining(everybody[0], one)) and (await _remaining(everybody[0], two))

        await until(counts_again, 5)
        assert all(await each("after"))
        assert not any(await each("after"))
        assert longest < 3


async def _remaining(client: httpx2.AsyncClient, process: Process) -> bool:
    answer = await client.post(process.url, content=SEND, headers={"x-user": f"probe {time.monotonic()}"})
    return "ratelimit" in answer.headers and answer.content == b"data: {}\n\n"


@pytest.mark.parametrize("mode", ["open", "closed"])
async def test_a_redis_that_hangs_costs_no_more_than_its_timeout(running: RedisServer, mode: Any) -> None:
    rules = Rules(
        requests="1000/hour", tenant_requests="1000/hour", streams=4, messages="1000/day", tokens="10/day"
    )
    options: dict[str, Any] = {"storage": running.url, "storage_timeout": 0.2, "on_storage_error": mode}
    async with limited(rules, **options) as app:
        assert await passes(app, MESSAGE)
        running.pause()
        took: list[float] = []
        for _ in range(10):
            started = time.monotonic()
            assert await passes(app, MESSAGE) == (mode == "open")
            took.append(time.monotonic() - started)
        running.go_on()
        assert max(took) < 0.6
        assert sorted(took)[5] < 0.05  # the others do not wait

        async def counts_again() -> bool:
            return "ratelimit" in (await ask(app, MESSAGE, user())).headers

        await until(counts_again, 5)


async def test_a_stream_that_outlives_a_restart_of_redis_has_its_slot_again(running: RedisServer) -> None:
    gate = Gate()
    async with limited(Rules(streams=1), Inside(gate), storage=running.url, slot_lease=0.6) as app:
        stream = asyncio.create_task(ask(app, MESSAGE, user()))
        await gate.reached.wait()
        await running.kill(signal.SIGTERM)
        await asyncio.sleep(0.5)
        await running.start()
        await until(lambda: _one_is_taken(running), 5)
        assert not await passes(app, MESSAGE)
        gate.opened.set()
        assert (await stream).passed
        assert await slots(running) == 0


async def _one_is_taken(server: RedisServer) -> bool:
    return await slots(server) == 1
